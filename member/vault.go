package member

import (
	"context"
	"fmt"
	"sync"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
)

// StrangersKept is how long the numbers of people who are not members stay readable.
const StrangersKept = 90 * 24 * time.Hour

// vault seals what is personal. Every member has a key of their own, wrapped by one that is derived from the master key.
type vault struct{ wrapping []byte }

func newVault(keys *seal.Keyring) vault { return vault{wrapping: keys.Key("member-keys")} }

func (v vault) id() string { return ident.New() }

// seal puts a profile into the member's document, under their key; one that has none yet gets one.
func (v vault) seal(m *Member, p profile) error {
	var key []byte
	var err error
	if m.Key == nil {
		key = seal.NewKey()
		m.Key = seal.Seal(v.wrapping, key, m.ID)
	} else if key, err = seal.Open(v.wrapping, m.Key, m.ID); err != nil {
		return fmt.Errorf("member: key: %w", err)
	}
	plain, err := wire.Marshal(p)
	if err != nil {
		return fmt.Errorf("member: profile: %w", err)
	}
	m.Profile = seal.Seal(key, plain, m.ID)
	return nil
}

// open reads a member's profile.
func (v vault) open(m *Member) (p profile, err error) {
	key, err := seal.Open(v.wrapping, m.Key, m.ID)
	if err != nil {
		return p, fmt.Errorf("member: key: %w", err)
	}
	plain, err := seal.Open(key, m.Profile, m.ID)
	if err != nil {
		return p, fmt.Errorf("member: profile: %w", err)
	}
	if err := wire.Unmarshal(plain, &p); err != nil {
		return p, fmt.Errorf("member: profile: %w", err)
	}
	return p, nil
}

// dayKey is the stored key of a day, under which the numbers in that day's transactions are sealed: random, wrapped by the
// master key, and destroyed with what it sealed.
type dayKey struct {
	docdb.Doc `json:",inline"` // the date
	Wrapped   []byte           `json:"wrapped"`
}

// stranger is the sealed number of somebody who bought and was not a member.
type stranger struct {
	docdb.Doc `json:",inline"` // <date of arrival, UTC>/<blind index>
	Sealed    []byte           `json:"sealed"`
}

// dayKeyCache keeps the few keys in use.
type dayKeyCache struct {
	mu   sync.Mutex
	keys map[when.Date]preparedKey
}

// preparedKey is a day's key, and what seals under it.
type preparedKey struct {
	key    []byte
	sealer seal.Sealer
}

// DayKey is the key for sealing the phone numbers that transactions bring on a date; it is made when first asked for.
func (s *Service) DayKey(ctx context.Context, date when.Date) ([]byte, error) {
	prepared, err := s.preparedKey(ctx, date)
	return prepared.key, err
}

func (s *Service) preparedKey(ctx context.Context, date when.Date) (preparedKey, error) {
	s.dayKeys.mu.Lock()
	defer s.dayKeys.mu.Unlock()
	if key, ok := s.dayKeys.keys[date]; ok {
		return key, nil
	}
	fresh := &dayKey{Doc: docdb.Doc{ID: string(date)}, Wrapped: seal.Seal(s.keys.wrapping, seal.NewKey(), dayKeyContext(date))}
	stored, err := dayKeys.Get(ctx, s.DB, fresh.ID)
	if fault.Is(err, fault.NotFound) {
		if err = dayKeys.Insert(ctx, s.DB, fresh); fault.Is(err, fault.Exists) { // another process made it meanwhile
			stored, err = dayKeys.Get(ctx, s.DB, fresh.ID)
		} else {
			stored = fresh
		}
	}
	if err != nil {
		return preparedKey{}, fmt.Errorf("member: day key: %w", err)
	}
	key, err := seal.Open(s.keys.wrapping, stored.Wrapped, dayKeyContext(date))
	if err != nil {
		return preparedKey{}, fmt.Errorf("member: day key: %w", err)
	}
	if len(s.dayKeys.keys) > 100 || s.dayKeys.keys == nil {
		s.dayKeys.keys = map[when.Date]preparedKey{}
	}
	prepared := preparedKey{key, seal.NewSealer(key)}
	s.dayKeys.keys[date] = prepared
	return prepared, nil
}

func dayKeyContext(date when.Date) string { return "day/" + string(date) }

// ForgetStrangers destroys the day keys that are older than StrangersKept, and what they sealed.
func (s *Service) ForgetStrangers(ctx context.Context) error {
	before := string(when.DateIn(s.Clock.Now().Add(-StrangersKept), time.UTC, 0))
	err := s.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		if _, err := dayKeys.DeleteRange(ctx, tx, "", before); err != nil {
			return err
		}
		_, err := strangers.DeleteRange(ctx, tx, "", before)
		return err
	})
	s.dayKeys.mu.Lock()
	defer s.dayKeys.mu.Unlock()
	s.dayKeys.keys = nil
	return err
}

// SealNumber seals the number of somebody who buys, for the way through INTAKE, under the key of the day (UTC) on which the
// transaction arrived. The answer begins with that date, which says what opens it, and is bound to the number's blind index.
func (s *Service) SealNumber(ctx context.Context, arrived when.Instant, e164, index string) ([]byte, error) {
	date := when.DateIn(arrived, time.UTC, 0)
	day, err := s.preparedKey(ctx, date)
	if err != nil {
		return nil, err
	}
	return day.sealer.Append([]byte(date), []byte(e164), index), nil
}

package member

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// Durable is the name of the domain's consumer of SALES.
const Durable = "member"

// BrandDirectory tells a brand's set-up; fault.NotFound with code "unknown_brand" if there is none.
type BrandDirectory interface {
	Brand(ctx context.Context, id string) (storeevent.Brand, error)
}

// Assigner assigns memberships to stores and guides, in order. It is idempotent: one that has an assignment keeps it.
type Assigner interface {
	Assign(ctx context.Context, joined []memberevent.Joined) ([]guideevent.Assignment, error)
}

// Deps is what the service works with.
type Deps struct {
	DB     docdb.DB
	Clock  when.Clock
	Log    *slog.Logger
	Keys   *seal.Keyring
	Brands BrandDirectory
	Assign Assigner
}

// Service is the member domain. Its methods are safe for concurrent use; who may call them is the edge's business.
type Service struct {
	Deps
	outbox  *stream.Outbox
	dead    *stream.DeadLetters
	keys    vault
	dayKeys dayKeyCache
	queue   queue
}

// New opens the domain on its database.
func New(ctx context.Context, deps Deps) (*Service, error) {
	s := &Service{Deps: deps, outbox: stream.NewOutbox(deps.DB), dead: stream.NewDeadLetters(deps.DB), keys: newVault(deps.Keys)}
	if err := deps.DB.Ensure(ctx, append(schemas(), s.outbox.Schema(), s.dead.Schema())...); err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	return s, nil
}

// Outbox is where the domain's facts leave from.
func (s *Service) Outbox() *stream.Outbox { return s.outbox }

// DeadLetters are the transactions that the domain could not project.
func (s *Service) DeadLetters() *stream.DeadLetters { return s.dead }

// PutProgram puts rules of a brand's program into force from a moment on (0: now) and answers the version. It answers the one that is there if
// it says the same. fault.Invalid for rules that make no sense, fault.Conflict with code "start_in_the_past" for an earlier
// moment once the brand has accepted transactions.
func (s *Service) PutProgram(ctx context.Context, brand, program string, rules Rules, from when.Instant) (Version, error) {
	b, err := s.Brands.Brand(ctx, brand)
	if err != nil {
		return Version{}, err
	}
	if err := ident.Check("program", program); err != nil {
		return Version{}, err
	}
	if err := rules.check(); err != nil {
		return Version{}, err
	}
	now := s.Clock.Now()
	var version Version
	err = s.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		found, err := programs.GetMany(ctx, tx, programID(brand, program))
		if err != nil {
			return err
		}
		p := found[programID(brand, program)]
		if p == nil {
			p = &Program{Doc: docdb.Doc{ID: programID(brand, program)}}
		}
		var changed bool
		if version, changed, err = p.put(rules, from, now, b); err != nil || !changed {
			return err
		}
		return programs.SaveMany(ctx, tx, []*Program{p})
	})
	if err != nil {
		return Version{}, fmt.Errorf("member: put program: %w", err)
	}
	return version, nil
}

// Program is a brand's program with all its versions; fault.NotFound with code "unknown_program" if there is none.
func (s *Service) Program(ctx context.Context, brand, program string) (*Program, error) {
	p, err := programs.Get(ctx, s.DB, programID(brand, program))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "unknown_program", "the brand has no such program")
	}
	return p, err
}

// zones keeps the time zones in use by name: loading one reads a file.
var zones sync.Map

// zoneOf is the time zone in which a brand's dates begin.
func zoneOf(b storeevent.Brand) (*time.Location, error) {
	if zone, ok := zones.Load(b.Timezone); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(b.Timezone)
	if err != nil {
		return nil, fmt.Errorf("member: brand %s: %w", b.ID, err)
	}
	zones.Store(b.Timezone, zone)
	return zone, nil
}

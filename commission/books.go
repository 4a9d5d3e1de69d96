package commission

import (
	"context"
	"fmt"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
)

// books are the brands' books as one batch finds them and changes them, within one storage transaction.
type books struct {
	lane     int
	ledgers  map[string]*ledger
	plans    map[string]timeline
	bookings []*Booking
	orphans  []orphan
}

// openBooks reads the ledgers and plans of the brands that events concern.
func (s *Service) openBooks(ctx context.Context, tx docdb.Session, events []*event) (*books, error) {
	set := map[string]bool{}
	for _, e := range events {
		for i := range e.verdict.Lines {
			set[e.verdict.Lines[i].Brand] = true
		}
	}
	brands := docdb.IDs(set)
	ledgers, err := s.repo.ledgers.GetMany(ctx, tx, brands...)
	if err != nil {
		return nil, err
	}
	b := &books{lane: s.lane, ledgers: ledgers, plans: make(map[string]timeline, len(brands))}
	for _, brand := range brands {
		if ledgers[brand] == nil {
			ledgers[brand] = &ledger{Doc: docdb.Doc{ID: brand}}
		}
		if b.plans[brand], err = s.timeline(ctx, tx, ledgers[brand]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// facts are what an event's booking is worked out from.
func (b *books) facts(e *event, booked map[string]*Booking) facts {
	at := e.verdict.BusinessTime.SecondEnd()
	return facts{
		member: e.member,
		holders: func(brand string) guideevent.Holders {
			return e.guides[slices.IndexFunc(e.guides, func(g brandGuides) bool { return g.brand == brand })].holders
		},
		plan: func(brand string) *rulebook { return b.plans[brand].at(at) },
		sale: func(event string) *Booking { return booked[event] },
		day:  func(brand string, date when.Date) when.Date { return b.ledgers[brand].day(date) },
	}
}

// save stores the batch's bookings with everything that they change: the control totals, each guarded by its day being
// open, the payees' totals, and the slips by which lines are found.
func (s *Service) save(ctx context.Context, tx docdb.Session, b *books) error {
	if len(b.bookings) == 0 {
		return nil
	}
	shards, err := s.shardsFor(ctx, tx, b)
	if err != nil {
		return err
	}
	post := newPosting(b.lane)
	for _, booking := range b.bookings {
		for i := range booking.Parts {
			p := &booking.Parts[i]
			control := shards[dayKey(p.Brand, p.Day)]
			p.Lane, p.Nth = b.lane, control.Entries
			entries, amount := p.sums()
			control.Entries += entries
			control.Amount += amount
			post.add(booking.ID, p)
		}
	}
	// A revision that no longer stands means that somebody booked in this lane, or froze the day, since the shard was read.
	changed := make([]*shard, 0, len(shards))
	for _, c := range shards {
		changed = append(changed, c)
	}
	if err := s.repo.shards.SaveMany(ctx, tx, changed); err != nil {
		return err
	}
	if err := post.save(ctx, tx, &s.repo); err != nil {
		return err
	}
	return insertNew(ctx, tx, s.repo.bookings, b.bookings)
}

// insertNew stores documents none of which may exist: one that does was stored by somebody else at the same time.
func insertNew[T any](ctx context.Context, tx docdb.Session, c docdb.Collection[T], docs []*T) error {
	taken, err := c.InsertMany(ctx, tx, docs)
	if err == nil && len(taken) > 0 {
		err = fault.New(fault.Unavailable, "stored_meanwhile", "%d documents of %s exist already", len(taken), c.Schema().Name)
	}
	return err
}

// shardsFor reads the control totals that the batch's parts go into. It makes those of a day on which nothing was booked so
// far, all lanes at once, and writes the brand's ledger with them: a close that freezes the day at the same moment does too.
func (s *Service) shardsFor(ctx context.Context, tx docdb.Session, b *books) (map[string]*shard, error) {
	type bookingDay struct {
		brand string
		day   when.Date
	}
	days := map[string]bookingDay{}
	for _, booking := range b.bookings {
		for i := range booking.Parts {
			p := &booking.Parts[i]
			days[dayKey(p.Brand, p.Day)] = bookingDay{p.Brand, p.Day}
		}
	}
	ids := make([]string, 0, len(days))
	for _, d := range days {
		ids = append(ids, newShard(d.brand, d.day, b.lane).ID)
	}
	found, err := s.repo.shards.GetMany(ctx, tx, ids...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*shard, len(days))
	var made []*shard
	begun := map[string]*ledger{}
	for key, d := range days {
		if out[key] = found[newShard(d.brand, d.day, b.lane).ID]; out[key] != nil {
			if out[key].Frozen {
				return nil, fmt.Errorf("commission: %s of brand %s is frozen, and its ledger says that it is open", d.day, d.brand)
			}
			continue
		}
		all, err := s.allShards(ctx, tx, d.brand, d.day)
		if err != nil {
			return nil, err
		}
		out[key] = all[b.lane]
		for lane, c := range all {
			if c.Rev == 0 && lane != b.lane {
				made = append(made, c)
			}
		}
		l := b.ledgers[d.brand]
		if l.First == "" || d.day < l.First {
			l.First = d.day
		}
		begun[d.brand] = l
	}
	if len(begun) == 0 {
		return out, nil
	}
	touched := make([]*ledger, 0, len(begun))
	for _, l := range begun {
		touched = append(touched, l)
	}
	if err := s.repo.ledgers.SaveMany(ctx, tx, touched); err != nil {
		return nil, err
	}
	return out, s.repo.shards.SaveMany(ctx, tx, made)
}

// allShards are a booking day's shards by lane; those that do not exist yet have revision 0.
func (s *Service) allShards(ctx context.Context, tx docdb.Session, brand string, day when.Date) ([]*shard, error) {
	all := make([]*shard, lanes)
	ids := make([]string, lanes)
	for lane := range all {
		all[lane] = newShard(brand, day, lane)
		ids[lane] = all[lane].ID
	}
	found, err := s.repo.shards.GetMany(ctx, tx, ids...)
	for lane, id := range ids {
		if c := found[id]; c != nil {
			all[lane] = c
		}
	}
	return all, err
}

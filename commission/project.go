package commission

import (
	"context"
	"fmt"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/wire"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// Durable is the name of the consumer that works on SALES for this domain.
const Durable = "commission"

// ProjectSales books a batch of applied transactions in one storage transaction; what is booked already it leaves alone.
// A return whose sale is not booked here yet is put off; one whose sale is a dead letter here becomes a dead letter too, to be
// replayed after it. It is the stream.Handler of SALES.
func (s *Service) ProjectSales(ctx context.Context, items []stream.Item) (later []int, err error) {
	batch := make([]event, len(items))
	for i := range items {
		batch[i].item = items[i]
		if err := wire.Unmarshal(items[i].Data, &batch[i].verdict); err != nil {
			return nil, fault.New(fault.Invalid, "unreadable_event", "this is not a verdict on a transaction").Because(err)
		}
	}
	if err := s.ask(ctx, batch); err != nil {
		return nil, err
	}
	err = s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		later, err = s.bookBatch(ctx, tx, batch)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("commission: book a batch: %w", err)
	}
	return later, nil
}

// ProjectDead keeps an item that could not be booked as a dead letter; it is the Dead of the consumer of SALES.
func (s *Service) ProjectDead(ctx context.Context, item stream.Item, reason error) error {
	return s.dead.Keep(Durable, func(item stream.Item) []string {
		var v storeevent.Verdict
		if wire.Unmarshal(item.Data, &v) != nil {
			return nil // unreadable: it can be found by its place in the stream only
		}
		return []string{v.EventID}
	})(ctx, item, reason)
}

// Replay books a dead letter once more; see stream.DeadLetters.Replay.
func (s *Service) Replay(ctx context.Context, id string) error {
	return s.dead.Replay(ctx, id, s.ProjectSales)
}

// event is one item of a batch with what was asked for it.
type event struct {
	item    stream.Item
	verdict storeevent.Verdict
	member  string
	guides  []brandGuides
}

// brandGuides are the guides who hold the roles for one brand of an event.
type brandGuides struct {
	brand   string
	holders guideevent.Holders
}

// takesBack reports whether a line takes back a sale's, so that it needs that sale's booking and nothing else.
func takesBack(v *storeevent.Verdict, l *storeevent.Line) bool {
	return v.Kind == storeevent.Return && l.Original != nil
}

// accrues calls for each distinct brand of the lines that do not take back a sale's.
func accrues(v *storeevent.Verdict, brand func(string)) {
	for i := range v.Lines {
		l := &v.Lines[i]
		if takesBack(v, l) || slices.ContainsFunc(v.Lines[:i], func(o storeevent.Line) bool { return o.Brand == l.Brand && !takesBack(v, &o) }) {
			continue
		}
		brand(l.Brand)
	}
}

// sales calls for each distinct sale that an event takes back.
func sales(v *storeevent.Verdict, sale func(event string)) {
	for i := range v.Lines {
		l := &v.Lines[i]
		if !takesBack(v, l) || slices.ContainsFunc(v.Lines[:i], func(o storeevent.Line) bool {
			return takesBack(v, &o) && o.Original.EventID == l.Original.EventID
		}) {
			continue
		}
		sale(l.Original.EventID)
	}
}

// ask finds out who bought and who holds the guides' roles, as of business time: two questions for the whole batch.
func (s *Service) ask(ctx context.Context, batch []event) error {
	var refs []memberevent.Ref
	var named []int // the events that refs belong to
	for i := range batch {
		v := &batch[i].verdict
		m, books := v.Member, false
		accrues(v, func(string) { books = true })
		if m == nil || !books {
			continue
		}
		refs = append(refs, memberevent.Ref{Phone: m.Phone, Card: m.Card, ID: m.ID, Brands: m.Brands, At: v.BusinessTime})
		named = append(named, i)
	}
	if len(refs) > 0 {
		ids, err := s.deps.Members.Resolve(ctx, refs)
		if err != nil {
			return fmt.Errorf("commission: who bought: %w", err)
		}
		for i, id := range ids {
			batch[named[i]].member = id
		}
	}
	var queries []guideevent.HolderQuery
	for i := range batch {
		e := &batch[i]
		v := &e.verdict
		accrues(v, func(brand string) {
			queries = append(queries, guideevent.HolderQuery{At: v.BusinessTime, Store: v.Store, Brand: brand, Member: e.member, Guide: v.Guide})
			e.guides = append(e.guides, brandGuides{brand: brand})
		})
	}
	if len(queries) == 0 {
		return nil
	}
	holders, err := s.deps.Holders.Holders(ctx, queries)
	if err != nil {
		return fmt.Errorf("commission: who holds the roles: %w", err)
	}
	next := 0
	for i := range batch {
		for j := range batch[i].guides {
			batch[i].guides[j].holders = holders[next]
			next++
		}
	}
	return nil
}

// bookBatch books a batch in the transaction tx, and answers the positions of what has to wait for its sale.
func (s *Service) bookBatch(ctx context.Context, tx docdb.Session, batch []event) (later []int, err error) {
	booked, err := s.repo.bookings.GetMany(ctx, tx, concerned(batch)...)
	if err != nil {
		return nil, err
	}
	var fresh []*event
	first := make(map[string]bool, len(batch))
	for i := range batch {
		if id := batch[i].verdict.EventID; booked[id] == nil && !first[id] {
			first[id] = true
			fresh = append(fresh, &batch[i])
		}
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	books, err := s.openBooks(ctx, tx, fresh)
	if err != nil {
		return nil, err
	}
	// What needs no sale goes first, so that a return finds the sale that came in the same batch, in whatever order.
	for _, needy := range []bool{false, true} {
		for _, e := range fresh {
			missing, needs := e.missing(booked)
			switch {
			case needs != needy:
				continue
			case len(missing) > 0:
				books.orphans = append(books.orphans, orphan{e, missing})
				continue
			}
			b, err := book(&e.verdict, books.facts(e, booked))
			if err != nil {
				return nil, err
			}
			booked[b.ID] = b
			books.bookings = append(books.bookings, b)
		}
	}
	waiting, err := s.bury(ctx, tx, books.orphans)
	if err != nil {
		return nil, err
	}
	for i := range batch {
		if waiting[batch[i].verdict.EventID] {
			later = append(later, i)
		}
	}
	return later, s.save(ctx, tx, books)
}

// concerned are the ids of a batch's events and of the sales that they take back.
func concerned(batch []event) []string {
	ids := make([]string, 0, len(batch))
	for i := range batch {
		ids = append(ids, batch[i].verdict.EventID)
		sales(&batch[i].verdict, func(sale string) { ids = append(ids, sale) })
	}
	return ids
}

// missing are the sales that an event takes back and that are not booked; needs says whether it takes back any.
func (e *event) missing(booked map[string]*Booking) (missing []string, needs bool) {
	sales(&e.verdict, func(sale string) {
		needs = true
		if booked[sale] == nil {
			missing = append(missing, sale)
		}
	})
	return missing, needs
}

// orphan is a return of sales that are not booked.
type orphan struct {
	event   *event
	missing []string
}

// bury makes dead letters of the orphans whose sale is one, and answers the ids of the others, which wait.
func (s *Service) bury(ctx context.Context, tx docdb.Session, orphans []orphan) (waiting map[string]bool, err error) {
	if len(orphans) == 0 {
		return nil, nil
	}
	var missing []string
	for _, o := range orphans {
		missing = append(missing, o.missing...)
	}
	dead, err := s.dead.Held(ctx, tx, missing...)
	if err != nil {
		return nil, err
	}
	waiting = map[string]bool{}
	var letters []*stream.DeadLetter
	for _, o := range orphans {
		id := o.event.verdict.EventID
		if slices.ContainsFunc(o.missing, func(sale string) bool { return dead[sale] }) {
			reason := fault.New(fault.Conflict, "sale_is_dead", "the sale that this returns could not be booked; replay it first")
			letters = append(letters, stream.NewDeadLetter(Durable, o.event.item, reason, id))
		} else {
			waiting[id] = true
		}
	}
	if len(letters) > 0 {
		err = s.dead.Add(ctx, tx, letters...)
	}
	return waiting, err
}

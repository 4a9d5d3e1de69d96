package store

import (
	"context"
	"fmt"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/wire"
	"scrm/store/storeevent"
)

// Decide is the handler of INTAKE: it gives every accepted transaction its one outcome, in the storage transaction that records it.
// It never puts an item off. An item that cannot be read fails with fault.Invalid.
func (s *Service) Decide(ctx context.Context, items []stream.Item) (later []int, err error) {
	return nil, s.decide(ctx, items, false)
}

func (s *Service) decide(ctx context.Context, items []stream.Item, replay bool) error {
	deliveries := make([]delivery, len(items))
	for i := range items {
		if err := read(items[i], &deliveries[i]); err != nil {
			return err
		}
	}
	err := s.transact(ctx, deliveries, replay, func(ctx context.Context, tx docdb.Session, b *batch) error {
		for i := range deliveries {
			b.take(&deliveries[i])
		}
		return s.save(ctx, tx, b)
	})
	if err != nil {
		return fmt.Errorf("store: decide: %w", err)
	}
	s.outbox.Wake()
	return nil
}

// transact runs decisions on a batch in one transaction: first on cached days, and, where one of them turns out to be out of
// date, once more on stored ones.
func (s *Service) transact(ctx context.Context, deliveries []delivery, replay bool, do func(context.Context, docdb.Session, *batch) error) error {
	var b *batch
	cached := s.cache.usable()
	attempt := func(ctx context.Context, tx docdb.Session) error {
		stored := !cached || b != nil // an engine may call it again too
		var err error
		if b, err = s.load(ctx, tx, deliveries, replay); err == nil {
			err = s.loadDays(ctx, tx, b, deliveries, stored)
		}
		if err != nil {
			return err
		}
		return do(ctx, tx, b)
	}
	err := s.db.Tx(ctx, attempt)
	if cached && fault.Is(err, fault.Conflict) {
		s.cache.outOfDate()
		err = s.db.Tx(ctx, attempt)
	}
	if err != nil {
		return err
	}
	s.cache.put(b.changedDays())
	return nil
}

func read(item stream.Item, d *delivery) error {
	d.seq, d.index, d.of = int64(item.Seq), int64(item.Index), int64(item.Of)
	d.data = item.Data
	if err := wire.Unmarshal(item.Data, &d.tx); err != nil {
		return fault.New(fault.Invalid, "unreadable_transaction", "an item of INTAKE is not a transaction").Because(err)
	}
	if d.tx.EventID == "" {
		return fault.New(fault.Invalid, "unreadable_transaction", "an item of INTAKE has no event id")
	}
	return nil
}

// load reads everything that the decisions on a batch depend on: the events' records and those of the sales that returns name; then,
// for sales that returns wait for, those returns and the other sales that they name; and the rows of items that look like
// repeats. The stores' days are for loadDays.
func (s *Service) load(ctx context.Context, tx docdb.Session, deliveries []delivery, replay bool) (*batch, error) {
	b := &batch{
		now: s.clock.Now(), replay: replay, events: make(map[string]*event, len(deliveries)), days: map[string]*dayEntry{},
		made: make([]*event, 0, len(deliveries)), verdicts: make([]any, 0, len(deliveries)),
	}
	ids := make([]string, 0, len(deliveries))
	for i := range deliveries {
		ids = append(ids, deliveries[i].tx.EventID)
		ids = appendOriginals(ids, &deliveries[i].tx)
	}
	if err := s.loadEvents(ctx, tx, b, ids); err != nil {
		return nil, err
	}
	var waiting, sales []string
	for _, e := range b.events {
		waiting = append(waiting, e.Awaited...)
	}
	if err := s.loadEvents(ctx, tx, b, waiting); err != nil {
		return nil, err
	}
	for _, id := range waiting {
		sales = appendOriginals(sales, b.events[id].tx)
	}
	if err := s.loadEvents(ctx, tx, b, sales); err != nil {
		return nil, err
	}
	return b, s.loadRepeats(ctx, tx, b, deliveries)
}

// appendOriginals appends the sales that a return names.
func appendOriginals(ids []string, tx *storeevent.Transaction) []string {
	for i := range tx.Lines {
		if o := tx.Lines[i].Original; o != nil {
			ids = append(ids, o.EventID)
		}
	}
	return ids
}

// loadEvents reads the records that the batch does not have.
func (s *Service) loadEvents(ctx context.Context, tx docdb.Session, b *batch, ids []string) error {
	ids = slices.DeleteFunc(distinct(ids), func(id string) bool { return b.events[id] != nil })
	found, err := s.records.GetMany(ctx, tx, ids...)
	if err != nil {
		return err
	}
	for id, doc := range found {
		e := &event{record: doc}
		if doc.decided() {
			if e.tx, err = doc.transaction(); err != nil {
				return err
			}
		}
		b.events[id] = e
	}
	return nil
}

// loadRepeats reads the rows of the items that may have been decided before: those of events that are known from elsewhere, or twice in
// the batch; and in a replay, of all.
func (s *Service) loadRepeats(ctx context.Context, tx docdb.Session, b *batch, deliveries []delivery) error {
	var ids []string
	seen := make(map[string]bool, len(deliveries))
	for i := range deliveries {
		d := &deliveries[i]
		e := b.events[d.tx.EventID]
		known := e != nil && e.decided() && (e.IntakeSeq != d.seq || e.Index != d.index)
		if b.replay || known || seen[d.tx.EventID] {
			ids = append(ids, repeatID(d.seq, d.index))
		}
		seen[d.tx.EventID] = true
	}
	var err error
	b.repeats, err = s.repeats.GetMany(ctx, tx, distinct(ids)...)
	return err
}

// loadDays gets the stores' days of the deliveries and of every record that may be decided, from the cache unless stored ones are asked
// for.
func (s *Service) loadDays(ctx context.Context, tx docdb.Session, b *batch, deliveries []delivery, stored bool) error {
	ids := make(map[string]bool, len(deliveries))
	want := func(tx *storeevent.Transaction, seq int64) {
		id := storeDayID(tx.Store, tx.BusinessDate, seq)
		if b.days[id] != nil || ids[id] {
			return
		}
		if !stored {
			if day := s.cache.get(id); day != nil {
				b.days[id] = &dayEntry{storeDay: day}
				return
			}
		}
		ids[id] = true
	}
	for i := range deliveries {
		want(&deliveries[i].tx, deliveries[i].seq)
	}
	for _, e := range b.events {
		if e.tx != nil && e.Status != storeevent.StatusApplied {
			want(e.tx, e.IntakeSeq)
		}
	}
	found, err := s.days.GetMany(ctx, tx, docdb.IDs(ids)...)
	for id, doc := range found {
		b.days[id] = &dayEntry{storeDay: doc}
	}
	return err
}

// save stores what a batch has changed. New documents go before changed ones, so that an engine can store them in bulk.
func (s *Service) save(ctx context.Context, tx docdb.Session, b *batch) error {
	if err := s.records.SaveMany(ctx, tx, b.records()); err != nil {
		return err
	}
	if err := s.repeats.Delete(ctx, tx, b.gone...); err != nil {
		return err
	}
	if err := s.repeats.SaveMany(ctx, tx, b.rows); err != nil {
		return err
	}
	days := b.changedDays()
	for _, day := range days {
		if err := s.answerAgain(ctx, tx, day, b.lastSeq); err != nil {
			return err
		}
	}
	if err := s.days.SaveMany(ctx, tx, days); err != nil {
		return err
	}
	return s.outbox.Add(ctx, tx, stream.SubjectSales, b.verdicts...)
}

// DecideDead is the consumer's Dead: it keeps an item that cannot be decided as a dead letter, with the outcome dead.
func (s *Service) DecideDead(ctx context.Context, item stream.Item, reason error) error {
	var d delivery
	unreadable := read(item, &d) != nil
	var keys []string
	if d.tx.EventID != "" {
		keys = append(keys, d.tx.EventID)
	}
	letter := stream.NewDeadLetter(Durable, item, reason, keys...)
	err := s.transact(ctx, []delivery{d}, true, func(ctx context.Context, tx docdb.Session, b *batch) error {
		b.bury(&d, unreadable)
		if err := s.save(ctx, tx, b); err != nil {
			return err
		}
		fresh := *letter
		return s.dead.Add(ctx, tx, &fresh)
	})
	if err != nil {
		return fmt.Errorf("store: dead letter: %w", err)
	}
	return nil
}

// Replay decides a dead letter once more; see stream.DeadLetters.Replay.
func (s *Service) Replay(ctx context.Context, id string) error {
	return s.dead.Replay(ctx, id, func(ctx context.Context, items []stream.Item) ([]int, error) {
		return nil, s.decide(ctx, items, true)
	})
}

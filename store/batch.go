package store

import (
	"bytes"
	"cmp"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/store/storeevent"
)

// delivery is an item of INTAKE.
type delivery struct {
	tx    storeevent.Transaction
	data  []byte // its encoding
	seq   int64
	index int64
	of    int64
}

// batch is the state that a batch of deliveries is decided on, and what the decisions change of it. It does no I/O.
type batch struct {
	now     when.Instant
	replay  bool
	events  map[string]*event
	days    map[string]*dayEntry
	repeats map[string]*repeat // of this batch's items that were decided before

	made     []*event  // new records, in the order in which they came up
	rows     []*repeat // new or changed repeats
	gone     []string  // repeats that are none any more
	verdicts []any     // Verdict or Unchanged of what was applied, in the order of decision
	lastSeq  int64
}

// dayEntry is a store's day and whether it was changed.
type dayEntry struct {
	*storeDay
	changed bool
}

// take decides one delivery.
func (b *batch) take(d *delivery) {
	b.lastSeq = max(b.lastSeq, d.seq)
	e := b.events[d.tx.EventID]
	switch {
	case e == nil || !e.decided():
		b.decide(b.accept(e, d), d)
	case e.IntakeSeq == d.seq && e.Index == d.index: // delivered again, or a dead letter that is replayed
		if e.Status == storeevent.StatusDead {
			b.decide(e, d)
		}
	default:
		b.again(e, d)
	}
	if b.replay {
		b.revive(d)
	}
}

// accept makes the record of an event's first acceptance, still without a verdict, and counts it for its till. e is the
// placeholder that returns left for it, if any.
func (b *batch) accept(e *event, d *delivery) *event {
	if e == nil {
		e = b.event(d.tx.EventID)
	}
	e.changed = true
	e.IntakeSeq, e.Index, e.Of = d.seq, d.index, d.of
	e.tx, e.Data = &d.tx, d.data
	if m := d.tx.Member; m != nil && m.Sealed != nil {
		e.tx, e.recode = unsealed(&d.tx), true
	}
	if till := b.till(&d.tx, d.seq); till != nil {
		till.Counted.add(&d.tx)
		till.receive(d.tx.Seq)
	}
	return e
}

// event makes an empty record.
func (b *batch) event(id string) *event {
	e := &event{record: &record{Doc: docdb.Doc{ID: id}}}
	b.events[id] = e
	b.made = append(b.made, e)
	return e
}

// unsealed is a transaction without the sealed number, which this domain passes on and does not keep.
func unsealed(tx *storeevent.Transaction) *storeevent.Transaction {
	kept, member := *tx, *tx.Member
	member.Sealed = nil
	kept.Member = &member
	return &kept
}

// again records a further acceptance of a known event: the same content is a duplicate, other content an anomaly, which is kept.
func (b *batch) again(e *event, d *delivery) {
	row := &repeat{
		Doc: docdb.Doc{ID: repeatID(d.seq, d.index)}, EventID: e.ID, Status: storeevent.StatusDuplicate,
		IntakeSeq: d.seq, Index: d.index, Of: d.of, DecidedAt: b.now,
	}
	if old := b.repeats[row.ID]; old != nil {
		if old.Status != storeevent.StatusDead {
			return // delivered again
		}
		row.Rev = old.Rev
	}
	if !bytes.Equal(e.tx.Content, d.tx.Content) {
		row.Status, row.Code, row.Data = storeevent.StatusAnomaly, codeContentDiffers, d.data
		if m := d.tx.Member; m != nil && m.Sealed != nil {
			row.Data = encode(unsealed(&d.tx))
		}
		if till := b.till(&d.tx, d.seq); till != nil { // its sequence was received all the same
			till.receive(d.tx.Seq)
		}
	}
	b.repeats[row.ID] = row
	b.rows = append(b.rows, row)
}

// revive removes the row of an item that nobody could read when it came and that has a record now.
func (b *batch) revive(d *delivery) {
	id := repeatID(d.seq, d.index)
	if row := b.repeats[id]; row != nil && row.Status == storeevent.StatusDead {
		b.gone = append(b.gone, id)
	}
}

// bury gives an item that cannot be decided the outcome dead: as its event's outcome if it is the event's first acceptance, else, or if
// it cannot even be read, as the item's own. What is decided already stays.
func (b *batch) bury(d *delivery, unreadable bool) {
	e := b.events[d.tx.EventID]
	switch {
	case !unreadable && (e == nil || !e.decided()):
		b.settle(b.accept(e, d), storeevent.StatusDead, codeUndecidable)
	case !unreadable && e.IntakeSeq == d.seq && e.Index == d.index:
	case b.repeats[repeatID(d.seq, d.index)] == nil:
		b.rows = append(b.rows, &repeat{
			Doc: docdb.Doc{ID: repeatID(d.seq, d.index)}, EventID: d.tx.EventID, Status: storeevent.StatusDead, Code: codeUndecidable,
			IntakeSeq: d.seq, Index: d.index, Of: d.of, DecidedAt: b.now,
		})
	}
}

// decide judges an accepted transaction and settles the verdict. A sale that is decided for good decides the returns that waited
// for it.
func (b *batch) decide(e *event, d *delivery) {
	verdict := judge(&d.tx, b.find)
	b.settle(e, verdict.status, verdict.code)
	switch verdict.status {
	case storeevent.StatusWaiting:
		for _, sale := range verdict.awaits {
			b.await(sale, e.ID)
		}
		return
	case storeevent.StatusApplied:
		b.apply(e, d, verdict.lines)
	}
	waiting := e.Awaited
	e.Awaited = nil
	for _, id := range waiting {
		if w := b.events[id]; w.Status == storeevent.StatusWaiting {
			b.reconsider(w)
		}
	}
}

// reconsider judges a waiting return again. It may go on waiting for another sale.
func (b *batch) reconsider(e *event) {
	verdict := judge(e.tx, b.find)
	if verdict.status == storeevent.StatusWaiting {
		return
	}
	b.settle(e, verdict.status, verdict.code)
	if verdict.status == storeevent.StatusApplied {
		b.apply(e, nil, verdict.lines)
	}
}

func (b *batch) find(eventID string) *event { return b.events[eventID] }

// await notes with a sale that has not come, or is dead, that a return waits for it.
func (b *batch) await(sale, eventID string) {
	e := b.events[sale]
	if e == nil {
		e = b.event(sale)
	}
	if !slices.Contains(e.Awaited, eventID) {
		e.Awaited = append(e.Awaited, eventID)
		e.changed = true
	}
}

// settle gives a record its status and keeps the till's count of what is not applied.
func (b *batch) settle(e *event, status, code string) {
	e.changed = true
	till := b.till(e.tx, e.IntakeSeq)
	if e.decided() {
		e.Past = append(e.Past, step{e.Status, e.Code, e.Since})
		if till != nil {
			till.Open-- // only what is not applied is ever decided again
		}
	}
	e.Status, e.Code, e.DecidedAt, e.Open = status, code, b.now, nil
	if till == nil {
		return
	}
	till.Position++
	e.Since = till.Position
	if status != storeevent.StatusApplied {
		till.Open++
		e.Open = []string{tillDayID(e.tx.Terminal, e.tx.BusinessDate)}
	}
}

// apply gives a verdict its effects: what came back of the sales, the totals, and the event for the others. d is the delivery that
// brought it, nil if it has waited.
func (b *batch) apply(e *event, d *delivery, originals []storeevent.Original) {
	b.day(e.tx, e.IntakeSeq).add(e.tx)
	if e.tx.Kind == storeevent.Sale {
		b.verdicts = append(b.verdicts, &storeevent.Unchanged{Transaction: d.data, IntakeSeq: uint64(e.IntakeSeq), DecidedAt: b.now})
		return
	}
	lines := slices.Clone(e.tx.Lines) // the delivery's own stay as they came: the batch may be decided once more
	for i := range lines {
		if lines[i].Original == nil {
			continue
		}
		lines[i].Original = &originals[i]
		sale := b.events[originals[i].EventID]
		sale.giveBack(originals[i].Line, lines[i].Qty, lines[i].Paid)
		sale.changed = true
	}
	v := &storeevent.Verdict{Transaction: *e.tx, IntakeSeq: uint64(e.IntakeSeq), DecidedAt: b.now}
	v.Lines = lines
	kept := v.Transaction
	e.tx, e.recode = &kept, true
	if d != nil {
		v.Member = d.tx.Member // with the sealed bytes
	}
	b.verdicts = append(b.verdicts, v)
}

// day is the day of the store of a transaction, to be changed.
func (b *batch) day(tx *storeevent.Transaction, seq int64) *storeDay {
	id := storeDayID(tx.Store, tx.BusinessDate, seq)
	d := b.days[id]
	if d == nil {
		d = &dayEntry{storeDay: newStoreDay(id, tx.Store, tx.BusinessDate)}
		b.days[id] = d
	}
	d.changed = true
	return d.storeDay
}

// till is the day of the till of a transaction, to be changed; nil for an order.
func (b *batch) till(tx *storeevent.Transaction, seq int64) *tillDay {
	if tx.Terminal == "" {
		return nil
	}
	return b.day(tx, seq).till(tx.Terminal)
}

// records are the records to be stored: new ones first, so that an engine can insert them in bulk, then the others by id.
func (b *batch) records() []*record {
	out := make([]*record, 0, len(b.made))
	for _, e := range b.made {
		out = append(out, e.record)
	}
	made := len(out)
	for _, e := range b.events {
		if e.recode {
			e.Data = encode(e.tx)
		}
		if e.changed && e.Rev > 0 {
			out = append(out, e.record)
		}
	}
	slices.SortFunc(out[made:], func(x, y *record) int { return cmp.Compare(x.ID, y.ID) })
	return out
}

// changedDays are the days to be stored: new ones first, then by id.
func (b *batch) changedDays() []*storeDay {
	var out []*storeDay
	for _, d := range b.days {
		if d.changed {
			out = append(out, d.storeDay)
		}
	}
	slices.SortFunc(out, func(x, y *storeDay) int {
		if (x.Rev == 0) != (y.Rev == 0) {
			return cmp.Compare(x.Rev, y.Rev)
		}
		return cmp.Compare(x.ID, y.ID)
	})
	return out
}

// encode encodes a transaction, which cannot fail: it has only plain fields.
func encode(tx *storeevent.Transaction) []byte {
	data, err := wire.Marshal(tx)
	if err != nil {
		panic(err)
	}
	return data
}

package commission

import (
	"context"
	"fmt"
	"slices"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// auditPage is how many documents the audit reads at a time.
const auditPage = 1000

// Audit checks this domain's parts of E1, E2, E5 and E6 on what is stored, while booking and closing go on: control totals count
// their entries, so an entry takes part by its number if it was counted when the audit began. What is booked meanwhile makes
// no difference; days that were closed when it began change no more. Totals, which are raised in place, are compared again in one
// transaction where they differ from what was read before.
//
// It keeps a sum per payee and settlement day in memory.
func (s *Service) Audit(ctx context.Context) ([]audit.Check, error) {
	a := &auditor{
		s: s, closed: map[string]when.Date{}, controls: map[string]*control{}, beyond: map[string]int64{}, paid: map[string]*paid{},
		chain:   map[string]int64{},
		amounts: audit.New("E1", "every event's entries are what its facts give and sum as its type says; what is fully returned nets zero"),
		totals:  audit.New("E2", "Σ commission entries = total, per payee and settlement day"),
		settled: audit.New("E5", "Σ commission entries = Σ statement lines + entries not settled; the last carry-out continues each payee's chain"),
		booked:  audit.New("E6", "a booking day's control totals = the sum of the entries booked on it"),
	}
	parts := []func(context.Context) error{a.begin, a.readBookings, a.checkControls, a.readSlips, a.readTotals, a.readStatements, a.readCarries}
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return nil, fmt.Errorf("commission: audit: %w", err)
		}
	}
	return []audit.Check{*a.amounts, *a.totals, *a.settled, *a.booked}, nil
}

// auditor is one audit.
type auditor struct {
	s                                *Service
	amounts, totals, settled, booked *audit.Check
	closed                           map[string]when.Date // last closed day by brand, when the audit began
	controls                         map[string]*control  // by shard
	beyond                           map[string]int64     // how many entries shards have at least, where more were seen than counted
	paid                             map[string]*paid     // by statement, of the entries that were counted when the audit began
	chain                            map[string]int64     // last carry-out by payee and brand, where it is not 0
}

// control is a shard's totals when the audit began, and those of the entries that they count.
type control struct {
	shard
	entries, amount int64
}

// paid is what a payee's entries of a settlement day sum to.
type paid struct {
	sum, count int64
	events     int64 // how many events they are of
	onSlips    bool  // whether slips say the same
}

// begin notes how far days are closed, and then the control totals: entries that settle by a closed day are counted in them.
func (a *auditor) begin(ctx context.Context) error {
	for l, err := range a.s.repo.ledgers.Each(ctx, a.s.deps.DB, docdb.Query{Limit: auditPage}) {
		if err != nil {
			return err
		}
		a.closed[l.ID] = l.Closed
	}
	for c, err := range a.s.repo.shards.Each(ctx, a.s.deps.DB, docdb.Query{Limit: auditPage}) {
		if err != nil {
			return err
		}
		a.controls[c.ID] = &control{shard: *c}
	}
	return nil
}

// counts reports whether a shard counted its nth entry when the audit began.
func (a *auditor) counts(shardID string, nth int64) bool {
	c := a.controls[shardID]
	return c != nil && nth < c.Entries
}

func (a *auditor) readBookings(ctx context.Context) error {
	q := docdb.Query{Limit: auditPage}
	for {
		page, err := a.s.repo.bookings.Find(ctx, a.s.deps.DB, q)
		if err != nil {
			return err
		}
		if err := a.checkAmounts(ctx, page.Items); err != nil {
			return err
		}
		for _, b := range page.Items {
			a.booked.Figures["commission_bookings"]++
			a.count(b)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// count adds a booking's entries to the sums that are compared afterwards.
func (a *auditor) count(b *Booking) {
	var keys []string // of the statements that the booking has lines in
	for i := range b.Parts {
		p := &b.Parts[i]
		entries, amount := p.sums()
		shardID := newShard(p.Brand, p.Day, p.Lane).ID
		if !a.counts(shardID, p.Nth) {
			a.beyond[shardID] = max(a.beyond[shardID], p.Nth+entries)
			continue
		}
		a.controls[shardID].entries += entries
		a.controls[shardID].amount += amount
		a.settled.Figures["commission_entries_amount"] += amount
		if p.Settles > a.closed[p.Brand] {
			a.settled.Figures["commission_unsettled_amount"] += amount
		}
		for _, h := range p.Holders {
			if h.Payee == Nobody {
				continue
			}
			key := statementKey(p.Brand, p.Settles, h.Payee)
			to := a.paid[key]
			if to == nil {
				to = &paid{}
				a.paid[key] = to
			}
			count, sum := p.of(h)
			to.count += count
			to.sum += sum
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
				to.events++
			}
		}
	}
}

// statementKey names a statement, written or not.
func statementKey(brand string, settles when.Date, p Payee) string {
	return dayKey(brand, settles) + string(p)
}

// checkControls compares the control totals with the entries that they counted.
func (a *auditor) checkControls(ctx context.Context) error {
	for id, c := range a.controls {
		a.booked.Figures["commission_control_entries"] += c.Entries
		a.booked.Figures["commission_control_amount"] += c.Amount
		a.booked.Figures["commission_counted_entries"] += c.entries
		a.booked.Figures["commission_counted_amount"] += c.amount
		if c.entries != c.Entries || c.amount != c.Amount {
			a.booked.Fail(fmt.Sprintf("shard %s counts %d entries of %d, and there are %d of %d", id, c.Entries, c.Amount, c.entries, c.amount))
		}
	}
	ids := make([]string, 0, len(a.beyond))
	for id := range a.beyond {
		ids = append(ids, id)
	}
	for ids := range slices.Chunk(ids, auditPage) {
		now, err := a.s.repo.shards.GetMany(ctx, a.s.deps.DB, ids...)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if now[id] == nil || now[id].Entries < a.beyond[id] {
				a.booked.Fail(fmt.Sprintf("shard %s does not count all entries that are booked in it", id))
			}
		}
	}
	return nil
}

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

// Audit checks this domain's parts of E1, E2, E5 and E6 on what is stored, while booking and closing go on:
//
//   - It counts an entry in a booking day's control totals by its number there: those that were counted when the audit began.
//     So entries that are booked meanwhile make no difference.
//   - Statements and what settles by them are compared for days that were closed when it began: these change no more.
//   - A payee's total that is being raised can differ from the entries that the audit saw; it then looks at both again, in one
//     transaction.
//
// It keeps a sum per payee and settlement day in memory.
func (s *Service) Audit(ctx context.Context) ([]audit.Check, error) {
	a := &auditor{
		s: s, closed: map[string]when.Date{}, controls: map[string]*control{}, dues: map[string]*due{}, beyond: map[string]int64{},
		amounts: audit.New("E1", "every event's entries are what its facts give and sum as its type says; what is fully returned nets zero"),
		totals:  audit.New("E2", "Σ commission entries = total, per payee and settlement day"),
		settled: audit.New("E5", "Σ commission entries = Σ statement lines + entries not settled; the last carry-out continues each payee's chain"),
		booked:  audit.New("E6", "a booking day's control totals = the sum of the entries booked on it"),
	}
	for _, part := range []func(context.Context) error{a.begin, a.readBookings, a.checkControls, a.readTotals, a.readStatements, a.readCarries} {
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
	dues                             map[string]*due      // what the entries sum to, by statement
	beyond                           map[string]int64     // how many entries shards have at least, where more were seen than counted
	chain                            map[string]int64     // last carry-out by payee and brand
}

// control is a shard's totals when the audit began, and those of the entries that they count.
type control struct {
	shard
	entries, amount int64
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
			for i := range b.Parts {
				a.count(&b.Parts[i])
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// count adds a part's entries to the sums that are compared afterwards.
func (a *auditor) count(p *Part) {
	entries, amount := p.sums()
	p.addTo(a.dues)
	shardID := newShard(p.Brand, p.Day, p.Lane).ID
	if c := a.controls[shardID]; c != nil && p.Nth < c.Entries {
		c.entries += entries
		c.amount += amount
		a.settled.Figures["commission_entries_amount"] += amount
		if p.Settles > a.closed[p.Brand] {
			a.settled.Figures["commission_unsettled_amount"] += amount
		}
		return
	}
	a.beyond[shardID] = max(a.beyond[shardID], p.Nth+entries)
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

// readTotals compares the payees' totals with their entries.
func (a *auditor) readTotals(ctx context.Context) error {
	kept := make(map[string]*due, len(a.dues))
	for t, err := range a.s.repo.totals.Each(ctx, a.s.deps.DB, docdb.Query{Limit: auditPage}) {
		if err != nil {
			return err
		}
		brand, day, payee := parseTotal(t.ID)
		key := statementKey(brand, day, payee)
		if kept[key] == nil {
			kept[key] = &due{payee: payee}
		}
		kept[key].sum += t.Sum
		kept[key].count += t.Count
		a.totals.Figures["commission_totals_amount"] += t.Sum
		a.totals.Figures["commission_totals_entries"] += t.Count
	}
	for key, d := range a.dues {
		a.totals.Figures["commission_payees_amount"] += d.sum
		a.totals.Figures["commission_payees_entries"] += d.count
		if kept[key] == nil {
			kept[key] = &due{}
		}
	}
	for key, d := range kept {
		seen := a.dues[key]
		if seen != nil && seen.sum == d.sum && seen.count == d.count {
			continue
		}
		equal, err := a.compareNow(ctx, key)
		if err != nil {
			return err
		}
		if !equal {
			a.totals.Fail(fmt.Sprintf("the total of %s is not the sum of its entries", key))
		}
	}
	return nil
}

// compareNow compares one payee's total of a settlement day with its entries, both as they are at one moment.
func (a *auditor) compareNow(ctx context.Context, key string) (equal bool, err error) {
	err = a.s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		found := map[string]*due{}
		for b, err := range a.s.repo.bookings.Each(ctx, tx, docdb.Query{Index: "keys", Eq: []any{key}}) {
			if err != nil {
				return err
			}
			for i := range b.Parts {
				b.Parts[i].addTo(found)
			}
		}
		var kept due
		for t, err := range a.s.repo.totals.Each(ctx, tx, docdb.Query{From: key + "|", To: after(key + "|")}) {
			if err != nil {
				return err
			}
			kept.sum += t.Sum
			kept.count += t.Count
		}
		d := found[key]
		equal = d != nil && d.sum == kept.sum && d.count == kept.count
		return nil
	})
	return equal, err
}

// readStatements checks the statements of closed days, in the order of brand and day: each has its entries, and goes on with
// what the one before carried.
func (a *auditor) readStatements(ctx context.Context) error {
	a.chain = map[string]int64{}
	written := int64(0)
	for st, err := range a.s.repo.statements.Each(ctx, a.s.deps.DB, docdb.Query{Limit: auditPage}) {
		if err != nil {
			return err
		}
		if st.Date > a.closed[st.Brand] {
			continue
		}
		a.settled.Figures["commission_statements"]++
		a.settled.Figures["commission_statement_lines_amount"] += st.LinesTotal
		a.settled.Figures["commission_paid_amount"] += st.Amount
		if st.LinesCount > 0 {
			written++
		}
		d := a.dues[statementKey(st.Brand, st.Date, st.Payee)]
		if d == nil {
			d = &due{}
		}
		who := carryID(st.Brand, st.Payee)
		switch {
		case st.LinesTotal != d.sum || st.LinesCount != d.count:
			a.settled.Fail("statement " + st.ID + " is not the sum of its lines")
		case st.CarriedIn+st.LinesTotal != st.Amount+st.CarriedOut || st.Amount < 0:
			a.settled.Fail("statement " + st.ID + " does not add up")
		case st.CarriedIn != a.chain[who]:
			a.settled.Fail("statement " + st.ID + " does not take over what the one before carried out")
		}
		if a.chain[who] = st.CarriedOut; st.CarriedOut == 0 {
			delete(a.chain, who)
		}
	}
	due := int64(0)
	for key := range a.dues {
		brand, day, _ := parseTotal(key)
		if day <= a.closed[brand] {
			due++
		}
	}
	f := a.settled.Figures
	if written != due {
		a.settled.Fail(fmt.Sprintf("%d payees have lines on closed days, and %d statements have lines", due, written))
	}
	if f["commission_entries_amount"] != f["commission_statement_lines_amount"]+f["commission_unsettled_amount"] {
		a.settled.Fail("the entries are not the statements' lines and what is not settled")
	}
	return nil
}

// readCarries compares what is carried with the last statements.
func (a *auditor) readCarries(ctx context.Context) error {
	for c, err := range a.s.repo.carries.Each(ctx, a.s.deps.DB, docdb.Query{Limit: auditPage}) {
		if err != nil {
			return err
		}
		if a.chain[c.ID] == c.Amount {
			a.settled.Figures["commission_carried_amount"] += c.Amount
			delete(a.chain, c.ID)
			continue
		}
		a.chain[c.ID] = 0
	}
	for id := range a.chain {
		equal, err := a.chainedNow(ctx, id)
		if err != nil {
			return err
		}
		if !equal {
			a.settled.Fail("what is carried for " + id + " is not what the last statement carried out")
		}
	}
	return nil
}

// chainedNow compares what is carried for a payee with the last statement, both as they are at one moment.
func (a *auditor) chainedNow(ctx context.Context, id string) (equal bool, err error) {
	brand, payee := parseCarry(id)
	err = a.s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		carried, err := a.s.repo.carries.GetMany(ctx, tx, id)
		if err != nil {
			return err
		}
		last, err := a.s.repo.statements.Find(ctx, tx, docdb.Query{Index: "brand_payee_date", Eq: []any{brand, payee}, Desc: true, Limit: 1})
		if err != nil {
			return err
		}
		var is, was int64
		if c := carried[id]; c != nil {
			is = c.Amount
		}
		if len(last.Items) > 0 {
			was = last.Items[0].CarriedOut
		}
		equal = is == was
		return nil
	})
	return equal, err
}

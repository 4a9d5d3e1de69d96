package commission

import (
	"context"
	"fmt"

	"scrm/gateway/kit/docdb"
)

// readStatements checks the statements of closed days, in the order of brand and day: each has its entries, and goes on with
// what the one before carried.
func (a *auditor) readStatements(ctx context.Context) error {
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
		lines := a.paid[statementKey(st.Brand, st.Date, st.Payee)]
		if lines == nil {
			lines = &paid{}
		}
		who := carryID(st.Brand, st.Payee)
		switch {
		case st.LinesTotal != lines.sum || st.LinesCount != lines.count:
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
	expected := int64(0)
	for key := range a.paid {
		if brand, day := parseDay(key); day <= a.closed[brand] {
			expected++
		}
	}
	f := a.settled.Figures
	if written != expected {
		a.settled.Fail(fmt.Sprintf("%d payees have lines on closed days, and %d statements have lines", expected, written))
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

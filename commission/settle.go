package commission

import (
	"context"
	"time"

	"scrm/commission/commissionevent"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
)

// settleBatch is how many statements one storage transaction of a close writes; pages are not divided, so it may be more.
const settleBatch = 4000

// writeStatements writes the next batch of statements of the brand's frozen day, and closes the day after the last.
func (s *Service) writeStatements(ctx context.Context, tx docdb.Session, l *ledger) (progress, error) {
	c, err := s.repo.closes.Get(ctx, tx, closeID(l.ID, l.Frozen))
	if err != nil {
		return progress{}, err
	}
	more := false
	if c.Step == stepStatements {
		if more, err = s.settleLines(ctx, tx, c); err != nil {
			return progress{}, err
		}
		if !more {
			c.Step, c.Page = stepCarries, 0
		}
	}
	if c.Step == stepCarries {
		if more, err = s.settleCarries(ctx, tx, c); err != nil {
			return progress{}, err
		}
	}
	if !more {
		return s.finish(ctx, tx, l, c)
	}
	return progress{}, s.repo.closes.Replace(ctx, tx, c)
}

// finish closes the day: its statements are written.
func (s *Service) finish(ctx context.Context, tx docdb.Session, l *ledger, c *Close) (progress, error) {
	c.Status, c.Step, c.ClosedAt = Closed, "", s.deps.Clock.Now()
	l.Closed = l.Frozen
	if err := s.repo.closes.Replace(ctx, tx, c); err != nil {
		return progress{}, err
	}
	if err := s.repo.ledgers.Replace(ctx, tx, l); err != nil {
		return progress{}, err
	}
	return progress{fact: true}, s.outbox.Add(ctx, tx, stream.SubjectDayClosed, commissionevent.DayClosed{
		Brand: c.Brand, Since: c.Date, Date: c.Date, Statements: c.Statements, Settled: c.Settled, Carried: c.Carried, At: c.ClosedAt,
	})
}

// settleLines writes statements for the payees who have lines on the day, of the next pages; more says whether pages are left.
func (s *Service) settleLines(ctx context.Context, tx docdb.Session, c *Close) (more bool, err error) {
	var dues []due
	for ; c.Page < pages && len(dues) < s.settleBatch; c.Page++ {
		all, err := s.repo.page(ctx, tx, pageKey(c.Brand, c.Date, c.Page))
		if err != nil {
			return false, err
		}
		for i, payee := range all.Payees {
			dues = append(dues, due{payee, all.Sums[i], all.Counts[i]})
		}
	}
	if len(dues) == 0 {
		return c.Page < pages, nil
	}
	ids := make([]string, len(dues))
	for i, d := range dues {
		ids[i] = carryID(c.Brand, d.payee)
	}
	carries, err := s.repo.carries.GetMany(ctx, tx, ids...)
	if err != nil {
		return false, err
	}
	return c.Page < pages, s.settleDues(ctx, tx, c, dues, carries)
}

// settleCarries writes statements for payees who have no line on the day, and whose carry can be paid.
func (s *Service) settleCarries(ctx context.Context, tx docdb.Session, c *Close) (more bool, err error) {
	page, err := s.repo.carries.Find(ctx, tx, docdb.Query{
		Index: "brand_amount", Eq: []any{c.Brand}, From: max(1, c.MinPayout), Limit: s.settleBatch,
	})
	if err != nil || len(page.Items) == 0 {
		return false, err
	}
	dues := make([]due, len(page.Items))
	carries := make(map[string]*carry, len(page.Items))
	for i, owed := range page.Items {
		dues[i].payee = owed.Payee
		carries[owed.ID] = owed
	}
	return page.Next != "", s.settleDues(ctx, tx, c, dues, carries)
}

// settleDues writes the statements of dues and what they carry on, and counts them in the close.
func (s *Service) settleDues(ctx context.Context, tx docdb.Session, c *Close, dues []due, carries map[string]*carry) error {
	statements := make([]*Statement, len(dues))
	var carried []*carry
	var paid []string // carries that are used up
	for i, d := range dues {
		owed, had := carries[carryID(c.Brand, d.payee)]
		if !had {
			owed = &carry{Doc: docdb.Doc{ID: carryID(c.Brand, d.payee)}, Brand: c.Brand, Payee: d.payee}
		}
		st := settle(c.Brand, c.Date, d, owed.Amount, c.MinPayout)
		statements[i] = st
		c.Statements++
		c.Accrued += st.LinesTotal
		c.Settled += st.Amount
		c.Carried += st.CarriedOut
		switch {
		case st.CarriedOut != 0:
			owed.Amount, owed.Date = st.CarriedOut, c.Date
			carried = append(carried, owed)
		case had:
			paid = append(paid, owed.ID)
		}
	}
	if err := insertNew(ctx, tx, s.repo.statements, statements); err != nil {
		return err
	}
	if err := s.repo.carries.SaveMany(ctx, tx, carried); err != nil {
		return err
	}
	return s.repo.carries.Delete(ctx, tx, paid...)
}

// minPayouts are the minimum payouts of a brand's plans over time.
type minPayouts struct {
	plans timeline
	zone  *time.Location // the brand's
}

func (s *Service) minPayouts(ctx context.Context, tx docdb.Session, l *ledger) (minPayouts, error) {
	plans, err := s.timeline(ctx, tx, l)
	if err != nil {
		return minPayouts{}, err
	}
	zone, err := s.zone(ctx, l.ID)
	return minPayouts{plans, zone}, err
}

// on is the minimum payout of a day: of the plan in force at its end, 0 if there is none.
func (m minPayouts) on(day when.Date) int64 {
	if p := m.plans.at(day.Add(1).Start(m.zone, 0) - 1); p != nil {
		return p.MinPayout
	}
	return 0
}

// firstPayable is the first day from one on whose minimum lets an amount be paid, "" if there is none.
func (m minPayouts) firstPayable(amount int64, from when.Date) when.Date {
	if payable(amount, m.on(from)) {
		return from
	}
	for _, p := range m.plans {
		if day := when.DateIn(p.EffectiveFrom, m.zone, 0); day > from && payable(amount, m.on(day)) {
			return day
		}
	}
	return ""
}

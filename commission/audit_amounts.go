package commission

import (
	"context"
	"fmt"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/store/storeevent"
)

// checkAmounts checks E1 for a page of bookings: every entry is what its pinned facts give, and the shares of what is returned
// completely net zero.
func (a *auditor) checkAmounts(ctx context.Context, page []*Booking) error {
	sales, err := a.salesOf(ctx, page)
	if err != nil {
		return err
	}
	for _, b := range page {
		for i := range b.Parts {
			p := &b.Parts[i]
			plan, err := a.s.plan(ctx, p.Plan)
			if err != nil {
				return err
			}
			for j := range p.Lines {
				l := &p.Lines[j]
				a.countLine(b, l)
				again, err := b.rework(p, l, plan, sales[p.Sale])
				switch {
				case err != nil:
					a.amounts.Fail(err.Error())
				case !slices.Equal(again, l.Shares):
					a.amounts.Fail(fmt.Sprintf("line %d of %s is not what its facts give", l.Line, b.ID))
				case p.Sale != "" && l.Whole() > 0 && l.After == l.Whole():
					if err := a.checkReturned(ctx, sales[p.Sale], l.Of); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (a *auditor) countLine(b *Booking, l *Line) {
	figure := "commission_accrued"
	if b.Kind == storeevent.Return {
		figure = "commission_taken_back"
	}
	a.amounts.Figures["commission_lines"]++
	for _, s := range l.Shares {
		a.amounts.Figures[figure] += s.Figure
	}
}

// salesOf reads the sales that a page of bookings takes back, by id.
func (a *auditor) salesOf(ctx context.Context, page []*Booking) (map[string]*Booking, error) {
	set := map[string]bool{}
	for _, b := range page {
		for _, sale := range b.Sales {
			set[sale] = true
		}
	}
	return a.s.repo.bookings.GetMany(ctx, a.s.deps.DB, docdb.IDs(set)...)
}

// checkReturned checks that a sale's line nets zero for every role once all that was sold is back; as long as one of its
// returns is not booked yet, it does not have to.
func (a *auditor) checkReturned(ctx context.Context, sale *Booking, line int) error {
	_, sold := sale.part(line)
	left := map[Role]int64{}
	for _, s := range sold.Shares {
		left[s.Role] = s.Figure
	}
	back := int64(0)
	for b, err := range a.s.repo.bookings.Each(ctx, a.s.deps.DB, docdb.Query{Index: "sales", Eq: []any{sale.ID}}) {
		if err != nil {
			return err
		}
		for i := range b.Parts {
			for _, taken := range b.Parts[i].Lines {
				if b.Parts[i].Sale != sale.ID || taken.Of != line {
					continue
				}
				back += taken.After - taken.Before
				for _, s := range taken.Shares {
					left[s.Role] += s.Figure
				}
			}
		}
	}
	if back < sold.Whole() {
		return nil
	}
	a.amounts.Figures["commission_lines_returned"]++
	for role, amount := range left {
		if amount != 0 {
			a.amounts.Fail(fmt.Sprintf("line %d of %s is returned, and %d is left of the share of %s", line, sale.ID, amount, role))
		}
	}
	return nil
}

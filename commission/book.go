package commission

import (
	"slices"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/money"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/store/storeevent"
)

// facts are what a booking is worked out from besides its event.
type facts struct {
	member  string                                    // who bought, "" where nobody knows
	holders func(brand string) guideevent.Holders     // as of business time
	plan    func(brand string) *rulebook              // in force at business time, nil if none
	sale    func(event string) *Booking               // of the sale that a return names; never nil
	day     func(brand string, d when.Date) when.Date // booking day of a business date
}

// book works out what an applied event books. It asks nothing but its arguments, so that the same event with the same facts
// always books the same. It fails only if the event contradicts the booking of the sale that it returns.
func book(v *storeevent.Verdict, f facts) (*Booking, error) {
	b := newBooking(v, f.member)
	for i := range v.Lines {
		l := &v.Lines[i]
		var err error
		if takesBack(v, l) {
			err = b.takeBack(v, l, f)
		} else {
			b.accrue(v, l, f)
		}
		if err != nil {
			return nil, err
		}
	}
	b.complete()
	return b, nil
}

// accrue books a line of a sale, or of a return without a receipt: that is the sale's negative, all of it at the store's
// expense, because nobody can tell who was paid for it.
func (b *Booking) accrue(v *storeevent.Verdict, l *storeevent.Line, f facts) {
	plan := f.plan(l.Brand)
	if plan == nil {
		b.skip(l, NoPlan)
		return
	}
	rule := plan.match(l.SKU, l.Category, v.Ownership, v.Channel)
	if rule == nil {
		b.skip(l, NoRule)
		return
	}
	line := Line{
		Line: l.Line, SKU: l.SKU, Category: l.Category, Rule: rule.ID,
		Paid: l.Paid, Tax: l.Tax, PointsPaid: l.PointsPaid, Qty: l.Qty,
	}
	line.Pool = rule.pool(&line)
	line.Shares = rule.split(line.Pool)
	if v.Kind == storeevent.Return {
		for i := range line.Shares {
			line.Shares[i].Figure = -line.Shares[i].Figure
		}
	}
	p := b.open(Part{Brand: l.Brand, Plan: plan.ID}, func(p *Part) {
		p.Day = f.day(l.Brand, v.BusinessDate)
		p.Settles = when.Later(p.Day, v.BusinessDate.Add(plan.HoldDays))
		p.Holders = holders(plan.Fallback, f.holders(l.Brand), v.Store, v.Dealer)
		for i := range p.Holders {
			if h := &p.Holders[i]; v.Kind == storeevent.Return && h.Payee != Nobody {
				h.Payee = shop(v.Store, v.Dealer)
			}
		}
	})
	p.Lines = append(p.Lines, line)
}

// takeBack books a line of a return: of each share of the sale's line what the cumulative amount that is back now takes,
// less what the amount before took; by quantity where nothing was paid.
func (b *Booking) takeBack(v *storeevent.Verdict, l *storeevent.Line, f facts) error {
	sale := f.sale(l.Original.EventID)
	soldPart, sold := sale.part(l.Original.Line)
	if sold == nil {
		b.skip(l, SaleUnbooked)
		return nil
	}
	line := *sold
	line.Line, line.Of = l.Line, sold.Line
	line.Before, line.After = l.Original.PaidBefore, l.Original.PaidBefore+l.Paid
	if sold.Paid == 0 {
		line.Before, line.After = l.Original.QtyBefore, l.Original.QtyBefore+l.Qty
	}
	whole := line.Whole()
	if sale.Kind != storeevent.Sale || soldPart.Brand != l.Brand || line.Before < 0 || line.After < line.Before || line.After > whole {
		return fault.New(fault.Invalid, "contradicts_sale", "line %d of the return does not fit the booking of its sale", l.Line)
	}
	line.Shares = takenOf(sold.Shares, line.Before, line.After, whole)
	p := b.open(Part{Brand: soldPart.Brand, Plan: soldPart.Plan, Sale: l.Original.EventID}, func(p *Part) {
		p.Day = f.day(soldPart.Brand, v.BusinessDate)
		p.Settles = when.Later(p.Day, soldPart.Settles)
		p.Holders = slices.Clone(soldPart.Holders)
	})
	p.Lines = append(p.Lines, line)
	return nil
}

func (b *Booking) skip(l *storeevent.Line, reason string) {
	b.Skipped = append(b.Skipped, Skipped{Line: l.Line, Brand: l.Brand, Reason: reason})
}

// open is the part of the event's booking like p, of the same brand and returned sale; fill completes a new one.
func (b *Booking) open(p Part, fill func(*Part)) *Part {
	for i := range b.Parts {
		if b.Parts[i].Brand == p.Brand && b.Parts[i].Sale == p.Sale {
			return &b.Parts[i]
		}
	}
	fill(&p)
	b.Parts = append(b.Parts, p)
	return &b.Parts[len(b.Parts)-1]
}

// pool is what a line pays in all, in minor units.
func (r *Rule) pool(l *Line) int64 {
	if r.FixedPerUnit != nil {
		return money.MulDiv(*r.FixedPerUnit, l.Qty, 1)
	}
	return money.Bps(l.Base(), *r.RateBps)
}

// split divides a pool over the rule's roles, by the largest remainder and with ties in the order of Roles.
func (r *Rule) split(pool int64) []RoleShare {
	roles, bps := r.weights()
	figures := money.Split(pool, bps, money.FullBps)
	shares := make([]RoleShare, len(roles))
	for i, role := range roles {
		shares[i] = RoleShare{role, figures[i]}
	}
	return shares
}

// holders says who is paid for each role. A role that no guide holds goes to the plan's fallback.
func holders(fallback Fallback, guides guideevent.Holders, store, dealer string) []Holder {
	all := []Holder{
		guideHolder(Selling, guides.Selling), guideHolder(Serving, guides.Serving), guideHolder(Recruiting, guides.Recruiting),
		guideHolder(Manager, guides.Manager), {Role: Shop, Payee: shop(store, dealer)},
	}
	instead := Nobody
	switch fallback {
	case ToSelling:
		if instead = all[0].Payee; instead == Nobody {
			instead = shop(store, dealer)
		}
	case ToShop:
		instead = shop(store, dealer)
	case ToNobody:
	}
	for i := range all {
		h := &all[i]
		switch {
		case h.Payee != Nobody:
		case h.Role == Shop: // an order without a store: nobody does the store's part
			h.Reason = "no_store"
		default:
			h.Payee = instead
		}
	}
	return all
}

func guideHolder(r Role, h guideevent.Holder) Holder {
	return Holder{Role: r, Payee: PayeeOf(PayeeGuide, h.Guide), Since: h.Since, Reason: h.Reason}
}

// shop is the payee of the store's role: its dealer where it has one.
func shop(store, dealer string) Payee {
	if dealer != "" {
		return PayeeOf(PayeeDealer, dealer)
	}
	return PayeeOf(PayeeStore, store)
}

// takenOf is what is taken back of shares when the part of a whole that is back grows from before to after.
func takenOf(shares []RoleShare, before, after, whole int64) []RoleShare {
	taken := make([]RoleShare, len(shares))
	for i, s := range shares {
		taken[i].Role = s.Role
		if whole > 0 {
			taken[i].Figure = -money.Cumulative(s.Figure, before, after, whole)
		}
	}
	return taken
}

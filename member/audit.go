package member

import (
	"context"
	"fmt"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb"
)

// auditPage is how many documents the audit holds at a time, besides one card's entries.
const auditPage = 500

// Audit checks the domain's parts of E1, E2, E4 and E8 over everything that is stored. It may run beside writers: of each card it
// looks at the entries up to the seq that the card had when it was read.
func (s *Service) Audit(ctx context.Context) ([]audit.Check, error) {
	a := ledgerAudit{
		e1: audit.New("E1", "points: every event's entries are what its lines are worth; a full return nets zero"),
		e2: audit.New("E2", "points: Σ entries = balance, per card"),
		e4: audit.New("E4", "points: opening + earned + rerated − reversed = Σ balances"),
	}
	for _, name := range []string{"points_opening", "points_earned", "points_rerated", "points_reversed", "points_balances"} {
		a.e4.Figures[name] = 0
	}
	for _, check := range []func(context.Context, docdb.DB) error{a.ledgers, a.eventRows} {
		if err := check(ctx, s.DB); err != nil {
			return nil, fmt.Errorf("member: audit: %w", err)
		}
	}
	a.total()
	e8, err := s.auditNumbers(ctx)
	if err != nil {
		return nil, fmt.Errorf("member: audit: %w", err)
	}
	return []audit.Check{*a.e1, *a.e2, *a.e4, *e8}, nil
}

// ledgerAudit checks the points ledgers card by card.
type ledgerAudit struct{ e1, e2, e4 *audit.Check }

// ledgers goes through all cards, a page at a time, and reads the page's entries as one range of their index.
func (a *ledgerAudit) ledgers(ctx context.Context, db docdb.DB) error {
	rules := map[string]*Program{}
	for p, err := range programs.Each(ctx, db, docdb.Query{}) {
		if err != nil {
			return err
		}
		rules[p.ID] = p
	}
	return eachPage(ctx, db, cards, docdb.Query{}, func(page []*Card) error { return a.page(ctx, db, page, rules) })
}

func (a *ledgerAudit) page(ctx context.Context, db docdb.DB, page []*Card, rules map[string]*Program) error {
	if len(page) == 0 {
		return nil
	}
	i := 0
	var own []*Entry
	next := func() { // the card's entries are complete
		_, brand, program := owner(page[i].ID)
		a.card(page[i], own, rules[programID(brand, program)])
		own = own[:0]
		i++
	}
	q := docdb.Query{Index: "card_seq", From: page[0].ID, To: page[len(page)-1].ID + "\x00", Limit: auditPage}
	for e, err := range entries.Each(ctx, db, q) {
		if err != nil {
			return err
		}
		for i < len(page) && page[i].ID < e.Card {
			next()
		}
		switch {
		case i == len(page) || page[i].ID > e.Card:
			a.e2.Fail("entry " + e.ID + " is of a card that does not exist")
		case e.Seq <= page[i].Seq:
			own = append(own, e)
		}
	}
	for i < len(page) {
		next()
	}
	return nil
}

// card checks one card's entries, which are in order of seq.
func (a *ledgerAudit) card(c *Card, own []*Entry, p *Program) {
	var points, growth int64
	for i, e := range own {
		points += e.Points
		growth += e.Growth
		if e.Seq != int64(i+1) || e.Balance != points {
			a.e2.Fail("entry " + e.ID + " does not continue its card's balance")
		}
		a.e4.Figures[figureOf(e.Kind)] += e.Points
	}
	if points != c.Balance || growth != c.Growth || int64(len(own)) != c.Seq {
		a.e2.Fail("card " + c.ID)
	}
	a.e2.Figures["points_cards"]++
	a.e2.Figures["points_entries"] += int64(len(own))
	a.e2.Figures["points_sum_of_entries"] += points
	a.e2.Figures["points_sum_of_balances"] += c.Balance
	a.e4.Figures["points_balances"] += c.Balance
	a.worths(c, own, p)
}

func figureOf(k Kind) string {
	switch k {
	case KindOpeningTier, KindOpeningPoints:
		return "points_opening"
	default:
		return "points_" + string(k)
	}
}

// worths checks that what each event's lines have given, re-ratings included, is what they are worth with the tiers as they are.
func (a *ledgerAudit) worths(c *Card, own []*Entry, p *Program) {
	type line struct {
		entry string
		line  int
	}
	given := map[line]int64{}
	for _, e := range own {
		if e.Kind == KindRerated {
			for i := range e.Lines {
				given[line{e.original(), e.Lines[i].Line}] += e.Lines[i].Points
			}
		}
	}
	back, backGrowth, amount, paid := map[line]int64{}, map[line]int64{}, map[line]int64{}, map[line]int64{}
	for _, e := range own {
		if !e.ratable() {
			continue
		}
		a.e1.Figures["points_events"]++
		var sum int64
		for i := range e.Lines {
			l := &e.Lines[i]
			sum += l.Points
			given[line{e.ID, l.Line}] += l.Points
			if given[line{e.ID, l.Line}] != e.worth(l, p, c) {
				a.e1.Fail("entry " + e.ID + " is not worth what it gave")
			}
			if l.Back != nil {
				sale := line{l.Back.Entry, l.Back.Line}
				back[sale] += given[line{e.ID, l.Line}]
				backGrowth[sale] += l.Growth
				amount[sale] += l.Back.To - l.Back.From
				paid[sale] = l.Back.Paid
			}
		}
		if sum != e.Points {
			a.e1.Fail("entry " + e.ID + " is not the sum of its lines")
		}
	}
	for _, e := range own {
		for i := range e.Lines {
			sale := line{e.ID, e.Lines[i].Line}
			if paid[sale] == 0 || amount[sale] < paid[sale] {
				continue
			}
			a.e1.Figures["points_lines_returned"]++
			if back[sale]+given[sale] != 0 || backGrowth[sale]+e.Lines[i].Growth != 0 {
				a.e1.Fail("entry " + e.ID + " is fully returned and does not net zero")
			}
		}
	}
}

// eventRows checks that the entries which events say they have are there.
func (a *ledgerAudit) eventRows(ctx context.Context, db docdb.DB) error {
	var ids []string
	flush := func() error {
		found, err := entries.GetMany(ctx, db, ids...)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if found[id] == nil {
				a.e1.Fail("entry " + id + " is missing")
			}
		}
		a.e1.Figures["points_events_with_entries"] += int64(len(ids))
		ids = ids[:0]
		return nil
	}
	for row, err := range events.Each(ctx, db, docdb.Query{}) {
		if err != nil {
			return err
		}
		a.e1.Figures["points_projected"]++
		ids = append(ids, row.entryIDs()...)
		if len(ids) >= auditPage {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// total checks E4 once all cards are summed.
func (a *ledgerAudit) total() {
	f := a.e4.Figures
	if f["points_opening"]+f["points_earned"]+f["points_rerated"]+f["points_reversed"] != f["points_balances"] {
		a.e4.Fail("the kinds do not sum to the balances")
	}
	f["points_reversed"] = -f["points_reversed"] // shown as the equation subtracts it
}

// auditNumbers checks E8 from both sides: every member's number is claimed by that member and by no other.
func (s *Service) auditNumbers(ctx context.Context) (*audit.Check, error) {
	e8 := audit.New("E8", "one member per phone number")
	e8.Figures["members"], e8.Figures["phone_numbers"] = 0, 0
	page := func(list []*Member) error {
		ids := make([]string, len(list))
		for i, m := range list {
			ids[i] = phoneClaim(m.Phone)
		}
		held, err := claims.GetMany(ctx, s.DB, ids...)
		if err != nil {
			return err
		}
		for i, m := range list {
			e8.Figures["members"]++
			own, err := s.keys.open(m)
			if err != nil || held[ids[i]].current() != m.ID || s.Keys.BlindIndex(own.Phone) != m.Phone {
				e8.Fail("member " + m.ID)
			}
		}
		return nil
	}
	if err := eachPage(ctx, s.DB, members, docdb.Query{}, page); err != nil {
		return nil, err
	}
	return e8, eachPage(ctx, s.DB, claims, docdb.Query{From: phoneClaim(""), To: phoneClaim("~")}, func(list []*claim) error {
		ids := set{}
		for _, c := range list {
			ids[c.current()] = true
		}
		delete(ids, "")
		known, err := members.GetMany(ctx, s.DB, docdb.IDs(ids)...)
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.current() == "" {
				continue
			}
			e8.Figures["phone_numbers"]++
			if m := known[c.current()]; m == nil || phoneClaim(m.Phone) != c.ID {
				e8.Fail("a phone number's claim is of a member who has another one")
			}
		}
		return nil
	})
}

// eachPage reads a query's answer page by page.
func eachPage[T any](ctx context.Context, db docdb.DB, from docdb.Collection[T], q docdb.Query, page func([]*T) error) error {
	q.Limit = auditPage
	for {
		found, err := from.Find(ctx, db, q)
		if err != nil {
			return err
		}
		if err := page(found.Items); err != nil {
			return err
		}
		if q.Cursor = found.Next; q.Cursor == "" {
			return nil
		}
	}
}

package commission

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/store/storeevent"
)

// factsOf are facts with one plan for every brand and no closed day.
func factsOf(terms Terms, h guideevent.Holders, sales ...*Booking) facts {
	plan := prepare(&Plan{Rules: terms.Rules, Fallback: terms.Fallback, HoldDays: terms.HoldDays})
	plan.ID = "aurora.1"
	return facts{
		holders: func(string) guideevent.Holders { return h },
		plan:    func(string) *rulebook { return plan },
		sale: func(id string) *Booking {
			return sales[slices.IndexFunc(sales, func(b *Booking) bool { return b.ID == id })]
		},
		day: func(_ string, d when.Date) when.Date { return d },
	}
}

func held(guides ...string) guideevent.Holders {
	h := make([]guideevent.Holder, 4)
	for i := range h {
		h[i] = guideevent.Holder{Reason: "no_one"}
		if i < len(guides) && guides[i] != "" {
			h[i] = guideevent.Holder{Guide: guides[i], Since: 1}
		}
	}
	return guideevent.Holders{Selling: h[0], Serving: h[1], Recruiting: h[2], Manager: h[3]}
}

func TestHolders(t *testing.T) {
	t.Parallel()
	none, all := held(), held("a", "b", "c", "d")
	for name, c := range map[string]struct {
		fallback      Fallback
		guides        guideevent.Holders
		store, dealer string
		want          []Payee // in the order of Roles
	}{
		"everybody there":            {ToNobody, all, "s", "", []Payee{"guide:a", "guide:b", "guide:c", "guide:d", "store:s"}},
		"a dealer's store":           {ToNobody, all, "s", "d", []Payee{"guide:a", "guide:b", "guide:c", "guide:d", "dealer:d"}},
		"to the selling guide":       {ToSelling, held("a"), "s", "", []Payee{"guide:a", "guide:a", "guide:a", "guide:a", "store:s"}},
		"without one, to the store":  {ToSelling, none, "s", "", []Payee{"store:s", "store:s", "store:s", "store:s", "store:s"}},
		"without one, to the dealer": {ToSelling, none, "s", "d", []Payee{"dealer:d", "dealer:d", "dealer:d", "dealer:d", "dealer:d"}},
		"to the store":               {ToShop, held("a"), "s", "", []Payee{"guide:a", "store:s", "store:s", "store:s", "store:s"}},
		"to nobody":                  {ToNobody, held("", "b"), "s", "", []Payee{"", "guide:b", "", "", "store:s"}},
		"order without a store":      {ToSelling, held("", "b"), "", "", []Payee{"", "guide:b", "", "", ""}},
		"its store's part":           {ToSelling, held("a"), "", "", []Payee{"guide:a", "guide:a", "guide:a", "guide:a", ""}},
	} {
		var got []Payee
		for i, h := range holders(c.fallback, c.guides, c.store, c.dealer) {
			if h.Role != Roles[i] {
				t.Fatalf("%s: role %s in place %d", name, h.Role, i)
			}
			got = append(got, h.Payee)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestBook(t *testing.T) {
	t.Parallel()
	terms := Terms{Fallback: ToNobody, HoldDays: 7, Rules: []Rule{
		{ID: "all", RateBps: ptr(333), Roles: map[Role]int64{Selling: 5000, Serving: 2500, Shop: 2500}},
		{ID: "cake", Category: "cake", FixedPerUnit: ptr(150), Roles: map[Role]int64{Manager: 3333, Selling: 3333}},
	}}
	v := sale("1", "2026-11-20", "aurora", 10_000, 0, 500)
	v.Lines[0].Tax, v.Lines[0].PointsPaid = 1_000, 500
	v.Lines[1].Category, v.Lines[1].Qty = "cake", 3
	v.Lines[2].Tax = 600
	b, err := book(v, factsOf(terms, held("a", "", "", "m")))
	if err != nil {
		t.Fatal(err)
	}
	p := b.Parts[0]
	if len(b.Parts) != 1 || p.Day != "2026-11-20" || p.Settles != "2026-11-27" {
		t.Fatalf("parts %+v", b.Parts)
	}
	// 8,500 × 3.33 % = 283.05; 141.5, 70.75 and 70.75 of 283: the odd two fen go to the larger remainders.
	want := [][]RoleShare{
		{{Selling, 141}, {Serving, 71}, {Shop, 71}},
		{{Selling, 150}, {Manager, 149}}, // 450 × 66.66 % = 299.97: of 299 the odd fen goes to the first of equal remainders
		{{Selling, 0}, {Serving, 0}, {Shop, 0}},
	}
	for i, l := range p.Lines {
		if !slices.Equal(l.Shares, want[i]) {
			t.Errorf("line %d: %+v, want %+v", l.Line, l.Shares, want[i])
		}
	}
	// Nobody serves: that entry is for nobody and keeps its figure.
	entries, amount := p.sums()
	if p.payee(Serving) != Nobody || entries != 8 || amount != 141+71+150+149 {
		t.Errorf("%d entries of %d; holders %+v", entries, amount, p.Holders)
	}

	back := giveBack("1", "2026-11-25", v, 1, 0, 5_000)
	r, err := book(back, factsOf(terms, held("till"), b))
	if err != nil {
		t.Fatal(err)
	}
	p = r.Parts[0]
	if !slices.Equal(p.Lines[0].Shares, []RoleShare{{Selling, -70}, {Serving, -35}, {Shop, -35}}) || p.payee(Selling) != "guide:a" ||
		p.payee(Serving) != Nobody || p.Day != "2026-11-25" || p.Settles != "2026-11-27" {
		t.Errorf("the return books %+v", p)
	}

	// By quantity where nothing was paid.
	back = giveBack("2", "2026-12-25", v, 2, 0, 0)
	back.Lines[0].Qty = 2
	if r, err = book(back, factsOf(terms, held("till"), b)); err != nil {
		t.Fatal(err)
	}
	p = r.Parts[0]
	if !slices.Equal(p.Lines[0].Shares, []RoleShare{{Selling, -100}, {Manager, -99}}) || p.Settles != "2026-12-25" {
		t.Errorf("the return by quantity books %+v", p)
	}

	// Without a receipt all of it is the store's, whoever stands at the till; nobody's share stays nobody's.
	back.Lines = v.Lines
	if r, err = book(back, factsOf(terms, held("till"))); err != nil {
		t.Fatal(err)
	}
	p = r.Parts[0]
	if _, amount := p.sums(); amount != -(141+71+150) || p.payee(Selling) != "store:s-1" || p.payee(Serving) != Nobody || p.payee(Manager) != Nobody {
		t.Errorf("the return without a receipt books %d: %+v", amount, p)
	}

	// A sale of no plan books nothing, and says so; so does what is returned of it.
	f := factsOf(terms, held())
	f.plan = func(string) *rulebook { return nil }
	if b, err = book(v, f); err != nil || len(b.Parts) != 0 || len(b.Skipped) != 3 || b.Skipped[0].Reason != NoPlan {
		t.Errorf("without a plan: %+v, %v", b, err)
	}
	if r, err = book(giveBack("3", "2026-11-25", v, 1, 0, 5_000), factsOf(terms, held(), b)); err != nil || r.Skipped[0].Reason != SaleUnbooked {
		t.Errorf("its return: %+v, %v", r, err)
	}
}

// TestSharesAlwaysSum: over any rule and amounts the shares of a line sum to floor(pool × Σ roles ÷ 10,000), and whatever the
// parts in which the line goes back, what is taken back of each share sums to it.
func TestSharesAlwaysSum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := Rule{ID: "r", Roles: map[Role]int64{}}
		var bps int64
		for _, r := range Roles {
			if w := rapid.Int64Range(0, 10_000-bps).Draw(t, string(r)); w > 0 {
				rule.Roles[r] = w
				bps += w
			}
		}
		if bps == 0 {
			rule.Roles[Selling], bps = 1, 1
		}
		if rapid.Bool().Draw(t, "fixed") {
			rule.FixedPerUnit = ptr(rapid.Int64Range(0, 100_000).Draw(t, "per unit"))
		} else {
			rule.RateBps = ptr(rapid.Int64Range(0, 10_000).Draw(t, "rate"))
		}
		v := sale("1", "2026-11-20", "aurora", rapid.Int64Range(0, 1_000_000).Draw(t, "paid"))
		sold := &v.Lines[0]
		sold.Tax, sold.PointsPaid = rapid.Int64Range(0, sold.Paid).Draw(t, "tax"), rapid.Int64Range(0, sold.Paid).Draw(t, "points")
		sold.Qty = rapid.Int64Range(1, 50).Draw(t, "qty")
		terms := Terms{Fallback: ToSelling, Rules: []Rule{rule}}
		b, err := book(v, factsOf(terms, held("a", "b", "c", "d")))
		if err != nil {
			t.Fatal(err)
		}
		l := &b.Parts[0].Lines[0]
		left := map[Role]int64{}
		var sum int64
		for _, s := range l.Shares {
			left[s.Role] = s.Figure
			sum += s.Figure
		}
		if sum != l.Pool*bps/10_000 {
			t.Fatalf("shares sum to %d of a pool of %d and %d basis points", sum, l.Pool, bps)
		}
		for before, whole := int64(0), l.Whole(); before < whole; {
			part := rapid.Int64Range(1, whole-before).Draw(t, "part")
			back := giveBack("1", "2026-11-21", v, 1, 0, 0)
			if o := back.Lines[0].Original; sold.Paid > 0 {
				o.PaidBefore, back.Lines[0].Paid = before, part
			} else {
				o.QtyBefore, back.Lines[0].Qty = before, part
			}
			r, err := book(back, factsOf(terms, held("x"), b))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range r.Parts[0].Lines[0].Shares {
				left[s.Role] += s.Figure
			}
			before += part
		}
		for role, amount := range left {
			if amount != 0 {
				t.Fatalf("%d is left of the share of %s", amount, role)
			}
		}
	})
}

func TestReturnThatContradictsItsSale(t *testing.T) {
	t.Parallel()
	v := sale("1", "2026-11-20", "aurora", 1000)
	b, err := book(v, factsOf(simple(), held("a")))
	if err != nil {
		t.Fatal(err)
	}
	loose := giveBack("0", "2026-11-21", v, 1, 0, 1000)
	loose.Lines[0].Original = nil
	taken, err := book(loose, factsOf(simple(), held("a")))
	if err != nil {
		t.Fatal(err)
	}
	for name, back := range map[string]*storeevent.Verdict{
		"more than was paid": giveBack("1", "2026-11-21", v, 1, 900, 101),
		"of what was itself a return": giveBack("1", "2026-11-21", &storeevent.Verdict{Transaction: func() storeevent.Transaction {
			tx := v.Transaction
			tx.EventID = loose.EventID
			return tx
		}()}, 1, 0, 1000),
		"of another brand": func() *storeevent.Verdict {
			r := giveBack("1", "2026-11-21", v, 1, 0, 1)
			r.Lines[0].Brand = "other"
			return r
		}(),
	} {
		if r, err := book(back, factsOf(simple(), held("a"), b, taken)); err == nil {
			t.Errorf("%s: booked %+v", name, r)
		}
	}
}

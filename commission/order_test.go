package commission

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// history is a made-up chain's past: what was sold and what came back, and the plans under which it happened.
type history struct {
	plans   map[string][]Terms // by brand, one from the 1st of January, the next from the 22nd of November on
	sales   []*storeevent.Verdict
	returns []comesBack
	loose   []*storeevent.Verdict // returns without a receipt
}

// comesBack is a part of a sale's line that comes back; what was back before it depends on the order.
type comesBack struct {
	sale, line int
	paid, qty  int64
	date       when.Date
}

var historyBrands = []string{"aurora", "borealis"}

const secondPlan = when.Date("2026-11-22")

func drawHistory(t *rapid.T) *history {
	h := &history{plans: map[string][]Terms{}}
	for _, b := range historyBrands {
		h.plans[b] = []Terms{drawTerms(t), drawTerms(t)}
	}
	date := rapid.Map(rapid.IntRange(18, 26), func(d int) when.Date { return when.Date(fmt.Sprintf("2026-11-%02d", d)) })
	draw := func(i int, kind string) *storeevent.Verdict {
		v := sale(fmt.Sprint(kind, i), date.Draw(t, "date"), "", 1)
		v.EventID = fmt.Sprintf("pos/t-%d/%s/%s%d", i%3, kind, kind, i)
		v.Guide = rapid.SampledFrom([]string{"", "g-1", "g-2", "g-3"}).Draw(t, "guide")
		v.Member = rapid.SampledFrom([]*storeevent.MemberRef{nil, {ID: "m-1"}, {ID: "m-2"}}).Draw(t, "member")
		v.Store = rapid.SampledFrom([]string{"", "s-1", "s-2"}).Draw(t, "store")
		if v.Store == "s-2" {
			v.Ownership, v.Dealer = "dealer", "d-1"
		}
		v.Lines = nil
		for n := range rapid.IntRange(1, 3).Draw(t, "lines") {
			paid := rapid.SampledFrom([]int64{0, 1, 99, 100, 333, 12_345}).Draw(t, "paid")
			v.Lines = append(v.Lines, storeevent.Line{
				Line: n + 1, SKU: "x", Category: rapid.SampledFrom([]string{"", "cake"}).Draw(t, "category"), Brand: rapid.SampledFrom(historyBrands).Draw(t, "brand"),
				Qty: rapid.Int64Range(1, 5).Draw(t, "qty"), Paid: paid, Tax: rapid.Int64Range(0, paid/2).Draw(t, "tax"),
			})
		}
		return v
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "sales") {
		h.sales = append(h.sales, draw(i, storeevent.Sale))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "loose returns") {
		v := draw(i, storeevent.Return)
		v.Kind = storeevent.Return
		h.loose = append(h.loose, v)
	}
	for i, v := range h.sales {
		for n, l := range v.Lines {
			for left := rapid.SampledFrom([]int64{0, l.Paid, l.Paid}).Draw(t, "back"); left > 0; {
				part := rapid.Int64Range(1, left).Draw(t, "part")
				h.returns = append(h.returns, comesBack{sale: i, line: n, paid: part, date: date.Draw(t, "back on")})
				left -= part
			}
			if l.Paid == 0 {
				for left := rapid.Int64Range(0, l.Qty).Draw(t, "units back"); left > 0; left-- {
					h.returns = append(h.returns, comesBack{sale: i, line: n, qty: 1, date: date.Draw(t, "back on")})
				}
			}
		}
	}
	return h
}

func drawTerms(t *rapid.T) Terms {
	terms := Terms{
		HoldDays: rapid.IntRange(0, 3).Draw(t, "hold"), MinPayout: rapid.SampledFrom([]int64{0, 0, 200}).Draw(t, "minimum"),
		Fallback: rapid.SampledFrom([]Fallback{ToSelling, ToShop, ToNobody}).Draw(t, "fallback"),
	}
	for i, category := range []string{"", "cake"} {
		r := Rule{ID: fmt.Sprint("r", i), Category: category, Roles: map[Role]int64{}}
		left := int64(10_000)
		for _, role := range Roles {
			if w := rapid.Int64Range(0, left).Draw(t, string(role)); w > 0 {
				r.Roles[role] = w
				left -= w
			}
		}
		if left == 10_000 {
			r.Roles[Shop] = 1
		}
		if r.FixedPerUnit = ptr(rapid.SampledFrom([]int64{0, 7, 100}).Draw(t, "fixed")); *r.FixedPerUnit == 0 {
			r.FixedPerUnit, r.RateBps = nil, ptr(rapid.SampledFrom([]int64{0, 333, 1000, 10_000}).Draw(t, "rate"))
		}
		terms.Rules = append(terms.Rules, r)
	}
	return terms
}

// expected is what every sale's line and role, and every loose return, comes to in the end, by "event line role payee": worked out
// by fractions, from the rules' words, knowing nothing of batches, days or orders.
func (h *history) expected() map[string]int64 {
	out := map[string]int64{}
	for _, v := range append(slices.Clone(h.sales), h.loose...) {
		for n, l := range v.Lines {
			terms := h.plans[l.Brand][0]
			if v.BusinessDate >= secondPlan {
				terms = h.plans[l.Brand][1]
			}
			rule := terms.Rules[0]
			if l.Category == "cake" {
				rule = terms.Rules[1]
			}
			var pool int64
			if rule.FixedPerUnit != nil {
				pool = *rule.FixedPerUnit * l.Qty
			} else {
				pool = floor(max(0, l.Paid-l.Tax), *rule.RateBps, 10_000)
			}
			back, whole := int64(0), l.Paid
			if whole == 0 {
				whole = l.Qty
			}
			for _, r := range h.returns {
				if v.Kind == storeevent.Sale && h.sales[r.sale] == v && r.line == n {
					back += r.paid + r.qty
				}
			}
			for role, share := range naiveSplit(pool, rule.Roles) {
				to := naivePayee(role, terms.Fallback, v)
				switch shop := naivePayee(Shop, ToNobody, v); {
				case to == "", v.Kind == storeevent.Return && shop == "":
				case v.Kind == storeevent.Return:
					out[fmt.Sprintln(v.EventID, l.Line, role, shop)] -= share
				default:
					out[fmt.Sprintln(v.EventID, l.Line, role, to)] += share - floor(share, back, whole)
				}
			}
		}
	}
	maps.DeleteFunc(out, func(_ string, amount int64) bool { return amount == 0 })
	return out
}

func floor(a, b, c int64) int64 {
	return new(big.Int).Div(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), big.NewInt(c)).Int64()
}

// naiveSplit gives every role its floor, and then, a fen at a time, to whoever is owed the most.
func naiveSplit(pool int64, roles map[Role]int64) map[Role]int64 {
	out, sum, given := map[Role]int64{}, int64(0), int64(0)
	for role, bps := range roles {
		out[role] = floor(pool, bps, 10_000)
		sum, given = sum+bps, given+out[role]
	}
	for left := floor(pool, sum, 10_000) - given; left > 0; left-- {
		var to Role
		var most int64 = -1 << 62
		for _, role := range []Role{"selling", "serving", "recruiting", "manager", "store"} {
			if owed := pool*roles[role] - out[role]*10_000; roles[role] > 0 && owed > most {
				to, most = role, owed
			}
		}
		out[to]++
	}
	return out
}

func naivePayee(role Role, fallback Fallback, v *storeevent.Verdict) string {
	shop := ""
	switch v.Store {
	case "s-1":
		shop = "store:s-1"
	case "s-2":
		shop = "dealer:d-1"
	}
	holder := map[Role]string{Selling: v.Guide, Shop: shop}
	if v.Member != nil {
		holder[Serving], holder[Recruiting] = "g"+v.Member.ID[1:], "g-r"
	}
	if v.Store != "" {
		holder[Manager] = "gm-" + v.Store
	}
	switch {
	case role == Shop:
		return shop
	case holder[role] != "":
		return "guide:" + holder[role]
	case fallback == ToSelling && v.Guide != "":
		return "guide:" + v.Guide
	case fallback != ToNobody:
		return shop
	}
	return ""
}

// arrival is one way in which a history arrives: the order, doubles, batches, and the closes between them.
type arrival struct {
	order  []int // sales, then returns, then loose returns, by their place in the history; some twice
	batch  int
	closes map[int]when.Date // before the batch
}

func drawArrival(t *rapid.T, h *history) arrival {
	n := len(h.sales) + len(h.returns) + len(h.loose)
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	a := arrival{order: rapid.Permutation(all).Draw(t, "order"), batch: rapid.IntRange(1, 6).Draw(t, "batch"), closes: map[int]when.Date{}}
	a.order = append(a.order, rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 4).Draw(t, "again")...)
	for i := range 6 {
		if rapid.Bool().Draw(t, "close") {
			a.closes[i*2] = when.Date(fmt.Sprintf("2026-11-%02d", rapid.IntRange(16, 28).Draw(t, "through")))
		}
	}
	return a
}

// arrive books a history as it arrives. A return's amounts before it are those that had arrived, as the shops decide it; a
// return that is before its sale waits, and comes again.
func (h *history) arrive(t *rapid.T, s *Service, a arrival) {
	ctx := t.Context()
	back, made := map[[2]int]int64{}, map[int]*storeevent.Verdict{}
	event := func(i int) *storeevent.Verdict {
		switch {
		case i < len(h.sales):
			return h.sales[i]
		case i >= len(h.sales)+len(h.returns):
			return h.loose[i-len(h.sales)-len(h.returns)]
		case made[i] == nil:
			r := h.returns[i-len(h.sales)]
			at := [2]int{r.sale, r.line}
			v := giveBack(fmt.Sprint(i), r.date, h.sales[r.sale], r.line+1, 0, r.paid)
			v.EventID = fmt.Sprintf("pos/t-9/return/%d", i)
			v.Lines[0].Qty, v.Lines[0].Original.PaidBefore, v.Lines[0].Original.QtyBefore = r.qty, back[at], back[at]
			back[at] += r.paid + r.qty
			made[i] = v
		}
		return made[i]
	}
	queue := slices.Clone(a.order)
	for n := 0; len(queue) > 0; n++ {
		if date, ok := a.closes[n]; ok {
			for _, b := range historyBrands {
				if _, err := s.CloseThrough(ctx, b, date); err != nil {
					t.Fatal(err)
				}
			}
		}
		size := min(a.batch, len(queue))
		batch := make([]*storeevent.Verdict, size)
		for i := range batch {
			batch[i] = event(queue[i])
		}
		later, err := s.ProjectSales(ctx, items(t, batch...))
		if err != nil {
			t.Fatal(err)
		}
		var again []int
		for _, i := range later {
			again = append(again, queue[i])
		}
		queue = append(queue[size:], again...)
	}
}

// result is what every sale's line and role has come to, as history.expected has it.
func result(t *rapid.T, s *Service) map[string]int64 {
	out := map[string]int64{}
	for b, err := range s.repo.bookings.Each(t.Context(), s.deps.DB, docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Parts {
			p := &b.Parts[i]
			for _, l := range p.Lines {
				for _, share := range l.Shares {
					event, line := b.ID, l.Line
					if p.Sale != "" {
						event, line = p.Sale, l.Of
					}
					out[fmt.Sprintln(event, line, share.Role, p.payee(share.Role))] += p.amount(share)
				}
			}
		}
	}
	maps.DeleteFunc(out, func(_ string, amount int64) bool { return amount == 0 })
	return out
}

// TestAnyOrder: in whatever order sales, returns, doubles and closes come, each payee gets of each sale what the rules' words
// say, and the books balance while days are open and when all are closed.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		w := newWorld(historyBrands...)
		s := open(rt, docdbtest.SQLite(t), w)
		for _, b := range historyBrands {
			makePlan(rt, s, b, day("2026-01-01"), h.plans[b][0])
			makePlan(rt, s, b, day(secondPlan), h.plans[b][1])
		}
		h.arrive(rt, s, drawArrival(rt, h))
		if got, want := result(rt, s), h.expected(); !maps.Equal(got, want) {
			rt.Fatalf("got  %v\nwant %v", got, want)
		}
		mustAudit(rt, s)
		for _, b := range historyBrands {
			if _, err := s.CloseThrough(rt.Context(), b, "2026-11-30"); err != nil {
				rt.Fatal(err)
			}
		}
		figures := mustAudit(rt, s)
		if figures["commission_unsettled_amount"] != 0 {
			// What is held back settles after the last day that is past.
			w.past = "2026-12-05"
			for _, b := range historyBrands {
				if _, err := s.CloseThrough(rt.Context(), b, w.past); err != nil {
					rt.Fatal(err)
				}
			}
			figures = mustAudit(rt, s)
		}
		if figures["commission_unsettled_amount"] != 0 {
			rt.Fatalf("unsettled: %v", figures)
		}
	})
}

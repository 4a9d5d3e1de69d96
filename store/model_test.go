package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// model is the domain as one would write it without thinking of speed: one item after the other, everything worked out from what is known.
type model struct {
	events  map[string]*modelEvent
	order   []*modelEvent // by acceptance
	repeats map[string]string
}

type modelEvent struct {
	tx     storeevent.Transaction
	status string
}

func (m *model) take(tx storeevent.Transaction, place string) {
	if e := m.events[tx.EventID]; e != nil {
		m.repeats[place] = storeevent.StatusDuplicate
		if string(e.tx.Content) != string(tx.Content) {
			m.repeats[place] = storeevent.StatusAnomaly
		}
		return
	}
	e := &modelEvent{tx: tx}
	m.events[tx.EventID] = e
	m.order = append(m.order, e)
	e.status = m.judge(e)
	for _, w := range m.order { // whatever waits may have waited for this
		if w.status == storeevent.StatusWaiting {
			w.status = m.judge(w)
		}
	}
}

func (m *model) judge(e *modelEvent) string {
	if e.tx.AheadMillis > 300_000 {
		return storeevent.StatusAnomaly
	}
	status := storeevent.StatusApplied
	qty, amount := map[string]int64{}, map[string]int64{}
	for _, l := range e.tx.Lines {
		if l.Original == nil {
			continue
		}
		sale := m.events[l.Original.EventID]
		if sale == nil {
			status = storeevent.StatusWaiting
			continue
		}
		key := fmt.Sprint(l.Original.EventID, l.Original.Line)
		qty[key] += l.Qty
		amount[key] += l.Paid
		sold := slices.IndexFunc(sale.tx.Lines, func(s storeevent.Line) bool { return s.Line == l.Original.Line })
		if sale.status != storeevent.StatusApplied || sold < 0 || sale.tx.Lines[sold].Brand != l.Brand {
			return storeevent.StatusAnomaly
		}
		backQty, backAmount := m.back(l.Original.EventID, l.Original.Line)
		if backQty+qty[key] > sale.tx.Lines[sold].Qty || backAmount+amount[key] > sale.tx.Lines[sold].Paid {
			return storeevent.StatusAnomaly
		}
	}
	return status
}

// back is what applied returns have taken of a line.
func (m *model) back(eventID string, line int) (qty, amount int64) {
	for _, e := range m.order {
		for _, l := range e.tx.Lines {
			if e.status == storeevent.StatusApplied && l.Original != nil && l.Original.EventID == eventID && l.Original.Line == line {
				qty, amount = qty+l.Qty, amount+l.Paid
			}
		}
	}
	return qty, amount
}

func (m *model) total(brand string, date when.Date) brandDay {
	sum := brandDay{Brand: brand}
	for _, e := range m.order {
		if e.status != storeevent.StatusApplied || e.tx.BusinessDate != date {
			continue
		}
		order := false
		for _, l := range e.tx.Lines {
			switch {
			case l.Brand != brand:
			case e.tx.Kind == storeevent.Sale:
				sum.Sales, order = sum.Sales+l.Paid, true
			default:
				sum.Returns += l.Paid
			}
		}
		if order {
			sum.Orders++
		}
	}
	return sum
}

func (m *model) tally(terminal string, date when.Date) (t Tally, open int64) {
	for _, e := range m.order {
		if e.tx.Terminal != terminal || e.tx.BusinessDate != date {
			continue
		}
		t.Count++
		if e.tx.Kind == storeevent.Sale {
			t.Sales += paid(&e.tx)
		} else {
			t.Returns += paid(&e.tx)
		}
		if t.FirstSeq == 0 {
			t.FirstSeq = e.tx.Seq
		}
		t.FirstSeq, t.LastSeq = min(t.FirstSeq, e.tx.Seq), max(t.LastSeq, e.tx.Seq)
		if e.status != storeevent.StatusApplied {
			open++
		}
	}
	return t, open
}

var dates = []when.Date{"2026-11-19", today}

// drawTransactions draws sales and returns of two tills and an online shop that name each other: with repeats, contradictions, returns of
// what is not there and of too much.
func drawTransactions(t *rapid.T) []storeevent.Transaction {
	var txs []storeevent.Transaction
	ids := []string{"pos/t1/sale/none"}
	seqs := map[string]int64{}
	for range rapid.IntRange(1, 14).Draw(t, "transactions") {
		if len(txs) > 0 && rapid.IntRange(0, 5).Draw(t, "repeat") == 0 {
			again := rapid.SampledFrom(txs).Draw(t, "of")
			if rapid.IntRange(0, 3).Draw(t, "contradiction") == 0 {
				again.BusinessDate = rapid.SampledFrom(dates).Draw(t, "other date")
				again = with(again, storeevent.Line{Line: 10 + len(again.Lines), SKU: "tea", Brand: "aurora", Qty: 1, UnitPrice: 7, Paid: 7})
			}
			txs = append(txs, again)
			continue
		}
		terminal := rapid.SampledFrom([]string{"t1", "t2", ""}).Draw(t, "terminal")
		seqs[terminal]++
		tx := sale(terminal, fmt.Sprint(len(txs)), seqs[terminal], 1, 1)
		tx.BusinessDate, tx.Lines = rapid.SampledFrom(dates).Draw(t, "date"), nil
		if rapid.IntRange(0, 9).Draw(t, "ahead") == 0 {
			tx.AheadMillis = AheadTolerance + 1
		}
		isReturn := rapid.Bool().Draw(t, "return")
		if isReturn {
			tx.Kind = storeevent.Return
		}
		tx.EventID = POSEventID(terminal, tx.Kind, tx.Receipt)
		if terminal == "" {
			tx.Brand, tx.Channel, tx.OrderNo = "aurora", "tmall", tx.Receipt
			tx.EventID = OrderEventID("aurora", "tmall", tx.Kind, tx.OrderNo, "")
		}
		for n := range rapid.IntRange(1, 3).Draw(t, "lines") {
			l := storeevent.Line{Line: n + 1, SKU: "tea", Brand: rapid.SampledFrom([]string{"aurora", "aurora", "breeze"}).Draw(t, "brand")}
			l.Qty, l.UnitPrice = rapid.Int64Range(1, 4).Draw(t, "qty"), rapid.Int64Range(0, 3).Draw(t, "price")
			l.Paid = l.Qty * l.UnitPrice
			if isReturn && rapid.IntRange(0, 9).Draw(t, "with receipt") > 0 {
				l.Original = &storeevent.Original{EventID: rapid.SampledFrom(ids).Draw(t, "original"), Line: rapid.IntRange(1, 3).Draw(t, "original line")}
			}
			tx = with(tx, l)
		}
		if !isReturn {
			ids = append(ids, tx.EventID, tx.EventID)
		}
		txs = append(txs, tx)
	}
	return rapid.Permutation(txs).Draw(t, "order")
}

// TestDecideAgainstModel: whatever is sold, given back, repeated and contradicted, in whatever order, however it is packed into messages and
// batches, and whatever of it is delivered again, ends as the model says: outcomes, repeats, totals, tallies, what the others are told, and
// the equations.
func TestDecideAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := open(rt)
		m := &model{events: map[string]*modelEvent{}, repeats: map[string]string{}}
		txs := drawTransactions(rt)
		var batch, sent []stream.Item
		for len(txs) > 0 {
			n := rapid.IntRange(1, min(4, len(txs))).Draw(rt, "message")
			items := s.message(txs[:n]...)
			for i, tx := range txs[:n] {
				m.take(tx, repeatID(int64(items[i].Seq), int64(i)))
			}
			batch, sent, txs = append(batch, items...), append(sent, items...), txs[n:]
			if rapid.Bool().Draw(rt, "deliver") {
				s.redeliver(batch)
				batch = nil
			}
			if rapid.IntRange(0, 3).Draw(rt, "again") == 0 && len(batch) == 0 {
				from := rapid.IntRange(0, len(sent)-1).Draw(rt, "from")
				s.redeliver(sent[from:rapid.IntRange(from+1, len(sent)).Draw(rt, "to")])
			}
			if rapid.IntRange(0, 4).Draw(rt, "z-report") == 0 && len(batch) == 0 {
				s.zReport("t1", today, Tally{Count: 3})
			}
		}
		s.redeliver(batch)
		s.redeliver(sent)

		for id, e := range m.events {
			if got := s.status(id); got != e.status {
				rt.Errorf("%s: %s, the model says %s", id, got, e.status)
			}
		}
		s.compareRepeats(rt, m)
		s.compareTotals(rt, m)
		s.compareTold(rt, m)
		s.mustBalance()
	})
}

func (s *shop) status(eventID string) string {
	found, err := s.Outcomes(context.Background(), []string{eventID})
	must(s.t, err)
	return found[eventID].Status
}

func (s *shop) zReport(terminal string, date when.Date, claim Tally) ZReport {
	z, decided, err := s.ZReport(context.Background(), &Terminal{ID: terminal, Store: map[string]string{"t1": "s1", "t2": "s2"}[terminal]}, date, claim)
	must(s.t, err)
	if !decided {
		s.t.Fatal("a Z-report was not decided")
	}
	return z
}

func (s *shop) compareRepeats(t *rapid.T, m *model) {
	got := map[string]string{}
	for r, err := range s.repeats.Each(context.Background(), s.db, all) {
		must(t, err)
		got[r.ID] = r.Status
	}
	if !maps.Equal(got, m.repeats) {
		t.Errorf("repeats %v, the model says %v", got, m.repeats)
	}
}

func (s *shop) compareTotals(t *rapid.T, m *model) {
	for _, date := range dates {
		for _, brand := range []string{"aurora", "breeze"} {
			if got, want := s.total(brand, date), m.total(brand, date); got != want {
				t.Errorf("totals of %s: %+v, the model says %+v", date, got, want)
			}
		}
		for _, terminal := range []string{"t1", "t2"} {
			want, open := m.tally(terminal, date)
			z := s.zReport(terminal, date, want)
			if !z.Matched() || z.Open != open || int64(len(z.NotApplied)) != open {
				t.Errorf("tally of %s on %s: %+v, the model says %+v with %d not applied", terminal, date, z, want, open)
			}
		}
	}
}

// compareTold checks that each applied event was told once, sales before what comes back of them, with what came back before.
func (s *shop) compareTold(t *rapid.T, m *model) {
	told := map[string]bool{}
	qty, amount := map[string]int64{}, map[string]int64{}
	for _, v := range s.told() {
		if e := m.events[v.EventID]; told[v.EventID] || e == nil || e.status != storeevent.StatusApplied || paid(&e.tx) != paid(&v.Transaction) {
			t.Errorf("%s was told", v.EventID)
		}
		told[v.EventID] = true
		for _, l := range v.Lines {
			if l.Original == nil {
				continue
			}
			key := fmt.Sprint(l.Original.EventID, l.Original.Line)
			if !told[l.Original.EventID] || l.Original.QtyBefore != qty[key] || l.Original.PaidBefore != amount[key] {
				t.Errorf("%s: %+v after %d and %d", v.EventID, *l.Original, qty[key], amount[key])
			}
			qty[key] += l.Qty
			amount[key] += l.Paid
			if qty[key] > l.Original.SoldQty || amount[key] > l.Original.SoldPaid {
				t.Errorf("%s: more came back than was sold", v.EventID)
			}
		}
	}
	for id, e := range m.events {
		if e.status == storeevent.StatusApplied && !told[id] {
			t.Errorf("%s was not told", id)
		}
	}
}

// TestOrderDoesNotMatter: as long as nothing contradicts and no more is given back than was sold, every order of the same transactions, in
// every packing, ends in the same outcomes, totals and tallies.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var txs []storeevent.Transaction
		for i := range rapid.IntRange(1, 4).Draw(rt, "sales") {
			sold := sale("t1", fmt.Sprint(i), int64(10*i+1), 4, 400)
			txs = append(txs, sold)
			for j := range rapid.IntRange(0, 3).Draw(rt, "returns") {
				back := giveBack("t2", fmt.Sprint(i, "-", j), int64(10*i+j+2), sold.EventID, 1, 100)
				if i > 0 && rapid.Bool().Draw(rt, "of two") { // and one of the sale before, of which at most one piece is left
					back = with(back, storeevent.Line{Line: 2, SKU: "tea", Brand: "aurora", Qty: 0, Paid: 1,
						Original: &storeevent.Original{EventID: txs[0].EventID, Line: 1}})
				}
				txs = append(txs, back)
			}
		}
		results := map[string]bool{}
		for range 2 {
			s := open(rt)
			for rest := rapid.Permutation(txs).Draw(rt, "order"); len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(rt, "message")
				s.deliver(rest[:n]...)
				rest = rest[n:]
			}
			for _, tx := range txs {
				if got := s.outcome(tx.EventID); got != storeevent.StatusApplied {
					rt.Errorf("%s: %s", tx.EventID, got)
				}
			}
			z := s.zReport("t2", today, Tally{})
			results[fmt.Sprint(s.total("aurora", today), z.Counted, len(s.told()))] = true
			s.mustBalance()
		}
		if len(results) != 1 {
			rt.Errorf("the results differ: %v", slices.Collect(maps.Keys(results)))
		}
	})
}

package store

import (
	"context"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

func TestZReport(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.deliver(sale("t1", "1", 1, 4, 1000), giveBack("t1", "1", 2, s1, 1, 250), giveBack("t1", "2", 3, "pos/t1/sale/late", 1, 50))
	s.deliver(sale("t3", "1", 1, 1, 7))
	claim := Tally{Count: 3, Sales: 1000, Returns: 300, FirstSeq: 1, LastSeq: 3}
	z := s.zReport("t1", today, claim)
	want := []NotApplied{{r2, "waiting", codeSaleAwaited}}
	if !z.Matched() || z.Open != 1 || !slices.Equal(z.NotApplied, want) || z.Sequence != 2 {
		t.Errorf("%+v", z)
	}
	if again := s.zReport("t1", today, claim); again.Sequence != 2 || s.answerCount("t1") != 1 {
		t.Errorf("asking again made another answer: %+v", again)
	}
	wrong := claim
	wrong.Sales++
	if z := s.zReport("t1", today, wrong); z.Matched() || z.Counted != claim || s.answerCount("t1") != 2 {
		t.Errorf("%+v", z)
	}
	// What comes later appends an answer: another transaction of the date, and the sale of another date that a return waited for.
	s.deliver(sale("t1", "2", 4, 1, 5))
	other := sale("t1", "late", 5, 1, 50)
	other.BusinessDate = "2026-11-19"
	s.deliver(other)
	if n := s.answerCount("t1"); n != 4 {
		t.Errorf("%d answers", n)
	}
	z = s.zReport("t1", today, wrong)
	if z.Open != 0 || len(z.NotApplied) != 0 || z.Counted != (Tally{4, 1005, 300, 1, 4}) || z.Sequence != 4 {
		t.Errorf("%+v", z)
	}
	// A redelivery and a repeat append none.
	s.deliver(sale("t1", "2", 4, 1, 5))
	if n := s.answerCount("t1"); n != 4 {
		t.Errorf("%d answers", n)
	}
	// A date without transactions has an answer too.
	if z := s.zReport("t1", "2026-01-01", Tally{}); !z.Matched() {
		t.Errorf("%+v", z)
	}
	s.mustBalance()
}

func (s *shop) answerCount(terminal string) (n int) {
	s.t.Helper()
	for a, err := range s.answers.Each(context.Background(), s.db, all) {
		must(s.t, err)
		if a.Terminal == terminal {
			n++
		}
	}
	return n
}

func TestZReportUndecided(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.waitIntake = func(ctx context.Context) (uint64, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	till := &Terminal{ID: "t1", Store: "s1"}
	if _, decided, err := s.ZReport(context.Background(), till, today, Tally{}); decided || err != nil {
		t.Errorf("decided %t, %v", decided, err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.ZReport(gone, till, today, Tally{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller went away: %v", err)
	}
	if s.answerCount("t1") != 0 {
		t.Error("an answer was stored")
	}
	for field, claim := range map[string]Tally{"count": {Count: -1}, "last_seq": {LastSeq: MaxSeq + 1}, "returns": {Returns: -5}} {
		_, _, err := s.ZReport(context.Background(), till, today, claim)
		mustFail(t, err, fault.Invalid, "figure_out_of_range", field)
	}
	_, _, err := s.ZReport(context.Background(), till, "yesterday", Tally{})
	mustFail(t, err, fault.Invalid, "invalid_date", "business_date")
}

func TestGaps(t *testing.T) {
	t.Parallel()
	s := open(t)
	till := &Terminal{ID: "t1", Store: "s1"}
	gaps := func() ([]Range, int64) {
		t.Helper()
		gaps, last, err := s.Gaps(context.Background(), till)
		must(t, err)
		return gaps, last
	}
	if gaps, last := gaps(); len(gaps) != 0 || last != 0 {
		t.Errorf("a new till has gaps %v to %d", gaps, last)
	}
	yesterday := sale("t1", "y", 2, 1, 5)
	yesterday.BusinessDate = "2026-11-19"
	s.deliver(sale("t1", "1", 3, 1, 5), sale("t1", "2", 6, 1, 5), yesterday, sale("t3", "1", 5, 1, 5))
	if gaps, last := gaps(); !slices.Equal(gaps, []Range{{1, 1}, {4, 5}}) || last != 6 {
		t.Errorf("gaps %v to %d", gaps, last)
	}
	s.deliver(sale("t1", "1", 4, 1, 9)) // contradicts receipt 1, but its sequence has come
	s.zReport("t1", today, Tally{Count: 5, FirstSeq: 3, LastSeq: 8})
	if gaps, last := gaps(); !slices.Equal(gaps, []Range{{1, 1}, {5, 5}, {7, 8}}) || last != 8 {
		t.Errorf("gaps %v to %d", gaps, last)
	}
}

// TestRanges compares the ranges of sequences with a set.
func TestRanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var ranges []int64
		set := map[int64]bool{}
		for _, seq := range rapid.SliceOf(rapid.Int64Range(1, 20)).Draw(rt, "seqs") {
			ranges = addSeq(ranges, seq)
			set[seq] = true
		}
		var spans []Range
		for i := 0; i < len(ranges); i += 2 {
			if i > 0 && ranges[i] <= ranges[i-1]+1 || ranges[i] > ranges[i+1] {
				rt.Fatalf("ranges %v touch or are out of order", ranges)
			}
			spans = append(spans, Range{ranges[i], ranges[i+1]})
		}
		in := map[int64]bool{}
		for _, r := range spans {
			for seq := r.From; seq <= r.To; seq++ {
				in[seq] = true
			}
		}
		gone := map[int64]bool{}
		for _, r := range missing(rapid.Permutation(append(spans, spans...)).Draw(rt, "shuffled"), 25) {
			for seq := r.From; seq <= r.To; seq++ {
				gone[seq] = true
			}
		}
		for seq := int64(1); seq <= 25; seq++ {
			if in[seq] != set[seq] || gone[seq] == set[seq] {
				rt.Fatalf("%d: set %t, in %t, missing %t", seq, set[seq], in[seq], gone[seq])
			}
		}
	})
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t).withStores()
	s.store("s4", "breeze")
	must(t, second(s.CreateTerminal(ctx, "s4", "t4")))
	sold := sale("t1", "R1", 1, 4, 1000)
	sold.Member = &storeevent.MemberRef{Card: "S1"}
	s.deliver(with(sold, storeevent.Line{Line: 2, SKU: "cup", Brand: "breeze", Qty: 1, UnitPrice: 70, Paid: 70}))
	s.deliver(giveBack("t2", "B1", 1, "pos/t1/sale/R1", 1, 300), giveBack("t2", "B2", 2, "pos/t1/sale/R9", 1, 300))
	for till, lines := range map[string][]int{"t1": {1, 2}, "t3": {1, 2}, "t2": {1}, "t4": {2}} {
		r, err := s.Receipt(ctx, s.terminal(till), "t1", "R1")
		must(t, err)
		var got []int
		for _, l := range r.Lines {
			got = append(got, l.Line.Line)
			if l.Line.Line == 1 && (l.ReturnedQty != 1 || l.ReturnedPaid != 300) {
				t.Errorf("%s: %+v", till, l)
			}
		}
		if !slices.Equal(got, lines) || r.Store != "s1" || r.Status != "applied" || r.BusinessTime != noon {
			t.Errorf("%s: %+v", till, r)
		}
	}
	for _, receipt := range []string{"R2", "R9"} { // unknown, and awaited by a return
		if _, err := s.Receipt(ctx, s.terminal("t1"), "t1", receipt); fault.CodeOf(err) != "unknown_receipt" {
			t.Errorf("%s: %v", receipt, err)
		}
	}
	s.deliver(sale("t2", "A1", 3, 1, 5))
	if _, err := s.Receipt(ctx, s.terminal("t4"), "t2", "A1"); fault.CodeOf(err) != "unknown_receipt" {
		t.Errorf("a receipt of other brands only: %v", err)
	}
}

// TestAuditFinds: what the equations are for.
func TestAuditFinds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	failing := func(t *testing.T, s *shop) (ids []string) {
		t.Helper()
		checks, err := s.Audit(ctx)
		must(t, err)
		for _, c := range checks {
			if !c.OK {
				ids = append(ids, c.ID)
			}
		}
		return ids
	}
	for name, c := range map[string]struct {
		spoil func(s *shop)
		want  []string
	}{
		"nothing": {func(*shop) {}, nil},
		"an item without an outcome": {func(s *shop) {
			items := s.message(sale("t1", "7", 7, 1, 5), sale("t1", "8", 8, 1, 5))
			s.redeliver(items[:1])
		}, []string{"E3"}},
		"a message without an outcome": {func(s *shop) {
			s.message(sale("t1", "7", 7, 1, 5))
			s.deliver(sale("t1", "8", 8, 1, 5))
		}, []string{"E3"}},
		"an item with two outcomes": {func(s *shop) {
			must(t, s.repeats.Insert(ctx, s.db, &repeat{Doc: doc("x"), Status: storeevent.StatusDuplicate, IntakeSeq: 1, Of: 2}))
		}, []string{"E3"}},
		"a lost record": {func(s *shop) { must(t, s.records.Delete(ctx, s.db, s1)) }, []string{"E2", "E3", "E7"}},
		"a wrong total": {func(s *shop) {
			day, err := s.days.Get(ctx, s.db, "s1/2026-11-20")
			must(t, err)
			day.brand("aurora").Sales++
			must(t, s.days.Replace(ctx, s.db, day))
		}, []string{"E2"}},
		"a changed answer": {func(s *shop) {
			a, err := s.answers.Get(ctx, s.db, zAnswerID("t1", today, 1))
			must(t, err)
			a.NotApplied = nil
			must(t, s.answers.Replace(ctx, s.db, a))
		}, []string{"E7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.deliver(sale("t1", "1", 1, 4, 1000), giveBack("t1", "1", 2, "pos/t1/sale/none", 1, 250))
			s.zReport("t1", today, Tally{})
			s.deliver(sale("t1", "2", 3, 1, 5))
			c.spoil(s)
			if got := failing(t, s); !slices.Equal(got, c.want) {
				t.Errorf("failing: %v, want %v", got, c.want)
			}
		})
	}
}

func TestEachApplied(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.deliver(sale("t1", "1", 1, 4, 1000), giveBack("t1", "1", 2, "pos/t1/sale/none", 1, 250), sale("t1", "2", 3, 1, 5))
	var got []string
	must(t, s.EachApplied(context.Background(), func(batch []string) error { got = append(got, batch...); return nil }))
	if !slices.Equal(got, []string{s1, s2}) {
		t.Errorf("applied %v", got)
	}
	broken := errors.New("broken")
	if err := s.EachApplied(context.Background(), func([]string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestStoreless: orders that no store serves have totals and outcomes as well.
func TestStoreless(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range 10 {
		tx := sale("", "", 0, 1, 100)
		tx.Brand, tx.Channel, tx.OrderNo, tx.BusinessDate = "aurora", "tmall", string(rune('a'+i)), when.Date("2026-11-20")
		tx.EventID = OrderEventID("aurora", "tmall", storeevent.Sale, tx.OrderNo, "")
		s.deliver(with(tx))
	}
	if sum := s.total("aurora", today); sum != (brandDay{"aurora", 1000, 0, 10}) {
		t.Errorf("totals %+v", sum)
	}
	s.mustBalance()
}

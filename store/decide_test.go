package store

import (
	"context"
	"errors"
	"testing"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/store/storeevent"
)

const (
	s1 = "pos/t1/sale/1"
	s2 = "pos/t1/sale/2"
	r1 = "pos/t1/return/1"
	r2 = "pos/t1/return/2"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	one := sale("t1", "1", 1, 4, 1000)
	two := sale("t1", "2", 2, 1, 500)
	ahead := sale("t1", "1", 1, 4, 1000)
	ahead.AheadMillis = AheadTolerance + 1
	justAhead := sale("t1", "1", 1, 4, 1000)
	justAhead.AheadMillis = AheadTolerance
	wrong := sale("t1", "1", 1, 4, 1000)
	wrong.Lines[0].Paid++
	otherBrand := giveBack("t1", "1", 3, s1, 1, 250)
	otherBrand.Lines[0].Brand = "breeze"
	otherLine := giveBack("t1", "1", 3, s1, 1, 250)
	otherLine.Lines[0].Original.Line = 2
	both := with(giveBack("t1", "1", 3, s1, 4, 1000), backLine(2, s2, 1, 500))

	for name, c := range map[string]struct {
		messages [][]storeevent.Transaction
		want     map[string]string
		told     []string
	}{
		"a sale": {[][]storeevent.Transaction{{one}}, map[string]string{s1: "applied"}, []string{s1}},
		"a return after its sale": {
			[][]storeevent.Transaction{{one}, {giveBack("t1", "1", 3, s1, 1, 250)}}, map[string]string{r1: "applied"}, []string{s1, r1}},
		"a return in its sale's batch, before it": {
			[][]storeevent.Transaction{{giveBack("t1", "1", 3, s1, 1, 250), one}}, map[string]string{r1: "applied", s1: "applied"}, []string{s1, r1}},
		"a return before its sale": {
			[][]storeevent.Transaction{{giveBack("t1", "1", 3, s1, 1, 250)}}, map[string]string{r1: "waiting original_awaited", s1: ""}, nil},
		"two returns before their sale, in the order in which they came": {
			[][]storeevent.Transaction{{giveBack("t1", "2", 3, s1, 3, 750)}, {giveBack("t1", "1", 4, s1, 2, 500)}, {one}},
			map[string]string{r2: "applied", r1: "anomaly return_exceeds_sale"}, []string{s1, r2}},
		"a return of two sales waits for both": {
			[][]storeevent.Transaction{{both}, {two}}, map[string]string{r1: "waiting original_awaited"}, []string{s2}},
		"a return of two sales, the second one last": {
			[][]storeevent.Transaction{{both}, {two}, {one}}, map[string]string{r1: "applied"}, []string{s2, s1, r1}},
		"too many pieces": {
			[][]storeevent.Transaction{{one}, {giveBack("t1", "1", 3, s1, 5, 250)}}, map[string]string{r1: "anomaly return_exceeds_sale"}, []string{s1}},
		"too much money, pieces left": {
			[][]storeevent.Transaction{{one}, {giveBack("t1", "1", 3, s1, 1, 1001)}}, map[string]string{r1: "anomaly return_exceeds_sale"}, []string{s1}},
		"two lines of a return together take too much": {
			[][]storeevent.Transaction{{one}, {with(giveBack("t1", "1", 3, s1, 3, 750), backLine(2, s1, 2, 250))}},
			map[string]string{r1: "anomaly return_exceeds_sale"}, []string{s1}},
		"a refund without goods takes money only": {
			[][]storeevent.Transaction{{one}, {giveBack("t1", "1", 3, s1, 0, 400)}, {giveBack("t1", "2", 4, s1, 4, 600)}},
			map[string]string{r1: "applied", r2: "applied"}, []string{s1, r1, r2}},
		"a line that the sale lacks":      {[][]storeevent.Transaction{{one, otherLine}}, map[string]string{r1: "anomaly original_line_unknown"}, []string{s1}},
		"a line of another brand":         {[][]storeevent.Transaction{{one, otherBrand}}, map[string]string{r1: "anomaly original_brand_differs"}, []string{s1}},
		"too far ahead":                   {[][]storeevent.Transaction{{ahead}}, map[string]string{s1: "anomaly business_time_ahead"}, nil},
		"just not too far ahead":          {[][]storeevent.Transaction{{justAhead}}, map[string]string{s1: "applied"}, []string{s1}},
		"a return of what is not applied": {[][]storeevent.Transaction{{giveBack("t1", "1", 3, s1, 1, 250)}, {ahead}}, map[string]string{r1: "anomaly original_not_applied"}, nil},
		"a contradiction is one while another sale is awaited": {
			[][]storeevent.Transaction{{one}, {with(giveBack("t1", "1", 3, s1, 5, 1), backLine(2, s2, 1, 500))}},
			map[string]string{r1: "anomaly return_exceeds_sale", s2: ""}, []string{s1}},
		"impossible whatever else arrives": {[][]storeevent.Transaction{{wrong}}, map[string]string{s1: "rejected paid_mismatch"}, nil},
		"a return without a receipt": {
			[][]storeevent.Transaction{{withoutReceipt()}}, map[string]string{r1: "applied"}, []string{r1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for _, m := range c.messages {
				s.deliver(m...)
			}
			for id, want := range c.want {
				if got := s.outcome(id); got != want {
					t.Errorf("%s: %q, want %q", id, got, want)
				}
			}
			told := s.told()
			for i, v := range told {
				if i >= len(c.told) || v.EventID != c.told[i] {
					t.Errorf("told %d: %s, want %v", i, v.EventID, c.told)
				}
			}
			if len(told) != len(c.told) {
				t.Errorf("told %d, want %v", len(told), c.told)
			}
			s.mustBalance()
		})
	}
}

func withoutReceipt() storeevent.Transaction {
	tx := giveBack("t1", "1", 3, "", 1, 250)
	tx.Lines[0].Original = nil
	return tx
}

// TestVerdictOfReturn pins what a verdict adds to a return's lines.
func TestVerdictOfReturn(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.deliver(sale("t1", "1", 1, 4, 1000))
	s.deliver(with(giveBack("t1", "1", 2, s1, 1, 250), backLine(2, s1, 1, 300)))
	s.deliver(giveBack("t2", "1", 1, s1, 2, 100))
	told := s.told()
	want := []storeevent.Original{
		{EventID: s1, Line: 1, SoldQty: 4, SoldPaid: 1000},
		{EventID: s1, Line: 1, SoldQty: 4, SoldPaid: 1000, QtyBefore: 1, PaidBefore: 250},
		{EventID: s1, Line: 1, SoldQty: 4, SoldPaid: 1000, QtyBefore: 2, PaidBefore: 550},
	}
	var got []storeevent.Original
	for _, v := range told[1:] {
		for _, l := range v.Lines {
			got = append(got, *l.Original)
		}
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("originals %+v, want %+v", got, want)
		}
	}
	if sum := s.total("aurora", today); sum != (brandDay{"aurora", 1000, 650, 1}) {
		t.Errorf("totals %+v", sum)
	}
}

// TestRepeats tells a redelivery, which is nothing new, from a duplicate and from a contradiction.
func TestRepeats(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := s.deliver(sale("t1", "1", 1, 4, 1000))
	s.redeliver(first)
	s.redeliver(first)
	again := s.deliver(sale("t1", "1", 1, 4, 1000))
	s.redeliver(again)
	other := s.deliver(sale("t1", "1", 9, 4, 999), sale("t1", "1", 1, 4, 1000))
	s.redeliver(other)
	for name, want := range map[string]int64{"store_accepted": 4, "store_applied": 1, "store_duplicate": 2, "store_anomaly": 1} {
		if got := s.figure(name); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
	if got := s.outcome(s1); got != "applied" {
		t.Errorf("the first outcome does not stand: %s", got)
	}
	if n := len(s.told()); n != 1 {
		t.Errorf("%d verdicts", n)
	}
	if sum := s.total("aurora", today); sum != (brandDay{"aurora", 1000, 0, 1}) {
		t.Errorf("totals %+v", sum)
	}
	s.mustBalance()
}

// TestOutcomeOfDelivery tells what the sender of one delivery is told.
func TestOutcomeOfDelivery(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := sale("t1", "1", 1, 4, 1000)
	s.deliver(first)
	found, err := s.Outcomes(context.Background(), []string{s1, "pos/t1/sale/none"})
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("outcomes %v", found)
	}
	again := first
	again.ArrivedAt += 10
	other := sale("t1", "1", 1, 4, 999)
	for want, tx := range map[string]storeevent.Transaction{"applied": first, "duplicate": again, "anomaly": other} {
		if got := found[s1].For(&tx); got.Status != want {
			t.Errorf("%s, want %s", got.Status, want)
		}
	}
}

// TestSealedNumbers pass through to the others and are not kept.
func TestSealedNumbers(t *testing.T) {
	t.Parallel()
	s := open(t)
	sold := sale("t1", "1", 1, 4, 1000)
	sold.Member = &storeevent.MemberRef{Phone: "abc", Sealed: []byte("sealed")}
	back := giveBack("t1", "1", 2, s1, 1, 250)
	back.Member = sold.Member
	s.deliver(sold, back)
	contradiction := sale("t1", "1", 3, 1, 1)
	contradiction.Member = sold.Member
	s.deliver(contradiction)
	for _, v := range s.told() {
		if v.Member == nil || string(v.Member.Sealed) != "sealed" {
			t.Errorf("%s went on without its sealed number", v.EventID)
		}
	}
	records, err := s.records.GetMany(context.Background(), s.db, s1, r1)
	must(t, err)
	for id, r := range records {
		tx, err := r.transaction()
		must(t, err)
		if tx.Member == nil || tx.Member.Phone != "abc" || tx.Member.Sealed != nil {
			t.Errorf("%s keeps %+v", id, tx.Member)
		}
	}
	row, err := s.repeats.Get(context.Background(), s.db, repeatID(2, 0))
	must(t, err)
	tx, err := (&record{Data: row.Data}).transaction()
	must(t, err)
	if tx.Member.Sealed != nil || tx.Member.Phone != "abc" {
		t.Errorf("the contradiction keeps %+v", tx.Member)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t)
	bury := func(item stream.Item) {
		t.Helper()
		must(t, s.DecideDead(ctx, item, &stream.GivenUpError{Tries: 5, Err: errors.New("no luck")}))
	}
	// A dead sale has that outcome, and its return waits for it.
	dead := s.message(sale("t1", "1", 1, 4, 1000))
	bury(dead[0])
	bury(dead[0])
	s.deliver(giveBack("t1", "1", 2, s1, 1, 250))
	if got := s.outcome(s1) + ", " + s.outcome(r1); got != "dead undecidable, waiting original_awaited" {
		t.Fatalf("outcomes %s", got)
	}
	s.mustBalance()

	// So has an item that is a known event's repeat, and one that nobody can read.
	repeat := s.message(sale("t1", "1", 1, 4, 1000))
	bury(repeat[0])
	garbage := stream.Item{Subject: stream.SubjectIntake, Seq: s.intake.Add(1), Of: 1, Data: []byte("garbage")}
	if _, err := s.Decide(ctx, []stream.Item{garbage}); !fault.Is(err, fault.Invalid) {
		t.Fatalf("garbage: %v", err)
	}
	bury(garbage)
	if got := s.figure("store_dead"); got != 3 {
		t.Errorf("%d dead", got)
	}
	s.mustBalance()

	// Replayed, each gets the outcome that it should have had, once.
	page, err := s.DeadLetters().List(ctx, true, 10, "")
	must(t, err)
	if len(page.Items) != 3 {
		t.Fatalf("%d letters", len(page.Items))
	}
	must(t, s.Replay(ctx, page.Items[0].ID))
	must(t, s.Replay(ctx, page.Items[0].ID))
	must(t, s.Replay(ctx, page.Items[1].ID))
	if err := s.Replay(ctx, page.Items[2].ID); !fault.Is(err, fault.Invalid) {
		t.Errorf("garbage replayed: %v", err)
	}
	for name, want := range map[string]int64{"store_applied": 2, "store_duplicate": 1, "store_dead": 1, "store_accepted": 4} {
		if got := s.figure(name); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
	s.mustBalance()
}

// TestStaleCache: a day that changed behind the cache's back is read again.
func TestStaleCache(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.deliver(sale("t1", "1", 1, 4, 1000))
	other := openOn(t, s.db) // another process on the same database
	other.intake.Store(s.intake.Add(1))
	other.deliver(sale("t1", "2", 2, 1, 500))
	s.intake.Store(other.intake.Load())
	s.deliver(sale("t1", "3", 3, 1, 70))
	if sum := s.total("aurora", today); sum != (brandDay{"aurora", 1570, 0, 3}) {
		t.Errorf("totals %+v", sum)
	}
}

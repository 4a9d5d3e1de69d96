package commission

import (
	"slices"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
)

// onBoth runs a test on both engines of the document store.
func onBoth(t *testing.T, test func(t *testing.T, db docdb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, docdbtest.SQLite(t)) })
	t.Run("mongo", func(t *testing.T) { t.Parallel(); test(t, docdbtest.Mongo(t)) })
}

// sums are the amounts of events' entries by payee and settlement day.
func sums(t tester, s *Service, events ...string) map[string]int64 {
	t.Helper()
	booked, err := s.Booked(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, shares := range booked {
		for _, e := range shares {
			if e.Payee != Nobody {
				out[statementKey(e.Brand, e.Settles, e.Payee)] += e.Amount
			}
		}
	}
	return out
}

// totalsOf are the payees' totals as they are kept.
func totalsOf(t tester, s *Service) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for total, err := range s.repo.totals.Each(t.Context(), s.deps.DB, docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		brand, day := parseDay(total.ID)
		for i, payee := range total.Sheet.Payees {
			out[statementKey(brand, day, payee)] += total.Sheet.Sums[i]
		}
	}
	return out
}

func equalSums(t tester, what string, got, want map[string]int64) {
	t.Helper()
	for k := range got {
		if got[k] != want[k] {
			t.Errorf("%s: %s has %d, want %d", what, k, got[k], want[k])
		}
	}
	for k := range want {
		if _, ok := got[k]; !ok {
			t.Errorf("%s: %s is missing, want %d", what, k, want[k])
		}
	}
}

func mustAudit(t tester, s *Service) map[string]int64 {
	t.Helper()
	checks, err := s.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	figures := map[string]int64{}
	for _, c := range checks {
		if !c.OK {
			t.Errorf("%s does not hold: %q, %v", c.ID, c.Problems, c.Figures)
		}
		for k, v := range c.Figures {
			figures[k] = v
		}
	}
	return figures
}

func TestProjectSales(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db docdb.DB) {
		t.Helper()
		s := open(t, db, newWorld("aurora", "borealis"))
		makePlan(t, s, "aurora", day("2026-01-01"), simple())
		// Two brands in one basket, each by its own plan: 5 % now, 10 % to the selling guide alone, held for 2 days.
		makePlan(t, s, "borealis", day("2026-01-01"), Terms{HoldDays: 2, Fallback: ToNobody, Rules: []Rule{
			{ID: "r", RateBps: ptr(1000), Roles: map[Role]int64{Selling: 10_000}},
		}})
		v := sale("1", "2026-11-20", "aurora", 10_000, 2_000, 777)
		v.Lines[1].Brand = "borealis"
		v.Lines[2].Brand = "unplanned"
		back := giveBack("1", "2026-11-21", v, 1, 0, 5_000)
		// The return stands before its sale in the batch, and everything is there twice.
		project(t, s, back, v, v, back)
		project(t, s, v, back)
		want := map[string]int64{
			"aurora|2026-11-20|guide:g-sell": 300, "aurora|2026-11-20|guide:g-1": 150, "aurora|2026-11-20|guide:gm-s-1": 50,
			"borealis|2026-11-22|guide:g-sell": 200,
			"aurora|2026-11-21|guide:g-sell":   -150, "aurora|2026-11-21|guide:g-1": -75, "aurora|2026-11-21|guide:gm-s-1": -25,
		}
		equalSums(t, "entries", sums(t, s, v.EventID, back.EventID), want)
		equalSums(t, "totals", totalsOf(t, s), want)
		b, err := s.repo.bookings.Get(t.Context(), db, v.EventID)
		if err != nil || len(b.Skipped) != 1 || b.Skipped[0] != (Skipped{3, "unplanned", NoPlan}) || b.Member != "m-1" {
			t.Errorf("booking %+v, %v", b, err)
		}
		done, err := s.Projected(t.Context(), []string{v.EventID, back.EventID, "pos/t-1/sale/other"})
		if err != nil || len(done) != 2 || !done[v.EventID] {
			t.Errorf("projected %v, %v", done, err)
		}
		mustAudit(t, s)
	})
}

func TestReturnBeforeItsSale(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	makePlan(t, s, "aurora", day("2026-01-01"), simple())
	ctx := t.Context()
	v, other := sale("1", "2026-11-20", "aurora", 10_000), sale("2", "2026-11-20", "aurora", 100)
	back := giveBack("1", "2026-11-21", v, 1, 0, 10_000)
	later, err := s.ProjectSales(ctx, items(t, other, back, back))
	if err != nil || !slices.Equal(later, []int{1, 2}) {
		t.Fatalf("later %v, %v", later, err)
	}
	booked, err := s.Booked(ctx, []string{other.EventID, back.EventID})
	if err != nil || len(booked) != 1 {
		t.Errorf("booked %v, %v", booked, err)
	}
	project(t, s, v)
	project(t, s, back, other)
	for who, amount := range totalsOf(t, s) {
		if who[:17] == "aurora|2026-11-21" && amount >= 0 {
			t.Errorf("%s: %d", who, amount)
		}
	}
	mustAudit(t, s)
}

func TestReturnOfADeadSale(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	makePlan(t, s, "aurora", day("2026-01-01"), simple())
	ctx := t.Context()
	v := sale("1", "2026-11-20", "aurora", 10_000)
	back := giveBack("1", "2026-11-21", v, 1, 0, 10_000)
	dead := items(t, v, back)
	if err := s.ProjectDead(ctx, dead[0], fault.New(fault.Internal, "made_up", "for the test")); err != nil {
		t.Fatal(err)
	}
	project(t, s, back)
	letters, err := s.DeadLetters().List(ctx, true, 10, "")
	if err != nil || len(letters.Items) != 2 || letters.Items[1].Code != "sale_is_dead" || !slices.Equal(letters.Items[1].Keys, []string{back.EventID}) {
		t.Fatalf("dead letters %+v, %v", letters.Items, err)
	}
	if done, _ := s.Projected(ctx, []string{v.EventID, back.EventID}); len(done) != 0 {
		t.Errorf("projected %v", done)
	}
	for _, l := range letters.Items { // the sale first, then the return
		if err := s.DeadLetters().Replay(ctx, l.ID, s.ProjectSales); err != nil {
			t.Fatal(err)
		}
	}
	if done, _ := s.Projected(ctx, []string{v.EventID, back.EventID}); len(done) != 2 {
		t.Errorf("projected %v", done)
	}
	mustAudit(t, s)
}

func TestEventThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	broken := stream.Item{Subject: stream.SubjectSales, Seq: 1, Data: []byte("?")}
	_, err := s.ProjectSales(t.Context(), []stream.Item{broken})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("error %v", err)
	}
	if err := s.ProjectDead(t.Context(), broken, err); err != nil {
		t.Error(err)
	}
}

func TestPlanThatStartsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld("aurora")
	db := docdbtest.SQLite(t)
	s, other := open(t, db, w), open(t, db, w)
	makePlan(t, s, "aurora", day("2026-01-01"), simple())
	v := sale("1", "2026-11-20", "aurora", 10_000)
	project(t, other, v)
	double := simple()
	double.Rules[0].RateBps = ptr(1000)
	makePlan(t, s, "aurora", v.BusinessTime+999, double) // what is bought in a second falls under what starts in it
	v2, v3 := sale("2", "2026-11-20", "aurora", 10_000), sale("3", "2026-11-20", "aurora", 10_000)
	v3.BusinessTime -= 1000
	project(t, other, v2, v3)
	for event, want := range map[string]int64{v.EventID: 500, v2.EventID: 1000, v3.EventID: 500} {
		var sum int64
		for _, amount := range sums(t, s, event) {
			sum += amount
		}
		if sum != want {
			t.Errorf("%s: %d, want %d", event, sum, want)
		}
	}
}

func TestOnlineOrderWithoutAStore(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	terms := simple()
	terms.Fallback = ToShop
	terms.Rules[0].Roles = map[Role]int64{Serving: 5000, Manager: 2500, Shop: 2500}
	terms.Rules[0].Channel = "tmall"
	makePlan(t, s, "aurora", day("2026-01-01"), terms)
	v := sale("1", "2026-11-20", "aurora", 10_000)
	v.EventID, v.Channel, v.Store, v.Ownership, v.Guide = "order/aurora/tmall/sale/A#1", "tmall", "", "", ""
	project(t, s, v)
	booked, err := s.Booked(t.Context(), []string{v.EventID})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		payee  Payee
		amount int64
	}{{"guide:g-1", 250}, {Nobody, 0}, {Nobody, 0}} {
		if e := booked[v.EventID][i]; e.Payee != want.payee || e.Amount != want.amount {
			t.Errorf("entry %d: %+v, want %+v", i, e, want)
		}
	}
	mustAudit(t, s)
}

func TestWhatIsMissingOfABrandIsNotAnError(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	v := sale("1", "2026-11-20", "aurora", 10_000)
	back := giveBack("1", "2026-11-21", v, 1, 0, 10_000)
	project(t, s, v)
	project(t, s, back)
	booked, err := s.Booked(t.Context(), []string{v.EventID, back.EventID})
	if err != nil || len(booked) != 2 || len(booked[v.EventID]) != 0 {
		t.Errorf("booked %v, %v", booked, err)
	}
	for _, date := range []when.Date{"2026-11-21", "2026-11-20"} {
		if c, err := s.CloseThrough(t.Context(), "aurora", date); err != nil || c.Status != Closed {
			t.Errorf("close %+v, %v", c, err)
		}
	}
	l, err := s.repo.ledger(t.Context(), s.deps.DB, "aurora")
	if err != nil || l.Frozen != "" || l.First != "" || l.Asked != "" || l.Empty != "2026-11-21" {
		t.Errorf("ledger %+v, %v", l, err)
	}
	// Nothing was there to be frozen, so that the past is open as before.
	makePlan(t, s, "aurora", day("2026-01-01"), simple())
	project(t, s, sale("2", "2026-11-21", "aurora", 10_000))
	if c := closeThrough(t, s, "aurora", "2026-11-21"); c.Entries != 3 || c.Statements != 3 {
		t.Errorf("close %+v", c)
	}
}

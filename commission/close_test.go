package commission

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"scrm/commission/commissionevent"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

func closeThrough(t testing.TB, s *Service, brand string, date when.Date) Close {
	t.Helper()
	c, err := s.CloseThrough(t.Context(), brand, date)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// statementsOf are a day's statements as "payee: in + lines (count) = amount + out".
func statementsOf(t testing.TB, s *Service, brand string, date when.Date) []string {
	t.Helper()
	page, err := s.Statements(t.Context(), brand, date, nil, 1000, "")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, st := range page.Items {
		out = append(out, fmt.Sprintf("%s: %d + %d (%d) = %d + %d", st.Payee, st.CarriedIn, st.LinesTotal, st.LinesCount, st.Amount, st.CarriedOut))
	}
	return out
}

func TestClose(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db docdb.DB) {
		t.Helper()
		w := newWorld("aurora")
		s := open(t, db, w)
		terms := simple()
		terms.HoldDays = 1
		makePlan(t, s, "aurora", day("2026-01-01"), terms)
		v := sale("1", "2026-11-20", "aurora", 10_000, 555)
		late := sale("2", "2026-11-18", "aurora", 1_000)
		project(t, s, v)

		c := closeThrough(t, s, "aurora", "2026-11-20")
		if c.Status != Closed || c.Statements != 0 || c.Entries != 6 || c.Amount != 527 {
			t.Errorf("the booking day's close %+v", c)
		}
		// Late: its date is closed, so it is booked on the first open day, and settles then.
		back := giveBack("1", "2026-11-20", v, 1, 0, 10_000)
		project(t, s, late, back)
		c = closeThrough(t, s, "aurora", "2026-11-21")
		if c.Statements != 3 || c.Accrued != 527+50-500 || c.Settled != 77 || c.Carried != 0 || c.Entries != 6 || c.Amount != 50-500 {
			t.Errorf("the settlement day's close %+v", c)
		}
		want := []string{"guide:g-1: 0 + 23 (4) = 23 + 0", "guide:g-sell: 0 + 46 (4) = 46 + 0", "guide:gm-s-1: 0 + 8 (4) = 8 + 0"}
		if got := statementsOf(t, s, "aurora", "2026-11-21"); !slices.Equal(got, want) {
			t.Errorf("statements %q, want %q", got, want)
		}
		if again := closeThrough(t, s, "aurora", "2026-11-21"); again != c {
			t.Errorf("closed again: %+v, want %+v", again, c)
		}
		booked, err := s.Booked(t.Context(), []string{late.EventID})
		if err != nil || booked[late.EventID][0].Booked != "2026-11-21" || booked[late.EventID][0].Original != "2026-11-18" {
			t.Errorf("the late sale is booked %+v, %v", booked, err)
		}
		mustAudit(t, s)
	})
}

func TestCarries(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	terms := simple()
	terms.MinPayout = 100
	makePlan(t, s, "aurora", day("2026-01-01"), terms)
	open := simple() // the same without a minimum, from the 25th on
	makePlan(t, s, "aurora", day("2026-11-25").Add(3600_000_000_000), open)

	first := sale("1", "2026-11-20", "aurora", 10_000)
	project(t, s, first)
	closeThrough(t, s, "aurora", "2026-11-20")
	project(t, s, giveBack("1", "2026-11-21", first, 1, 0, 10_000))
	closeThrough(t, s, "aurora", "2026-11-21")
	project(t, s, sale("2", "2026-11-23", "aurora", 12_000), sale("3", "2026-11-28", "aurora", 100))
	closeThrough(t, s, "aurora", "2026-11-30")
	for date, want := range map[when.Date][]string{
		"2026-11-20": {"guide:g-1: 0 + 150 (1) = 150 + 0", "guide:g-sell: 0 + 300 (1) = 300 + 0", "guide:gm-s-1: 0 + 50 (1) = 0 + 50"},
		"2026-11-21": {"guide:g-1: 0 + -150 (1) = 0 + -150", "guide:g-sell: 0 + -300 (1) = 0 + -300", "guide:gm-s-1: 50 + -50 (1) = 0 + 0"},
		"2026-11-22": nil,
		"2026-11-23": {"guide:g-1: -150 + 180 (1) = 0 + 30", "guide:g-sell: -300 + 360 (1) = 0 + 60", "guide:gm-s-1: 0 + 60 (1) = 0 + 60"},
		"2026-11-24": nil,
		// The plan that is in force at the end of the 25th lets the carries be paid, without a line.
		"2026-11-25": {"guide:g-1: 30 + 0 (0) = 30 + 0", "guide:g-sell: 60 + 0 (0) = 60 + 0", "guide:gm-s-1: 60 + 0 (0) = 60 + 0"},
		"2026-11-28": {"guide:g-1: 0 + 2 (1) = 2 + 0", "guide:g-sell: 0 + 3 (1) = 3 + 0", "guide:gm-s-1: 0 + 0 (1) = 0 + 0"},
		"2026-11-30": nil,
	} {
		if got := statementsOf(t, s, "aurora", date); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", date, got, want)
		}
	}
	mustAudit(t, s)
}

func TestIdleDays(t *testing.T) {
	t.Parallel()
	w := newWorld("aurora")
	s := openSQLite(t, w)
	makePlan(t, s, "aurora", day("2001-01-01"), simple())
	project(t, s, sale("1", "2001-02-03", "aurora", 10_000), sale("2", "2026-11-03", "aurora", 10_000))
	counting := &countingDB{DB: s.deps.DB}
	s.deps.DB = counting
	closeThrough(t, s, "aurora", "2026-11-30")
	if counting.transactions > 10 { // 9,400 days
		t.Errorf("%d storage transactions", counting.transactions)
	}
	for date, want := range map[when.Date]int64{"2000-01-01": 0, "2001-02-03": 3, "2010-01-01": 0, "2026-11-03": 3, "2026-11-30": 0} {
		c, err := s.CloseOf(t.Context(), "aurora", date)
		if err != nil || c.Status != Closed || c.Statements != want {
			t.Errorf("%s: %+v, %v", date, c, err)
		}
	}
	if _, err := s.CloseOf(t.Context(), "aurora", "2026-12-01"); fault.CodeOf(err) != "unknown_close" {
		t.Errorf("an open day: %v", err)
	}
	if n := w.waited.Load(); n != 1 {
		t.Errorf("waited %d times for what was accepted", n)
	}
	// What is late by years is booked on the first open day.
	v := sale("3", "2005-05-05", "aurora", 10_000)
	project(t, s, v)
	if booked, err := s.Booked(t.Context(), []string{v.EventID}); err != nil || booked[v.EventID][0].Booked != "2026-12-01" {
		t.Errorf("booked %+v, %v", booked, err)
	}
	mustAudit(t, s)
}

func TestDayClosedIsTold(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	makePlan(t, s, "aurora", day("2026-01-01"), simple())
	project(t, s, sale("1", "2026-11-20", "aurora", 10_000), sale("2", "2026-11-24", "aurora", 10_000))
	closeThrough(t, s, "aurora", "2026-11-26")
	want := []commissionevent.DayClosed{
		{Brand: "aurora", Since: "2026-11-20", Date: "2026-11-20", Statements: 3, Settled: 500, At: now},
		{Brand: "aurora", Since: "2026-11-21", Date: "2026-11-23", At: now},
		{Brand: "aurora", Since: "2026-11-24", Date: "2026-11-24", Statements: 3, Settled: 500, At: now},
		{Brand: "aurora", Since: "2026-11-25", Date: "2026-11-26", At: now},
	}
	if got := told(t, s, len(want)); !slices.Equal(got, want) {
		t.Errorf("told %+v, want %+v", got, want)
	}
}

func TestCloseIsRefused(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	for code, ask := range map[string]struct {
		brand string
		date  when.Date
	}{"day_not_past": {"aurora", "2026-12-01"}, "unknown_brand": {"nobody", "2026-11-30"}} {
		if _, err := s.RequestClose(t.Context(), ask.brand, ask.date); fault.CodeOf(err) != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestRequestCloseGoesOnBehind(t *testing.T) {
	t.Parallel()
	w := newWorld("aurora")
	db := docdbtest.SQLite(t)
	s := open(t, db, w)
	makePlan(t, s, "aurora", day("2026-01-01"), simple())
	project(t, s, sale("1", "2026-11-20", "aurora", 10_000))
	gate := &gatedBarrier{reached: make(chan struct{}, 10), open: make(chan struct{})}
	s.deps.Barrier = gate
	c, err := s.RequestClose(t.Context(), "aurora", "2026-11-20")
	if err != nil || c.Status != Running {
		t.Fatalf("close %+v, %v", c, err)
	}
	<-gate.reached
	if c, err = s.RequestClose(t.Context(), "aurora", "2026-11-22"); err != nil || c.Status != Running {
		t.Fatalf("close %+v, %v", c, err)
	}
	s.Stop() // the process ends while it waits

	next := open(t, db, w)
	close(gate.open)
	next.deps.Barrier = gate
	if err := next.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c = closeThrough(t, next, "aurora", "2026-11-22"); c.Status != Closed {
		t.Errorf("close %+v", c)
	}
	if got := statementsOf(t, next, "aurora", "2026-11-20"); len(got) != 3 {
		t.Errorf("statements %q", got)
	}
	l, err := next.repo.ledger(t.Context(), db, "aurora")
	if err != nil || l.Asked != "" || l.Closed != "2026-11-22" {
		t.Errorf("ledger %+v, %v", l, err)
	}
}

// gatedBarrier tells when somebody waits at it, and lets through once it is open.
type gatedBarrier struct{ reached, open chan struct{} }

func (b *gatedBarrier) Wait(ctx context.Context, _ string) error {
	b.reached <- struct{}{}
	select {
	case <-b.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// countingDB counts transactions.
type countingDB struct {
	docdb.DB
	transactions int
}

func (d *countingDB) Tx(ctx context.Context, fn func(context.Context, docdb.Session) error) error {
	d.transactions++
	return d.DB.Tx(ctx, fn)
}

// TestManyLanesAndBatches closes a day that several processes booked, in batches so small that it takes
// several.
func TestManyLanesAndBatches(t *testing.T) {
	t.Parallel()
	w := newWorld("aurora")
	db := docdbtest.SQLite(t)
	for lane := range lanes {
		s := open(t, db, w)
		s.lane = lane
		if lane == 0 {
			makePlan(t, s, "aurora", day("2026-01-01"), simple())
		}
		for guide := range 7 {
			v := sale(fmt.Sprintf("%d-%d", lane, guide), "2026-11-20", "aurora", 10_000)
			v.Guide, v.Member.ID = fmt.Sprintf("g-%d", guide), fmt.Sprintf("m-%d", guide)
			project(t, s, v)
		}
	}
	s := open(t, db, w)
	s.settleBatch = 2
	c := closeThrough(t, s, "aurora", "2026-11-20")
	if c.Statements != 8 || c.Accrued != 500*7*lanes || c.Entries != 3*7*lanes {
		t.Errorf("close %+v", c)
	}
	got := statementsOf(t, s, "aurora", "2026-11-20")
	if len(got) != 8 || got[0] != fmt.Sprintf("guide:g-0: 0 + %d (%d) = %[1]d + 0", 450*lanes, 2*lanes) {
		t.Errorf("statements %q", got)
	}
	mustAudit(t, s)
}

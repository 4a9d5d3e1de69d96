package commission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/store/storeevent"
)

var errKilled = errors.New("killed")

// mortalDB is a database whose process dies at its nth storage step: a call within a transaction, or its commit, of which the
// process never hears although it happened.
type mortalDB struct {
	docdb.DB
	steps, dies int // dies 0: never
}

// step reports whether the process dies here.
func (d *mortalDB) step() bool {
	d.steps++
	return d.dies != 0 && d.steps >= d.dies
}

func (d *mortalDB) Tx(ctx context.Context, fn func(context.Context, docdb.Session) error) error {
	if d.step() {
		return errKilled
	}
	err := d.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error { return fn(ctx, &mortalSession{tx, d}) })
	if err == nil && d.step() {
		return errKilled
	}
	return err
}

type mortalSession struct {
	docdb.Session
	db *mortalDB
}

func (s *mortalSession) Fetch(ctx context.Context, schema *docdb.Schema, ids []string, found func(int, docdb.Decode) error) error {
	if s.db.step() {
		return errKilled
	}
	return s.Session.Fetch(ctx, schema, ids, found)
}

func (s *mortalSession) Scan(ctx context.Context, schema *docdb.Schema, q docdb.Scan, row func(docdb.Decode) error) error {
	if s.db.step() {
		return errKilled
	}
	return s.Session.Scan(ctx, schema, q, row)
}

func (s *mortalSession) Write(ctx context.Context, schema *docdb.Schema, ops []docdb.Op) ([]docdb.Outcome, error) {
	if s.db.step() {
		return nil, errKilled
	}
	return s.Session.Write(ctx, schema, ops)
}

// TestKilledClose kills the process at every storage step of a close over several days with lines, idle days and carries that
// get paid; the next process goes on. Statements, closes and carries are those of a close that nobody killed.
func TestKilledClose(t *testing.T) {
	t.Parallel()
	w := newWorld()
	db := docdbtest.SQLite(t)
	want, steps := closeKilled(t, db, w, 0)
	if len(want) < 35 || steps < 100 {
		t.Fatalf("%d documents after %d steps: too few to try anything", len(want), steps)
	}
	for dies := 1; dies <= steps; dies++ {
		if got, _ := closeKilled(t, db, w, dies); !maps.Equal(got, want) {
			t.Errorf("killed at step %d:\n%v\nwant\n%v", dies, got, want)
		}
	}
	mustAudit(t, open(t, db, w))
}

// closeKilled closes the days of a brand of its own, whose process dies at a step (0: never), and answers what closing left.
func closeKilled(t *testing.T, db docdb.DB, w *world, dies int) (outcome map[string]string, steps int) {
	t.Helper()
	brand := fmt.Sprintf("brand-%d", dies)
	w.brands[brand] = storeevent.Brand{ID: brand, Timezone: "Asia/Shanghai"}
	s := open(t, db, w)
	terms := simple()
	terms.HoldDays, terms.MinPayout = 1, 1_000
	makePlan(t, s, brand, day("2026-01-01"), terms)
	makePlan(t, s, brand, day("2026-11-27"), simple())
	var events []*storeevent.Verdict
	for i := range 20 {
		v := sale(fmt.Sprintf("%s-%d", brand, i), "2026-11-20", brand, 10_000)
		v.Guide = fmt.Sprintf("g-%02d", i)
		events = append(events, v, giveBack(fmt.Sprintf("%s-%d", brand, i), "2026-11-21", v, 1, 0, int64(i)*500))
	}
	project(t, s, events...)

	mortal := &mortalDB{DB: db, dies: dies}
	s.deps.DB, s.settleBatch = mortal, 5
	_, err := s.CloseThrough(t.Context(), brand, "2026-11-30")
	if dies == 0 {
		if err != nil {
			t.Fatal(err)
		}
		return outcomeOf(t, s, brand), mortal.steps
	}
	if !errors.Is(err, errKilled) {
		t.Fatalf("killed at step %d: %v", dies, err)
	}
	s = open(t, db, w)
	s.settleBatch = 5
	l, err := s.repo.ledger(t.Context(), db, brand)
	if err != nil {
		t.Fatal(err)
	}
	if l.Closed < l.Frozen { // resumed after freezing, it waits for nothing before the day is closed
		if p, err := stepOnce(t, s, brand); err != nil || p.await != "" {
			t.Fatalf("killed at step %d: resumed with %+v, %v", dies, p, err)
		}
	}
	closeThrough(t, s, brand, "2026-11-30")
	return outcomeOf(t, s, brand), mortal.steps
}

func stepOnce(t testing.TB, s *Service, brand string) (p progress, err error) {
	t.Helper()
	err = s.deps.DB.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) (err error) {
		p, err = s.advance(ctx, tx, brand, "")
		return err
	})
	return p, err
}

// outcomeOf is what closing leaves of a brand: statements, closes, carries and the ledger, by their ids without the brand.
func outcomeOf(t testing.TB, s *Service, brand string) map[string]string {
	t.Helper()
	ctx, out := t.Context(), map[string]string{}
	of := func(prefix string) docdb.Query { return docdb.Query{From: prefix, To: after(prefix)} }
	for st, err := range s.repo.statements.Each(ctx, s.deps.DB, of(brand+".")) {
		if err != nil {
			t.Fatal(err)
		}
		out["statement "+st.ID[len(brand):]] = fmt.Sprint(st.CarriedIn, st.LinesTotal, st.LinesCount, st.Amount, st.CarriedOut)
	}
	for c, err := range s.repo.closes.Each(ctx, s.deps.DB, of(brand+".")) {
		if err != nil {
			t.Fatal(err)
		}
		out["close "+c.ID[len(brand):]] = fmt.Sprint(c.Status, c.Statements, c.Accrued, c.Settled, c.Carried, c.Entries, c.Amount)
	}
	for c, err := range s.repo.carries.Each(ctx, s.deps.DB, of(brand+"|")) {
		if err != nil {
			t.Fatal(err)
		}
		out["carry "+c.ID[len(brand):]] = fmt.Sprint(c.Amount, c.Date)
	}
	l, err := s.repo.ledger(ctx, s.deps.DB, brand)
	if err != nil {
		t.Fatal(err)
	}
	out["ledger"] = fmt.Sprint(l.First, l.Frozen, l.Closed, l.Asked)
	return out
}

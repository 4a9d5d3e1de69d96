package guide

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/geo"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// tester is what helpers need of a test, be it Go's or rapid's.
type tester interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// now is the tests' present, noon: 2026-11-22 12:00 UTC.
var now = when.Of(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))

// world stands in for the other domains: brands and stores that exist, members who are who the transaction says, a clock.
type world struct {
	*geo.Index

	mu     sync.Mutex
	now    when.Instant
	brands map[string]storeevent.Brand
	stores map[string]storeevent.Store
}

// newWorld has the brands aurora and breeze, which assign within 30 km, and no stores.
func newWorld() *world {
	w := &world{Index: geo.NewIndex(), now: now, brands: map[string]storeevent.Brand{}, stores: map[string]storeevent.Store{}}
	for _, b := range []string{"aurora", "breeze"} {
		w.brands[b] = storeevent.Brand{ID: b, MaxAssignM: 30_000}
	}
	return w
}

// open makes an open store of both brands, km kilometres north of the first one.
func (w *world) open(id string, km float64) {
	w.build(storeevent.Store{ID: id, Brands: map[string]string{"aurora": "", "breeze": ""}, Lat: 31 + km/111.195, Lng: 121, Open: true})
}

func (w *world) build(s storeevent.Store) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Rev = w.stores[s.ID].Rev + 1
	w.stores[s.ID] = s
	g := geo.Store{ID: s.ID, Point: geo.Point{Lat: s.Lat, Lng: s.Lng}, Open: s.Open, Rev: s.Rev}
	for b := range s.Brands {
		g.Brands = append(g.Brands, b)
	}
	w.Upsert(g)
}

func (w *world) change(brand string, apply func(*storeevent.Brand)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.brands[brand]
	apply(&b)
	w.brands[brand] = b
}

// accept notes that both brands have accepted a transaction.
func (w *world) accept() {
	now := w.Now()
	for _, b := range []string{"aurora", "breeze"} {
		w.change(b, func(b *storeevent.Brand) { b.FirstAccepted = now })
	}
}

func (w *world) Now() when.Instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) when.Instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return w.now
}

func (w *world) Brand(_ context.Context, id string) (storeevent.Brand, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b, ok := w.brands[id]; ok {
		return b, nil
	}
	return storeevent.Brand{}, fault.New(fault.NotFound, "unknown_brand", "there is no such brand")
}

func (w *world) Store(_ context.Context, id string) (storeevent.Store, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.stores[id]; ok {
		return s, nil
	}
	return storeevent.Store{}, fault.New(fault.NotFound, "unknown_store", "there is no such store")
}

func (w *world) Resolve(_ context.Context, refs []memberevent.Ref) ([]string, error) {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.ID
	}
	return ids, nil
}

// fixture is a service in a world.
type fixture struct {
	*Service
	*world
	t tester
}

func start(t tester, db docdb.DB, w *world) *fixture {
	t.Helper()
	keys, err := seal.NewKeyring(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Deps{DB: db, Clock: w, Log: slog.New(slog.DiscardHandler), Keys: keys, Stores: w, Members: w, Nearest: w})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{s, w, t}
}

func startSQLite(t testing.TB) *fixture {
	t.Helper()
	return start(t, docdbtest.SQLite(t), newWorld())
}

// engines runs a test on both of them.
func engines(t *testing.T, test func(t *testing.T, db docdb.DB)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, docdbtest.SQLite(t)) })
	t.Run("mongo", func(t *testing.T) { t.Parallel(); test(t, docdbtest.Mongo(t)) })
}

// hire adds a guide on duty for both brands.
func (f *fixture) hire(id, store string, capacity int64, changes ...func(*Hire)) *Guide {
	f.t.Helper()
	h := Hire{ID: id, Name: id, Store: store, Brands: []string{"aurora", "breeze"}, Role: Shopping, Capacity: capacity, OnDuty: true, EmployedFrom: now.Add(-24 * time.Hour)}
	for _, c := range changes {
		c(&h)
	}
	g, err := f.Hire(f.t.Context(), h)
	if err != nil {
		f.t.Fatal(err)
	}
	return g
}

func asManager(h *Hire) { h.Role = Manager }
func offDuty(h *Hire)   { h.OnDuty = false }

func (f *fixture) change(id string, c Change) {
	f.t.Helper()
	if _, err := f.Change(f.t.Context(), id, c); err != nil {
		f.t.Fatal(err)
	}
}

// assign makes members of aurora, n of them, all alike but for their ids.
func (f *fixture) assign(prefix string, n int, j memberevent.Joined) []guideevent.Assignment {
	f.t.Helper()
	joins := make([]memberevent.Joined, n)
	for i := range joins {
		joins[i] = j
		joins[i].Member = fmt.Sprintf("%s%04d", prefix, i)
		if j.Brand == "" {
			joins[i].Brand = "aurora"
		}
	}
	got, err := f.Assign(f.t.Context(), joins)
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

func (f *fixture) assignOne(member string, j memberevent.Joined) guideevent.Assignment {
	f.t.Helper()
	return f.assign(member, 1, j)[0]
}

// at is a place km kilometres north of the first store.
func at(km float64) memberevent.Joined {
	lat, lng := 31+km/111.195, 121.0
	return memberevent.Joined{Lat: &lat, Lng: &lng}
}

func in(store string) memberevent.Joined { return memberevent.Joined{Store: store} }

// load is how many members of a brand a guide has.
func (f *fixture) loadOf(guide, brand string) int64 {
	f.t.Helper()
	found, err := f.repo.loads.GetMany(f.t.Context(), f.deps.DB, loadID(guide, brand))
	if err != nil {
		f.t.Fatal(err)
	}
	if l := found[loadID(guide, brand)]; l != nil {
		return l.Members
	}
	return 0
}

// sound fails the test if the audit does.
func (f *fixture) sound() map[string]int64 {
	f.t.Helper()
	checks, err := f.Audit(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, c := range checks {
		if !c.OK {
			f.t.Errorf("%s %s: %v", c.ID, c.Name, c.Problems)
		}
	}
	return checks[0].Figures
}

// items are payloads as a stream delivers them.
func items[T any](t tester, payloads ...T) []stream.Item {
	t.Helper()
	out := make([]stream.Item, len(payloads))
	for i, p := range payloads {
		data, err := wire.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = stream.Item{Seq: 1, Index: i, Data: data}
	}
	return out
}

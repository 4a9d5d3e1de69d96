package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"scrm/commission"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
	"scrm/gateway/kit/when"
	"scrm/geo"
	"scrm/guide"
	"scrm/member"
	"scrm/store"
	"scrm/store/storeevent"
)

// shop is an edge with the four domains behind it and one store with a till: everything real, in one process.
type shop struct {
	*edge
	till *store.Terminal
	bus  *stream.Bus
}

// noBarrier is for a commission domain that closes nothing.
type noBarrier struct{}

func (noBarrier) Wait(context.Context, string) error { return nil }

// noDays is a chain without a past day.
type noDays struct{}

func (noDays) PastThrough(context.Context, string) (when.Date, error) { return "2026-11-19", nil }

// later is the guide domain for member, which is made first.
type later struct{ *guide.Service }

// newShop starts an edge with all domains; working says whether their consumers run.
func newShop(t testing.TB, working bool) *shop {
	t.Helper()
	sh := &shop{bus: streamtest.Open(t)}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sh.edge = newEdge(t, func(c *Config) {
		var err error
		c.Bus = sh.bus
		c.Nearest = geo.NewIndex()
		assign := &later{}
		c.Services.Store, err = store.New(t.Context(), store.Deps{DB: docdbtest.SQLite(t), Clock: c.Clock, Log: log, Keys: c.Keys, WaitIntake: sh.decided})
		must(err)
		c.Services.Member, err = member.New(t.Context(), member.Deps{DB: docdbtest.SQLite(t), Clock: c.Clock, Log: log, Keys: c.Keys, Brands: c.Services.Store, Assign: assign})
		must(err)
		c.Services.Guide, err = guide.New(t.Context(), guide.Deps{DB: docdbtest.SQLite(t), Clock: c.Clock, Log: log, Keys: c.Keys, Stores: c.Services.Store, Members: c.Services.Member, Nearest: c.Nearest})
		must(err)
		assign.Service = c.Services.Guide
		c.Services.Commission, err = commission.New(t.Context(), commission.Deps{
			DB: docdbtest.SQLite(t), Clock: c.Clock, Log: log, Brands: c.Services.Store, Members: c.Services.Member, Holders: c.Services.Guide, Days: noDays{}, Barrier: noBarrier{},
		})
		must(err)
	})
	s := sh.Services.Store
	s.OnChanged(func(c storeevent.Changed) {
		for _, st := range c.Stores {
			sh.Nearest.Upsert(geo.Store{ID: st.ID, Point: geo.Point{Lat: st.Lat, Lng: st.Lng}, Brands: slices.Collect(maps.Keys(st.Brands)), Open: st.Open, Rev: st.Rev})
		}
	})
	for _, brand := range []string{"aurora", "borealis"} {
		_, err := s.CreateBrand(t.Context(), store.NewBrand{ID: brand, Name: brand, Currency: "CNY", Timezone: "Asia/Shanghai", MaxAssignM: 30_000})
		must(err)
	}
	_, err := s.CreateStore(t.Context(), store.NewStore{
		ID: "s1", Name: "One", Ownership: storeevent.Direct, Brands: []store.CarriedBrand{{Brand: "aurora"}}, Location: store.Location{Lat: 31.2, Lng: 121.4}, Open: true,
	})
	must(err)
	sh.till, err = s.CreateTerminal(t.Context(), "s1", "till-1")
	must(err)
	if working {
		sh.work(must)
	}
	return sh
}

// work starts the consumers and the relay of store's outbox.
func (sh *shop) work(must func(error)) {
	relaying, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		sh.bus.Relay(relaying, sh.Services.Store.Outbox())
		close(done)
	}()
	stops := []func(){func() { stop(); <-done }}
	for durable, handle := range map[string]stream.Handler{
		member.Durable: sh.Services.Member.ProjectSales, guide.Durable: sh.Services.Guide.ProjectSales, commission.Durable: sh.Services.Commission.ProjectSales,
	} {
		end, err := sh.bus.Consume(sh.t.Context(), stream.Consumer{Stream: stream.Sales, Durable: durable, Handle: handle, Dead: lost})
		must(err)
		stops = append(stops, end)
	}
	end, err := sh.bus.Consume(sh.t.Context(), stream.Consumer{Stream: stream.Intake, Durable: store.Durable, Handle: sh.Services.Store.Decide, Dead: lost})
	must(err)
	sh.t.Cleanup(func() {
		end()
		for _, stop := range stops {
			stop()
		}
	})
}

// decided waits until store has decided everything that INTAKE holds.
func (sh *shop) decided(ctx context.Context) (uint64, error) {
	seq, err := sh.bus.LastSeq(ctx, stream.Intake)
	if err != nil {
		return 0, err
	}
	return seq, sh.bus.WaitDone(ctx, stream.Intake, store.Durable, seq)
}

func lost(_ context.Context, _ stream.Item, reason error) error { return reason }

// sent signs a till's request.
func (sh *shop) sent(path string, payload any, headers ...header) answerOf {
	sh.t.Helper()
	raw, ok := payload.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(payload); err != nil {
			sh.t.Fatal(err)
		}
	}
	timestamp, signature := Sign(sh.till.Secret, "POST", path, sh.clock.Now().Time(), raw)
	return sh.do("POST", path, raw, append(headers, header{terminalHeader, sh.till.ID}, header{timestampHeader, timestamp}, header{signatureHeader, signature})...)
}

type object = map[string]any

// receipt is a sale that is right.
func receipt(n int, changes object) object {
	r := object{
		"receipt": fmt.Sprintf("R%d", n), "seq": n, "type": "sale", "business_time": "2026-11-20T10:31:05+08:00", "currency": "CNY",
		"lines":   []object{{"line": 1, "sku": "85123A", "category": "heart", "brand": "aurora", "qty": 2, "unit_price": 4900, "discount": 500, "paid": 9300}},
		"tenders": []object{{"type": "alipay", "amount": 9300, "reference": "2026112022001"}},
	}
	for k, v := range changes {
		r[k] = v
	}
	return r
}

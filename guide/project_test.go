package guide

import (
	"fmt"
	"testing"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// sale is a sale at a till of the store, one line per brand and amount.
func sale(n int, store, guide, member string, at when.Instant, paid map[string]int64) storeevent.Verdict {
	v := storeevent.Verdict{Transaction: storeevent.Transaction{
		EventID: fmt.Sprintf("pos/t-1/sale/R%d", n), Kind: storeevent.Sale, Terminal: "t-1", Channel: storeevent.ChannelStore, Store: store, Guide: guide,
		BusinessTime: at, BusinessDate: when.DateIn(at, time.UTC, 0),
	}}
	if member != "" {
		v.Member = &storeevent.MemberRef{ID: member}
	}
	for _, b := range []string{"aurora", "breeze"} {
		if p, ok := paid[b]; ok {
			for i := range 2 { // two lines each
				v.Lines = append(v.Lines, storeevent.Line{Line: i, Brand: b, Paid: p / 2})
			}
		}
	}
	return v
}

func (f *fixture) project(verdicts ...storeevent.Verdict) {
	f.t.Helper()
	if later, err := f.ProjectSales(f.t.Context(), items(f.t, verdicts...)); err != nil || len(later) > 0 {
		f.t.Fatal(later, err)
	}
}

func TestPerformance(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, db docdb.DB) {
		f := start(t, db, newWorld())
		f.open("s-1", 0)
		f.open("s-2", 10)
		f.hire("g-1", "s-1", 10)
		f.hire("g-2", "s-1", 10, func(h *Hire) { h.Brands = []string{"aurora"} })
		back := sale(3, "s-1", "g-1", "", now, map[string]int64{"aurora": 200})
		back.EventID, back.Kind = "pos/t-1/return/R3", storeevent.Return
		batch := []storeevent.Verdict{
			sale(1, "s-1", "g-1", "", now, map[string]int64{"aurora": 1000, "breeze": 500}),
			sale(2, "s-1", "g-1", "m", now, map[string]int64{"aurora": 30}),
			back,
			sale(4, "s-1", "g-2", "", now, map[string]int64{"aurora": 70, "breeze": 90}),       // not authorised for breeze
			sale(5, "s-2", "g-1", "", now, map[string]int64{"aurora": 1 << 40}),                // not in her store
			sale(6, "s-1", "g-1", "", now.Add(-999*time.Hour), map[string]int64{"aurora": 99}), // before she came
			sale(7, "s-1", "", "", now, map[string]int64{"aurora": 99}),
			sale(8, "s-1", "nobody", "", now, map[string]int64{"aurora": 99}),
		}
		f.project(append(batch, batch[0])...)
		f.project(batch[2:5]...) // delivered again
		f.project(sale(9, "s-1", "g-1", "", now.Add(24*time.Hour), map[string]int64{"aurora": 4}))
		got := map[string]string{}
		for p, err := range f.repo.performance.Each(t.Context(), db, docdb.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			got[p.ID] = fmt.Sprint(p.Sales, p.Returns, p.Orders)
		}
		want := map[string]string{
			"g-1|2026-11-22|aurora": "1030 200 2", "g-1|2026-11-22|breeze": "500 0 1", "g-2|2026-11-22|aurora": "70 0 1", "g-1|2026-11-23|aurora": "4 0 1",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		ids := []string{"pos/t-1/sale/R99"}
		for _, v := range batch {
			ids = append(ids, v.EventID)
		}
		done, err := f.Projected(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if done[id] != (i > 0) {
				t.Errorf("%s: projected %v", id, done[id])
			}
		}
	})
}

// A member on the fallback store, or on none, is assigned again when they buy in a store; whoever has a store of their own is not.
func TestBuyersAreSettled(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, db docdb.DB) {
		f := start(t, db, newWorld())
		f.open("s-1", 0)
		f.open("s-2", 10)
		f.open("hq", 500)
		f.hire("g-1", "s-1", 10)
		f.hire("g-2", "s-2", 10)
		f.hire("g-hq", "hq", 0)
		f.world.change("aurora", func(b *storeevent.Brand) { b.FallbackStore = "hq" })
		f.assignOne("lost", memberevent.Joined{})
		f.assignOne("none", memberevent.Joined{Brand: "breeze"})
		f.assignOne("near", at(0))
		f.pass(time.Minute)
		order := sale(1, "s-2", "", "lost0000", f.Now(), map[string]int64{"aurora": 100})
		order.Terminal, order.Channel = "", "tmall"
		f.project(order) // not in a store
		buy := map[string]int64{"aurora": 100, "breeze": 100}
		f.project(sale(2, "s-2", "", "lost0000", f.Now(), buy), sale(3, "s-1", "", "lost0000", f.Now(), buy), sale(4, "s-2", "", "near0000", f.Now(), buy), sale(5, "s-1", "", "none0000", f.Now(), buy))
		f.project(sale(6, "s-1", "", "lost0000", f.Now(), buy))
		for member, want := range map[string]string{
			"lost0000": "hq/g-hq fallback_store, s-2/g-2 named_store, ", "near0000": "s-1/g-1 nearest_store, ", "none0000": "/ none, s-1/g-1 named_store, ",
		} {
			history, err := f.Bindings(t.Context(), member)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, b := range history {
				got += b.Store + "/" + b.Guide + " " + b.Reason + ", "
			}
			if got != want {
				t.Errorf("%s: %s, want %s", member, got, want)
			}
		}
		if n := f.loadOf("g-hq", "aurora"); n != 0 {
			t.Errorf("the fallback store's guide still has %d members", n)
		}
		f.sound()
	})
}

// What an enrolment did not come to is finished from the stream, once.
func TestFactsFinishAssignments(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.hire("g-1", "s-1", 10)
	f.assignOne("a", in("s-1"))
	facts := []memberevent.Joined{{Member: "a0000", Brand: "aurora"}, {Member: "b", Brand: "aurora", Store: "s-1"}, {Member: "b", Brand: "aurora", Store: "s-1"}}
	for range 2 {
		if _, err := f.ProjectFacts(t.Context(), items(t, facts...)); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.loadOf("g-1", "aurora"); n != 2 {
		t.Errorf("%d members, want 2", n)
	}
	if _, err := f.ProjectFacts(t.Context(), []stream.Item{{Data: []byte{0xff}}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an unreadable fact: %v", err)
	}
}

// A transaction that cannot be worked off is a dead letter, counts as projected, and can be replayed.
func TestDeadLetter(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.hire("g-1", "s-1", 10)
	v := sale(1, "s-1", "g-1", "", now, map[string]int64{"aurora": 100})
	dead := items(t, v)[0]
	if err := f.ProjectDead(t.Context(), dead, fault.New(fault.Internal, "broken", "it does not work")); err != nil {
		t.Fatal(err)
	}
	if done, err := f.Projected(t.Context(), []string{v.EventID}); err != nil || !done[v.EventID] {
		t.Errorf("%v, %v", done, err)
	}
	page, err := f.DeadLetters().List(t.Context(), true, 10, "")
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if err := f.Replay(t.Context(), page.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	found, err := f.repo.performance.GetMany(t.Context(), f.deps.DB, performanceID("g-1", v.BusinessDate, "aurora"))
	if err != nil || len(found) != 1 {
		t.Errorf("the replayed sale does not count: %v, %v", found, err)
	}
	if _, err := f.ProjectSales(t.Context(), []stream.Item{{Data: []byte{0xff}}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("an unreadable verdict: %v", err)
	}
}

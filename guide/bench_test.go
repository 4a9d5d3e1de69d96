package guide

import (
	"fmt"
	"testing"
	"time"

	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// crowd is 200 stores, 3 guides each with room for all, and members bound to them.
func crowd(b *testing.B, members int) *fixture {
	b.Helper()
	f := startSQLite(b)
	for s := range 200 {
		store := fmt.Sprintf("s-%03d", s)
		f.open(store, float64(s)*5)
		f.hire(store+"-boss", store, 0, asManager)
		for g := range 2 {
			f.hire(fmt.Sprintf("%s-%d", store, g), store, 1_000_000)
		}
	}
	for from := 0; from < members; from += 1000 {
		f.assignSpread(b, from, 1000)
	}
	return f
}

// assignSpread assigns n members, half of them by location and half to a named store.
func (f *fixture) assignSpread(b *testing.B, from, n int) {
	joins := make([]memberevent.Joined, n)
	for i := range joins {
		m := from + i
		if m%2 == 0 {
			joins[i] = at(float64(m*7%1000) + 0.3)
		} else {
			joins[i] = in(fmt.Sprintf("s-%03d", m*13%200))
		}
		joins[i].Member, joins[i].Brand, joins[i].At, joins[i].Backdated = fmt.Sprintf("m%08d", m), "aurora", now, true
	}
	if _, err := f.Assign(b.Context(), joins); err != nil {
		b.Fatal(err)
	}
}

func perSecond(b *testing.B, n int, what string) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), what+"/s")
}

func BenchmarkAssign(b *testing.B) {
	const batch = 500
	f := crowd(b, 0)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		f.assignSpread(b, i*batch, batch)
	}
	perSecond(b, batch, "members")
}

func BenchmarkHolders(b *testing.B) {
	const batch, members = 3000, 20_000
	f := crowd(b, members)
	queries := make([]guideevent.HolderQuery, batch)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		b.StopTimer()
		for k := range queries {
			store := fmt.Sprintf("s-%03d", k%200)
			queries[k] = guideevent.HolderQuery{At: now.Add(time.Second), Store: store, Brand: "aurora", Member: fmt.Sprintf("m%08d", (i*batch+k*7)%members), Guide: store + "-0"}
		}
		b.StartTimer()
		if _, err := f.Holders(b.Context(), queries); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, batch, "queries")
}

func BenchmarkProjectSales(b *testing.B) {
	const batch, members = 1000, 20_000
	f := crowd(b, members)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		b.StopTimer()
		sales := make([]storeevent.Verdict, batch)
		for k := range sales {
			n := i*batch + k
			store := fmt.Sprintf("s-%03d", n%200)
			sales[k] = sale(n, store, store+"-1", fmt.Sprintf("m%08d", n*7%members), now, map[string]int64{"aurora": 1000})
		}
		data := items(b, sales...)
		b.StartTimer()
		if later, err := f.ProjectSales(b.Context(), data); err != nil || len(later) > 0 {
			b.Fatal(later, err)
		}
	}
	perSecond(b, batch, "transactions")
}

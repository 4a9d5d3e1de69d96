package commission

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

var races = flag.Int("races", 8, "how many days 64 posters race to be booked on before they are closed")

// TestClosesRacePosters lets 64 posters, spread over several services as over processes, book sales and returns of a day while
// two closers close it, day after day. Nothing is lost, doubled, or booked on a day that is not open: what a close counted when
// it froze its day is what is booked on it in the end.
func TestClosesRacePosters(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db docdb.DB) {
		t.Helper()
		const posters = 64
		w := newWorld("aurora")
		services := make([]*Service, 4)
		for i := range services {
			services[i] = open(t, db, w)
			services[i].lane = i
		}
		makePlan(t, services[0], "aurora", day("2026-01-01"), simple())
		first := when.Date("2026-06-01")
		var all []string
		for n := range *races {
			date := first.Add(n)
			var round sync.WaitGroup
			for p := range posters {
				v := sale(fmt.Sprintf("%d-%d", n, p), date, "aurora", 10_000, 77)
				v.Guide = fmt.Sprintf("g-%d", p%9)
				back := giveBack(fmt.Sprintf("%d-%d", n, p), date, v, 1, 0, 5_000)
				all = append(all, v.EventID, back.EventID)
				round.Go(func() { persist(t, services[p%len(services)], v, back) })
			}
			for c := range 2 {
				round.Go(func() {
					for {
						_, err := services[c].CloseThrough(t.Context(), "aurora", date)
						if err == nil {
							return
						}
						if !fault.Is(err, fault.Unavailable) {
							t.Error(err)
							return
						}
					}
				})
			}
			round.Wait()
		}
		closeThrough(t, services[0], "aurora", first.Add(*races))
		mustAudit(t, services[1])

		booked, err := services[0].Booked(t.Context(), all)
		if err != nil || len(booked) != len(all) {
			t.Fatalf("%d of %d events are booked, %v", len(booked), len(all), err)
		}
		entries := map[when.Date]int64{}
		for _, shares := range booked {
			for _, e := range shares {
				entries[e.Booked]++
			}
		}
		for n := range *races + 1 {
			date := first.Add(n)
			c, err := services[0].CloseOf(t.Context(), "aurora", date)
			if err != nil || c.Status != Closed || c.Entries != entries[date] {
				t.Errorf("%s: %d entries are booked, and the close counted %+v, %v", date, entries[date], c, err)
			}
		}
	})
}

// persist books events as a consumer does: what cannot be done now is delivered again.
func persist(t *testing.T, s *Service, verdicts ...*storeevent.Verdict) {
	t.Helper()
	for {
		later, err := s.ProjectSales(context.WithoutCancel(t.Context()), items(t, verdicts...))
		switch {
		case err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Conflict):
			t.Error(err)
			return
		case err == nil && len(later) == 0:
			return
		}
	}
}

package guide

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/member/memberevent"
)

// A thousand enrol at once, through two processes' services: equal guides' loads end within one of each other, nobody gets more
// than her capacity, and everybody is assigned once.
func TestAssignAtOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, db docdb.DB) {
		const guides, members, writers = 4, 1000, 8
		for name, capacity := range map[string]int64{"roomy": 1000, "tight": 200} {
			w := newWorld()
			w.open("s-"+name, 0)
			services := []*fixture{start(t, db, w), start(t, db, w)}
			f := services[0]
			for i := range guides {
				f.hire(fmt.Sprintf("%s-%d", name, i), "s-"+name, capacity)
			}
			var all sync.WaitGroup
			for k := range writers {
				all.Go(func() {
					s := services[k%len(services)]
					batch := 1 + k*3 // of different sizes
					for from := k * members / writers; from < (k+1)*members/writers; from += batch {
						joins := make([]memberevent.Joined, min(batch, (k+1)*members/writers-from))
						for i := range joins {
							joins[i] = memberevent.Joined{Member: fmt.Sprintf("%s%04d", name, from+i), Brand: "aurora", Store: "s-" + name}
						}
						for range 2 { // each is delivered twice
							if _, err := s.Assign(t.Context(), joins); err != nil {
								t.Error(err)
								return
							}
						}
					}
				})
			}
			all.Wait()
			var least, most, sum int64 = members, 0, 0
			for i := range guides {
				l := f.loadOf(fmt.Sprintf("%s-%d", name, i), "aurora")
				least, most, sum = min(least, l), max(most, l), sum+l
			}
			if want := min(members, guides*capacity); sum != want || most-least > 1 || most > capacity {
				t.Errorf("%s: %d members, loads from %d to %d, want %d members", name, sum, least, most, want)
			}
		}
		figures := start(t, db, newWorld()).sound()
		if figures["bindings_ever"] != 2*members || figures["bindings_current"] != 2*members {
			t.Errorf("%v bindings, want %d", figures, 2*members)
		}
	})
}

// Members who are assigned while their store's guides leave do not stay with one who has left.
func TestLeaveWhileAssigning(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, db docdb.DB) {
		w := newWorld()
		w.open("s-1", 0)
		f := start(t, db, w)
		const guides, members = 5, 300
		for i := range guides {
			f.hire(fmt.Sprintf("g-%d", i), "s-1", members)
		}
		var all sync.WaitGroup
		for k := range 3 {
			all.Go(func() {
				for i := k; i < members; i += 3 {
					if _, err := f.Assign(t.Context(), []memberevent.Joined{{Member: fmt.Sprintf("m%03d", i), Brand: "aurora", Store: "s-1"}}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range guides - 1 {
			all.Go(func() {
				if _, err := f.Leave(t.Context(), fmt.Sprintf("g-%d", i), 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for i := range guides - 1 {
			if l := f.loadOf(fmt.Sprintf("g-%d", i), "aurora"); l != 0 {
				t.Errorf("a guide who left has %d members", l)
			}
		}
		if l := f.loadOf("g-4", "aurora"); l != members {
			t.Errorf("the guide who stayed has %d members, want %d", l, members)
		}
		f.sound()
	})
}

// A handover that is stopped again and again is gone on with: every member is handed over once.
func TestHandoverInterrupted(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, db docdb.DB) {
		w := newWorld()
		w.open("s-1", 0)
		f := start(t, db, w)
		f.hire("g-1", "s-1", 10_000)
		const members = 3 * handoverBatch
		f.assign("m", members, in("s-1"))
		f.hire("g-2", "s-1", 1000)
		f.hire("g-3", "s-1", 1000)
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if _, err := f.Leave(stopped, "g-1", 0); err == nil {
			t.Fatal("a leave without time to do it succeeds")
		}
		for range 2 { // each gets one batch further
			ctx, stop := context.WithCancel(t.Context())
			cut := start(t, &cutting{DB: db, stop: stop}, w)
			if _, err := cut.Leave(ctx, "g-1", 0); err == nil {
				t.Fatal("a handover that was cut off succeeds")
			}
		}
		if err := start(t, db, w).Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum, err := f.Leave(t.Context(), "g-1", 0)
		if err != nil || sum.Members != members || sum.ToGuide["g-2"] != members/2 || sum.ToGuide["g-3"] != members/2 || sum.ToPool != 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		if figures := f.sound(); figures["bindings_ever"] != 2*members || figures["bindings_with_guide"] != members {
			t.Errorf("%v", figures)
		}
	})
}

// cutting is a database whose second transaction is the last one: its end stops the caller.
type cutting struct {
	docdb.DB
	stop func()
	done int
}

func (c *cutting) Tx(ctx context.Context, fn func(ctx context.Context, tx docdb.Session) error) error {
	err := c.DB.Tx(ctx, fn)
	if c.done++; c.done == 2 {
		c.stop()
	}
	return err
}

package store

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/store/storeevent"
)

var engines = map[string]func(testing.TB) docdb.DB{"sqlite": docdbtest.SQLite, "mongodb": docdbtest.Mongo}

// TestSeveralProcesses decides the messages of a day in several processes on one database at once, each message in more than one of
// them, returns often before their sales: every item has its one outcome, and nothing counts twice.
func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := openOn(t, engine(t)).withStores()
			processes := []*shop{first, openOn(t, first.db), openOn(t, first.db)}
			const sales = 60
			var messages [][]stream.Item
			for i := range sales {
				terminal, seq := []string{"t1", "t2", "t3"}[i%3], int64(2*(i/3)+1)
				sold := sale(terminal, fmt.Sprint(i), seq, 4, 400)
				back := giveBack(terminal, fmt.Sprint(i), seq+1, sold.EventID, 1, 100)
				messages = append(messages, first.message(back), first.message(sold, sold))
			}
			var all sync.WaitGroup
			for i, p := range processes {
				p.intake.Store(first.intake.Load())
				all.Go(func() {
					for j := range messages {
						p.insist(messages[(j*7+i*len(messages)/3)%len(messages)])
					}
				})
			}
			all.Wait()
			for name, want := range map[string]int64{"store_accepted": 3 * sales, "store_applied": 2 * sales, "store_duplicate": sales} {
				if got := first.figure(name); got != want {
					t.Errorf("%s = %d, want %d", name, got, want)
				}
			}
			if sum := first.total("aurora", today); sum != (brandDay{"aurora", 400 * sales, 100 * sales, sales}) {
				t.Errorf("totals %+v", sum)
			}
			if z := first.zReport("t1", today, Tally{40, 8000, 2000, 1, 40}); !z.Matched() || z.Open != 0 {
				t.Errorf("Z-report %+v", z)
			}
			if n := len(first.told()); n != 2*sales {
				t.Errorf("%d verdicts", n)
			}
			first.mustBalance()
		})
	}
}

// insist has a message decided as a consumer does: what conflicts with others is tried again.
func (s *shop) insist(items []stream.Item) {
	for {
		_, err := s.Decide(context.Background(), items)
		if err == nil {
			return
		}
		if kind := fault.KindOf(err); kind != fault.Conflict && kind != fault.Unavailable {
			panic(err)
		}
	}
}

// TestEngines goes the domain's whole way on each engine.
func TestEngines(t *testing.T) {
	t.Parallel()
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			s := openOn(t, engine(t)).withStores()
			report, err := s.importFile(header + "a1,店一,,北京市,11,direct,aurora|breeze,39.9,116.32\na1,店一,,北京市,12,franchise,aurora,39.9,116.32\n")
			if err != nil || report.Created != 1 || report.Updated != 1 {
				t.Fatalf("%+v %v", report, err)
			}
			must(t, second(s.ReplaceSecret(ctx, "s1", "t1")))
			must(t, second(s.ChangeStore(ctx, "s1", StoreChange{DayStarts: ptr("04:00")})))
			if _, err := s.CreateBrand(ctx, NewBrand{ID: "aurora", Name: "x", Currency: "CNY", Timezone: "UTC"}); !fault.Is(err, fault.Exists) {
				t.Errorf("the brand again: %v", err)
			}
			tx, err := admit(s, "t1", receipt())
			must(t, err)
			back := refund()
			back.Lines[0].Qty, back.Lines[0].UnitPrice = 1, 4650
			returned, err := admit(s, "t1", back)
			must(t, err)
			waiting := s.deliver(*returned)
			if z := s.zReport("t1", today, Tally{}); z.Open != 1 || len(z.NotApplied) != 1 {
				t.Errorf("%+v", z)
			}
			dead := s.message(sale("t2", "9", 1, 1, 5))
			must(t, s.DecideDead(ctx, dead[0], fault.New(fault.Internal, "x", "y")))
			s.deliver(*tx, *tx)
			s.redeliver(waiting)
			must(t, s.Replay(ctx, stream.NewDeadLetter(Durable, dead[0], errNoStore).ID))
			for id, want := range map[string]string{tx.EventID: "applied", returned.EventID: "applied", "pos/t2/sale/9": "applied"} {
				if got := s.outcome(id); got != want {
					t.Errorf("%s: %s", id, got)
				}
			}
			claim := Tally{Count: 2, Sales: 9400, Returns: 4650, FirstSeq: 412, LastSeq: 413}
			if z := s.zReport("t1", today, claim); !z.Matched() || z.Open != 0 {
				t.Errorf("%+v", z)
			}
			if _, last, err := s.Gaps(ctx, s.terminal("t1")); err != nil || last != 413 {
				t.Errorf("gaps to %d, %v", last, err)
			}
			if sum := s.total("aurora", today); sum != (brandDay{"aurora", 9305, 4650, 2}) {
				t.Errorf("totals %+v", sum)
			}
			s.mustBalance()
			reopened := openOn(t, s.db)
			if b, err := reopened.Brand(ctx, "aurora"); err != nil || b.FirstAccepted == 0 || b.Rev != 3 {
				t.Errorf("%+v %v", b, err)
			}
			if st, err := reopened.Store(ctx, "a1"); err != nil || st.Ownership != storeevent.Franchise {
				t.Errorf("%+v %v", st, err)
			}
		})
	}
}

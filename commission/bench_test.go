package commission

import (
	"fmt"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// made makes a chain's transactions: 2.3 lines each on average, sold in one of `stores` shops by one of its 10 guides to a member
// who is served by any of the guides.
func made(t tester, n, from, stores int, date when.Date) []stream.Item {
	verdicts := make([]*storeevent.Verdict, n)
	for i := range verdicts {
		no := from + i
		at := no * 7919
		shop := at % stores
		amounts := []int64{4900, 9300, 1250, 799}[:2+no%10/7]
		v := sale(fmt.Sprintf("R%07d", no/stores), date, "aurora", amounts...)
		v.EventID = fmt.Sprintf("pos/t-%04d/sale/R%07d", shop, no)
		v.Store = fmt.Sprintf("s-%04d", shop)
		v.Guide = fmt.Sprintf("g-%05d", shop*10+no%10)
		v.Member.ID = fmt.Sprintf("m-%05d", at%(stores*10))
		v.Tenders = []storeevent.Tender{{Type: "alipay", Amount: 9300, Reference: "2026112022001"}}
		verdicts[i] = v
	}
	return items(t, verdicts...)
}

// BenchmarkProjectSales books transactions of 2.3 lines and three roles in batches of 1,000, synced.
func BenchmarkProjectSales(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkProjectSales(b, docdbtest.SQLite(b)) })
	b.Run("mongo", func(b *testing.B) { benchmarkProjectSales(b, docdbtest.Mongo(b)) })
}

func benchmarkProjectSales(b *testing.B, db docdb.DB) {
	b.Helper()
	const batch = 1000
	s := open(b, db, newWorld("aurora"))
	makePlan(b, s, "aurora", day("2026-01-01"), simple())
	batches := make([][]stream.Item, (b.N+batch-1)/batch)
	for i := range batches {
		batches[i] = made(b, min(batch, b.N-i*batch), i*batch, 2000, "2026-11-20")
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, items := range batches {
		if later, err := s.ProjectSales(b.Context(), items); err != nil || len(later) > 0 {
			b.Fatal(later, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

// BenchmarkClose closes a day of 22,000 payees (20,000 guides and the managers of 2,000 stores), from the freeze to the last
// statement, on SQLite, synced; the time follows the payees, not the transactions. Booking the day takes its time: run it with
// -benchtime 1x.
func BenchmarkClose(b *testing.B) {
	for _, transactions := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("%dtx", transactions), func(b *testing.B) {
			const batch = 1000
			w := newWorld("aurora")
			b.StopTimer()
			for range b.N {
				s := openSQLite(b, w)
				makePlan(b, s, "aurora", day("2026-01-01"), simple())
				for n := 0; n < transactions; n += batch {
					if later, err := s.ProjectSales(b.Context(), made(b, batch, n, 2000, "2026-11-20")); err != nil || len(later) > 0 {
						b.Fatal(later, err)
					}
				}
				b.StartTimer()
				c := closeThrough(b, s, "aurora", "2026-11-20")
				b.StopTimer()
				b.ReportMetric(float64(c.Statements), "statements")
				b.ReportMetric(float64(c.Entries), "entries")
			}
		})
	}
}

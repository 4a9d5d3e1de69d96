package member_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/member"
	"scrm/store/storeevent"
)

// benchMembers is how many members the benchmarks' sales belong to.
const benchMembers = 20_000

func benchPhone(n int) string { return fmt.Sprintf("+86138%08d", n) }

func enrolments(from, n int, program string) []member.Enrolment {
	batch := make([]member.Enrolment, n)
	for i := range batch {
		batch[i] = member.Enrolment{Brand: "aurora", Program: program, Phone: benchPhone(from + i), Name: "客户", Store: "s-1", Level: "v2", Points: 100,
			ExternalID: fmt.Sprintf("%s%d", program, from+i), JoinedAt: at("2026-01-01T00:00:00")}
	}
	return batch
}

// BenchmarkProjectSales books sales of 2.3 lines, a third of them members', in batches of 1,000.
func BenchmarkProjectSales(b *testing.B) {
	f := newFixture(b, "2026-11-22T12:00:00")
	f.program(b, "aurora", "store", rules(), "2020-01-01T00:00:00")
	for n := 0; n < benchMembers; n += member.MaxEnrol {
		if _, err := f.Enrol(b.Context(), enrolments(n, member.MaxEnrol, "store")); err != nil {
			b.Fatal(err)
		}
	}
	indexes := make([]string, benchMembers)
	for n := range indexes {
		indexes[n] = f.keys.BlindIndex(benchPhone(n))
	}
	random := rand.New(rand.NewPCG(1, 2))
	receipt := 0
	batch := func() []stream.Item {
		verdicts := make([]*storeevent.Verdict, 1000)
		for i := range verdicts {
			v := f.sale(fmt.Sprintf("R%09d", receipt), "2026-03-01T10:00:00", "", 10_000)
			v.EventID = fmt.Sprintf("pos/t%03d/sale/R%09d", receipt%200, receipt/200)
			v.BusinessTime += when.Instant(receipt) * 100
			v.BusinessDate = when.DateIn(v.BusinessTime, shanghai(), 0)
			for n := range random.IntN(3) + random.IntN(2) {
				v.Lines = append(v.Lines, storeevent.Line{Line: n + 2, SKU: "s", Category: "cake", Brand: "aurora", Qty: 1, UnitPrice: 990, Paid: 990})
			}
			if receipt%3 == 0 {
				v.Member = &storeevent.MemberRef{Phone: indexes[random.IntN(benchMembers)], Sealed: make([]byte, 60)}
			}
			verdicts[i] = v
			receipt++
		}
		return items(b, verdicts...)
	}
	var spent time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		in := batch()
		b.StartTimer()
		start := time.Now()
		if later, err := f.ProjectSales(b.Context(), in); err != nil || len(later) > 0 {
			b.Fatal(later, err)
		}
		spent += time.Since(start)
	}
	b.ReportMetric(float64(receipt)/spent.Seconds(), "tx/s")
}

// BenchmarkEnrol enrols new members with an external id, a level and opening points, in chunks of an import's size.
func BenchmarkEnrol(b *testing.B) {
	f := newFixture(b, "2026-11-22T12:00:00")
	f.program(b, "aurora", "store", rules(), "2020-01-01T00:00:00")
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Enrol(b.Context(), enrolments(n, 500, "store")); err != nil {
			b.Fatal(err)
		}
		n += 500
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "members/s")
}

// BenchmarkEnrolOne enrols new members one by one, 64 at the same time, as the HTTP edge does.
func BenchmarkEnrolOne(b *testing.B) {
	f := newFixture(b, "2026-11-22T12:00:00")
	f.program(b, "aurora", "store", rules(), "2020-01-01T00:00:00")
	var n atomic.Int64
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if r, err := f.EnrolOne(b.Context(), enrolments(int(n.Add(1)), 1, "store")[0]); err != nil || r.Err != nil {
				b.Error(r.Err, err)
				return
			}
		}
	})
	b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "members/s")
}

// rowsOf gives n rows of an export without holding them.
type rowsOf struct {
	next, last int
	buf        []byte
}

func (r *rowsOf) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.next == r.last {
			return 0, io.EOF
		}
		r.buf = fmt.Appendf(nil, "S%d,0086138%08d,客户,v2,100,2026-01-01,s-1,aurora\n", r.next, r.next)
		r.next++
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

// BenchmarkImport reads exports of 20,000 rows of new members, and says how much memory was live at the end of the last chunk.
func BenchmarkImport(b *testing.B) {
	f := newFixture(b, "2026-11-22T12:00:00")
	f.program(b, "aurora", "store", rules(), "2020-01-01T00:00:00")
	rows := 0
	var live runtime.MemStats
	for b.Loop() {
		in := io.MultiReader(strings.NewReader(export), &rowsOf{next: rows, last: rows + 20_000})
		report, err := f.Import(b.Context(), member.Import{Program: "store", Rows: in})
		if err != nil || report.Created != 20_000 {
			b.Fatal(report, err)
		}
		rows += 20_000
		f.assign.calls = nil
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	runtime.GC()
	runtime.ReadMemStats(&live)
	b.ReportMetric(float64(live.HeapAlloc)/(1<<20), "MB-live")
}

// BenchmarkAudit goes over the ledgers of 20,000 cards.
func BenchmarkAudit(b *testing.B) {
	f := newFixture(b, "2026-11-22T12:00:00")
	f.program(b, "aurora", "store", rules(), "2020-01-01T00:00:00")
	for n := 0; n < benchMembers; n += member.MaxEnrol {
		if _, err := f.Enrol(b.Context(), enrolments(n, member.MaxEnrol, "store")); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		f.sound(b)
	}
}

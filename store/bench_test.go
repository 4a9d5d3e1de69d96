package store

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"scrm/gateway/kit/stream"
	"scrm/store/storeevent"
)

// BenchmarkDecide decides batches of 1,000 sales of 2.3 lines on average, a tenth of them with the member's phone number sealed, one in
// twenty a return of an earlier sale, from as many tills as the name says. The figure to look at is tx/s.
func BenchmarkDecide(b *testing.B) {
	for _, tills := range []int{100, 2000} {
		b.Run(fmt.Sprintf("tills=%d", tills), func(b *testing.B) {
			s := open(b)
			const size = 1000
			batches := make([][]stream.Item, 0, b.N)
			seqs := make([]int64, tills)
			n := 0
			for range b.N {
				txs := make([]storeevent.Transaction, size)
				for i := range txs {
					till := (n * 7919) % tills
					seqs[till]++
					txs[i] = benchTransaction(till, seqs[till], n)
					n++
				}
				batches = append(batches, s.message(txs...))
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu(b)
			for _, items := range batches {
				if _, err := s.Decide(context.Background(), items); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "tx/s")
			b.ReportMetric(float64(b.N*size)/(cpu(b)-before).Seconds(), "tx/cpu-s")
		})
	}
}

// cpu is the processor time that this process has used, its garbage collector's and the kernel's for it too: what the figure is measured by
// where others use the machine.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchTransaction(till int, seq int64, n int) storeevent.Transaction {
	terminal, kind := fmt.Sprintf("t-%04d-1", till), storeevent.Sale
	if seq%20 == 0 {
		kind = storeevent.Return
	}
	receipt := fmt.Sprintf("R%06d", seq)
	tx := storeevent.Transaction{
		EventID: POSEventID(terminal, kind, receipt), Content: make([]byte, 32), Kind: kind, Terminal: terminal, Receipt: receipt, Seq: seq,
		Channel: storeevent.ChannelStore, Store: fmt.Sprintf("s-%04d", till), Ownership: storeevent.Direct,
		BusinessTime: noon, BusinessDate: "2026-11-20", ArrivedAt: noon + 700, ClockOffset: 650,
		Guide: fmt.Sprintf("g-%04d-1", till), Currency: "CNY",
	}
	copy(tx.Content, tx.EventID)
	switch n % 10 {
	case 0, 1:
		tx.Member = &storeevent.MemberRef{Card: fmt.Sprintf("S%05d", n%90000), Brands: []string{"aurora", "breeze"}}
	case 2:
		tx.Member = &storeevent.MemberRef{Phone: fmt.Sprintf("%064x", n), Sealed: make([]byte, 60)}
	}
	lines := 1 + n%3 + n%10/9*3 // 2.3 on average
	for i := range lines {
		l := storeevent.Line{
			Line: i + 1, SKU: fmt.Sprintf("8512%02dA", i), Category: "heart", Brand: []string{"aurora", "breeze"}[i%2], Qty: 2, UnitPrice: 4900,
			Discount: 500, Paid: 9300,
		}
		if kind == storeevent.Return {
			l.Line, l.Brand, l.Qty, l.UnitPrice, l.Discount, l.Paid = i+1, "aurora", 1, 1000, 0, 1000
			l.Original = &storeevent.Original{EventID: POSEventID(terminal, storeevent.Sale, fmt.Sprintf("R%06d", seq-1-int64(i))), Line: 1}
		}
		tx.Lines = append(tx.Lines, l)
	}
	tx.Tenders = []storeevent.Tender{{Type: "alipay", Amount: paid(&tx), Reference: fmt.Sprintf("20261120%08d", n)}}
	return tx
}

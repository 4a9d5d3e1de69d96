package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/valyala/fasthttp"
)

// connections is how many tills send at once.
const connections = 64

// BenchmarkReceipts measures accepted and synced transactions over HTTP, one and 100 a request, with the load in the same process;
// nobody decides them.
func BenchmarkReceipts(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			sh := newShop(b, false)
			sh.Server.log = slog.New(slog.DiscardHandler)
			client := &fasthttp.HostClient{Addr: strings.TrimPrefix(sh.url, "http://"), MaxConns: connections}
			var next atomic.Int64
			b.SetParallelism(connections / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
				req.Header.SetMethod("POST")
				req.SetRequestURI(sh.url + "/v1/pos/transactions")
				req.Header.SetContentType("application/json")
				req.Header.Set(terminalHeader, sh.till.ID)
				for pb.Next() {
					body := requestBody(next.Add(1), size)
					timestamp, signature := Sign(sh.till.Secret, "POST", "/v1/pos/transactions", sh.clock.Now().Time(), body)
					req.Header.Set(timestampHeader, timestamp)
					req.Header.Set(signatureHeader, signature)
					req.SetBodyRaw(body)
					if err := client.Do(req, resp); err != nil {
						b.Error(err)
						return
					}
					if resp.StatusCode() != fasthttp.StatusAccepted {
						b.Errorf("%d: %s", resp.StatusCode(), resp.Body())
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// aReceipt has two lines and a phone number, as most have.
const aReceipt = `{"receipt":"R%d","seq":%d,"type":"sale","business_time":"2026-11-20T10:31:05+08:00","business_date":"2026-11-20",` +
	`"member":{"phone":"138%08d"},"guide":"g-17","currency":"CNY",` +
	`"lines":[{"line":1,"sku":"85123A","category":"heart","brand":"aurora","qty":2,"unit_price":4900,"discount":500,"paid":9300,"tax":0,"points_paid":0},` +
	`{"line":2,"sku":"85124A","category":"cup","brand":"aurora","qty":1,"unit_price":4900,"paid":4900}],` +
	`"tenders":[{"type":"alipay","amount":14200,"reference":"2026112022001"}]}`

func requestBody(n int64, size int) []byte {
	if size == 1 {
		return fmt.Appendf(nil, aReceipt, n, n, n%100_000_000)
	}
	body := []byte(`{"transactions":[`)
	for i := range int64(size) {
		if i > 0 {
			body = append(body, ',')
		}
		at := n*int64(size) + i
		body = fmt.Appendf(body, aReceipt, at, at, at%100_000_000)
	}
	return append(body, "]}"...)
}

// BenchmarkDecode compares our decoder with the standard library's on a receipt (docs/decisions/0005-http-edge.md).
func BenchmarkDecode(b *testing.B) {
	data := requestBody(1, 1)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := decodeTransactions(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var tx transaction
			if err := json.Unmarshal(data, &tx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

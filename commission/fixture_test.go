package commission

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"scrm/commission/commissionevent"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// tester is what helpers need of a test, be it Go's or rapid's.
type tester interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// world stands in for the other domains: brands that exist, members who are who the transaction says, guides by a fixed rule.
type world struct {
	brands  map[string]storeevent.Brand
	holders func(guideevent.HolderQuery) guideevent.Holders
	past    when.Date
	waited  atomic.Int64
}

func (w *world) Brand(_ context.Context, id string) (storeevent.Brand, error) {
	if b, ok := w.brands[id]; ok {
		return b, nil
	}
	return storeevent.Brand{}, fault.New(fault.NotFound, "unknown_brand", "there is no such brand")
}

func (w *world) Resolve(_ context.Context, refs []memberevent.Ref) ([]string, error) {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.ID
	}
	return ids, nil
}

func (w *world) Holders(_ context.Context, queries []guideevent.HolderQuery) ([]guideevent.Holders, error) {
	out := make([]guideevent.Holders, len(queries))
	for i, q := range queries {
		out[i] = w.holders(q)
	}
	return out, nil
}

func (w *world) PastThrough(ctx context.Context, brand string) (when.Date, error) {
	if _, err := w.Brand(ctx, brand); err != nil {
		return "", err
	}
	return w.past, nil
}

func (w *world) Wait(context.Context, string) error {
	w.waited.Add(1)
	return nil
}

// asNamed is the rule that the guide whom a transaction names sells, the member "m-x" is served by "g-x" and was brought by
// "g-r", and every store has a manager.
func asNamed(q guideevent.HolderQuery) guideevent.Holders {
	h := guideevent.Holders{
		Selling: guideevent.Holder{Guide: q.Guide, Since: 1}, Recruiting: guideevent.Holder{Reason: "no_member"},
		Serving: guideevent.Holder{Reason: "no_member"}, Manager: guideevent.Holder{Reason: "no_store"},
	}
	if q.Guide == "" {
		h.Selling = guideevent.Holder{Reason: "not_named"}
	}
	if q.Member != "" {
		h.Serving = guideevent.Holder{Guide: "g" + q.Member[1:], Since: 2}
		h.Recruiting = guideevent.Holder{Guide: "g-r", Since: 2}
	}
	if q.Store != "" {
		h.Manager = guideevent.Holder{Guide: "gm-" + q.Store, Since: 3}
	}
	return h
}

func newWorld(brands ...string) *world {
	w := &world{brands: map[string]storeevent.Brand{}, holders: asNamed, past: "2026-11-30"}
	for _, b := range brands {
		w.brands[b] = storeevent.Brand{ID: b, Currency: "CNY", Timezone: "Asia/Shanghai"}
	}
	return w
}

var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return loc
}()

// now is the tests' present: 2026-12-01 10:00 in Shanghai.
var now = day("2026-12-01").Add(10 * 60 * 60 * 1e9)

func day(d when.Date) when.Instant {
	return d.Start(shanghai, 0)
}

func open(t tester, db docdb.DB, w *world) *Service {
	t.Helper()
	s, err := New(t.Context(), Deps{
		DB: db, Clock: when.Fixed(now), Log: slog.New(slog.DiscardHandler), Brands: w, Members: w, Holders: w, Days: w, Barrier: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func openSQLite(t testing.TB, w *world) *Service {
	t.Helper()
	return open(t, docdbtest.SQLite(t), w)
}

func ptr(n int64) *int64 { return &n }

// items are transactions as SALES delivers them.
func items(t tester, verdicts ...*storeevent.Verdict) []stream.Item {
	t.Helper()
	out := make([]stream.Item, len(verdicts))
	for i, v := range verdicts {
		data, err := wire.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = stream.Item{Subject: stream.SubjectSales, Seq: v.IntakeSeq, Index: i, Data: data}
	}
	return out
}

// project books transactions and fails the test if some have to wait.
func project(t tester, s *Service, verdicts ...*storeevent.Verdict) {
	t.Helper()
	later, err := s.ProjectSales(t.Context(), items(t, verdicts...))
	if err != nil {
		t.Fatal(err)
	}
	if len(later) > 0 {
		t.Fatalf("positions %v were put off", later)
	}
}

func makePlan(t tester, s *Service, brand string, from when.Instant, terms Terms) *Plan {
	t.Helper()
	p, _, err := s.MakePlan(t.Context(), brand, from, terms, "admin")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// simple is a plan of one rule: 5 % of everything, split 60 : 30 : 10 between selling, serving and manager.
func simple() Terms {
	return Terms{Fallback: ToSelling, Rules: []Rule{{
		ID: "all", RateBps: ptr(500), Roles: map[Role]int64{Selling: 6000, Serving: 3000, Manager: 1000},
	}}}
}

// sale is a till's sale of one brand with lines of these amounts paid.
func sale(receipt string, date when.Date, brand string, paid ...int64) *storeevent.Verdict {
	v := &storeevent.Verdict{Transaction: storeevent.Transaction{
		EventID: "pos/t-1/sale/" + receipt, Kind: storeevent.Sale, Channel: storeevent.ChannelStore, Store: "s-1", Ownership: "direct",
		BusinessTime: day(date).Add(12 * 60 * 60 * 1e9), BusinessDate: date, Guide: "g-sell", Member: &storeevent.MemberRef{ID: "m-1"}, Currency: "CNY",
	}}
	for i, p := range paid {
		v.Lines = append(v.Lines, storeevent.Line{Line: i + 1, SKU: fmt.Sprintf("sku-%d", i+1), Brand: brand, Qty: 1, UnitPrice: p, Paid: p})
	}
	return v
}

// giveBack is a return of a part of one line of a sale, after an earlier part of it.
func giveBack(receipt string, date when.Date, of *storeevent.Verdict, line int, before, paid int64) *storeevent.Verdict {
	sold := of.Lines[line-1]
	v := &storeevent.Verdict{Transaction: of.Transaction}
	v.EventID, v.Kind, v.BusinessDate = "pos/t-1/return/"+receipt, storeevent.Return, date
	v.BusinessTime, v.Guide, v.Member = day(date).Add(15*60*60*1e9), "g-till", nil
	v.Lines = []storeevent.Line{{
		Line: 1, SKU: sold.SKU, Brand: sold.Brand, Paid: paid,
		Original: &storeevent.Original{EventID: of.EventID, Line: line, SoldQty: sold.Qty, SoldPaid: sold.Paid, PaidBefore: before},
	}}
	return v
}

// told are the first n facts that the service told, as others receive them.
func told(t testing.TB, s *Service, n int) []commissionevent.DayClosed {
	t.Helper()
	bus := streamtest.Open(t)
	facts := make(chan commissionevent.DayClosed, n)
	stop, err := bus.Consume(t.Context(), stream.Consumer{
		Stream: stream.Facts, Durable: "test", Subjects: []string{stream.SubjectDayClosed},
		Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
			for _, item := range items {
				var fact commissionevent.DayClosed
				if err := wire.Unmarshal(item.Data, &fact); err != nil {
					return nil, err
				}
				facts <- fact
			}
			return nil, nil
		},
		Dead: s.ProjectDead,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	var relay sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	relay.Go(func() { bus.Relay(ctx, s.Outbox()) })
	t.Cleanup(func() { cancel(); relay.Wait() })
	out := make([]commissionevent.DayClosed, n)
	for i := range out {
		out[i] = <-facts
	}
	return out
}

package member_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/phone"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/guide/guideevent"
	"scrm/member"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// fixture is a member service on a database of its own, with a settable clock, three brands and an assigner that keeps its word.
type fixture struct {
	*member.Service
	db     docdb.DB
	keys   *seal.Keyring
	clock  *clock
	brands *brandBook
	assign *assigner
}

type clock struct{ now when.Instant }

func (c *clock) Now() when.Instant { return c.now }

// brandBook stands in for the store domain.
type brandBook struct {
	mu     sync.Mutex
	brands map[string]storeevent.Brand
}

func (b *brandBook) Brand(_ context.Context, id string) (storeevent.Brand, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if brand, ok := b.brands[id]; ok {
		return brand, nil
	}
	return storeevent.Brand{}, fault.New(fault.NotFound, "unknown_brand", "there is no such brand")
}

// accept notes that every brand has accepted a transaction.
func (b *brandBook) accept(at when.Instant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, brand := range b.brands {
		brand.FirstAccepted = at
		b.brands[id] = brand
	}
}

// assigner stands in for the guide domain: the first assignment of a membership stays.
type assigner struct {
	mu    sync.Mutex
	calls []memberevent.Joined
	fail  error
}

func (a *assigner) Assign(_ context.Context, joined []memberevent.Joined) ([]guideevent.Assignment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return nil, a.fail
	}
	out := make([]guideevent.Assignment, len(joined))
	for i, j := range joined {
		out[i] = guideevent.Assignment{Member: j.Member, Brand: j.Brand, Store: j.Store, Guide: "g-1", Reason: "named_store", From: j.At}
	}
	a.calls = append(a.calls, joined...)
	return out, nil
}

const zone = "Asia/Shanghai"

// at is a moment in the brands' zone, as 2006-01-02T15:04:05.
func at(s string) when.Instant {
	var y, mo, d, h, mi, sec int
	if _, err := fmt.Sscanf(s, "%d-%d-%dT%d:%d:%d", &y, &mo, &d, &h, &mi, &sec); err != nil {
		panic(err)
	}
	return when.Instant((int64(when.Date(s[:10]).DaysSince("1970-01-01"))*86400 + int64(h*3600+mi*60+sec) - 8*3600) * 1000)
}

func newFixture(tb testing.TB, now string) *fixture {
	tb.Helper()
	return newFixtureOn(tb, docdbtest.SQLite(tb), now)
}

func newFixtureOn(tb testing.TB, db docdb.DB, now string) *fixture {
	tb.Helper()
	keys, err := seal.NewKeyring(make([]byte, seal.KeySize))
	if err != nil {
		tb.Fatal(err)
	}
	f := &fixture{db: db, keys: keys, clock: &clock{at(now)}, assign: &assigner{}, brands: &brandBook{brands: map[string]storeevent.Brand{}}}
	for _, id := range []string{"aurora", "breeze", "cedar"} {
		f.brands.brands[id] = storeevent.Brand{ID: id, Name: id, Currency: "CNY", Timezone: zone}
	}
	f.Service, err = member.New(tb.Context(), member.Deps{DB: f.db, Clock: f.clock, Log: slog.New(slog.DiscardHandler), Keys: keys,
		Brands: f.brands, Assign: f.assign})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// rules are a plain program: 1 point and 1 growth a yuan, three tiers, ×1, ×1.5 and ×2.
func rules() member.Rules {
	return member.Rules{Earn: member.Earn{PointsPerUnit: 1, Unit: 100, Categories: map[string]int64{"cake": 2}}, ExpireMonths: 12, GrowthPerUnit: 1,
		Tiers: []member.Tier{{ID: "v1", Name: "普通", MultiplierBps: 10_000}, {ID: "v2", Name: "银卡", Growth: 1_000, MultiplierBps: 15_000},
			{ID: "v3", Name: "金卡", Growth: 5_000, MultiplierBps: 20_000}}}
}

func (f *fixture) program(tb testing.TB, brand, program string, r member.Rules, from string) {
	tb.Helper()
	if _, err := f.PutProgram(tb.Context(), brand, program, r, at(from)); err != nil {
		tb.Fatal(err)
	}
}

// enrol enrols one and answers the member.
func (f *fixture) enrol(tb testing.TB, e member.Enrolment) string {
	tb.Helper()
	r := f.tryEnrol(tb, e)
	if r.Err != nil {
		tb.Fatal(r.Err)
	}
	return r.Member
}

func (f *fixture) tryEnrol(tb testing.TB, e member.Enrolment) member.EnrolResult {
	tb.Helper()
	e164, err := phone.Parse(e.Phone)
	if err != nil {
		tb.Fatal(err)
	}
	e.Phone = e164
	results, err := f.Enrol(tb.Context(), []member.Enrolment{e})
	if err != nil {
		tb.Fatal(err)
	}
	return results[0]
}

// index is a number's blind index, as the edge makes it.
func (f *fixture) index(raw string) string {
	e164, err := phone.Parse(raw)
	if err != nil {
		panic(err)
	}
	return f.keys.BlindIndex(e164)
}

// sale is a till's sale of one line of aurora.
func (f *fixture) sale(receipt, time, number string, paid int64) *storeevent.Verdict {
	v := &storeevent.Verdict{Transaction: storeevent.Transaction{EventID: "pos/t1/sale/" + receipt, Kind: storeevent.Sale, Channel: storeevent.ChannelStore,
		BusinessTime: at(time), BusinessDate: when.Date(time[:10]), ArrivedAt: at(time),
		Lines: []storeevent.Line{{Line: 1, SKU: "s", Brand: "aurora", Qty: 1, UnitPrice: paid, Paid: paid}}}}
	if number != "" {
		v.Member = &storeevent.MemberRef{Phone: f.index(number), Sealed: []byte("sealed")}
	}
	return v
}

// giveBack is a return of a part of a sale's line.
func (f *fixture) giveBack(receipt, time string, sale *storeevent.Verdict, before, paid int64) *storeevent.Verdict {
	v := f.sale(receipt, time, "", paid)
	v.EventID, v.Kind = "pos/t1/return/"+receipt, storeevent.Return
	v.Lines[0].Original = &storeevent.Original{EventID: sale.EventID, Line: 1, SoldQty: 1, SoldPaid: sale.Lines[0].Paid, PaidBefore: before}
	return v
}

func items(tb testing.TB, verdicts ...*storeevent.Verdict) []stream.Item {
	tb.Helper()
	out := make([]stream.Item, len(verdicts))
	for i, v := range verdicts {
		data, err := wire.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		out[i] = stream.Item{Subject: stream.SubjectSales, Seq: uint64(i + 1), Data: data}
	}
	return out
}

// project delivers verdicts in one batch; none of them may have to wait.
func (f *fixture) project(tb testing.TB, verdicts ...*storeevent.Verdict) {
	tb.Helper()
	later, err := f.ProjectSales(tb.Context(), items(tb, verdicts...))
	if err != nil || len(later) > 0 {
		tb.Fatalf("later %v, error %v", later, err)
	}
}

// card is a member's card of aurora as it is shown.
func (f *fixture) card(tb testing.TB, id, program string) member.PersonCard {
	tb.Helper()
	p, err := f.Person(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	for _, m := range p.Memberships {
		for _, c := range m.Cards {
			if m.Brand == "aurora" && c.Program == program {
				return c
			}
		}
	}
	tb.Fatalf("member %s has no %s card of aurora", id, program)
	return member.PersonCard{}
}

// sound fails the test if an equation does not hold, and answers the figures by equation.
func (f *fixture) sound(tb testing.TB) map[string]audit.Check {
	tb.Helper()
	checks, err := f.Audit(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]audit.Check{}
	for _, c := range checks {
		if !c.OK {
			tb.Errorf("%s (%s) does not hold: %v %v", c.ID, c.Name, c.Figures, c.Problems)
		}
		out[c.ID] = c
	}
	return out
}

func shanghai() *time.Location { return time.FixedZone("CST", 8*3600) }

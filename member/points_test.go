package member_test

import (
	"testing"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/member"
	"scrm/store/storeevent"
)

const li = "13812345678"

func TestPointsByTierAndCategory(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	basket := f.sale("R1", "2026-03-01T10:00:00", li, 99_999) // 999 points and growth: one short of v2
	basket.Lines = append(basket.Lines,
		storeevent.Line{Line: 2, SKU: "c", Category: "cake", Brand: "aurora", Qty: 1, Paid: 150},                  // 1.5 × 2 = 3 points, 1 growth
		storeevent.Line{Line: 3, SKU: "x", Brand: "breeze", Qty: 1, Paid: 100_000},                                // not a member of breeze
		storeevent.Line{Line: 4, SKU: "p", Category: "cake", Brand: "aurora", Qty: 1, Paid: 500, PointsPaid: 301}) // 1.99 × 2 = 3 points, 1 growth
	f.project(t, basket)
	c := f.card(t, id, "store")
	if c.Available != 999+3+3 || c.Growth != 1001 || c.Tier != "v2" || c.TierFrom != "2026-03-02" {
		t.Fatalf("after the first sale: %+v", c)
	}
	f.project(t, f.sale("R2", "2026-03-01T23:00:00", li, 10_000)) // same date: still ×1
	if c = f.card(t, id, "store"); c.Available != 1005+100 {
		t.Fatalf("on the same date: %+v", c)
	}
	f.project(t, f.sale("R3", "2026-03-02T09:00:00", li, 10_001)) // ×1.5 of 100.01
	if c = f.card(t, id, "store"); c.Available != 1105+150 {
		t.Fatalf("on the next date: %+v", c)
	}
	got, err := f.Earned(t.Context(), []string{"pos/t1/sale/R1", "pos/t1/sale/R3", "pos/t1/sale/R9"})
	if err != nil || len(got) != 2 || got["pos/t1/sale/R1"][0] != (member.Earned{Member: id, Brand: "aurora", Program: "store", Earned: 1005}) {
		t.Fatalf("%v %v", got, err)
	}
	f.sound(t)
}

func TestLateSaleRatesAgain(t *testing.T) {
	t.Parallel()
	bothEngines(t, lateSaleRatesAgain)
}

func lateSaleRatesAgain(t *testing.T, f *fixture) {
	t.Helper()
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	second := f.sale("R2", "2026-03-05T10:00:00", li, 20_000)
	partly := f.giveBack("B2", "2026-03-06T10:00:00", second, 0, 10_001)
	bare := f.sale("B3", "2026-03-07T10:00:00", li, 1_000)
	bare.EventID, bare.Kind = "pos/t1/return/B3", storeevent.Return
	f.project(t, second, partly, bare)
	if c := f.card(t, id, "store"); c.Available != 200-100-10 || c.Growth != 90 || c.Tier != "v1" {
		t.Fatalf("before the late sale: %+v", c)
	}
	f.project(t, f.sale("R1", "2026-03-01T10:00:00", li, 100_000)) // v2 from 2 March on
	c := f.card(t, id, "store")
	if want := int64(1000 + 300 - 150 - 15); c.Available != want || c.Tier != "v2" || c.TierFrom != "2026-03-02" {
		t.Fatalf("after the late sale: %+v, want %d points", c, want)
	}
	page, err := f.Ledger(t.Context(), id, "aurora", "store", 2, "")
	if err != nil || len(page.Items) != 2 || page.Items[0].ID != "pos/t1/return/B3#1|pos/t1/sale/R1" || page.Items[0].Points != -5 || page.Items[0].Balance != c.Available ||
		page.Items[0].Kind != member.KindRerated || page.Items[0].Event() != "pos/t1/return/B3" || page.Items[0].Cause() != "pos/t1/sale/R1" {
		t.Fatalf("%+v %v", page.Items, err)
	}
	page, err = f.Ledger(t.Context(), id, "aurora", "store", 10, page.Next)
	if err != nil || len(page.Items) != 5 || page.Next != "" {
		t.Fatalf("%+v %v", page, err)
	}
	earned, err := f.Earned(t.Context(), []string{second.EventID})
	if err != nil || earned[second.EventID][0].Earned != 300 {
		t.Fatalf("%v %v", earned, err)
	}
	f.sound(t)

	// The late sale's own return takes the tier back, and with it what the tier gave.
	f.project(t, f.giveBack("B1", "2026-03-01T11:00:00", f.sale("R1", "2026-03-01T10:00:00", li, 100_000), 0, 100_000))
	if c := f.card(t, id, "store"); c.Available != 200-100-10 || c.Growth != 90 || c.Tier != "v1" {
		t.Fatalf("after its return: %+v", c)
	}
	f.sound(t)
}

func TestReturnOnALaterDateKeepsTheTier(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	first := f.sale("R1", "2026-03-01T10:00:00", li, 100_000)
	f.project(t, first, f.giveBack("B1", "2026-03-02T10:00:00", first, 0, 100_000), f.sale("R2", "2026-03-03T10:00:00", li, 10_000))
	if c := f.card(t, id, "store"); c.Available != 150 || c.Growth != 100 || c.Tier != "v2" {
		t.Fatalf("%+v", c)
	}
	f.sound(t)
}

func TestPendingPoints(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-03-05T12:00:00")
	r := rules()
	r.PendingDays = 7
	f.program(t, "aurora", "store", r, "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	first := f.sale("R1", "2026-03-01T10:00:00", li, 10_000) // usable from the 8th on
	f.project(t, first, f.sale("R0", "2026-02-20T10:00:00", li, 3_000))
	if c := f.card(t, id, "store"); c.Available != 30 || c.Pending != 100 {
		t.Fatalf("%+v", c)
	}
	f.project(t, f.giveBack("B1", "2026-03-05T10:00:00", first, 0, 4_000))
	if c := f.card(t, id, "store"); c.Available != 30 || c.Pending != 60 {
		t.Fatalf("a return takes from its sale's points: %+v", c)
	}
	bare := f.sale("B2", "2026-03-05T11:00:00", li, 5_000)
	bare.EventID, bare.Kind = "pos/t1/return/B2", storeevent.Return
	f.project(t, bare)
	if c := f.card(t, id, "store"); c.Available != 0 || c.Pending != 40 {
		t.Fatalf("a debt is refilled by what is pending: %+v", c)
	}
	f.clock.now = at("2026-03-08T00:00:00")
	if c := f.card(t, id, "store"); c.Available != 40 || c.Pending != 0 {
		t.Fatalf("usable on the 8th: %+v", c)
	}
	page, err := f.Ledger(t.Context(), id, "aurora", "store", 10, "")
	if err != nil {
		t.Fatal(err)
	}
	if e := page.Items[len(page.Items)-1]; e.UsableOn != "2026-03-08" || e.ExpiresOn != "2027-03-01" {
		t.Fatalf("%+v", e)
	}
	f.sound(t)
}

func TestReturnWithoutReceiptMayOverdraw(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	bare := f.sale("B1", "2026-03-01T10:00:00", li, 5_000)
	bare.EventID, bare.Kind = "pos/t1/return/B1", storeevent.Return
	f.project(t, bare)
	if c := f.card(t, id, "store"); c.Available != -50 || c.Growth != -50 || c.Tier != "v1" {
		t.Fatalf("%+v", c)
	}
	f.project(t, f.sale("R1", "2026-03-02T10:00:00", li, 8_000))
	if c := f.card(t, id, "store"); c.Available != 30 {
		t.Fatalf("%+v", c)
	}
	f.sound(t)
}

func TestChannelsCountOnTheirOwnCards(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	f.program(t, "aurora", "online", rules(), "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "online", Phone: li, JoinedAt: at("2026-01-01T00:00:00"), ExternalID: "O1"})
	f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-02-01T00:00:00")})
	order := f.sale("X", "2026-03-01T10:00:00", "", 10_000)
	order.EventID, order.Channel = "order/aurora/tmall/sale/X", "tmall"
	order.Member = &storeevent.MemberRef{Card: "O1", Brands: []string{"breeze", "aurora"}}
	early := f.sale("R1", "2026-01-31T23:59:59", li, 70_000) // the store card begins the second after
	unknown := f.sale("R2", "2026-03-01T10:00:00", "", 10_000)
	unknown.Member = &storeevent.MemberRef{Card: "O2", Brands: []string{"aurora"}}
	inStore := f.giveBack("B1", "2026-03-02T10:00:00", order, 0, 2_500) // bought online, given back in a shop
	f.project(t, order, early, unknown, inStore, f.sale("R3", "2026-02-01T00:00:00", li, 4_000))
	if c := f.card(t, id, "online"); c.Available != 75 {
		t.Fatalf("online: %+v", c)
	}
	if c := f.card(t, id, "store"); c.Available != 40 {
		t.Fatalf("store: %+v", c)
	}
	done, err := f.Projected(t.Context(), []string{early.EventID, unknown.EventID, "pos/t1/sale/R9"})
	if err != nil || len(done) != 2 {
		t.Fatalf("anonymous events have a row too: %v %v", done, err)
	}
	f.sound(t)
}

func TestReturnWaitsForItsSale(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	sale := f.sale("R1", "2026-03-01T10:00:00", li, 10_000)
	back := f.giveBack("B1", "2026-03-01T11:00:00", sale, 0, 10_000)
	other := f.sale("R2", "2026-03-01T10:00:00", li, 100)
	later, err := f.ProjectSales(t.Context(), items(t, back, other))
	if err != nil || len(later) != 1 || later[0] != 0 {
		t.Fatalf("%v %v", later, err)
	}

	// The sale becomes a dead letter, and so must its return.
	dead := items(t, sale)[0]
	if err := f.ProjectDead(t.Context(), dead, fault.New(fault.Invalid, "poison", "for the test")); err != nil {
		t.Fatal(err)
	}
	_, err = f.ProjectSales(t.Context(), items(t, back))
	if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "sale_is_dead" {
		t.Fatal(err)
	}
	if err := f.ProjectDead(t.Context(), stream.Item{Subject: dead.Subject, Seq: 9, Data: items(t, back)[0].Data}, err); err != nil {
		t.Fatal(err)
	}
	open, err := f.DeadLetters().List(t.Context(), true, 10, "")
	if err != nil || len(open.Items) != 2 {
		t.Fatalf("%v %v", open, err)
	}
	for _, letter := range open.Items { // the sale stands first in the stream
		if err := f.Replay(t.Context(), letter.ID); err != nil {
			t.Fatal(err)
		}
	}
	f.project(t, back, sale, other, sale) // again, all of them: nothing changes
	if c := f.card(t, id, "store"); c.Available != 1 || c.Growth != 1 {
		t.Fatalf("%+v", c)
	}
	f.sound(t)
}

func TestBadVerdicts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	sale := f.sale("R1", "2026-03-01T10:00:00", li, 10_000)
	f.project(t, sale)
	for name, v := range map[string]*storeevent.Verdict{
		"more back than sold": f.giveBack("B1", "2026-03-02T10:00:00", sale, 6_000, 4_001),
		"negative":            f.sale("R2", "2026-03-02T10:00:00", li, -1),
	} {
		if _, err := f.ProjectSales(t.Context(), items(t, v)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.ProjectSales(t.Context(), []stream.Item{{Data: []byte{0xff, 0x00}}}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	f.sound(t)
}

func TestAuditFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	id := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00")})
	f.project(t, f.sale("R1", "2026-03-01T10:00:00", li, 10_000))
	f.sound(t)
	if err := f.Tamper(t.Context(), id+"|aurora|store", 1); err != nil {
		t.Fatal(err)
	}
	checks, err := f.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if wrong := c.ID == "E2" || c.ID == "E4"; c.OK == wrong {
			t.Errorf("%s: ok is %v", c.ID, c.OK)
		}
	}
}

package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"scrm/store"
	"scrm/store/storeevent"
)

// secondTill makes a store of other brands with a till.
func (sh *shop) secondTill(id string, brands ...string) *store.Terminal {
	sh.t.Helper()
	in := store.NewStore{ID: "s-" + id, Name: id, Ownership: storeevent.Direct, Location: store.Location{Lat: 31, Lng: 121}, Open: true}
	for _, b := range brands {
		in.Brands = append(in.Brands, store.CarriedBrand{Brand: b})
	}
	if _, err := sh.Services.Store.CreateStore(sh.t.Context(), in); err != nil {
		sh.t.Fatal(err)
	}
	till, err := sh.Services.Store.CreateTerminal(sh.t.Context(), in.ID, id)
	if err != nil {
		sh.t.Fatal(err)
	}
	return till
}

func (sh *shop) ask(till *store.Terminal, path string) answerOf {
	sh.t.Helper()
	return sh.sentBy(till, "GET", path, nil)
}

// TestPOSQueries sells, gives back, and asks for everything that a till may ask for.
func TestPOSQueries(t *testing.T) {
	t.Parallel()
	sh := newShop(t, true)
	wait := header{"Prefer", "wait=10"}
	refund := func(n, amount int) object {
		return receipt(n, object{"type": "return", "tenders": nil, "lines": []object{{
			"line": 1, "sku": "85123A", "brand": "aurora", "qty": 0, "paid": amount, "original": object{"receipt": "R1", "line": 1},
		}}})
	}
	sh.sent("/v1/pos/transactions", receipt(1, nil), wait).want(http.StatusOK)
	sh.clock.advance(time.Second)
	var again, refused outcomeView
	sh.sent("/v1/pos/transactions", receipt(1, nil), wait).want(http.StatusOK).into(&again)
	if again.EventID != "pos/till-1/sale/R1" || again.Status != "duplicate" {
		t.Errorf("sold twice: %+v", again)
	}
	sh.sent("/v1/pos/transactions", refund(3, 100), wait).want(http.StatusOK)
	sh.sent("/v1/pos/transactions", refund(4, 9300), wait).want(http.StatusOK).into(&refused)
	if refused.Status != "anomaly" || refused.Code != "return_exceeds_sale" || refused.Detail == "" {
		t.Errorf("too much given back: %+v", refused)
	}

	// The outcome, for the till, for its brand's people, and not for others.
	near, far := sh.secondTill("near", "aurora"), sh.secondTill("far", "borealis")
	var outcome outcomeView
	path := "/v1/pos/transactions?event_id=pos/till-1/sale/R1"
	sh.ask(sh.till, path).want(http.StatusOK).into(&outcome)
	if outcome.Status != "applied" || outcome.Points == nil || outcome.Commission == nil {
		t.Errorf("outcome: %+v", outcome)
	}
	sh.ask(near, path).wantProblem(http.StatusNotFound, "unknown_transaction")
	sh.ask(sh.till, "/v1/pos/transactions?event_id=pos/till-1/sale/none").wantProblem(http.StatusNotFound, "unknown_transaction")
	sh.do("GET", path, nil, sh.as(Principal{Name: "a", Role: Auditor, Brand: "aurora"})).want(http.StatusOK)
	sh.do("GET", path, nil, sh.as(Principal{Name: "b", Role: Auditor, Brand: "borealis"})).wantProblem(http.StatusNotFound, "unknown_transaction")

	// The receipt and what of it can still come back, also at another shop of the brand.
	for _, ask := range []answerOf{sh.ask(sh.till, "/v1/pos/receipts/R1"), sh.ask(near, "/v1/pos/receipts/R1?terminal=till-1")} {
		var found receiptView
		ask.want(http.StatusOK).into(&found)
		if len(found.Lines) != 1 || found.Lines[0].ReturnableQty != 2 || found.Lines[0].ReturnablePaid != 9200 || found.Status != "applied" {
			t.Errorf("receipt: %+v", found)
		}
	}
	sh.ask(near, "/v1/pos/receipts/R1").wantProblem(http.StatusNotFound, "unknown_receipt")
	sh.ask(far, "/v1/pos/receipts/R1?terminal=till-1").wantProblem(http.StatusNotFound, "unknown_receipt")

	// Gaps and the Z-report.
	var gaps gapsView
	sh.ask(sh.till, "/v1/pos/gaps").want(http.StatusOK).into(&gaps)
	if gaps.LastSeq != 4 || !slices.Equal(gaps.Items, []store.Range{{From: 2, To: 2}}) {
		t.Errorf("gaps: %+v", gaps)
	}
	claim := object{"business_date": "2026-11-20", "count": 3, "sales": 9300, "returns": 9400, "first_seq": 1, "last_seq": 4}
	var z zReportView
	sh.sent("/v1/pos/z-reports", claim).want(http.StatusOK).into(&z)
	want := []store.NotApplied{{EventID: "pos/till-1/return/R4", Status: "anomaly", Code: "return_exceeds_sale"}}
	if z.Status != "matched" || !z.Matched || len(z.Differences) != 0 || z.Open != 1 || !slices.Equal(z.NotApplied, want) || z.Sequence == 0 {
		t.Errorf("Z-report: %+v", z)
	}
	claim["sales"] = 1
	sh.sent("/v1/pos/z-reports", claim).want(http.StatusOK).into(&z)
	if z.Status != "differs" || z.Matched || len(z.Differences) != 1 || z.Differences[0] != (zDifference{"sales", 1, 9300}) {
		t.Errorf("Z-report: %+v", z)
	}
	claim["business_date"] = "2026-02-30"
	sh.sent("/v1/pos/z-reports", claim).want(http.StatusUnprocessableEntity)
}

// TestZReportInVain: nobody decides, so the till is told to ask again.
func TestZReportInVain(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	sh.sent("/v1/pos/transactions", receipt(1, nil)).want(http.StatusAccepted)
	claim, err := json.Marshal(object{"business_date": "2026-11-20", "count": 1, "sales": 1, "returns": 0, "first_seq": 1, "last_seq": 1})
	if err != nil {
		t.Fatal(err)
	}
	sh.sent("/v1/pos/z-reports", claim).want(http.StatusAccepted)
}

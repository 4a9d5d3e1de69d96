package api

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// plan is a plan that is right: 10 % of everything, 70 to the guide who sells and 30 to the store.
func plan(changes object) object {
	p := object{
		"brand": "aurora", "effective_from": "2020-01-01T00:00:00+08:00", "hold_days": 0, "fallback": "store",
		"rules": []object{{"id": "all", "rate_bps": 1000, "roles": object{"selling": 7000, "store": 3000}}},
	}
	for k, v := range changes {
		p[k] = v
	}
	return p
}

func rules(changes object) object {
	r := object{"id": "r", "rate_bps": 1000, "roles": object{"selling": 7000}}
	for k, v := range changes {
		r[k] = v
	}
	return object{"rules": []object{r}}
}

func TestPlans(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	hq := sh.as(Principal{Name: "hq", Role: BrandHQ, Brand: "aurora"})
	other := sh.as(Principal{Name: "other", Role: BrandHQ, Brand: "borealis"})
	finance := sh.as(Principal{Name: "finance", Role: Finance, Brand: "aurora"})
	var made, again planView
	sh.do(http.MethodPost, "/v1/commission/plans", plan(nil), hq).want(201).into(&made)
	sh.do(http.MethodPost, "/v1/commission/plans", plan(nil), sh.asAdmin()).want(200).into(&again)
	if made.ID != "aurora.1" || made.MadeBy != "hq" || again.ID != made.ID || !made.EffectiveFrom.Equal(time.Date(2019, 12, 31, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("made %+v, again %+v", made, again)
	}
	for _, c := range []struct {
		change object
		status int
		code   string
		field  string
	}{
		{object{"hold_days": 3}, 409, "plan_exists", "effective_from"},
		{object{"brand": "nobody"}, 404, "unknown_brand", "brand"},
		{object{"draft": true}, 422, "no_drafts", "draft"},
		{object{"fallback": "me"}, 422, "invalid_fields", "fallback"},
		{object{"rules": []object{}}, 422, "invalid_fields", "rules"},
		{rules(object{"rate_bps": nil}), 422, "rate_or_fixed", "rules[0]"},
		{rules(object{"fixed_per_unit": 5}), 422, "rate_or_fixed", "rules[0]"},
		{rules(object{"roles": object{"selling": 7000, "store": 3001}}), 422, "roles_over_pool", "rules[0].roles"},
		{rules(object{"roles": object{"boss": 1}}), 422, "unknown_role", "rules[0].roles"},
	} {
		p := sh.do(http.MethodPost, "/v1/commission/plans", plan(c.change), sh.asAdmin()).wantProblem(c.status, c.code)
		if len(p.Errors) != 1 || p.Errors[0].Field != c.field {
			t.Errorf("%v: %+v", c.change, p)
		}
	}
	sh.do(http.MethodPost, "/v1/commission/plans", plan(nil), finance).wantProblem(403, "forbidden")
	sh.do(http.MethodPost, "/v1/commission/plans", plan(nil), other).wantProblem(403, "forbidden")

	// Without a start it is in force from the next full second on.
	next := plan(nil)
	delete(next, "effective_from")
	sh.do(http.MethodPost, "/v1/commission/plans", next, hq).want(201).into(&made)
	if want := sh.clock.Now().Time().Add(time.Second); !made.EffectiveFrom.Equal(want) {
		t.Errorf("in force from %s, want %s", made.EffectiveFrom, want)
	}
	var plans list[planView]
	sh.do(http.MethodGet, "/v1/commission/plans?limit=1", nil, finance).want(200).into(&plans)
	if len(plans.Items) != 1 || plans.Items[0].ID != "aurora.1" || plans.NextCursor == "" || *plans.Items[0].Rules[0].RateBps != 1000 {
		t.Errorf("plans %+v", plans)
	}
	sh.do(http.MethodGet, "/v1/commission/plans?brand=aurora", nil, other).wantProblem(404, "not_found")
}

// TestFromReceiptToExplanation takes a receipt and what comes back of it by HTTP, closes the day, and reads the statements.
func TestFromReceiptToExplanation(t *testing.T) {
	t.Parallel()
	sh := newShop(t, true)
	sh.do(http.MethodPost, "/v1/commission/plans", plan(nil), sh.asAdmin()).want(201)
	sh.do(http.MethodPost, "/v1/guides", object{
		"id": "g1", "name": "Li", "store": "s1", "brands": []string{"aurora"}, "on_duty": true, "employed_from": "2020-01-01T00:00:00+08:00",
	}, sh.asAdmin()).want(201)
	sold := receipt(1, object{"guide": "g1", "business_time": "2026-11-19T10:31:05+08:00"})
	back := receipt(2, object{
		"receipt": "B1", "type": "return", "business_time": "2026-11-19T11:00:00+08:00", "tenders": nil,
		"lines": []object{{"line": 1, "sku": "85123A", "category": "heart", "brand": "aurora", "qty": 1, "unit_price": 4650, "paid": 4650, "original": object{"receipt": "R1", "line": 1}}},
	})
	delete(back, "tenders")
	for _, tx := range []object{sold, back} {
		var o outcomeView
		sh.sent("/v1/pos/transactions", tx, header{"Prefer", "wait=20"}).want(200).into(&o)
		if o.Status != "applied" || o.Commission == nil || len(*o.Commission) != 2 {
			t.Fatalf("outcome %+v", o)
		}
	}
	finance := sh.as(Principal{Name: "finance", Role: Finance, Brand: "aurora"})
	guide := sh.as(Principal{Name: "li", Role: GuideRole, Store: "s1", Guide: "g1"})
	stranger := sh.as(Principal{Name: "wu", Role: GuideRole, Store: "s1", Guide: "g2"})
	sh.do(http.MethodPost, "/v1/commission/closes", object{"brand": "aurora", "date": "2026-11-19"}, guide).wantProblem(403, "forbidden")
	sh.do(http.MethodPost, "/v1/commission/closes", object{"brand": "borealis", "date": "2026-11-19"}, finance).wantProblem(404, "not_found")
	sh.do(http.MethodPost, "/v1/commission/closes", object{"brand": "aurora", "date": "2026-11-20"}, finance).wantProblem(409, "day_not_past")
	sh.do(http.MethodPost, "/v1/commission/closes", object{"brand": "aurora", "date": "20 November"}, finance).wantProblem(422, "invalid_fields")
	var c closeView
	sh.do(http.MethodPost, "/v1/commission/closes", object{"brand": "aurora", "date": "2026-11-19"}, finance).want(202).into(&c)
	for id := c.ID; c.Status == "running"; {
		c = closeView{}
		sh.do(http.MethodGet, "/v1/commission/closes/"+id, nil, finance).want(200).into(&c)
	}
	// 930 of 9,300, split 651 : 279; half of each comes back, rounded down.
	if want := (closeView{
		ID: "aurora.2026-11-19", Brand: "aurora", Date: "2026-11-19", Status: "closed", Statements: 2, Accrued: 466, Settled: 466,
		Control: controlView{Entries: 4, Amount: 466},
	}); c != want {
		t.Errorf("close %+v, want %+v", c, want)
	}
	sh.do(http.MethodGet, "/v1/commission/closes/aurora.2026-11-20", nil, finance).wantProblem(404, "unknown_close")
	sh.do(http.MethodGet, "/v1/commission/closes/borealis.2026-11-19", nil, finance).wantProblem(404, "not_found")

	var statements list[statementView]
	sh.do(http.MethodGet, "/v1/commission/statements?brand=aurora&date=2026-11-19", nil, finance).want(200).into(&statements)
	if len(statements.Items) != 2 {
		t.Fatalf("statements %+v", statements)
	}
	st := statements.Items[0]
	if want := (statementView{
		ID: "aurora.2026-11-19.guide.g1", Brand: "aurora", Date: "2026-11-19", Payee: payeeView{"guide", "g1"}, LinesTotal: 326, LinesCount: 2, Amount: 326,
	}); st != want {
		t.Errorf("statement %+v, want %+v", st, want)
	}
	sh.do(http.MethodGet, "/v1/commission/statements?brand=aurora&date=2026-11-19", nil, guide).want(200).into(&statements)
	if len(statements.Items) != 1 || statements.Items[0] != st {
		t.Errorf("the guide's statements %+v", statements)
	}
	sh.do(http.MethodGet, "/v1/commission/statements?brand=aurora&date=2026-11-19&store=s1", nil, finance).want(200).into(&statements)
	if len(statements.Items) != 1 || statements.Items[0].Payee != (payeeView{"store", "s1"}) || statements.Items[0].Amount != 140 {
		t.Errorf("the store's statements %+v", statements)
	}
	sh.do(http.MethodGet, "/v1/commission/statements?brand=aurora&date=2026-11-19&guide=g1", nil, stranger).wantProblem(404, "not_found")
	sh.do(http.MethodGet, "/v1/commission/statements?brand=aurora&date=never", nil, finance).wantProblem(422, "invalid_date")

	var lines list[lineView]
	sh.do(http.MethodGet, "/v1/commission/statements/"+st.ID+"/lines?limit=1", nil, guide).want(200).into(&lines)
	if len(lines.Items) != 1 || lines.NextCursor == "" {
		t.Fatalf("lines %+v", lines)
	}
	l := lines.Items[0] // as they were booked
	if l.EventID != "pos/till-1/sale/R1" || l.Base != 9300 || *l.RateBps != 1000 || l.Pool != 930 || l.Share != 651 || l.BusinessDate != "2026-11-19" || l.OriginalDate != "" {
		t.Errorf("the sale's line %+v", l)
	}
	var rest list[lineView]
	sh.do(http.MethodGet, "/v1/commission/statements/"+st.ID+"/lines?limit=1&cursor="+lines.NextCursor, nil, guide).want(200).into(&rest)
	if len(rest.Items) != 1 || rest.NextCursor != "" || rest.Items[0].EventID != "pos/till-1/return/B1" || rest.Items[0].Share != -325 {
		t.Errorf("lines %+v", rest)
	}
	sh.do(http.MethodGet, "/v1/commission/statements/"+st.ID+"/lines", nil, stranger).wantProblem(404, "not_found")

	var e explainView
	sh.do(http.MethodGet, "/v1/commission/lines/"+l.ID+"/explain", nil, guide).want(200).into(&e)
	var said, chinese strings.Builder
	for _, step := range e.Steps {
		said.WriteString(step.English + "\n")
		chinese.WriteString(step.Chinese)
	}
	if e.Share != 651 || e.Statement != st.ID || !strings.Contains(said.String(), "selling 7000 bps = 651") ||
		!strings.Contains(said.String(), "pos/till-1/return/B1 took back 325") || !strings.Contains(chinese.String(), "佣金池") {
		t.Errorf("explained %+v", e)
	}
	sh.do(http.MethodGet, "/v1/commission/lines/"+l.ID+"/explain", nil, stranger).wantProblem(404, "not_found")
	sh.do(http.MethodGet, "/v1/commission/lines/nothing/explain", nil, finance).wantProblem(404, "unknown_line")

	// The brand has accepted transactions: its past is settled.
	sh.do(http.MethodPost, "/v1/commission/plans", plan(object{"effective_from": "2021-01-01T00:00:00+08:00"}), sh.asAdmin()).wantProblem(409, "start_in_the_past")
}

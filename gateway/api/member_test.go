package api

import (
	"net/http"
	"strings"
	"testing"

	"scrm/store"
	"scrm/store/storeevent"
)

func programBody(changes object) object {
	p := object{
		"effective_from": "2020-01-01T00:00:00+08:00",
		"earn":           object{"points_per_unit": 1, "unit": 100, "rounding": "down", "categories": object{"cake": 2}},
		"pending_days":   0, "expire_months": 12, "growth_per_unit": 1,
		"tiers": []object{{"id": "v1", "name": "V1", "growth": 0, "earn_multiplier_bps": 10000}, {"id": "v2", "name": "银卡", "growth": 1000, "earn_multiplier_bps": 15000}},
	}
	for k, v := range changes {
		p[k] = v
	}
	return p
}

func enrolment(changes object) object {
	e := object{"brand": "aurora", "phone": "138 1234 5678", "program": "store", "channel": "store", "store": "s1",
		"consent": object{"version": "2026-1", "at": "2026-11-20T10:00:00+08:00"}}
	for k, v := range changes {
		e[k] = v
	}
	return e
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	admin := sh.asAdmin()
	path := "/v1/brands/aurora/programs/store"
	var v programView
	sh.do("PUT", path, programBody(nil), admin).want(200).into(&v)
	if v.Version != 1 || v.Program != "store" || len(v.Tiers) != 2 || v.Earn.Categories["cake"] != 2 || v.ExpireMonths != 12 {
		t.Errorf("%+v", v)
	}
	sh.do("PUT", path, programBody(nil), admin).want(200).into(&v)
	if v.Version != 1 {
		t.Error("saying it again makes no version")
	}
	var all list[programView]
	sh.do("GET", path, nil, sh.as(Principal{Name: "hq", Role: BrandHQ, Brand: "aurora"})).want(200).into(&all)
	if len(all.Items) != 1 {
		t.Errorf("%+v", all)
	}
	p := sh.do("PUT", path, programBody(object{"tiers": []object{{"id": "v1", "growth": 5}}}), admin).wantProblem(422, "first_tier_not_zero")
	if p.Errors[0].Field != "tiers[0].growth" {
		t.Errorf("%+v", p)
	}
	sh.do("PUT", path, programBody(object{"earn": object{"points_per_unit": 1, "unit": 0}}), admin).wantProblem(422, "out_of_range")
	sh.do("PUT", path, programBody(object{"earn": object{"points_per_unit": 1, "unit": 1, "rounding": "up"}}), admin).wantProblem(422, "invalid_fields")
	sh.do("PUT", path, programBody(nil), sh.as(Principal{Name: "hq", Role: BrandHQ, Brand: "borealis"})).wantProblem(403, "forbidden")
	sh.do("PUT", "/v1/brands/nobody/programs/store", programBody(nil), admin).wantProblem(404, "unknown_brand")
	sh.do("GET", "/v1/brands/aurora/programs/gold", nil, admin).wantProblem(404, "unknown_program")
	sh.do("GET", path, nil, sh.as(Principal{Name: "hq", Role: BrandHQ, Brand: "borealis"})).wantProblem(404, "not_found")
}

func TestEnrolMember(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	admin := sh.asAdmin()
	sh.do("PUT", "/v1/brands/aurora/programs/store", programBody(nil), admin).want(200)
	var first, again, second enrolView
	sh.do("POST", "/v1/members", enrolment(object{"name": "李雷", "external_id": "S1", "joined_at": "2026-01-01T00:00:00+08:00",
		"location": object{"lat": 31.2, "lng": 121.4, "datum": "gcj02"}}), admin).want(201).into(&first)
	m := first.Member
	if m.PhoneMasked != "138****5678" || m.Name != "李雷" || len(m.Memberships) != 1 || m.Memberships[0].Store != "s1" || len(m.Memberships[0].Cards) != 1 {
		t.Fatalf("%+v", first)
	}
	if c := m.Memberships[0].Cards[0]; c.Program != "store" || len(c.Number) != 19 || c.Tier != "v1" || c.ExternalID != "S1" {
		t.Fatalf("%+v", c)
	}
	if first.Assignment.Store != "s1" || first.Assignment.Reason == "" {
		t.Fatalf("%+v", first.Assignment)
	}
	sh.do("POST", "/v1/members", enrolment(object{"phone": "+86-138-1234-5678"}), admin).want(200).into(&again)
	if again.Member.ID != m.ID || again.Assignment.Store != "s1" {
		t.Fatalf("%+v", again)
	}
	online := enrolment(object{"program": "online"})
	delete(online, "store")
	sh.do("POST", "/v1/members", online, admin).want(201).into(&second)
	if second.Member.ID != m.ID || len(second.Member.Memberships[0].Cards) != 2 {
		t.Fatalf("%+v", second)
	}

	for name, c := range map[string]struct {
		changes object
		code    string
		field   string
	}{
		"landline":    {object{"phone": "010-82345678"}, "phone_not_mobile", "phone"},
		"cut short":   {object{"phone": "1381234567"}, "phone_malformed", "phone"},
		"brand":       {object{"brand": "nobody"}, "brand_not_carried", "brand"},
		"store":       {object{"store": "nowhere"}, "unknown_store", "store"},
		"program":     {object{"program": "gold"}, "unknown_program", "program"},
		"future":      {object{"joined_at": "2027-01-01T00:00:00+08:00"}, "joined_in_the_future", "joined_at"},
		"external id": {object{"external_id": "a b"}, "invalid_number", "external_id"},
	} {
		a := sh.do("POST", "/v1/members", enrolment(c.changes), admin)
		if p := a.wantProblem(422, c.code); len(p.Errors) != 1 || p.Errors[0].Field != c.field {
			t.Errorf("%s: %s", name, a.body)
		}
		if raw, ok := c.changes["phone"].(string); ok && strings.Contains(string(a.body), raw) {
			t.Errorf("%s: the answer repeats the number", name)
		}
	}
	sh.do("POST", "/v1/members", enrolment(object{"phone": "13912345678", "external_id": "S1"}), admin).wantProblem(409, "external_id_taken")
	if log := sh.log.String(); strings.Contains(log, "1234 5678") || strings.Contains(log, "13812345678") || strings.Contains(log, "李雷") {
		t.Error("the log holds a number or a name")
	}
}

func TestWhoMayEnrolAndSee(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	_, err := sh.Services.Store.CreateStore(t.Context(), store.NewStore{
		ID: "s2", Name: "Two", Ownership: storeevent.Direct, Brands: []store.CarriedBrand{{Brand: "aurora"}, {Brand: "borealis"}}, Location: store.Location{Lat: 31.3, Lng: 121.5}, Open: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	hq := sh.as(Principal{Name: "hq", Role: BrandHQ, Brand: "aurora"})
	other := sh.as(Principal{Name: "hq2", Role: BrandHQ, Brand: "borealis"})
	manager := sh.as(Principal{Name: "m1", Role: StoreManager, Store: "s1"})
	stranger := sh.as(Principal{Name: "m2", Role: StoreManager, Store: "s2"})
	var made enrolView
	sh.do("POST", "/v1/members", enrolment(nil), other).wantProblem(403, "forbidden")
	sh.do("POST", "/v1/members", enrolment(nil), stranger).wantProblem(403, "forbidden")
	sh.do("POST", "/v1/members", enrolment(nil), sh.as(Principal{Name: "f", Role: Finance, Brand: "aurora"})).wantProblem(403, "forbidden")
	sh.do("POST", "/v1/members", enrolment(nil), manager).want(201).into(&made)
	sh.do("POST", "/v1/members", enrolment(object{"brand": "borealis", "store": "s2"}), other).want(201)
	withoutStore := enrolment(nil)
	delete(withoutStore, "store")
	if a := sh.sent("/v1/members", withoutStore).want(200); !strings.Contains(string(a.body), `"store":"s1"`) {
		t.Errorf("a till enrols in its own store: %s", a.body)
	}
	sh.sent("/v1/members", enrolment(object{"store": "s2"})).wantProblem(403, "forbidden")

	for name, c := range map[string]struct {
		who    header
		brands []string
	}{
		"admin": {sh.asAdmin(), []string{"aurora", "borealis"}}, "hq": {hq, []string{"aurora"}}, "other hq": {other, []string{"borealis"}}, "manager": {manager, []string{"aurora"}},
	} {
		var m memberView
		sh.do("GET", "/v1/members/"+made.Member.ID, nil, c.who).want(200).into(&m)
		var brands []string
		for _, s := range m.Memberships {
			brands = append(brands, s.Brand)
		}
		if strings.Join(brands, " ") != strings.Join(c.brands, " ") {
			t.Errorf("%s sees %v", name, brands)
		}
	}
	sh.do("GET", "/v1/members/"+made.Member.ID, nil, sh.as(Principal{Name: "m3", Role: StoreManager, Store: "s3"})).wantProblem(404, "not_found")
	sh.do("GET", "/v1/members/nobody", nil, hq).wantProblem(404, "not_found")

	var found list[memberView]
	sh.do("GET", "/v1/members?phone=%2B86%20138%201234%205678", nil, hq).want(200).into(&found)
	if len(found.Items) != 1 || len(found.Items[0].Memberships) != 1 {
		t.Errorf("%+v", found)
	}
	for _, query := range []string{"?phone=13912345678", "?phone=13812345678&brand=cedar"} {
		who := hq
		if strings.Contains(query, "brand") {
			who = sh.asAdmin()
		}
		sh.do("GET", "/v1/members"+query, nil, who).want(200).into(&found)
		if len(found.Items) != 0 {
			t.Errorf("%s: %+v", query, found)
		}
	}
	sh.do("GET", "/v1/members?brand=borealis", nil, other).want(200).into(&found)
	if len(found.Items) != 1 || found.Items[0].Memberships[0].Brand != "borealis" {
		t.Errorf("%+v", found)
	}
	sh.do("GET", "/v1/members?brand=borealis", nil, hq).wantProblem(404, "not_found")
	sh.do("GET", "/v1/members?phone=010-82345678", nil, hq).wantProblem(422, "phone_not_mobile")
	if strings.Contains(sh.log.String(), "138") && strings.Contains(sh.log.String(), "1234") {
		t.Error("the log holds a number")
	}
}

func TestImportMembersAndTheirPoints(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	hq := sh.as(Principal{Name: "hq", Role: BrandHQ, Brand: "aurora"})
	sh.do("PUT", "/v1/brands/aurora/programs/store", programBody(nil), hq).want(200)
	csv := header{"Content-Type", "text/csv"}
	rows := "external_id,phone,name,level,points,joined,store,brand\n" +
		"S1,13812345678,,银卡,70,2026-01-02,s1,aurora\nS2,13912345678,,v1,0,2026-01-02,s1,aurora\nS3,13712345678,,v1,0,2026-01-02\nS4,13612345678,,,,,s2,borealis\n"
	var report struct {
		Created, Updated, Unified, Duplicates int
		Rejected                              []struct {
			Row          int
			Code, Detail string
		}
	}
	sh.do("POST", "/v1/members/import?program=store", rows, hq, csv).want(200).into(&report)
	if report.Created != 2 || len(report.Rejected) != 2 || report.Rejected[0].Row != 3 || report.Rejected[0].Code != "missing_column" || report.Rejected[1].Code != "other_brand" {
		t.Fatalf("%+v", report)
	}
	sh.do("POST", "/v1/members/import?program=store", rows, hq, csv).want(200).into(&report)
	if report.Created != 0 || report.Duplicates != 2 {
		t.Fatalf("%+v", report)
	}
	sh.do("POST", "/v1/members/import?program=store", `{"not":"csv"}`, hq, csv).wantProblem(422, "not_csv")
	sh.do("POST", "/v1/members/import", rows, hq, csv).wantProblem(422, "invalid_fields")
	sh.do("POST", "/v1/members/import?program=store", rows, sh.as(Principal{Name: "m", Role: StoreManager, Store: "s1"}), csv).wantProblem(403, "forbidden")

	var page list[memberView]
	sh.do("GET", "/v1/members?limit=1", nil, hq).want(200).into(&page)
	if len(page.Items) != 1 || page.NextCursor == "" {
		t.Fatalf("%+v", page)
	}
	first := page.Items[0]
	if c := first.Memberships[0].Cards[0]; c.Tier != "v2" || c.Growth != 1000 || c.Points.Available != 70 {
		t.Fatalf("%+v", c)
	}
	var points list[entryView]
	path := "/v1/members/" + first.ID + "/points?program=store"
	sh.do("GET", path+"&limit=1", nil, hq).want(200).into(&points)
	if len(points.Items) != 1 || points.Items[0].Kind != "opening_points" || points.Items[0].Balance != 70 || points.Items[0].ExpiresOn == "" {
		t.Fatalf("%+v", points)
	}
	var rest list[entryView]
	sh.do("GET", path+"&cursor="+points.NextCursor, nil, hq).want(200).into(&rest)
	if len(rest.Items) != 1 || rest.Items[0].Kind != "opening_tier" || rest.Items[0].Growth != 1000 || rest.NextCursor != "" {
		t.Fatalf("%+v", rest)
	}
	sh.do("GET", path, nil, sh.as(Principal{Name: "x", Role: Auditor, Brand: "borealis"})).wantProblem(404, "not_found")
	sh.do("GET", "/v1/members/"+first.ID+"/points?program=online", nil, hq).wantProblem(404, "unknown_card")
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	var made enrolView
	sh.do("POST", "/v1/members", enrolment(object{"external_id": "S1"}), sh.asAdmin()).want(201).into(&made)
	for _, who := range []object{{"phone": "13812345678"}, {"card": "S1"}, {"card": made.Member.Memberships[0].Cards[0].Number}} {
		var v identifyView
		sh.sent("/v1/pos/identify", who).want(200).into(&v)
		if v.Member != made.Member.ID || v.PhoneMasked != "138****5678" || len(v.BrandCards) != 1 || v.BrandCards[0].Brand != "aurora" {
			t.Errorf("%v: %+v", who, v)
		}
	}
	sh.sent("/v1/pos/identify", object{"phone": "13912345678"}).wantProblem(404, "not_found")
	sh.sent("/v1/pos/identify", object{"card": "S2"}).wantProblem(404, "not_found")
	if p := sh.sent("/v1/pos/identify", object{"phone": "12"}).wantProblem(422, "phone_malformed"); p.Errors[0].Field != "phone" {
		t.Errorf("%+v", p)
	}
	sh.sent("/v1/pos/identify", object{"code": "x"}).wantProblem(422, "code_unsupported")
	sh.sent("/v1/pos/identify", object{}).wantProblem(422, errBuyer.Code)
	sh.do("POST", "/v1/pos/identify", object{"phone": "13812345678"}, sh.asAdmin()).wantProblem(http.StatusUnauthorized, "invalid_signature")
}

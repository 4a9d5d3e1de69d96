package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"scrm/store"
	"scrm/store/storeevent"
)

func guideBody(id string, changes object) object {
	g := object{"id": id, "name": "韩梅梅", "store": "s1", "brands": []string{"aurora"}, "role": "guide", "capacity": 2, "on_duty": true}
	for k, v := range changes {
		g[k] = v
	}
	return g
}

func TestGuides(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	admin := sh.asAdmin()
	var g guideView
	sh.do("POST", "/v1/guides", guideBody("g-1", object{"employed_from": "2020-01-01T08:00:00+08:00", "phone": "13812345678"}), admin).want(201).into(&g)
	if g.ID != "g-1" || g.Store != "s1" || g.Capacity != 2 || !g.OnDuty || !g.EmployedFrom.Equal(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) || g.LeftAt != nil {
		t.Errorf("%+v", g)
	}
	if answer := sh.do("GET", "/v1/guides/g-1", nil, admin).want(200); strings.Contains(string(answer.body), "1234") {
		t.Errorf("the answer shows her number: %s", answer.body)
	}
	sh.do("PATCH", "/v1/guides/g-1", object{"on_duty": false, "capacity": 5, "name": "李雷"}, admin).want(200).into(&g)
	if g.OnDuty || g.Capacity != 5 || g.Name != "李雷" || g.Store != "s1" {
		t.Errorf("%+v", g)
	}
	hq, other := sh.as(Principal{Name: "hq", Role: BrandHQ, Brand: "aurora"}), sh.as(Principal{Name: "hq2", Role: BrandHQ, Brand: "borealis"})
	sh.do("POST", "/v1/guides", guideBody("g-2", object{"role": "manager", "capacity": 0}), hq).want(201)

	sh.do("POST", "/v1/guides", guideBody("g-1", nil), admin).wantProblem(409, "guide_exists")
	sh.do("POST", "/v1/guides", guideBody("g-3", object{"role": "manager"}), admin).wantProblem(409, "store_has_manager")
	sh.do("POST", "/v1/guides", guideBody("g-3", object{"brands": []string{"borealis"}}), admin).wantProblem(409, "brand_not_carried")
	sh.do("POST", "/v1/guides", guideBody("g-3", object{"store": "nowhere"}), admin).wantProblem(404, "unknown_store")
	sh.do("POST", "/v1/guides", guideBody("g 3", nil), admin).wantProblem(422, "invalid_id")
	sh.do("POST", "/v1/guides", guideBody("g-3", object{"phone": "12345"}), admin).want(422)
	sh.do("POST", "/v1/guides", guideBody("g-3", object{"capacity": -1}), admin).wantProblem(422, "invalid_fields")
	sh.do("POST", "/v1/guides", guideBody("g-3", nil), other).wantProblem(403, "forbidden")
	sh.do("PATCH", "/v1/guides/g-1", object{"capacity": 9}, other).wantProblem(403, "forbidden")
	sh.do("PATCH", "/v1/guides/g-9", object{"capacity": 9}, admin).wantProblem(404, "unknown_guide")
	sh.do("POST", "/v1/guides/g-1/leave", object{}, other).wantProblem(403, "forbidden")

	for name, c := range map[string]struct {
		who    Principal
		status int
	}{
		"herself":         {Principal{Role: GuideRole, Store: "s1", Guide: "g-1"}, 200},
		"a colleague":     {Principal{Role: GuideRole, Store: "s1", Guide: "g-2"}, 404},
		"her store":       {Principal{Role: StoreManager, Store: "s1"}, 200},
		"another store":   {Principal{Role: StoreManager, Store: "s2"}, 404},
		"her brand":       {Principal{Role: Auditor, Brand: "aurora"}, 200},
		"another brand":   {Principal{Role: BrandHQ, Brand: "borealis"}, 404},
		"a dealer":        {Principal{Role: DealerAdmin, Dealer: "d1"}, 404},
		"another region":  {Principal{Role: RegionalManager, Brand: "aurora", Region: "east"}, 404},
		"unknown to them": {Principal{Role: StoreManager}, 404},
	} {
		c.who.Name = name
		if got := sh.do("GET", "/v1/guides/g-1", nil, sh.as(c.who)); got.status != c.status {
			t.Errorf("%s: %d, want %d", name, got.status, c.status)
		}
	}
}

// Members of a guide who leaves go to her colleague, then to the pool; each binding is kept, with why.
func TestGuideLeaves(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	admin := sh.asAdmin()
	sh.do("PUT", "/v1/brands/aurora/programs/store", programBody(nil), admin).want(200)
	sh.do("POST", "/v1/guides", guideBody("g-1", nil), admin).want(201)
	members := make([]string, 2)
	for i := range members {
		var e enrolView
		sh.do("POST", "/v1/members", enrolment(object{"phone": fmt.Sprintf("1381234567%d", i)}), admin).want(201).into(&e)
		if e.Assignment.Guide != "g-1" || e.Assignment.Reason != "named_store" || len(e.Assignment.Candidates) != 1 {
			t.Fatalf("%+v", e.Assignment)
		}
		members[i] = e.Member.ID
	}
	sh.do("POST", "/v1/guides", guideBody("g-2", object{"capacity": 1}), admin).want(201)
	sh.clock.advance(time.Minute)
	for range 2 { // asking again answers the same
		var h handoverView
		sh.do("POST", "/v1/guides/g-1/leave", object{"at": sh.clock.Now().Time()}, admin).want(200).into(&h)
		if h.Guide != "g-1" || h.Members != 2 || h.ToGuide["g-2"] != 1 || h.ToPool != 1 {
			t.Errorf("%+v", h)
		}
	}
	sh.do("POST", "/v1/guides/g-1/leave", object{"at": "2030-01-01T00:00:00Z"}, admin).wantProblem(422, "leave_later")
	served := 0
	for _, m := range members {
		var b list[bindingView]
		sh.do("GET", "/v1/members/"+m+"/bindings", nil, admin).want(200).into(&b)
		if len(b.Items) != 2 || b.Items[0].Guide != "g-1" || b.Items[0].To == nil || !b.Items[0].To.Equal(b.Items[1].From) || b.Items[1].To != nil {
			t.Fatalf("%+v", b)
		}
		if b.Items[1].Guide == "g-2" {
			served++
		} else if b.Items[1].Reason != "pool" || b.Items[1].Store != "s1" {
			t.Errorf("%+v", b.Items[1])
		}
		sh.do("GET", "/v1/members/"+m+"/bindings", nil, sh.as(Principal{Name: "m", Role: StoreManager, Store: "s1"})).want(200)
		sh.do("GET", "/v1/members/"+m+"/bindings", nil, sh.as(Principal{Name: "m", Role: StoreManager, Store: "s2"})).wantProblem(404, "not_found")
	}
	if served != 1 {
		t.Errorf("%d members went to the colleague, want 1", served)
	}
	sh.do("GET", "/v1/members/nobody/bindings", nil, admin).wantProblem(404, "not_found")
}

func TestNearestStores(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	_, err := sh.Services.Store.CreateStore(t.Context(), store.NewStore{
		ID: "s2", Name: "Two", Ownership: storeevent.Direct, Brands: []store.CarriedBrand{{Brand: "aurora"}}, Location: store.Location{Lat: 31.3, Lng: 121.4}, Open: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	anyone := sh.as(Principal{Name: "g", Role: GuideRole, Store: "s9", Guide: "g-9"})
	var near list[nearView]
	sh.do("GET", "/v1/geo/nearest?brand=aurora&lat=31.29&lng=121.4&limit=5", nil, anyone).want(200).into(&near)
	if len(near.Items) != 2 || near.Items[0] != (nearView{"s2", "Two", 1112}) || near.Items[1] != (nearView{"s1", "One", 10008}) {
		t.Errorf("%+v", near)
	}
	sh.do("GET", "/v1/geo/nearest?brand=aurora&lat=31.29&lng=121.4&datum=gcj02", nil, anyone).want(200).into(&near)
	if len(near.Items) != 1 || near.Items[0].Store != "s2" || near.Items[0].DistanceM == 1112 {
		t.Errorf("in another datum: %+v", near)
	}
	sh.do("GET", "/v1/geo/nearest?brand=borealis&lat=0&lng=0", nil, anyone).want(200).into(&near)
	if near.Items == nil || len(near.Items) != 0 {
		t.Errorf("a brand without stores: %+v", near)
	}
	sh.do("GET", "/v1/geo/nearest?brand=none&lat=0&lng=0", nil, anyone).wantProblem(404, "unknown_brand")
	for _, wrong := range []string{"brand=aurora&lat=91&lng=0", "brand=aurora&lat=0", "lat=0&lng=0", "brand=aurora&lat=0&lng=0&limit=21", "brand=aurora&lat=0&lng=0&datum=mars", "brand=aurora&lat=x&lng=0"} {
		sh.do("GET", "/v1/geo/nearest?"+wrong, nil, anyone).wantProblem(422, "invalid_fields")
	}
	sh.do("GET", "/v1/geo/nearest?brand=aurora&lat=0&lng=0", nil).wantProblem(401, "not_signed_in")
}

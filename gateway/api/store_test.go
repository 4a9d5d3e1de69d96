package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"scrm/store"
	"scrm/store/storeevent"
)

const storesHeader = "id,name,address,city,region,ownership,brands,lat,lng\n"

// sentBy signs a request as another terminal.
func (sh *shop) sentBy(till *store.Terminal, method, path string, payload []byte) answerOf {
	sh.t.Helper()
	timestamp, signature := Sign(till.Secret, method, path, sh.clock.Now().Time(), payload)
	var body any
	if payload != nil {
		body = payload
	}
	return sh.do(method, path, body, header{terminalHeader, till.ID}, header{timestampHeader, timestamp}, header{signatureHeader, signature})
}

// TestSetUp goes the way of an operator: brand, region, dealer, store, terminal.
func TestSetUp(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	var brand struct {
		Currency    string
		Timezone    string
		MaxAssignKm float64 `json:"max_assign_km"`
		CloseAt     *string `json:"close_at"`
	}
	sh.do("POST", "/v1/brands", object{"id": "cedar", "name": "雪松"}, sh.asAdmin()).want(http.StatusCreated).into(&brand)
	if brand.Currency != "CNY" || brand.Timezone != "Asia/Shanghai" || brand.MaxAssignKm != 30 || brand.CloseAt == nil || *brand.CloseAt != "10:00" {
		t.Errorf("defaults: %+v", brand)
	}
	sh.do("PATCH", "/v1/brands/cedar", object{"close_at": nil, "max_assign_km": 1.5}, sh.asAdmin()).want(http.StatusOK).into(&brand)
	if brand.CloseAt != nil || brand.MaxAssignKm != 1.5 {
		t.Errorf("changed: %+v", brand)
	}
	sh.do("PATCH", "/v1/brands/cedar", object{"name": "Cedar"}, sh.asAdmin()).want(http.StatusOK).into(&brand)
	if brand.CloseAt != nil || brand.MaxAssignKm != 1.5 {
		t.Errorf("what was not named changed: %+v", brand)
	}
	sh.do("POST", "/v1/brands", object{"id": "cedar", "name": "x"}, sh.asAdmin()).wantProblem(http.StatusConflict, "brand_exists")
	sh.do("POST", "/v1/brands", object{"id": "dune", "name": "x", "timezone": "Mars"}, sh.asAdmin()).wantProblem(http.StatusUnprocessableEntity, "invalid_timezone")
	sh.do("PATCH", "/v1/brands/nobody", object{"name": "x"}, sh.asAdmin()).wantProblem(http.StatusNotFound, "unknown_brand")

	sh.do("POST", "/v1/regions", object{"brand": "cedar", "id": "east", "name": "华东"}, sh.asAdmin()).want(http.StatusCreated)
	sh.do("POST", "/v1/regions", object{"brand": "cedar", "id": "sh", "name": "上海", "parent": "east"}, sh.asAdmin()).want(http.StatusCreated)
	sh.do("POST", "/v1/regions", object{"brand": "cedar", "id": "x", "name": "x", "parent": "west"}, sh.asAdmin()).wantProblem(http.StatusUnprocessableEntity, "unknown_region")
	sh.do("POST", "/v1/dealers", object{"id": "d1", "name": "D"}, sh.asAdmin()).want(http.StatusCreated)
	st := object{
		"id": "s9", "name": "Bund", "address": "No. 1", "city": "Shanghai", "ownership": "dealer", "dealer": "d1",
		"brands": []object{{"brand": "cedar", "region": "sh"}, {"brand": "aurora"}}, "location": object{"lat": 31.238, "lng": 121.49, "datum": "gcj02"},
		"day_starts_at": "04:00", "service_area": []object{{"lat": 31, "lng": 121}, {"lat": 32, "lng": 121}, {"lat": 32, "lng": 122}},
	}
	var view storeView
	sh.do("POST", "/v1/stores", st, sh.asAdmin()).want(http.StatusCreated).into(&view)
	sh.do("GET", "/v1/stores/s9", nil, sh.asAdmin()).want(http.StatusOK).into(&view)
	if !view.Open || view.Dealer != "d1" || view.Address != "No. 1" || view.Timezone != "Asia/Shanghai" || view.Location.Lat == 31.238 ||
		len(view.ServiceArea) != 3 || !slices.Equal(view.Brands, []carriedInput{{"aurora", ""}, {"cedar", "sh"}}) {
		t.Errorf("store: %+v", view)
	}
	sh.do("PATCH", "/v1/stores/s9", object{"open": false, "ownership": "direct"}, sh.asAdmin()).want(http.StatusOK).into(&view)
	if view.Open || view.Ownership != storeevent.Direct {
		t.Errorf("changed store: %+v", view)
	}
	problem := sh.do("PATCH", "/v1/stores/s9", object{"brands": []object{{"brand": "nobody"}}}, sh.asAdmin()).wantProblem(http.StatusUnprocessableEntity, "unknown_brand")
	if len(problem.Errors) != 1 || problem.Errors[0].Field != "brands[0].brand" {
		t.Errorf("problem: %+v", problem)
	}

	// The secret is shown once; a lost one is replaced.
	var first, second terminalView
	sh.do("POST", "/v1/stores/s9/terminals", object{"id": "till-9"}, sh.asAdmin()).want(http.StatusCreated).into(&first)
	sh.do("POST", "/v1/stores/s9/terminals", object{"id": "till-9"}, sh.asAdmin()).wantProblem(http.StatusConflict, "terminal_exists")
	sh.do("POST", "/v1/stores/s1/terminals/till-9/secret", nil, sh.asAdmin()).wantProblem(http.StatusNotFound, "unknown_terminal")
	sh.do("POST", "/v1/stores/s9/terminals/till-9/secret", nil, sh.asAdmin()).want(http.StatusOK).into(&second)
	if first.Secret == "" || second.ID != "till-9" || second.Secret == first.Secret {
		t.Errorf("secrets: %+v, %+v", first, second)
	}
	old, fresh := &store.Terminal{ID: "till-9", Secret: first.Secret}, &store.Terminal{ID: "till-9", Secret: second.Secret}
	sh.sentBy(old, "GET", "/v1/pos/gaps", nil).wantProblem(http.StatusUnauthorized, "invalid_signature")
	sh.sentBy(fresh, "GET", "/v1/pos/gaps", nil).want(http.StatusOK)
}

func TestSetUpLists(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	hq := sh.as(Principal{Name: "h", Role: BrandHQ, Brand: "aurora"})
	for i := range 3 {
		sh.do("POST", "/v1/stores", object{
			"id": fmt.Sprint("x", i), "name": "x", "ownership": "direct", "brands": []object{{"brand": "aurora"}}, "location": object{"lat": 31, "lng": 121},
		}, hq).want(http.StatusCreated)
	}
	var stores list[storeView]
	var ids []string
	for path := "/v1/stores?limit=3"; path != ""; {
		stores = list[storeView]{}
		sh.do("GET", path, nil, hq).want(http.StatusOK).into(&stores)
		for _, s := range stores.Items {
			ids = append(ids, s.ID)
		}
		if path = ""; stores.NextCursor != "" {
			path = "/v1/stores?limit=3&cursor=" + stores.NextCursor
		}
	}
	if !slices.Equal(ids, []string{"s1", "x0", "x1", "x2"}) {
		t.Errorf("stores: %v", ids)
	}
	sh.do("POST", "/v1/regions", object{"brand": "aurora", "id": "east", "name": "E"}, hq).want(http.StatusCreated)
	var regions list[regionInput]
	sh.do("GET", "/v1/regions", nil, hq).want(http.StatusOK).into(&regions)
	var brands list[brandView]
	sh.do("GET", "/v1/brands", nil, hq).want(http.StatusOK).into(&brands)
	if len(regions.Items) != 1 || len(brands.Items) != 1 || brands.Items[0].ID != "aurora" {
		t.Errorf("regions %+v, brands %+v", regions, brands)
	}
	sh.do("GET", "/v1/brands", nil, sh.asAdmin()).want(http.StatusOK).into(&brands)
	if len(brands.Items) != 2 {
		t.Errorf("brands %+v", brands)
	}
	sh.do("GET", "/v1/stores?cursor=nonsense", nil, hq).wantProblem(http.StatusUnprocessableEntity, "invalid_cursor")
}

// TestSetUpScopes: who may do what to whose set-up. Reading another's answers 404, changing it 403.
func TestSetUpScopes(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	sh.do("POST", "/v1/stores", object{
		"id": "both", "name": "x", "ownership": "direct", "brands": []object{{"brand": "aurora"}, {"brand": "borealis"}}, "location": object{"lat": 31, "lng": 121},
	}, sh.asAdmin()).want(http.StatusCreated)
	own, others := Principal{Name: "a", Role: BrandHQ, Brand: "aurora"}, Principal{Name: "b", Role: BrandHQ, Brand: "borealis"}
	newStore := object{"id": "n1", "name": "x", "ownership": "direct", "brands": []object{{"brand": "aurora"}}, "location": object{"lat": 31, "lng": 121}}
	for _, c := range []struct {
		who          Principal
		method, path string
		body         any
		status       int
	}{
		{own, "POST", "/v1/brands", object{"id": "n", "name": "x"}, 403},
		{own, "PATCH", "/v1/brands/aurora", object{"name": "x"}, 200},
		{others, "PATCH", "/v1/brands/aurora", object{"name": "x"}, 403},
		{others, "GET", "/v1/brands/aurora", nil, 404},
		{own, "POST", "/v1/dealers", object{"id": "d", "name": "x"}, 403},
		{others, "POST", "/v1/regions", object{"brand": "aurora", "id": "r", "name": "x"}, 403},
		{others, "POST", "/v1/stores", newStore, 403},
		{own, "POST", "/v1/stores", newStore, 201},
		{own, "PATCH", "/v1/stores/n1", object{"brands": []object{{"brand": "borealis"}}}, 403},
		{own, "PATCH", "/v1/stores/both", object{"open": false}, 403},
		{others, "GET", "/v1/stores/both", nil, 200},
		{others, "GET", "/v1/stores/s1", nil, 404},
		{others, "GET", "/v1/stores?brand=aurora", nil, 404},
		{own, "POST", "/v1/stores/n1/terminals", object{"id": "t-n1"}, 201},
		{others, "POST", "/v1/stores/n1/terminals", object{"id": "t-n2"}, 403},
		{others, "POST", "/v1/stores/n1/terminals/t-n1/secret", nil, 403},
		{Principal{Name: "m", Role: StoreManager, Store: "s1"}, "GET", "/v1/stores/s1", nil, 200},
		{Principal{Name: "m", Role: StoreManager, Store: "s1"}, "GET", "/v1/stores/both", nil, 404},
		{Principal{Name: "m", Role: StoreManager, Store: "s1"}, "PATCH", "/v1/stores/s1", object{"open": false}, 403},
		{Principal{Name: "m", Role: StoreManager, Store: "s1"}, "GET", "/v1/stores?brand=aurora", nil, 403},
		{Principal{Name: "x", Role: Auditor, Brand: "aurora"}, "GET", "/v1/stores", nil, 200},
		{Principal{Name: "x", Role: Auditor, Brand: "aurora"}, "PATCH", "/v1/brands/aurora", object{"name": "x"}, 403},
	} {
		got := sh.do(c.method, c.path, c.body, sh.as(c.who))
		if got.status != c.status {
			t.Errorf("%s %s as %s of %s%s: %d, want %d: %s", c.method, c.path, c.who.Role, c.who.Brand, c.who.Store, got.status, c.status, got.body)
		}
	}
}

func TestImportStoresOverHTTP(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	csv := header{"Content-Type", "text/csv"}
	file := storesHeader +
		"c1,店一,,北京市,11,direct,aurora|borealis,39.9,116.32\n" +
		"c2,店二,,北京市,11,direct,nobody,39.9,116.32\n" +
		"c3,店三,,北京市,11,direct\n" +
		"c4,店四,,北京市,11,dealer,aurora,39.9,116.32\n"
	var report importView
	sh.do("POST", "/v1/stores/import", file, csv, sh.asAdmin()).want(http.StatusOK).into(&report)
	if report.Created != 2 || report.Updated != 0 || len(report.Rejected) != 2 || report.Rejected[0].Row != 2 || report.Rejected[0].Code != "unknown_brand" ||
		report.Rejected[1].Code != "missing_column" || strings.Contains(report.Rejected[0].Detail, "nobody") {
		t.Errorf("report: %+v", report)
	}
	sh.do("POST", "/v1/stores/import", file, csv, sh.asAdmin()).want(http.StatusOK).into(&report)
	if report.Created != 0 || report.Updated != 2 {
		t.Errorf("again: %+v", report)
	}
	own := sh.as(Principal{Name: "a", Role: BrandHQ, Brand: "borealis"})
	sh.do("POST", "/v1/stores/import", file, csv, own).want(http.StatusOK).into(&report)
	if report.Created+report.Updated != 0 || len(report.Rejected) != 4 {
		t.Errorf("another brand's: %+v", report)
	}
	sh.do("POST", "/v1/stores/import", `{"a":1}`, csv, sh.asAdmin()).wantProblem(http.StatusUnprocessableEntity, "not_csv")
	sh.do("POST", "/v1/stores/import", "id,name\na,b\n", csv, sh.asAdmin()).wantProblem(http.StatusUnprocessableEntity, "missing_column")
	sh.do("POST", "/v1/stores/import", file, sh.asAdmin()).want(http.StatusUnsupportedMediaType)
	sh.do("POST", "/v1/stores/import", file, csv, sh.as(Principal{Name: "g", Role: GuideRole, Guide: "g", Store: "s1"})).wantProblem(http.StatusForbidden, "forbidden")
}

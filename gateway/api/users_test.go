package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"scrm/guide"
	"scrm/store"
	"scrm/store/storeevent"
)

// TestUsersOfStores is who may make the users of stores and guides: these have scopes that lie in others'.
func TestUsersOfStores(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(sh.Services.Store.CreateDealer(t.Context(), store.Dealer{ID: "d1", Name: "One"}))
	_, err := sh.Services.Store.CreateStore(t.Context(), store.NewStore{
		ID: "s2", Name: "Two", Ownership: storeevent.ByDealer, Dealer: "d1", Location: store.Location{Lat: 31.2, Lng: 121.4}, Open: true,
		Brands: []store.CarriedBrand{{Brand: "aurora"}, {Brand: "borealis"}},
	})
	must(err)
	for id, at := range map[string]string{"g1": "s1", "g2": "s2"} {
		_, err := sh.Services.Guide.Hire(t.Context(), guide.Hire{ID: id, Name: id, Store: at, Brands: []string{"aurora"}, Role: "guide", Capacity: 10, OnDuty: true})
		must(err)
	}
	principals := map[string]Principal{
		"admin":  {Name: "p1", Role: PlatformAdmin},
		"aurora": {Name: "p2", Role: BrandHQ, Brand: "aurora"}, "borealis": {Name: "p3", Role: BrandHQ, Brand: "borealis"},
		"d1": {Name: "p4", Role: DealerAdmin, Dealer: "d1"}, "d2": {Name: "p5", Role: DealerAdmin, Dealer: "d2"},
		"s1": {Name: "p6", Role: StoreManager, Store: "s1"}, "s2": {Name: "p7", Role: StoreManager, Store: "s2"},
		"g1": {Name: "p8", Role: GuideRole, Guide: "g1", Store: "s1"},
	}
	n := 0
	for _, c := range []struct {
		grant Grant
		by    string
	}{
		{Grant{Role: StoreManager, Store: "s1"}, "admin"}, // would see other brands that s1 may carry one day
		{Grant{Role: StoreManager, Store: "s1", Brand: "aurora"}, "admin aurora"},
		{Grant{Role: StoreManager, Store: "s1", Brand: "borealis"}, "admin"}, // not carried there
		{Grant{Role: StoreManager, Store: "s2"}, "admin d1"},
		{Grant{Role: StoreManager, Store: "s2", Brand: "borealis"}, "admin borealis d1"},
		{Grant{Role: StoreManager, Store: "nowhere", Brand: "aurora"}, "admin"},
		{Grant{Role: GuideRole, Guide: "g1"}, "admin s1"},
		{Grant{Role: GuideRole, Guide: "g1", Brand: "aurora"}, "admin aurora s1"},
		{Grant{Role: GuideRole, Guide: "g2"}, "admin d1 s2"},
		{Grant{Role: GuideRole, Guide: "g2", Store: "s1"}, "admin d1 s2"}, // the store that is named counts for nothing
		{Grant{Role: GuideRole, Guide: "g2", Brand: "borealis"}, "admin d1 s2"},
		{Grant{Role: GuideRole, Guide: "unknown"}, "admin"},
	} {
		for name, p := range principals {
			n++
			want := http.StatusForbidden
			if strings.Contains(" "+c.by+" ", " "+name+" ") {
				want = http.StatusCreated
			}
			in := userInput{fmt.Sprintf("u-%d", n), "long enough", c.grant}
			if a := sh.do("POST", "/v1/users", in, sh.as(p)); a.status != want {
				t.Errorf("%s makes %+v: %d, want %d: %s", name, c.grant, a.status, want, a.body)
			}
		}
	}
	t.Run("a guide signs in where she works", func(t *testing.T) {
		sh.do("POST", "/v1/users", userInput{"guide-2", "long enough", Grant{Role: GuideRole, Guide: "g2", Store: "s1"}}, sh.asAdmin()).want(201)
		var in signIn
		sh.login("guide-2", "long enough").want(200).into(&in)
		if in.Store != "s2" || in.Guide != "g2" {
			t.Errorf("signed in as %+v", in.Grant)
		}
	})
}

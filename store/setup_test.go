package store

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/store/storeevent"
)

// mustFail checks the kind, code and field of a refusal.
func mustFail(t *testing.T, err error, kind fault.Kind, code, field string) {
	t.Helper()
	f, ok := err.(*fault.Error) //nolint:errorlint // the service answers it unwrapped or not at all
	if !ok || f.Kind != kind || f.Code != code || f.Field != field {
		t.Errorf("%v, want %s %s at %q", err, kind, code, field)
	}
}

func TestBrands(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t)
	good := NewBrand{ID: "aurora", Name: "极光", Currency: "CNY", Timezone: "Asia/Shanghai", MaxAssignM: 30_000, CloseAt: "10:00", FallbackStore: "s1"}
	for field, change := range map[string]func(*NewBrand){
		"id invalid_id":                  func(b *NewBrand) { b.ID = "a/b" },
		"name invalid_text":              func(b *NewBrand) { b.Name = "" },
		"currency invalid_currency":      func(b *NewBrand) { b.Currency = "yuan" },
		"timezone invalid_timezone":      func(b *NewBrand) { b.Timezone = "Mars/Olympus" },
		"max_assign_km invalid_distance": func(b *NewBrand) { b.MaxAssignM = -1 },
		"fallback_store invalid_id":      func(b *NewBrand) { b.FallbackStore = "?" },
		"close_at invalid_time_of_day":   func(b *NewBrand) { b.CloseAt = "9:00" },
	} {
		in := good
		change(&in)
		_, err := s.CreateBrand(ctx, in)
		at, code, _ := strings.Cut(field, " ")
		mustFail(t, err, fault.Invalid, code, at)
	}
	made, err := s.CreateBrand(ctx, good)
	must(t, err)
	want := storeevent.Brand{
		ID: "aurora", Name: "极光", Currency: "CNY", Timezone: "Asia/Shanghai", MaxAssignM: 30_000, CloseAt: "10:00", FallbackStore: "s1", Rev: 1,
	}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("made %+v", made)
	}
	_, err = s.CreateBrand(ctx, good)
	mustFail(t, err, fault.Exists, "brand_exists", "id")
	_, err = s.ChangeBrand(ctx, "nobody", BrandChange{})
	mustFail(t, err, fault.NotFound, "unknown_brand", "")
	_, err = s.ChangeBrand(ctx, "aurora", BrandChange{FallbackStore: ptr("s1")})
	mustFail(t, err, fault.Invalid, "unknown_store", "fallback_store")
	s.store("s1", "aurora")
	changed, err := s.ChangeBrand(ctx, "aurora", BrandChange{FallbackStore: ptr("s1"), CloseAt: ptr(""), Timezone: ptr("Asia/Tokyo"), MaxAssignM: ptr(int64(5))})
	must(t, err)
	want.CloseAt, want.Timezone, want.MaxAssignM, want.Rev = "", "Asia/Tokyo", 5, 2
	want.Zones = []storeevent.Zone{{Timezone: "Asia/Shanghai", DayStarts: "00:00"}} // s1 took it over
	if got, err := s.Brand(ctx, "aurora"); err != nil || !reflect.DeepEqual(changed, want) || !reflect.DeepEqual(got, want) {
		t.Errorf("changed %+v, then %+v %v", changed, got, err)
	}
	if all, err := s.Brands(ctx); err != nil || len(all) != 1 {
		t.Errorf("all %v %v", all, err)
	}
}

func TestRegions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t).withStores()
	must(t, s.CreateRegion(ctx, Region{Brand: "aurora", ID: "east", Name: "华东"}))
	must(t, s.CreateRegion(ctx, Region{Brand: "aurora", ID: "sh", Name: "上海", Parent: "east"}))
	must(t, s.CreateRegion(ctx, Region{Brand: "breeze", ID: "sh", Name: "上海"}))
	mustFail(t, s.CreateRegion(ctx, Region{Brand: "aurora", ID: "sh", Name: "x"}), fault.Exists, "region_exists", "id")
	mustFail(t, s.CreateRegion(ctx, Region{Brand: "nobody", ID: "sh", Name: "x"}), fault.Invalid, "unknown_brand", "brand")
	mustFail(t, s.CreateRegion(ctx, Region{Brand: "breeze", ID: "b", Name: "x", Parent: "east"}), fault.Invalid, "unknown_region", "parent")
	mustFail(t, s.CreateRegion(ctx, Region{Brand: "breeze", ID: "b", Name: "x", Parent: "b"}), fault.Invalid, "unknown_region", "parent")
	for range 2 {
		path, err := s.RegionPath(ctx, "aurora", "sh")
		if err != nil || !slices.Equal(path, []string{"sh", "east"}) {
			t.Errorf("path %v %v", path, err)
		}
	}
	if path, err := s.RegionPath(ctx, "aurora", "nowhere"); err != nil || len(path) > 0 {
		t.Errorf("path %v %v", path, err)
	}
	regions, next, err := s.Regions(ctx, "aurora", 10, "")
	if err != nil || len(regions) != 2 || next != "" || regions[1] != (Region{"aurora", "sh", "上海", "east"}) {
		t.Errorf("regions %v %q %v", regions, next, err)
	}
	must(t, s.CreateDealer(ctx, Dealer{ID: "d1", Name: "D"}))
	mustFail(t, s.CreateDealer(ctx, Dealer{ID: "d1", Name: "D"}), fault.Exists, "dealer_exists", "id")
}

func TestStores(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t).withStores()
	must(t, s.CreateRegion(ctx, Region{Brand: "aurora", ID: "east", Name: "E"}))
	must(t, s.CreateDealer(ctx, Dealer{ID: "d1", Name: "D"}))
	good := NewStore{
		ID: "s9", Name: "Bund", City: "Shanghai", Ownership: storeevent.ByDealer, Dealer: "d1", Brands: []CarriedBrand{{"aurora", "east"}, {"breeze", ""}},
		Location: Location{Lat: 31.238, Lng: 121.49, Datum: "gcj02"}, DayStarts: "04:00", Open: true,
		ServiceArea: []Location{{Lat: 31, Lng: 121}, {Lat: 32, Lng: 121}, {Lat: 32, Lng: 122}},
	}
	for field, change := range map[string]func(*NewStore){
		"id invalid_id":                     func(n *NewStore) { n.ID = "-" },
		"name invalid_text":                 func(n *NewStore) { n.Name = "a\nb" },
		"address invalid_text":              func(n *NewStore) { n.Address = strings.Repeat("a", 501) },
		"ownership invalid_ownership":       func(n *NewStore) { n.Ownership = "rented" },
		"dealer unknown_dealer":             func(n *NewStore) { n.Dealer = "d9" },
		"dealer dealer_of_direct_store":     func(n *NewStore) { n.Ownership = storeevent.Direct },
		"brands brands_required":            func(n *NewStore) { n.Brands = nil },
		"brands[1].brand unknown_brand":     func(n *NewStore) { n.Brands = []CarriedBrand{{"aurora", ""}, {"x", ""}} },
		"brands[1].brand brand_repeated":    func(n *NewStore) { n.Brands = []CarriedBrand{{"aurora", ""}, {"aurora", ""}} },
		"brands[0].region unknown_region":   func(n *NewStore) { n.Brands = []CarriedBrand{{"breeze", "east"}} },
		"location invalid_coordinates":      func(n *NewStore) { n.Location.Lat = math.NaN() },
		"location.datum unknown_datum":      func(n *NewStore) { n.Location.Datum = "nad27" },
		"timezone invalid_timezone":         func(n *NewStore) { n.Timezone = "../x" },
		"day_starts_at invalid_time_of_day": func(n *NewStore) { n.DayStarts = "24:00" },
		"service_area invalid_service_area": func(n *NewStore) { n.ServiceArea = n.ServiceArea[:2] },
		"service_area invalid_coordinates":  func(n *NewStore) { n.ServiceArea = []Location{{Lat: 91}, {}, {}} },
	} {
		in := good
		change(&in)
		_, err := s.CreateStore(ctx, in)
		at, code, _ := strings.Cut(field, " ")
		mustFail(t, err, fault.Invalid, code, at)
	}
	var told []storeevent.Changed
	s.OnChanged(func(c storeevent.Changed) { told = append(told, c) })
	made, err := s.CreateStore(ctx, good)
	must(t, err)
	if made.Timezone != "Asia/Shanghai" || made.DayStarts != "04:00" || made.Dealer != "d1" || made.Brands["aurora"] != "east" || len(made.Brands) != 2 ||
		math.Abs(made.Lat-31.24) > 0.01 || made.Lat == good.Location.Lat || len(made.ServiceArea) != 3 || made.Rev != 1 {
		t.Errorf("made %+v", made)
	}
	// Its day starts later than its brands', and they know.
	zone := []storeevent.Zone{{Timezone: "Asia/Shanghai", DayStarts: "04:00"}}
	if len(told) != 1 || len(told[0].Brands) != 2 || !reflect.DeepEqual(told[0].Brands[1].Zones, zone) || !reflect.DeepEqual(told[0].Stores[0], made) {
		t.Errorf("told %+v", told)
	}
	b, err := s.Brand(ctx, "aurora")
	must(t, err)
	if end, err := b.DayEnd(today); err != nil || end != at("2026-11-21 04:00:00") {
		t.Errorf("the brand's day ends at %s %v", end, err)
	}
	_, err = s.CreateStore(ctx, good)
	mustFail(t, err, fault.Exists, "store_exists", "id")
	changed, err := s.ChangeStore(ctx, "s9", StoreChange{Open: ptr(false), Ownership: ptr(storeevent.Direct)})
	if err != nil || changed.Open || changed.Dealer != "" || changed.Ownership != storeevent.Direct || changed.Name != "Bund" || changed.Rev != 2 {
		t.Errorf("changed %+v %v", changed, err)
	}
	if got, err := s.Store(ctx, "s9"); err != nil || !reflect.DeepEqual(got, changed) {
		t.Errorf("read %+v %v", got, err)
	}
	_, err = s.ChangeStore(ctx, "s99", StoreChange{})
	mustFail(t, err, fault.NotFound, "unknown_store", "")
	_, err = s.Store(ctx, "s99")
	mustFail(t, err, fault.NotFound, "unknown_store", "")
	of, _, err := s.StoresOf(ctx, "breeze", 10, "")
	if err != nil || len(of) != 2 || of[1].ID != "s9" {
		t.Errorf("of breeze: %v %v", of, err)
	}
	n := 0
	must(t, s.EachStore(ctx, func(storeevent.Store) error { n++; return nil }))
	some, err := s.Stores(ctx, []string{"s9", "s1", "none"})
	if err != nil || n != 3 || len(some) != 2 {
		t.Errorf("%d stores, some %v %v", n, some, err)
	}
}

func TestTerminals(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t).withStores()
	_, err := s.CreateTerminal(ctx, "s2", "t1")
	mustFail(t, err, fault.Exists, "terminal_exists", "id")
	_, err = s.CreateTerminal(ctx, "s99", "t9")
	mustFail(t, err, fault.NotFound, "unknown_store", "")
	_, err = s.CreateTerminal(ctx, "s1", "t 9")
	mustFail(t, err, fault.Invalid, "invalid_id", "id")
	_, err = s.ReplaceSecret(ctx, "s2", "t1")
	mustFail(t, err, fault.NotFound, "unknown_terminal", "")
	_, err = s.Terminal(ctx, "t9")
	mustFail(t, err, fault.NotFound, "unknown_terminal", "")

	other := openOn(t, s.db) // another process
	before, err := other.Terminal(ctx, "t1")
	must(t, err)
	replaced, err := s.ReplaceSecret(ctx, "s1", "t1")
	must(t, err)
	if now := s.terminal("t1"); *now != *replaced || now.Secret == before.Secret || len(now.Secret) < 40 || now.Store != "s1" {
		t.Errorf("replaced %+v, then %+v", replaced, now)
	}
	must(t, other.ApplyChanged(storeevent.Changed{Terminals: []string{"t1"}}))
	if now := other.terminal("t1"); now.Secret != replaced.Secret {
		t.Error("the other process knows the old secret")
	}
	doc, err := s.terminals.Get(ctx, s.db, "t1")
	if err != nil || strings.Contains(string(doc.Sealed), replaced.Secret) {
		t.Errorf("stored in the clear: %v", err)
	}
}

// TestOtherProcesses: what FACTS bring replaces what is known, but never by what is older.
func TestOtherProcesses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t).withStores()
	other := openOn(t, s.db)
	must(t, second(other.Store(ctx, "s1")))
	changed, err := s.ChangeStore(ctx, "s1", StoreChange{Name: ptr("new")})
	must(t, err)
	older, err := s.Brand(ctx, "aurora")
	must(t, err)
	newer, err := s.ChangeBrand(ctx, "aurora", BrandChange{Name: ptr("new")})
	must(t, err)
	must(t, other.ApplyChanged(storeevent.Changed{Stores: []storeevent.Store{changed}, Brands: []storeevent.Brand{newer}}))
	must(t, other.ApplyChanged(storeevent.Changed{Brands: []storeevent.Brand{older}}))
	if st, err := other.Store(ctx, "s1"); err != nil || st.Name != "new" {
		t.Errorf("store %+v %v", st, err)
	}
	if b, err := other.Brand(ctx, "aurora"); err != nil || b.Name != "new" {
		t.Errorf("brand %+v %v", b, err)
	}
	// A brand that no fact has told of yet is looked up.
	must(t, second(s.CreateBrand(ctx, NewBrand{ID: "cedar", Name: "C", Currency: "CNY", Timezone: "UTC"})))
	must(t, second(other.Brand(ctx, "cedar")))
	if _, err := other.Brand(ctx, "nobody"); fault.CodeOf(err) != "unknown_brand" {
		t.Errorf("nobody: %v", err)
	}
}

const header = "id,name,address,city,region,ownership,brands,lat,lng\n"

func (s *shop) importFile(text string, allowed ...string) (ImportReport, error) {
	return s.ImportStores(context.Background(), strings.NewReader(text), func(b string) bool { return len(allowed) == 0 || slices.Contains(allowed, b) })
}

func TestImportStores(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t).withStores()
	file := "\ufeff" + header +
		`a1,店一,"丰台区, 7-1号",北京市,11,direct,aurora|breeze,39.9,116.32` + "\n" +
		"a2,店二,,北京市,11,dealer,breeze,39.9,116.32\n" +
		"a 3,x,,,11,direct,aurora,39.9,116.32\n" +
		"a4,x,,,11,direct,aurora|nobody,39.9,116.32\n" +
		"a5,x,,,11,direct,aurora\n" +
		"a6,x,,,12,direct,aurora,north,116.32\n" +
		"a7,x,,,13,rented,aurora,39.9,116.32\n" +
		"a8,\xff,,,11,direct,aurora,39.9,116.32\n" +
		"a9,x\",,,11,direct,aurora,39.9,116.32\n" +
		"a10,x,,,11,direct,aurora,NaN,116.32\n" +
		"a1,店一改,,北京市,,franchise,aurora,39.9,116.32\n" +
		"s1,s1,,,,direct,aurora|breeze,31.2,121.4\n"
	report, err := s.importFile(file)
	must(t, err)
	codes := map[int]string{}
	for _, r := range report.Rejected {
		codes[r.Row] = r.Code
		if r.Detail == "" {
			t.Errorf("row %d without a detail", r.Row)
		}
	}
	want := map[int]string{
		3: "invalid_id", 4: "unknown_brand", 5: "missing_column", 6: "invalid_coordinates", 7: "invalid_ownership", 8: "invalid_utf8",
		9: "malformed_row", 10: "invalid_coordinates",
	}
	if report.Created != 2 || report.Updated != 2 || !reflect.DeepEqual(codes, want) {
		t.Errorf("%+v", report)
	}
	a1, err := s.Store(ctx, "a1")
	must(t, err)
	if a1.Name != "店一改" || a1.Ownership != storeevent.Franchise || !reflect.DeepEqual(a1.Brands, map[string]string{"aurora": ""}) || !a1.Open {
		t.Errorf("a1 %+v", a1)
	}
	if s1, err := s.Store(ctx, "s1"); err != nil || s1.Rev != 1 {
		t.Errorf("s1 was changed though nothing differs: %+v %v", s1, err)
	}
	regions, _, err := s.Regions(ctx, "aurora", 10, "")
	if err != nil || len(regions) != 1 || regions[0] != (Region{"aurora", "11", "11", ""}) {
		t.Errorf("regions %v %v: a refused row must make none", regions, err)
	}
	// The same once more changes nothing.
	again, err := s.importFile(file)
	if err != nil || again.Created != 0 || again.Updated != 4 || len(again.Rejected) != len(report.Rejected) {
		t.Errorf("again %+v %v", again, err)
	}
	// Who may set up one brand may not touch stores of others.
	own, err := s.importFile(header+"b1,x,,,,direct,breeze,39.9,116.32\nb2,x,,,,direct,aurora,39.9,116.32\na1,x,,,,direct,breeze,39.9,116.32\n", "breeze")
	if err != nil || own.Created != 1 || len(own.Rejected) != 2 || own.Rejected[0].Code != "forbidden" || own.Rejected[1].Row != 3 {
		t.Errorf("own %+v %v", own, err)
	}
}

func TestImportRefusesFiles(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	for name, c := range map[string]struct{ file, code string }{
		"nothing":           {"", "not_csv"},
		"JSON":              {`{"stores":[]}`, "not_csv"},
		"a spreadsheet":     {"PK\x03\x04\xff\xfe", "not_csv"},
		"a broken header":   {"id,\"na", "not_csv"},
		"a missing column":  {strings.Replace(header, "lat,", "", 1), "missing_column"},
		"an endless column": {header + "\"" + strings.Repeat("a", 2*maxRow), "row_too_large"},
	} {
		if _, err := s.importFile(c.file); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if report, err := s.importFile(header); err != nil || report.Created+report.Updated+len(report.Rejected) != 0 {
		t.Errorf("no rows: %+v %v", report, err)
	}
}

// TestImportBatches: more rows than a transaction takes, each store told of once.
func TestImportBatches(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	told := 0
	s.OnChanged(func(c storeevent.Changed) { told += len(c.Stores) })
	var file strings.Builder
	file.WriteString(header)
	for i := range 2*importBatch + 1 {
		fmt.Fprintf(&file, "x%d,n,,,11,direct,aurora,30.5,120.5\n", i)
	}
	report, err := s.importFile(file.String())
	if err != nil || report.Created != told || report.Created != 2*importBatch+1 || len(report.Rejected) > 0 {
		t.Errorf("%+v, %d told, %v", report, told, err)
	}
	if n, err := s.outboxRows(stream.SubjectStoreChanged); err != nil || n == 0 {
		t.Errorf("%d rows for FACTS, %v", n, err)
	}
}

package store

import (
	"reflect"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/when"
	"scrm/geo"
	"scrm/store/storeevent"
)

// maxBrands and maxCorners bound a store's lists.
const (
	maxBrands  = 100
	maxCorners = 1000
)

// CarriedBrand is a brand that a store carries, and the region of the brand's tree that the store lies in (empty: none).
type CarriedBrand struct {
	Brand  string `json:"brand"`
	Region string `json:"region,omitempty"`
}

// Location is a place in degrees with the datum it is measured in (geo.WGS84 where empty).
type Location struct {
	Lat, Lng float64
	Datum    string
}

// NewStore is a store to be made.
type NewStore struct {
	ID          string
	Name        string
	Address     string
	City        string
	Ownership   string // storeevent.Direct, Franchise or ByDealer
	Dealer      string // whose store it is; a direct store has none
	Brands      []CarriedBrand
	Location    Location
	Timezone    string // empty: its first brand's
	DayStarts   string // HH:MM; empty: midnight
	Open        bool
	ServiceArea []Location // a polygon's corners; empty: everywhere
}

// StoreChange changes what is not nil.
type StoreChange struct {
	Name        *string
	Address     *string
	City        *string
	Ownership   *string
	Dealer      *string
	Brands      *[]CarriedBrand
	Location    *Location
	Timezone    *string
	DayStarts   *string
	Open        *bool
	ServiceArea *[]Location
}

// storeDoc is a store. What a transaction's acceptance and amounts depend on is in Terms, as it was at each time.
type storeDoc struct {
	docdb.Doc `json:",inline"`
	Name      string         `json:"name"`
	Address   string         `json:"address,omitempty"`
	City      string         `json:"city,omitempty"`
	Lat       float64        `json:"lat"`
	Lng       float64        `json:"lng"`
	Open      bool           `json:"open"`
	Area      [][2]float64   `json:"service_area,omitempty"`
	Regions   []CarriedBrand `json:"regions"` // as carried now, in order
	Brands    []string       `json:"brands"`  // the brands of Regions, for the index
	Terms     []terms        `json:"terms"`   // by From; the first since ever
}

// terms are what holds of a store from a time on, until the next terms.
type terms struct {
	From      when.Instant `json:"from"`
	Ownership string       `json:"ownership"`
	Dealer    string       `json:"dealer,omitempty"`
	Timezone  string       `json:"timezone"`
	DayStarts string       `json:"day_starts_at"`
	Brands    []string     `json:"brands"`
}

func (d *storeDoc) now() *terms { return &d.Terms[len(d.Terms)-1] }

// fact is the store as it is now, as others see it.
func (d *storeDoc) fact() storeevent.Store {
	now := d.now()
	s := storeevent.Store{
		ID: d.ID, Name: d.Name, Address: d.Address, City: d.City, Ownership: now.Ownership, Dealer: now.Dealer, Brands: make(map[string]string, len(d.Regions)),
		Lat: d.Lat, Lng: d.Lng, Timezone: now.Timezone, DayStarts: now.DayStarts, Open: d.Open, ServiceArea: d.Area, Rev: d.Rev,
	}
	for _, c := range d.Regions {
		s.Brands[c.Brand] = c.Region
	}
	return s
}

// setUp is what a store's set-up is checked against.
type setUp struct {
	brands  map[string]*brandDoc
	regions map[string]*regionDoc // by regionID
	dealers map[string]*dealerDoc
}

// inUse reports whether transactions depend on one of the brands' stores.
func (u *setUp) inUse(brands []string) bool {
	return slices.ContainsFunc(brands, func(id string) bool { return u.brands[id] != nil && u.brands[id].FirstAccepted > 0 })
}

// makeStore validates a new store. Its first terms hold since ever.
func makeStore(in NewStore, u *setUp) (*storeDoc, error) {
	if err := ident.Check("id", in.ID); err != nil {
		return nil, err
	}
	d := &storeDoc{Doc: docdb.Doc{ID: in.ID}, Terms: []terms{{}}}
	change := StoreChange{
		Name: &in.Name, Address: &in.Address, City: &in.City, Ownership: &in.Ownership, Dealer: &in.Dealer, Brands: &in.Brands,
		Location: &in.Location, Timezone: &in.Timezone, DayStarts: &in.DayStarts, Open: &in.Open, ServiceArea: &in.ServiceArea,
	}
	return d, d.change(change, u, 0)
}

// change makes a change that takes effect now; where no transaction depends on the store's terms yet, it corrects them since
// ever. The document is spoilt if it is refused.
func (d *storeDoc) change(c StoreChange, u *setUp, now when.Instant) error {
	d.Name, d.Address, d.City = deref(c.Name, d.Name), deref(c.Address, d.Address), deref(c.City, d.City)
	d.Open = deref(c.Open, d.Open)
	if err := d.place(c.Location, c.ServiceArea); err != nil {
		return err
	}
	before := *d.now()
	inUse := u.inUse(d.Brands)
	if c.Brands != nil {
		d.Regions, d.Brands = *c.Brands, make([]string, len(*c.Brands))
		for i, b := range d.Regions {
			d.Brands[i] = b.Brand
		}
	}
	next := terms{
		From: now, Ownership: deref(c.Ownership, before.Ownership), Dealer: deref(c.Dealer, before.Dealer),
		Timezone: deref(c.Timezone, before.Timezone), DayStarts: deref(c.DayStarts, before.DayStarts), Brands: d.Brands,
	}
	if c.Dealer == nil && next.Ownership == storeevent.Direct {
		next.Dealer = ""
	}
	if err := d.check(&next, u); err != nil {
		return err
	}
	d.revise(next, inUse || u.inUse(d.Brands))
	return nil
}

// revise puts terms into the history.
func (d *storeDoc) revise(next terms, inUse bool) {
	last := *d.now()
	last.From = next.From
	switch {
	case reflect.DeepEqual(last, next):
	case !inUse:
		next.From = 0
		d.Terms = []terms{next}
	case d.now().From == next.From: // a second change within the millisecond
		d.Terms = append(slices.Clone(d.Terms[:len(d.Terms)-1]), next)
	default:
		d.Terms = append(slices.Clip(d.Terms), next)
	}
}

// place converts what is given to WGS-84.
func (d *storeDoc) place(at *Location, area *[]Location) error {
	if at != nil {
		p, err := geo.ToWGS84(at.Lat, at.Lng, at.Datum)
		if err != nil {
			return within("location", err)
		}
		d.Lat, d.Lng = p.Lat, p.Lng
	}
	if area == nil {
		return nil
	}
	if n := len(*area); n > maxCorners || n == 1 || n == 2 {
		return fault.New(fault.Invalid, "invalid_service_area", "a service area has 3 to %d corners", maxCorners).At("service_area")
	}
	d.Area = nil
	for _, corner := range *area {
		p, err := geo.ToWGS84(corner.Lat, corner.Lng, corner.Datum)
		if err != nil {
			return within("service_area", err)
		}
		d.Area = append(d.Area, [2]float64{p.Lat, p.Lng})
	}
	return nil
}

func (d *storeDoc) check(next *terms, u *setUp) error {
	for _, text := range []struct {
		field, text string
		least, most int
	}{{"name", d.Name, 1, maxName}, {"address", d.Address, 0, maxAddress}, {"city", d.City, 0, maxName}} {
		if err := checkText(text.field, text.text, text.least, text.most); err != nil {
			return err
		}
	}
	if err := checkCarried(d.Regions, u); err != nil {
		return err
	}
	if next.Timezone == "" {
		next.Timezone = u.brands[d.Brands[0]].Timezone
	}
	if err := checkTimezone("timezone", next.Timezone); err != nil {
		return err
	}
	if next.DayStarts == "" {
		next.DayStarts = midnight
	}
	if err := checkTimeOfDay("day_starts_at", next.DayStarts); err != nil {
		return err
	}
	switch next.Ownership {
	case storeevent.Direct:
		if next.Dealer != "" {
			return fault.New(fault.Invalid, "dealer_of_direct_store", "a direct store has no dealer").At("dealer")
		}
	case storeevent.Franchise, storeevent.ByDealer:
	default:
		return fault.New(fault.Invalid, "invalid_ownership", "an ownership is direct, franchise or dealer").At("ownership")
	}
	if next.Dealer != "" && u.dealers[next.Dealer] == nil {
		return errDealer.At("dealer")
	}
	return nil
}

func checkCarried(carried []CarriedBrand, u *setUp) error {
	if len(carried) == 0 || len(carried) > maxBrands {
		return fault.New(fault.Invalid, "brands_required", "a store carries 1 to %d brands", maxBrands).At("brands")
	}
	for i, c := range carried {
		switch {
		case u.brands[c.Brand] == nil:
			return errBrand.At(indexed("brands", i, "brand"))
		case c.Region != "" && u.regions[regionID(c.Brand, c.Region)] == nil:
			return errRegion.At(indexed("brands", i, "region"))
		case slices.ContainsFunc(carried[:i], func(b CarriedBrand) bool { return b.Brand == c.Brand }):
			return fault.New(fault.Invalid, "brand_repeated", "a store carries each brand once").At(indexed("brands", i, "brand"))
		}
	}
	return nil
}

// equal reports whether two versions of a store say the same.
func (d *storeDoc) equal(other *storeDoc) bool {
	a, b := *d, *other
	a.Doc, b.Doc = docdb.Doc{}, docdb.Doc{}
	return reflect.DeepEqual(a, b)
}

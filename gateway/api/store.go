package api

import (
	"context"
	"net/http"

	"scrm/store"
	"scrm/store/storeevent"
)

const tagSetUp = "Set-up"

func (s *Server) registerStore() {
	s.registerBrands()
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/stores", ID: "create-store", Tag: tagSetUp, Summary: "Make a store", Status: http.StatusCreated, Creates: true,
	}, s.createStore)
	register(s, operation{
		Method: http.MethodPatch, Path: "/v1/stores/{id}", ID: "change-store", Tag: tagSetUp, Summary: "Change a store",
		Description: "Ownership, dealer, brands, time zone and start of day change from now on, and since ever where none of the store's brands has accepted a transaction.",
	}, s.changeStore)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/stores", ID: "list-stores", Tag: tagSetUp, Summary: "The stores that carry a brand, by id",
	}, s.listStores)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/stores/{id}", ID: "get-store", Tag: tagSetUp, Summary: "A store",
	}, s.getStore)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/stores/import", ID: "import-stores", Tag: tagSetUp, Summary: "Make or change stores from a CSV file",
		Description: "Columns id, name, address, city, region, ownership, brands (| between them), lat, lng, and optionally dealer and datum. Regions that it names are made under each brand. A bad row is refused, the others are kept.",
		CSV:         true, Timeout: importTimeout,
	}, s.importStores)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/stores/{id}/terminals", ID: "create-terminal", Tag: tagSetUp, Summary: "Register a till",
		Description: "The answer holds the terminal's secret, this once.", Status: http.StatusCreated, Creates: true,
	}, s.createTerminal)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/stores/{id}/terminals/{terminal}/secret", ID: "replace-terminal-secret", Tag: tagSetUp,
		Summary: "Give a till a new secret in place of a lost one",
	}, s.replaceSecret)
}

type locationInput struct {
	Lat   float64 `json:"lat" minimum:"-90" maximum:"90"`
	Lng   float64 `json:"lng" minimum:"-180" maximum:"180"`
	Datum string  `json:"datum,omitempty" enum:"wgs84,gcj02,bd09" default:"wgs84"`
}

func (l locationInput) location() store.Location { return store.Location(l) }

func locations(in []locationInput) []store.Location {
	out := make([]store.Location, len(in))
	for i, l := range in {
		out[i] = l.location()
	}
	return out
}

type carriedInput struct {
	Brand  string `json:"brand"`
	Region string `json:"region,omitempty"`
}

func carried(in []carriedInput) []store.CarriedBrand {
	out := make([]store.CarriedBrand, len(in))
	for i, c := range in {
		out[i] = store.CarriedBrand(c)
	}
	return out
}

func namedBrands(in []carriedInput) []string {
	brands := make([]string, len(in))
	for i, c := range in {
		brands[i] = c.Brand
	}
	return brands
}

type storeInput struct {
	ID          string          `json:"id"`
	Name        string          `json:"name" minLength:"1" maxLength:"200"`
	Address     string          `json:"address,omitempty" maxLength:"500"`
	City        string          `json:"city,omitempty" maxLength:"100"`
	Ownership   string          `json:"ownership" enum:"direct,franchise,dealer"`
	Dealer      string          `json:"dealer,omitempty"`
	Brands      []carriedInput  `json:"brands" minItems:"1" maxItems:"100" nullable:"false"`
	Location    locationInput   `json:"location"`
	Timezone    string          `json:"timezone,omitempty" doc:"IANA name; absent: its first brand's"`
	DayStartsAt string          `json:"day_starts_at,omitempty" default:"00:00" doc:"HH:MM"`
	Open        *bool           `json:"open,omitempty" default:"true"`
	ServiceArea []locationInput `json:"service_area,omitempty" maxItems:"1000" doc:"corners of a polygon; absent: everywhere"`
}

type storeView struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Address     string          `json:"address"`
	City        string          `json:"city"`
	Ownership   string          `json:"ownership"`
	Dealer      string          `json:"dealer,omitempty"`
	Brands      []carriedInput  `json:"brands" nullable:"false"`
	Location    locationInput   `json:"location"`
	Timezone    string          `json:"timezone"`
	DayStartsAt string          `json:"day_starts_at"`
	Open        bool            `json:"open"`
	ServiceArea []locationInput `json:"service_area,omitempty" doc:"absent: everywhere"`
}

func viewStore(s storeevent.Store) storeView {
	v := storeView{
		ID: s.ID, Name: s.Name, Address: s.Address, City: s.City, Ownership: s.Ownership, Dealer: s.Dealer, Brands: make([]carriedInput, 0, len(s.Brands)),
		Location: locationInput{Lat: s.Lat, Lng: s.Lng, Datum: "wgs84"}, Timezone: s.Timezone, DayStartsAt: s.DayStarts, Open: s.Open,
	}
	for _, brand := range brandsOf(s) {
		v.Brands = append(v.Brands, carriedInput{brand, s.Brands[brand]})
	}
	for _, corner := range s.ServiceArea {
		v.ServiceArea = append(v.ServiceArea, locationInput{Lat: corner[0], Lng: corner[1], Datum: "wgs84"})
	}
	return v
}

func (s *Server) createStore(ctx context.Context, in *body[storeInput]) (*reply[storeView], error) {
	b := &in.Body
	if err := caller(ctx).MustSetUp(namedBrands(b.Brands)...); err != nil {
		return nil, err
	}
	made, err := s.Services.Store.CreateStore(ctx, store.NewStore{
		ID: b.ID, Name: b.Name, Address: b.Address, City: b.City, Ownership: b.Ownership, Dealer: b.Dealer, Brands: carried(b.Brands),
		Location: b.Location.location(), Timezone: b.Timezone, DayStarts: b.DayStartsAt, Open: b.Open == nil || *b.Open, ServiceArea: locations(b.ServiceArea),
	})
	if err != nil {
		return nil, err
	}
	return answer(viewStore(made)), nil
}

type storeChange struct {
	ID   string `path:"id"`
	Body struct {
		Name        *string          `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Address     *string          `json:"address,omitempty" maxLength:"500"`
		City        *string          `json:"city,omitempty" maxLength:"100"`
		Ownership   *string          `json:"ownership,omitempty" enum:"direct,franchise,dealer"`
		Dealer      *string          `json:"dealer,omitempty"`
		Brands      *[]carriedInput  `json:"brands,omitempty" minItems:"1" maxItems:"100"`
		Location    *locationInput   `json:"location,omitempty"`
		Timezone    *string          `json:"timezone,omitempty"`
		DayStartsAt *string          `json:"day_starts_at,omitempty"`
		Open        *bool            `json:"open,omitempty"`
		ServiceArea *[]locationInput `json:"service_area,omitempty" maxItems:"1000"`
	}
}

// maySetUpStore answers an error unless the caller may set up a store: all of its brands are theirs.
func (s *Server) maySetUpStore(ctx context.Context, id string) error {
	st, err := s.Services.Store.Store(ctx, id)
	if err != nil {
		return err
	}
	return caller(ctx).MustSetUp(brandsOf(st)...)
}

func (s *Server) changeStore(ctx context.Context, in *storeChange) (*reply[storeView], error) {
	if err := s.maySetUpStore(ctx, in.ID); err != nil {
		return nil, err
	}
	b := &in.Body
	change := store.StoreChange{
		Name: b.Name, Address: b.Address, City: b.City, Ownership: b.Ownership, Dealer: b.Dealer, Timezone: b.Timezone, DayStarts: b.DayStartsAt, Open: b.Open,
	}
	if b.Brands != nil {
		if err := caller(ctx).MustSetUp(namedBrands(*b.Brands)...); err != nil {
			return nil, err
		}
		brands := carried(*b.Brands)
		change.Brands = &brands
	}
	if b.Location != nil {
		location := b.Location.location()
		change.Location = &location
	}
	if b.ServiceArea != nil {
		area := locations(*b.ServiceArea)
		change.ServiceArea = &area
	}
	changed, err := s.Services.Store.ChangeStore(ctx, in.ID, change)
	if err != nil {
		return nil, err
	}
	return answer(viewStore(changed)), nil
}

func (s *Server) listStores(ctx context.Context, in *ofBrand) (*reply[list[storeView]], error) {
	brand, err := listedBrand(ctx, in.Brand)
	if err != nil {
		return nil, err
	}
	stores, next, err := s.Services.Store.StoresOf(ctx, brand, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return answer(listOf(stores, next, viewStore)), nil
}

type oneStore struct {
	ID string `path:"id"`
}

func (s *Server) getStore(ctx context.Context, in *oneStore) (*reply[storeView], error) {
	st, err := s.Services.Store.Store(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	sees, err := s.seesStore(ctx, st)
	if err != nil {
		return nil, err
	}
	if !sees {
		return nil, errNotYours
	}
	return answer(viewStore(st)), nil
}

// seesStore reports whether the store lies in the caller's scope, for one of its brands.
func (s *Server) seesStore(ctx context.Context, st storeevent.Store) (bool, error) {
	for _, brand := range brandsOf(st) {
		if sees, err := s.within(ctx, Scope{Brand: brand, Store: st.ID}); sees || err != nil {
			return sees, err
		}
	}
	return false, nil
}

type storesFile struct{ Rows csvStream }

type importView struct {
	Created  int           `json:"created"`
	Updated  int           `json:"updated" doc:"rows whose store existed, whether they changed it or not"`
	Rejected []rejectedRow `json:"rejected" nullable:"false"`
}

type rejectedRow struct {
	Row    int    `json:"row" doc:"1 is the first after the header"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (s *Server) importStores(ctx context.Context, in *storesFile) (*reply[importView], error) {
	p := caller(ctx)
	if err := p.MustRole(BrandHQ); err != nil {
		return nil, err
	}
	report, err := s.Services.Store.ImportStores(ctx, in.Rows, func(brand string) bool { return p.MustSetUp(brand) == nil })
	if err != nil {
		return nil, err
	}
	view := importView{Created: report.Created, Updated: report.Updated, Rejected: make([]rejectedRow, len(report.Rejected))}
	for i, r := range report.Rejected {
		view.Rejected[i] = rejectedRow(r)
	}
	return answer(view), nil
}

type newTerminal struct {
	ID   string `path:"id"`
	Body struct {
		ID string `json:"id"`
	}
}

type terminalView struct {
	ID     string `json:"id"`
	Secret string `json:"secret" doc:"shown this once"`
}

func (s *Server) createTerminal(ctx context.Context, in *newTerminal) (*reply[terminalView], error) {
	if err := s.maySetUpStore(ctx, in.ID); err != nil {
		return nil, err
	}
	t, err := s.Services.Store.CreateTerminal(ctx, in.ID, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return answer(terminalView{t.ID, t.Secret}), nil
}

type oneTerminal struct {
	ID       string `path:"id"`
	Terminal string `path:"terminal"`
}

func (s *Server) replaceSecret(ctx context.Context, in *oneTerminal) (*reply[terminalView], error) {
	if err := s.maySetUpStore(ctx, in.ID); err != nil {
		return nil, err
	}
	t, err := s.Services.Store.ReplaceSecret(ctx, in.ID, in.Terminal)
	if err != nil {
		return nil, err
	}
	return answer(terminalView{t.ID, t.Secret}), nil
}

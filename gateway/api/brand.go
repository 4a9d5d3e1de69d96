package api

import (
	"context"
	"math"
	"net/http"
	"slices"

	"scrm/gateway/kit/fault"
	"scrm/store"
	"scrm/store/storeevent"
)

func (s *Server) registerBrands() {
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/brands", ID: "create-brand", Tag: tagSetUp, Summary: "Make a brand", Status: http.StatusCreated, Creates: true,
	}, s.createBrand)
	register(s, operation{
		Method: http.MethodPatch, Path: "/v1/brands/{brand}", ID: "change-brand", Tag: tagSetUp, Summary: "Change a brand",
		Description: "Currency and time zone only before the brand's first accepted transaction.",
	}, s.changeBrand)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/brands/{brand}", ID: "get-brand", Tag: tagSetUp, Summary: "A brand",
	}, s.getBrand)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/brands", ID: "list-brands", Tag: tagSetUp, Summary: "The brands, by id",
		Description: "A platform admin sees all of them, others their own.",
	}, s.listBrands)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/regions", ID: "list-regions", Tag: tagSetUp, Summary: "A brand's regions, by id",
	}, s.listRegions)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/regions", ID: "create-region", Tag: tagSetUp, Summary: "Make a region of a brand", Status: http.StatusCreated, Creates: true,
	}, s.createRegion)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/dealers", ID: "create-dealer", Tag: tagSetUp, Summary: "Make a dealer", Status: http.StatusCreated, Creates: true,
	}, s.createDealer)
}

const (
	defaultCloseAt     = "10:00"
	defaultMaxAssignKm = 30
	metresPerKm        = 1000
)

type brandInput struct {
	ID            string           `json:"id"`
	Name          string           `json:"name" minLength:"1" maxLength:"200"`
	Currency      string           `json:"currency,omitempty" default:"CNY" pattern:"^[A-Z]{3}$"`
	Timezone      string           `json:"timezone,omitempty" default:"Asia/Shanghai" doc:"IANA name"`
	MaxAssignKm   *float64         `json:"max_assign_km,omitempty" minimum:"0" maximum:"20100" doc:"greatest distance of an assignment; 30 unless said"`
	FallbackStore string           `json:"fallback_store,omitempty"`
	CloseAt       nullable[string] `json:"close_at,omitempty" doc:"HH:MM at which days are closed; 10:00 unless said, null: by hand only"`
}

// metres is a distance in kilometres, to the metre.
func metres(km float64) int64 { return int64(math.Round(km * metresPerKm)) }

type brandView struct {
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Currency      string  `json:"currency"`
	Timezone      string  `json:"timezone"`
	MaxAssignKm   float64 `json:"max_assign_km"`
	FallbackStore string  `json:"fallback_store,omitempty"`
	CloseAt       *string `json:"close_at"`
}

func viewBrand(b storeevent.Brand) brandView {
	v := brandView{
		ID: b.ID, Name: b.Name, Currency: b.Currency, Timezone: b.Timezone, MaxAssignKm: float64(b.MaxAssignM) / metresPerKm, FallbackStore: b.FallbackStore,
	}
	if b.CloseAt != "" {
		v.CloseAt = &b.CloseAt
	}
	return v
}

func (s *Server) createBrand(ctx context.Context, in *body[brandInput]) (*reply[brandView], error) {
	if err := caller(ctx).MustRole(); err != nil {
		return nil, err
	}
	b := &in.Body
	brand := store.NewBrand{
		ID: b.ID, Name: b.Name, Currency: b.Currency, Timezone: b.Timezone, MaxAssignM: defaultMaxAssignKm * metresPerKm,
		FallbackStore: b.FallbackStore, CloseAt: defaultCloseAt,
	}
	if b.MaxAssignKm != nil {
		brand.MaxAssignM = metres(*b.MaxAssignKm)
	}
	if b.CloseAt.Sent {
		brand.CloseAt = b.CloseAt.Value
	}
	made, err := s.Services.Store.CreateBrand(ctx, brand)
	if err != nil {
		return nil, err
	}
	return answer(viewBrand(made)), nil
}

type brandChange struct {
	Brand string `path:"brand"`
	Body  struct {
		Name          *string          `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Currency      *string          `json:"currency,omitempty" pattern:"^[A-Z]{3}$"`
		Timezone      *string          `json:"timezone,omitempty"`
		MaxAssignKm   *float64         `json:"max_assign_km,omitempty" minimum:"0" maximum:"20100"`
		FallbackStore nullable[string] `json:"fallback_store,omitempty" doc:"null: none"`
		CloseAt       nullable[string] `json:"close_at,omitempty" doc:"null: by hand only"`
	}
}

func (s *Server) changeBrand(ctx context.Context, in *brandChange) (*reply[brandView], error) {
	if err := caller(ctx).MustSetUp(in.Brand); err != nil {
		return nil, err
	}
	b := &in.Body
	change := store.BrandChange{Name: b.Name, Currency: b.Currency, Timezone: b.Timezone}
	if b.MaxAssignKm != nil {
		distance := metres(*b.MaxAssignKm)
		change.MaxAssignM = &distance
	}
	if b.FallbackStore.Sent {
		change.FallbackStore = &b.FallbackStore.Value
	}
	if b.CloseAt.Sent {
		change.CloseAt = &b.CloseAt.Value
	}
	changed, err := s.Services.Store.ChangeBrand(ctx, in.Brand, change)
	if err != nil {
		return nil, err
	}
	return answer(viewBrand(changed)), nil
}

type oneBrand struct {
	Brand string `path:"brand"`
}

func (s *Server) getBrand(ctx context.Context, in *oneBrand) (*reply[brandView], error) {
	p := caller(ctx)
	if p.Brand != "" && p.Brand != in.Brand {
		return nil, fault.New(fault.NotFound, "unknown_brand", "there is no such brand")
	}
	b, err := s.Services.Store.Brand(ctx, in.Brand)
	if err != nil {
		return nil, err
	}
	return answer(viewBrand(b)), nil
}

func (s *Server) listBrands(ctx context.Context, _ *struct{}) (*reply[list[brandView]], error) {
	p := caller(ctx)
	brands, err := s.Services.Store.Brands(ctx)
	if err != nil {
		return nil, err
	}
	brands = slices.DeleteFunc(brands, func(b storeevent.Brand) bool { return p.Role != PlatformAdmin && p.Brand != b.ID })
	return answer(listOf(brands, "", viewBrand)), nil
}

// ofBrand is the input of a list of something that a brand has.
type ofBrand struct {
	Page
	Brand string `query:"brand" doc:"the caller's unless named"`
}

// listedBrand is the brand whose set-up a caller may list: whoever is responsible for the whole brand.
func listedBrand(ctx context.Context, named string) (string, error) {
	p := caller(ctx)
	if err := p.MustRole(BrandHQ, Finance, Auditor); err != nil {
		return "", err
	}
	return p.OneBrand(named)
}

func (s *Server) listRegions(ctx context.Context, in *ofBrand) (*reply[list[regionInput]], error) {
	brand, err := listedBrand(ctx, in.Brand)
	if err != nil {
		return nil, err
	}
	regions, next, err := s.Services.Store.Regions(ctx, brand, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return answer(listOf(regions, next, func(r store.Region) regionInput { return regionInput(r) })), nil
}

type regionInput struct {
	Brand  string `json:"brand"`
	ID     string `json:"id"`
	Name   string `json:"name" minLength:"1" maxLength:"200"`
	Parent string `json:"parent,omitempty"`
}

func (s *Server) createRegion(ctx context.Context, in *body[regionInput]) (*reply[regionInput], error) {
	if err := caller(ctx).MustSetUp(in.Body.Brand); err != nil {
		return nil, err
	}
	if err := s.Services.Store.CreateRegion(ctx, store.Region(in.Body)); err != nil {
		return nil, err
	}
	return answer(in.Body), nil
}

type dealerInput struct {
	ID   string `json:"id"`
	Name string `json:"name" minLength:"1" maxLength:"200"`
}

func (s *Server) createDealer(ctx context.Context, in *body[dealerInput]) (*reply[dealerInput], error) {
	if err := caller(ctx).MustSetUp(); err != nil {
		return nil, err
	}
	if err := s.Services.Store.CreateDealer(ctx, store.Dealer(in.Body)); err != nil {
		return nil, err
	}
	return answer(in.Body), nil
}

package api

import (
	"context"
	"slices"

	"scrm/gateway/kit/fault"
)

// mayMake reports whether the principal may make a user with this grant, and reset its password: the role must be one that its own may
// make, and the scope must lie within its own.
func (s *Server) mayMake(ctx context.Context, p *Principal, g Grant) (bool, error) {
	if !slices.Contains(creates[p.Role], g.Role) {
		return false, nil
	}
	if p.Role == PlatformAdmin {
		return true, nil
	}
	store, brands := g.Store, []string(nil)
	if g.Role == GuideRole {
		var err error
		if store, brands, err = s.workplace(ctx, g.Guide); err != nil {
			return false, err
		}
	}
	if store == "" { // a role that has no store
		return p.Role == BrandHQ && g.Brand == p.Brand || p.Role == DealerAdmin && g.Dealer == p.Dealer && (p.Brand == "" || g.Brand == p.Brand), nil
	}
	place, err := s.Services.Store.Store(ctx, store)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if g.Role == StoreManager {
		for brand := range place.Brands {
			brands = append(brands, brand)
		}
	}
	// Whoever is bound to a brand makes users bound to it.
	if p.Brand != "" && (g.Brand != p.Brand || !slices.Contains(brands, p.Brand)) {
		return false, nil
	}
	return p.Role == BrandHQ || p.Within(Scope{Brand: g.Brand, Dealer: place.Dealer, Store: store}), nil
}

// workplace is where a guide works now, and for which brands; nowhere if there is no such guide, or she has left.
func (s *Server) workplace(ctx context.Context, id string) (store string, brands []string, err error) {
	g, err := s.Services.Guide.Guide(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	now := s.Clock.Now()
	if g.LeftAt != 0 && g.LeftAt <= now {
		return "", nil, nil
	}
	for _, term := range g.Terms { // by From; the last that has begun counts
		if term.From <= now {
			store, brands = term.Store, term.Brands
		}
	}
	return store, brands, nil
}

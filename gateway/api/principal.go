package api

import (
	"context"
	"slices"

	"scrm/gateway/kit/fault"
	"scrm/store"
)

// Role is what a user may do; the scope that comes with it says to what.
type Role string

// The roles.
const (
	PlatformAdmin   Role = "platform_admin"   // everything, every brand
	BrandHQ         Role = "brand_hq"         // one brand
	Finance         Role = "finance"          // one brand: statements, closes, payouts
	RegionalManager Role = "regional_manager" // one brand, one region and what lies under it
	DealerAdmin     Role = "dealer_admin"     // one dealer: its stores, guides and statements, over all brands that they carry
	StoreManager    Role = "store_manager"    // one store
	GuideRole       Role = "guide"            // one guide
	Auditor         Role = "auditor"          // reads one brand
	TerminalRole    Role = "terminal"         // a POS terminal; no user has it
)

// Principal is who makes a request: a user with a role and its scope, or a terminal with its store. Scope fields that the role
// does not have are empty.
type Principal struct {
	Name   string // user name or terminal id
	Role   Role
	Brand  string
	Region string
	Dealer string
	Store  string
	Guide  string

	ClockOffsetMillis int64 // of a terminal: arrival − Scrm-Timestamp
	terminal          *store.Terminal
}

// IsTerminal reports whether a POS terminal makes the request.
func (p *Principal) IsTerminal() bool { return p.Role == TerminalRole }

// Is reports whether the principal has one of the roles.
func (p *Principal) Is(roles ...Role) bool { return slices.Contains(roles, p.Role) }

// MustRole answers fault.Forbidden unless the principal has one of the roles. A platform admin has every role.
func (p *Principal) MustRole(roles ...Role) error {
	if p.Role == PlatformAdmin || p.Is(roles...) {
		return nil
	}
	return errForbidden
}

var (
	errForbidden = fault.New(fault.Forbidden, "forbidden", "your role may not do this")
	errNotYours  = fault.New(fault.NotFound, "not_found", "there is no such thing, or it is not yours to see")
)

// MustSetUp answers fault.Forbidden unless the principal may set up every one of the brands: a platform admin any, brand HQ its
// own. Without brands (dealers, the platform itself) only a platform admin may.
func (p *Principal) MustSetUp(brands ...string) error {
	if p.Role == PlatformAdmin {
		return nil
	}
	if p.Role != BrandHQ || len(brands) == 0 || slices.ContainsFunc(brands, func(b string) bool { return b != p.Brand }) {
		return errForbidden
	}
	return nil
}

// Scope says where a thing belongs, as far as that is known: a store's statement has Brand, Regions, Dealer and Store.
type Scope struct {
	Brand   string
	Regions []string // of Brand: the thing's region and those above it
	Dealer  string
	Store   string
	Guide   string
}

// Within reports whether a thing lies in the principal's scope. Each role is measured by its own field: brand roles by Brand, a
// regional manager by Brand and Regions, a dealer admin by Dealer, a store manager and a terminal by Store, a guide by Guide
// where the thing has one, else by Store. A brand narrows the last three where their users have one.
func (p *Principal) Within(s Scope) bool {
	if p.Brand != "" && s.Brand != "" && s.Brand != p.Brand {
		return false
	}
	// A principal without the scope of its role sees nothing, also not what belongs nowhere.
	has := func(own, of string) bool { return own != "" && own == of }
	switch p.Role {
	case PlatformAdmin:
		return true
	case BrandHQ, Finance, Auditor:
		return has(p.Brand, s.Brand)
	case RegionalManager:
		return has(p.Brand, s.Brand) && p.Region != "" && slices.Contains(s.Regions, p.Region)
	case DealerAdmin:
		return has(p.Dealer, s.Dealer)
	case StoreManager, TerminalRole:
		return has(p.Store, s.Store)
	case GuideRole:
		if s.Guide != "" {
			return has(p.Guide, s.Guide)
		}
		return has(p.Store, s.Store)
	default:
		return false
	}
}

// MustRead answers fault.NotFound for a thing outside the principal's scope, so that nobody learns what others have.
func (p *Principal) MustRead(s Scope) error {
	if p.Within(s) {
		return nil
	}
	return errNotYours
}

// OneBrand is the brand that a request means which may name one: the named one if the principal's role is bound to no other, else
// the principal's own. fault.Invalid (brand_required) if neither says which, fault.NotFound if they differ.
func (p *Principal) OneBrand(named string) (string, error) {
	switch {
	case named == "" && p.Brand == "":
		return "", fault.New(fault.Invalid, "brand_required", "say which brand").At("brand")
	case named == "":
		return p.Brand, nil
	case p.Brand != "" && named != p.Brand:
		return "", errNotYours
	default:
		return named, nil
	}
}

// creates are the roles whose users each role may make, within its own scope. Who may make a user may also reset its password.
var creates = map[Role][]Role{
	PlatformAdmin: {PlatformAdmin, BrandHQ, Finance, RegionalManager, DealerAdmin, StoreManager, GuideRole, Auditor},
	BrandHQ:       {BrandHQ, Finance, RegionalManager, StoreManager, GuideRole, Auditor},
	DealerAdmin:   {DealerAdmin, StoreManager, GuideRole},
	StoreManager:  {GuideRole},
}

type requestKey struct{}

// request is what the edge knows of a request under way.
type request struct {
	id        string
	principal *Principal
}

func withRequest(ctx context.Context, r request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

func withPrincipal(ctx context.Context, p *Principal) context.Context {
	return withRequest(ctx, request{id: requestID(ctx), principal: p})
}

func requestID(ctx context.Context) string {
	r, _ := ctx.Value(requestKey{}).(request)
	return r.id
}

// caller is who makes the request; nobody (no role, so nothing is allowed) where the operation is public.
func caller(ctx context.Context) *Principal {
	if r, ok := ctx.Value(requestKey{}).(request); ok && r.principal != nil {
		return r.principal
	}
	return &Principal{}
}

package api

import (
	"context"
	"net"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
)

func (s *Server) registerAuth() {
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/auth/login", ID: "login", Tag: "Sign-in", Summary: "Sign in", Access: public,
	}, s.login)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/auth/refresh", ID: "refresh", Tag: "Sign-in", Summary: "Take new tokens for a refresh token",
		Description: "A refresh token is good for one use; using it again ends its session.", Access: public,
	}, s.refresh)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/users", ID: "create-user", Tag: "Sign-in", Summary: "Make a user",
		Description: "Platform admins make any user; brand HQ those of its brand, of its stores and guides where brand narrows them to it; dealer admins " +
			"those of their dealer, its stores and guides; store managers those of their store's guides.",
		Status: http.StatusCreated, Creates: true,
	}, s.createUser)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/users/{username}/password", ID: "set-password", Tag: "Sign-in", Summary: "Set a password",
		Description: "One's own, or that of a user whom one may make. It ends the user's sessions.", Status: http.StatusNoContent,
	}, s.setPassword)
}

type credentials struct {
	Username string `json:"username" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"1" maxLength:"128"`
}

type loginInput struct {
	ClientAddress
	Body credentials
}

// ClientAddress finds the address that a request comes from.
type ClientAddress struct{ address string }

// Resolve is called by huma.
func (c *ClientAddress) Resolve(ctx huma.Context) []error {
	host, _, err := net.SplitHostPort(ctx.RemoteAddr())
	if err != nil {
		host = ctx.RemoteAddr()
	}
	c.address = host
	return nil
}

type signIn struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in" doc:"seconds for which access_token holds"`
	Grant
}

// Grant is a role with its scope.
type Grant struct {
	Role   Role   `json:"role" enum:"platform_admin,brand_hq,finance,regional_manager,dealer_admin,store_manager,guide,auditor"`
	Brand  string `json:"brand,omitempty"`
	Region string `json:"region,omitempty"`
	Dealer string `json:"dealer,omitempty"`
	Store  string `json:"store,omitempty"`
	Guide  string `json:"guide,omitempty"`
}

func (s *Server) login(ctx context.Context, in *loginInput) (*reply[signIn], error) {
	u, refresh, err := s.auth.login(ctx, in.Body.Username, in.Body.Password, in.address)
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, u, refresh)
}

type refreshInput struct {
	RefreshToken string `json:"refresh_token" minLength:"1" maxLength:"256"`
}

func (s *Server) refresh(ctx context.Context, in *body[refreshInput]) (*reply[signIn], error) {
	u, refresh, err := s.auth.refresh(ctx, in.Body.RefreshToken)
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, u, refresh)
}

// signedIn answers a user's new tokens. A guide's store is where she works now.
func (s *Server) signedIn(ctx context.Context, u *user, refresh string) (*reply[signIn], error) {
	p := u.principal()
	if p.Role == GuideRole {
		var err error
		if p.Store, _, err = s.workplace(ctx, p.Guide); err != nil {
			return nil, err
		}
	}
	access, err := s.auth.tokens.mint(p, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	return answer(signIn{AccessToken: access, RefreshToken: refresh, ExpiresIn: int(accessTTL.Seconds()), Grant: p.grant()}), nil
}

func (u *user) grant() Grant { return u.principal().grant() }

func (p *Principal) grant() Grant {
	return Grant{Role: p.Role, Brand: p.Brand, Region: p.Region, Dealer: p.Dealer, Store: p.Store, Guide: p.Guide}
}

type userInput struct {
	Username string `json:"username" maxLength:"64"`
	Password string `json:"password" maxLength:"512"`
	Grant
}

type userView struct {
	Username string `json:"username"`
	Grant
}

func (s *Server) createUser(ctx context.Context, in *body[userInput]) (*reply[userView], error) {
	name, g := in.Body.Username, in.Body.Grant
	if err := checkUserName(name); err != nil {
		return nil, err
	}
	if err := checkPassword(in.Body.Password); err != nil {
		return nil, err
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	by := caller(ctx)
	if may, err := s.mayMake(ctx, by, g); err != nil || !may {
		return nil, either(err, errForbidden)
	}
	u := &user{
		Doc: docdb.Doc{ID: name}, Role: g.Role, Brand: g.Brand, Region: g.Region, Dealer: g.Dealer, Store: g.Store, Guide: g.Guide, CreatedBy: by.Name,
	}
	if err := s.auth.create(ctx, u, in.Body.Password); err != nil {
		return nil, err
	}
	return answer(userView{Username: name, Grant: g}), nil
}

// scopes are the fields that each role's scope must have, and those that may narrow it.
var scopes = map[Role]struct{ must, may []string }{
	PlatformAdmin:   {},
	BrandHQ:         {must: []string{"brand"}},
	Finance:         {must: []string{"brand"}},
	Auditor:         {must: []string{"brand"}},
	RegionalManager: {must: []string{"brand", "region"}},
	DealerAdmin:     {must: []string{"dealer"}, may: []string{"brand"}},
	StoreManager:    {must: []string{"store"}, may: []string{"brand"}},
	GuideRole:       {must: []string{"guide"}, may: []string{"brand", "store"}}, // her store is where she works, whatever was named
}

// check answers fault.Invalid unless the grant has the scope of its role.
func (g Grant) check() error {
	scope, ok := scopes[g.Role]
	if !ok {
		return fault.New(fault.Invalid, "unknown_role", "there is no such role").At("role")
	}
	for _, f := range []struct{ name, value string }{
		{"brand", g.Brand}, {"region", g.Region}, {"dealer", g.Dealer}, {"store", g.Store}, {"guide", g.Guide},
	} {
		must := slices.Contains(scope.must, f.name)
		switch {
		case must && f.value == "":
			return fault.New(fault.Invalid, "scope_required", "this role needs a %s", f.name).At(f.name)
		case f.value == "":
		case !must && !slices.Contains(scope.may, f.name):
			return fault.New(fault.Invalid, "scope_not_allowed", "this role has no %s", f.name).At(f.name)
		default:
			if err := ident.Check(f.name, f.value); err != nil {
				return err
			}
		}
	}
	return nil
}

type passwordInput struct {
	Username string `path:"username" maxLength:"64"`
	Body     struct {
		Password string `json:"password" maxLength:"512"`
	}
}

func (s *Server) setPassword(ctx context.Context, in *passwordInput) (*struct{}, error) {
	by := caller(ctx)
	u, err := users.Get(ctx, s.DB, in.Username)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	own := in.Username == by.Name
	if err == nil && !own {
		if may, err := s.mayMake(ctx, by, u.grant()); err != nil || !may {
			return nil, either(err, errNoUser)
		}
	}
	if err != nil {
		return nil, errNoUser
	}
	if err := checkPassword(in.Body.Password); err != nil {
		return nil, err
	}
	return nil, s.auth.setPassword(ctx, in.Username, in.Body.Password)
}

var errNoUser = fault.New(fault.NotFound, "unknown_user", "there is no such user, or it is not yours to change")

// either is err, or instead where there is none.
func either(err, instead error) error {
	if err != nil {
		return err
	}
	return instead
}

package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scrm/gateway/kit/docdb/docdbtest"
)

func (e *edge) login(name, password string) answerOf {
	e.t.Helper()
	return e.do("POST", "/v1/auth/login", credentials{name, password})
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	var in signIn
	e.login(AdminName, adminPassword).want(200).into(&in)
	if in.Role != PlatformAdmin || in.ExpiresIn != int(accessTTL.Seconds()) || in.Brand != "" {
		t.Errorf("signed in as %+v", in)
	}
	e.do("GET", "/v1/audit", nil, header{"Authorization", "bearer " + in.AccessToken}).want(200)
	e.login(AdminName, "wrong").wantProblem(401, "wrong_credentials")
	e.login("nobody", adminPassword).wantProblem(401, "wrong_credentials")
	e.login("NOT A NAME", adminPassword).wantProblem(401, "wrong_credentials")

	e.clock.advance(accessTTL + time.Second)
	e.do("GET", "/v1/audit", nil, header{"Authorization", "Bearer " + in.AccessToken}).wantProblem(401, "invalid_token")

	var next signIn
	e.do("POST", "/v1/auth/refresh", refreshInput{in.RefreshToken}).want(200).into(&next)
	e.do("GET", "/v1/audit", nil, header{"Authorization", "Bearer " + next.AccessToken}).want(200)
	if strings.Contains(e.log.String(), next.AccessToken) || strings.Contains(e.log.String(), next.RefreshToken) {
		t.Error("a token is in the log")
	}
}

func TestRefreshTokens(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	refresh := func(token string) answerOf { return e.do("POST", "/v1/auth/refresh", refreshInput{token}) }
	begin := func() (in signIn) {
		e.login(AdminName, adminPassword).want(200).into(&in)
		return in
	}
	for _, bad := range []string{"x", ".", "a.b", begin().RefreshToken + "A", "0192f0c1-2345-7890-8123-456789abcdef.AAAA"} {
		if a := refresh(bad); a.status != http.StatusUnauthorized {
			t.Errorf("refresh(%q): %d", bad, a.status)
		}
	}
	t.Run("one used before ends its session", func(t *testing.T) {
		first := begin()
		other := begin()
		var second signIn
		refresh(first.RefreshToken).want(200).into(&second)
		refresh(first.RefreshToken).wantProblem(401, "refresh_token_reused")
		refresh(second.RefreshToken).wantProblem(401, "invalid_refresh_token")
		refresh(other.RefreshToken).want(200)
	})
	t.Run("expires", func(t *testing.T) {
		in := begin()
		e.clock.advance(sessionTTL)
		refresh(in.RefreshToken).wantProblem(401, "invalid_refresh_token")
	})
	t.Run("at once from several places", func(t *testing.T) {
		in := begin()
		done := make(chan answerOf)
		const n = 4
		for range n {
			go func() { done <- refresh(in.RefreshToken) }()
		}
		good := 0
		for range n {
			if a := <-done; a.status == http.StatusOK {
				good++
			}
		}
		if good > 1 {
			t.Errorf("%d of %d got new tokens", good, n)
		}
	})
}

func TestThrottling(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	for range maxFailuresFrom {
		e.login("someone", "wrong").wantProblem(401, "wrong_credentials")
	}
	if a := e.login("someone", "wrong"); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	} else {
		a.wantProblem(429, "too_many_attempts")
	}
	e.login(AdminName, adminPassword).want(200) // others are not held up
	e.clock.advance(throttleWindow)
	e.login("someone", "wrong").wantProblem(401, "wrong_credentials")
	page, err := failures.Find(t.Context(), e.DB, docdbAll)
	if err != nil || len(page.Items) != 2 {
		t.Errorf("%d counters are left, error %v", len(page.Items), err)
	}
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	now := e.clock.Now()
	good := claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: issuer, Subject: "x", ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute).Time()),
	}, Role: PlatformAdmin}
	sign := func(method jwt.SigningMethod, key any, c claims) string {
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	key := e.auth.tokens.key
	forever, elsewhere, nobody := good, good, good
	forever.ExpiresAt = nil
	elsewhere.Issuer = "other"
	nobody.Subject = ""
	for name, token := range map[string]string{
		"no signature":  sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"other key":     sign(jwt.SigningMethodHS256, []byte("other"), good),
		"other method":  sign(jwt.SigningMethodHS512, key, good),
		"no expiry":     sign(jwt.SigningMethodHS256, key, forever),
		"other issuer":  sign(jwt.SigningMethodHS256, key, elsewhere),
		"no subject":    sign(jwt.SigningMethodHS256, key, nobody),
		"not a token":   "abc",
		"nothing":       "",
		"refresh token": "0192f0c1-2345-7890-8123-456789abcdef.AAAA",
	} {
		if a := e.do("GET", "/v1/audit", nil, header{"Authorization", "Bearer " + token}); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	e.do("GET", "/v1/audit", nil, header{"Authorization", "Bearer " + sign(jwt.SigningMethodHS256, key, good)}).want(200)
	e.do("GET", "/v1/audit", nil, header{"Authorization", "Basic " + e.admin}).wantProblem(401, "not_signed_in")
}

// TestUsers is who may make whom.
func TestUsers(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	principals := map[string]Principal{
		"admin":    {Name: "p1", Role: PlatformAdmin},
		"hq":       {Name: "p2", Role: BrandHQ, Brand: "aurora"},
		"finance":  {Name: "p3", Role: Finance, Brand: "aurora"},
		"regional": {Name: "p4", Role: RegionalManager, Brand: "aurora", Region: "east"},
		"dealer":   {Name: "p5", Role: DealerAdmin, Dealer: "d1"},
		"manager":  {Name: "p6", Role: StoreManager, Store: "s1"},
		"guide":    {Name: "p7", Role: GuideRole, Guide: "g1"},
		"auditor":  {Name: "p8", Role: Auditor, Brand: "aurora"},
	}
	for _, c := range []struct {
		grant Grant
		by    string // who may, by name above
	}{
		{Grant{Role: PlatformAdmin}, "admin"},
		{Grant{Role: BrandHQ, Brand: "aurora"}, "admin hq"},
		{Grant{Role: BrandHQ, Brand: "borealis"}, "admin"},
		{Grant{Role: Finance, Brand: "aurora"}, "admin hq"},
		{Grant{Role: Auditor, Brand: "aurora"}, "admin hq"},
		{Grant{Role: RegionalManager, Brand: "aurora", Region: "east"}, "admin hq"},
		{Grant{Role: RegionalManager, Brand: "borealis", Region: "east"}, "admin"},
		{Grant{Role: DealerAdmin, Dealer: "d1"}, "admin dealer"},
		{Grant{Role: DealerAdmin, Dealer: "d2"}, "admin"},
	} {
		for name, p := range principals {
			in := userInput{Username: "u-" + name + "-" + strings.ToLower(string(c.grant.Role)) + c.grant.Brand + c.grant.Dealer, Password: "long enough", Grant: c.grant}
			want := http.StatusForbidden
			if strings.Contains(" "+c.by+" ", " "+name+" ") {
				want = http.StatusCreated
			}
			if a := e.do("POST", "/v1/users", in, e.as(p)); a.status != want {
				t.Errorf("%s makes %+v: %d, want %d: %s", name, c.grant, a.status, want, a.body)
			}
		}
	}
	for _, c := range []struct {
		name  string
		in    userInput
		code  string
		field string
	}{
		{"no scope", userInput{"a", "long enough", Grant{Role: BrandHQ}}, "scope_required", "brand"},
		{"half a scope", userInput{"a", "long enough", Grant{Role: RegionalManager, Brand: "aurora"}}, "scope_required", "region"},
		{"too much scope", userInput{"a", "long enough", Grant{Role: Finance, Brand: "aurora", Store: "s1"}}, "scope_not_allowed", "store"},
		{"bad id", userInput{"a", "long enough", Grant{Role: BrandHQ, Brand: "a/b"}}, "invalid_id", "brand"},
		{"bad name", userInput{"A b", "long enough", Grant{Role: PlatformAdmin}}, "invalid_username", "username"},
		{"short password", userInput{"a", "short", Grant{Role: PlatformAdmin}}, "invalid_password", "password"},
		{"unknown role", userInput{"a", "long enough", Grant{Role: "king"}}, "invalid_fields", "role"},
	} {
		p := e.do("POST", "/v1/users", c.in, e.asAdmin()).wantProblem(422, c.code)
		if len(p.Errors) != 1 || p.Errors[0].Field != c.field {
			t.Errorf("%s: errors %+v", c.name, p.Errors)
		}
	}
	e.do("POST", "/v1/users", userInput{AdminName, "long enough", Grant{Role: PlatformAdmin}}, e.asAdmin()).wantProblem(409, "user_exists")
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	hq := Principal{Name: "hq", Role: BrandHQ, Brand: "aurora"}
	for _, u := range []userInput{
		{"hq", "first password", Grant{Role: BrandHQ, Brand: "aurora"}},
		{"fin", "first password", Grant{Role: Finance, Brand: "aurora"}},
		{"foreign", "first password", Grant{Role: Finance, Brand: "borealis"}},
	} {
		e.do("POST", "/v1/users", u, e.asAdmin()).want(201)
	}
	var before signIn
	e.login("fin", "first password").want(200).into(&before)
	set := func(name string, by Principal) answerOf {
		return e.do("POST", "/v1/users/"+name+"/password", map[string]string{"password": "second password"}, e.as(by))
	}
	set("fin", hq).want(204)
	e.login("fin", "first password").wantProblem(401, "wrong_credentials")
	e.login("fin", "second password").want(200)
	e.do("POST", "/v1/auth/refresh", refreshInput{before.RefreshToken}).wantProblem(401, "invalid_refresh_token")
	set("hq", hq).want(204)
	set("foreign", hq).wantProblem(404, "unknown_user")
	set("nobody", hq).wantProblem(404, "unknown_user")
	set("hq", Principal{Name: "fin", Role: Finance, Brand: "aurora"}).wantProblem(404, "unknown_user")
	set(AdminName, hq).wantProblem(404, "unknown_user")
}

// TestFirstStart starts servers on the same database one after the other.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	db := docdbtest.SQLite(t)
	start := func(password string) *edge {
		return newEdge(t, func(c *Config) { c.DB, c.AdminPassword = db, password })
	}
	first := start("")
	made := first.MadePassword()
	if len(made) < 16 {
		t.Fatalf("made the password %q", made)
	}
	first.login(AdminName, made).want(200)
	second := start("another one")
	if second.MadePassword() != "" {
		t.Error("the second start made a password")
	}
	second.login(AdminName, made).want(200)
	second.login(AdminName, "another one").wantProblem(401, "wrong_credentials")
	// Tokens and sessions of one process hold in another.
	var in signIn
	first.login(AdminName, made).want(200).into(&in)
	second.do("GET", "/v1/audit", nil, header{"Authorization", "Bearer " + in.AccessToken}).want(200)
	second.do("POST", "/v1/auth/refresh", refreshInput{in.RefreshToken}).want(200)
}

func TestPrincipalWithin(t *testing.T) {
	t.Parallel()
	thing := Scope{Brand: "aurora", Regions: []string{"shanghai", "east"}, Dealer: "d1", Store: "s1", Guide: "g1"}
	for _, c := range []struct {
		p      Principal
		within bool
	}{
		{Principal{Role: PlatformAdmin}, true},
		{Principal{Role: BrandHQ, Brand: "aurora"}, true},
		{Principal{Role: BrandHQ, Brand: "borealis"}, false},
		{Principal{Role: RegionalManager, Brand: "aurora", Region: "east"}, true},
		{Principal{Role: RegionalManager, Brand: "aurora", Region: "west"}, false},
		{Principal{Role: RegionalManager, Brand: "borealis", Region: "east"}, false},
		{Principal{Role: DealerAdmin, Dealer: "d1"}, true},
		{Principal{Role: DealerAdmin, Dealer: "d2"}, false},
		{Principal{Role: StoreManager, Store: "s1"}, true},
		{Principal{Role: StoreManager, Store: "s1", Brand: "borealis"}, false},
		{Principal{Role: StoreManager, Store: "s2"}, false},
		{Principal{Role: GuideRole, Guide: "g1"}, true},
		{Principal{Role: GuideRole, Guide: "g2", Store: "s1"}, false},
		{Principal{Role: TerminalRole, Store: "s1"}, true},
		{Principal{}, false},
	} {
		if c.p.Within(thing) != c.within {
			t.Errorf("%+v: %v", c.p, !c.within)
		}
	}
	if (&Principal{Role: StoreManager}).Within(Scope{Brand: "aurora"}) {
		t.Error("a store manager without a store sees what belongs to no store")
	}
}

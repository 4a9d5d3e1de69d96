package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/when"
)

// AdminName is the user that exists from the first start.
const AdminName = "admin"

// sessionTTL is how long a refresh token that is not used stays valid.
const sessionTTL = 30 * 24 * time.Hour

// user is who signs in; its id is the user name.
type user struct {
	docdb.Doc `json:",inline"`
	Password  string       `json:"password"` // argon2id, PHC format
	Role      Role         `json:"role"`
	Brand     string       `json:"brand,omitempty"`
	Region    string       `json:"region,omitempty"`
	Dealer    string       `json:"dealer,omitempty"`
	Store     string       `json:"store,omitempty"`
	Guide     string       `json:"guide,omitempty"`
	CreatedAt when.Instant `json:"created_at"`
	CreatedBy string       `json:"created_by,omitempty"`
}

func (u *user) principal() *Principal {
	return &Principal{Name: u.ID, Role: u.Role, Brand: u.Brand, Region: u.Region, Dealer: u.Dealer, Store: u.Store, Guide: u.Guide}
}

// session is a chain of refresh tokens that began with one login. A refresh token is "<session id>.<secret>"; only the newest
// secret of a session is good, and one that has been used before shows that somebody copied it: then the session ends.
type session struct {
	docdb.Doc `json:",inline"`
	User      string       `json:"user"`
	Secret    []byte       `json:"secret"` // SHA-256 of the newest secret
	ExpiresAt when.Instant `json:"expires_at"`
}

var (
	users    = docdb.Define[user]("users")
	sessions = docdb.Define[session]("sessions", docdb.By("user"))
)

// schemas are the collections of the gateway's own database.
func schemas() []*docdb.Schema {
	return []*docdb.Schema{users.Schema(), sessions.Schema(), failures.Schema(), kept.Schema()}
}

// auth signs users in. Everything that it knows is in the database, so any process of an installation answers for any other.
type auth struct {
	db     docdb.DB
	clock  when.Clock
	tokens tokens
	hashing
	madePassword string // of the user admin, where this start made it
}

// newAuth makes the user admin at the first start.
func newAuth(ctx context.Context, config Config) (*auth, error) {
	a := &auth{db: config.DB, clock: config.Clock, tokens: newTokens(config.Keys), hashing: newHashing()}
	_, err := users.Get(ctx, a.db, AdminName)
	if !fault.Is(err, fault.NotFound) {
		return a, err
	}
	password := config.AdminPassword
	if password == "" {
		password = rand.Text()
	}
	err = a.create(ctx, &user{Doc: docdb.Doc{ID: AdminName}, Role: PlatformAdmin}, password)
	switch {
	case fault.Is(err, fault.Exists): // another process was first
		return a, nil
	case err == nil && config.AdminPassword == "":
		a.madePassword = password
	}
	return a, err
}

// MadePassword is the password of the user admin where this start made one, to be shown once; else it is empty.
func (s *Server) MadePassword() string { return s.auth.madePassword }

// create stores a new user; fault.Exists if the name is taken.
func (a *auth) create(ctx context.Context, u *user, password string) (err error) {
	if u.Password, err = a.hash(ctx, password); err != nil {
		return err
	}
	u.CreatedAt = a.clock.Now()
	err = users.Insert(ctx, a.db, u)
	if fault.Is(err, fault.Exists) {
		return fault.New(fault.Exists, "user_exists", "there is a user of this name").At("username")
	}
	return err
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.@-]{0,63}$`)

func checkUserName(name string) error {
	if !userName.MatchString(name) {
		return fault.New(fault.Invalid, "invalid_username", "a user name is 1 to 64 of a–z 0–9 _ . @ -, starting with a letter or digit").At("username")
	}
	return nil
}

var errLogin = fault.New(fault.Unauthenticated, "wrong_credentials", "the user name or the password is not right")

// login checks a password and begins a session. from is the client's address, by which guessing is slowed down.
func (a *auth) login(ctx context.Context, name, password, from string) (*user, string, error) {
	if !userName.MatchString(name) {
		name = "" // takes the same way, and finds nobody
	}
	if err := a.throttled(ctx, name, from); err != nil {
		return nil, "", err
	}
	u, err := users.Get(ctx, a.db, name)
	if fault.Is(err, fault.NotFound) {
		u, err = &user{}, nil
	}
	if err != nil {
		return nil, "", err
	}
	ok, err := a.matches(ctx, u.Password, password)
	if err != nil {
		return nil, "", err
	}
	if !ok {
		if err := a.failed(ctx, name, from); err != nil {
			return nil, "", err
		}
		return nil, "", errLogin
	}
	refresh, err := a.begin(ctx, u)
	return u, refresh, err
}

// begin starts a session, and forgets the user's expired ones.
func (a *auth) begin(ctx context.Context, u *user) (refresh string, err error) {
	now := a.clock.Now()
	var expired []string
	for old, err := range sessions.Each(ctx, a.db, docdb.Query{Index: "user", Eq: []any{u.ID}}) {
		if err != nil {
			return "", err
		}
		if old.ExpiresAt <= now {
			expired = append(expired, old.ID)
		}
	}
	if err := sessions.Delete(ctx, a.db, expired...); err != nil {
		return "", err
	}
	s := &session{Doc: docdb.Doc{ID: ident.New()}, User: u.ID}
	refresh = s.renew(now)
	return refresh, sessions.Insert(ctx, a.db, s)
}

// renew gives a session a new secret and answers the refresh token with it.
func (s *session) renew(now when.Instant) string {
	secret := make([]byte, 32)
	rand.Read(secret) //nolint:errcheck // crypto/rand.Read never fails
	s.Secret, s.ExpiresAt = digest(secret), now.Add(sessionTTL)
	return s.ID + "." + base64.RawURLEncoding.EncodeToString(secret)
}

func digest(secret []byte) []byte {
	d := sha256.Sum256(secret)
	return d[:]
}

var (
	errRefresh = fault.New(fault.Unauthenticated, "invalid_refresh_token", "the refresh token is not valid, or has expired: sign in again")
	errReused  = fault.New(fault.Unauthenticated, "refresh_token_reused", "the refresh token was used before, so its session has been ended: sign in again")
)

// refresh takes a refresh token and gives the next one of its session.
func (a *auth) refresh(ctx context.Context, token string) (*user, string, error) {
	id, encoded, _ := strings.Cut(token, ".")
	secret, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || id == "" {
		return nil, "", errRefresh
	}
	s, err := sessions.Get(ctx, a.db, id)
	if fault.Is(err, fault.NotFound) {
		return nil, "", errRefresh
	}
	if err != nil {
		return nil, "", err
	}
	if s.ExpiresAt <= a.clock.Now() {
		return nil, "", errRefresh
	}
	if subtle.ConstantTimeCompare(s.Secret, digest(secret)) != 1 {
		return nil, "", a.reused(ctx, id)
	}
	u, err := users.Get(ctx, a.db, s.User)
	if err != nil {
		return nil, "", fmt.Errorf("api: user of a session: %w", err)
	}
	next := s.renew(a.clock.Now())
	err = sessions.Replace(ctx, a.db, s)
	if fault.Is(err, fault.Conflict) { // the same token came twice at once
		return nil, "", a.reused(ctx, id)
	}
	return u, next, err
}

func (a *auth) reused(ctx context.Context, session string) error {
	if err := sessions.Delete(ctx, a.db, session); err != nil {
		return err
	}
	return errReused
}

// setPassword gives a user a new password and ends its sessions.
func (a *auth) setPassword(ctx context.Context, name, password string) error {
	stored, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := users.Update(ctx, a.db, name, docdb.Change{Set: map[string]any{"password": stored}}); err != nil {
		return err
	}
	var all []string
	for s, err := range sessions.Each(ctx, a.db, docdb.Query{Index: "user", Eq: []any{name}}) {
		if err != nil {
			return err
		}
		all = append(all, s.ID)
	}
	return sessions.Delete(ctx, a.db, all...)
}

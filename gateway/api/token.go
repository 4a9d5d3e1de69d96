package api

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/when"
)

// accessTTL is how long an access token holds. Roles and scopes travel in it, so a change takes effect at most this much later.
const accessTTL = 15 * time.Minute

const issuer = "scrm"

// Operator is the name under which the program itself calls its API: the demo, and the audit on the command line.
const Operator = "operator"

// tokens makes and checks access tokens: JSON web tokens signed with HS256, by a key that every process of an installation derives
// from the same master key.
type tokens struct{ key []byte }

func newTokens(keys *seal.Keyring) tokens { return tokens{keys.Key("jwt")} }

type claims struct {
	jwt.RegisteredClaims
	Role   Role   `json:"role"`
	Brand  string `json:"brand,omitempty"`
	Region string `json:"region,omitempty"`
	Dealer string `json:"dealer,omitempty"`
	Store  string `json:"store,omitempty"`
	Guide  string `json:"guide,omitempty"`
}

// mint makes an access token for a principal.
func (t tokens) mint(p *Principal, now when.Instant) (string, error) {
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: ident.New(), Issuer: issuer, Subject: p.Name,
			IssuedAt: jwt.NewNumericDate(now.Time()), ExpiresAt: jwt.NewNumericDate(now.Add(accessTTL).Time()),
		},
		Role: p.Role, Brand: p.Brand, Region: p.Region, Dealer: p.Dealer, Store: p.Store, Guide: p.Guide,
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(t.key)
}

// verify answers who a token is for; fault.Unauthenticated unless it is ours and holds now.
func (t tokens) verify(token string, now when.Instant) (*Principal, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(now.Time))
	if err == nil && c.Subject == "" {
		err = errors.New("no subject")
	}
	if err != nil {
		return nil, errToken.Because(err)
	}
	return &Principal{Name: c.Subject, Role: c.Role, Brand: c.Brand, Region: c.Region, Dealer: c.Dealer, Store: c.Store, Guide: c.Guide}, nil
}

// OperatorToken makes an access token for the program itself, with every right, out of the master key: for the demo, and for
// commands that ask a running server. It holds as long as any access token.
func OperatorToken(keys *seal.Keyring, clock when.Clock) (string, error) {
	return newTokens(keys).mint(&Principal{Name: Operator, Role: PlatformAdmin}, clock.Now())
}

// OperatorToken is the package's OperatorToken with the server's keys.
func (s *Server) OperatorToken() (string, error) { return OperatorToken(s.Keys, s.Clock) }

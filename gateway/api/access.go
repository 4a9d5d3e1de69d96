package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"scrm/gateway/kit/fault"
)

var (
	errNoToken = fault.New(fault.Unauthenticated, "not_signed_in", "send a bearer token")
	errToken   = fault.New(fault.Unauthenticated, "invalid_token", "the token is not valid, or has expired")
)

// authenticate establishes who makes a request, as far as the operation's access asks for it.
func (s *Server) authenticate(c *call, a access) (*Principal, error) {
	signed := c.fiber.Get(terminalHeader) != ""
	switch {
	case a == public:
		return nil, nil
	case a == terminal, a == signedInOrSigned && signed:
		body, err := c.wholeBody()
		if err != nil {
			return nil, err
		}
		return s.verifySignature(c.ctx, c.fiber, body)
	default:
		return s.bearerOf(c.fiber)
	}
}

// bearerOf is the user whose access token a request carries.
func (s *Server) bearerOf(c *fiber.Ctx) (*Principal, error) {
	token, ok := bearer(c.Get("Authorization"))
	if !ok {
		return nil, errNoToken
	}
	return s.auth.tokens.verify(token, s.Clock.Now())
}

// bearer is the token of an Authorization header; the scheme's case does not matter (RFC 9110).
func bearer(header string) (string, bool) {
	scheme, token, ok := strings.Cut(header, " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "bearer")
}

const (
	bearerScheme    = "bearer"
	signatureScheme = "terminal"
)

func securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		bearerScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "access_token of /v1/auth/login"},
		signatureScheme: {Type: "apiKey", In: "header", Name: signatureHeader, Description: "v1=<hex HMAC-SHA256> with the terminal's secret over " +
			"METHOD\\nPATH\\nTIMESTAMP\\nhex(SHA-256(body)); Scrm-Terminal and Scrm-Timestamp go with it"},
	}
}

// security is an access in the words of OpenAPI.
func (a access) security() []map[string][]string {
	user, till := map[string][]string{bearerScheme: {}}, map[string][]string{signatureScheme: {}}
	switch a {
	case public:
		return []map[string][]string{}
	case terminal:
		return []map[string][]string{till}
	case signedInOrSigned:
		return []map[string][]string{user, till}
	default:
		return []map[string][]string{user}
	}
}

func signatureHeaders() []*huma.Param {
	param := func(name, text string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: text, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return []*huma.Param{
		param(terminalHeader, "the terminal's id; it makes the request a signed one"),
		param(timestampHeader, "unix seconds"),
		param(signatureHeader, "v1=<hex HMAC-SHA256>"),
	}
}

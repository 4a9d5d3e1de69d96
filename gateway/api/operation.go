package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// operation describes one operation: its route, its documentation, and how its callers prove who they are.
type operation struct {
	Method      string
	Path        string // with {parameters}
	ID          string // its name in the OpenAPI document, such as create-brand
	Tag         string // the group that it is documented in: Set-up, Members, POS, Guides, Commission, HQ, Sign-in, Running
	Summary     string
	Description string
	Status      int           // of success, 200 unless set; an answer may choose another
	Access      access        // signed-in users unless set
	Creates     bool          // takes an Idempotency-Key
	CSV         bool          // takes a CSV body (a csvStream in the input)
	Timeout     time.Duration // of the whole request, requestTimeout unless set
}

// access says how an operation's callers prove who they are.
type access int

const (
	signedIn         access = iota // a user with a bearer token
	public                         // nobody needs to
	terminal                       // a POS terminal by its signature
	signedInOrSigned               // either
)

// body is the input of an operation that takes JSON and nothing else.
type body[T any] struct{ Body T }

// reply is the output of an operation.
type reply[T any] struct {
	Status int
	Body   T
}

// answer is a reply with the operation's own status.
func answer[T any](v T) *reply[T] { return &reply[T]{Body: v} }

// answerWith is a reply with a status of its own.
func answerWith[T any](status int, v T) *reply[T] { return &reply[T]{Status: status, Body: v} }

func (r *reply[T]) status() *int { return &r.Status }

// Page is embedded in the input of a list.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"how many items at most"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before" maxLength:"1024"`
}

// list is the output of a list. Items is never null.
type list[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// listOf makes a list of what a query answered.
func listOf[F, T any](items []F, next string, view func(F) T) list[T] {
	l := list[T]{Items: make([]T, len(items)), NextCursor: next}
	for i, item := range items {
		l.Items[i] = view(item)
	}
	return l
}

// register adds an operation: authentication, body, idempotency, huma's validation, the handler, and the errors of each.
func register[I, O any](s *Server, op operation, handle func(context.Context, *I) (*O, error)) {
	if op.Status == 0 {
		op.Status = http.StatusOK
	}
	h := huma.Operation{
		Method: op.Method, Path: op.Path, OperationID: op.ID, Tags: []string{op.Tag}, Summary: op.Summary, Description: op.Description,
		DefaultStatus: op.Status, Security: op.Access.security(), Middlewares: s.steps(op), BodyReadTimeout: -1, MaxBodyBytes: -1,
		Metadata: map[string]any{timeoutKey: op.Timeout},
	}
	if op.Access == terminal || op.Access == signedInOrSigned {
		h.Parameters = append(h.Parameters, signatureHeaders()...)
	}
	if op.Creates {
		h.Parameters = append(h.Parameters, idempotencyHeader())
	}
	if op.CSV {
		h.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}
	}
	huma.Register(s.api, h, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		if r, ok := any(out).(interface{ status() *int }); ok && out != nil && *r.status() == 0 {
			*r.status() = op.Status
		}
		return out, nil
	})
}

const timeoutKey = "timeout"

// steps are what happens before huma reads the input.
func (s *Server) steps(op operation) huma.Middlewares {
	takesJSON := !op.CSV && op.Method != http.MethodGet && op.Method != http.MethodDelete
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		c := callOf(ctx)
		p, err := s.authenticate(c, op.Access)
		if err == nil && takesJSON {
			if err = checkJSON(c.fiber); err == nil {
				_, err = c.wholeBody()
			}
		}
		if err != nil {
			_ = s.refuse(c.fiber, err) // only fails if a Problem cannot be encoded
			return
		}
		ctx = huma.WithContext(ctx, withPrincipal(ctx.Context(), p))
		if key := c.fiber.Get(idempotencyKey); op.Creates && key != "" {
			s.idempotent(callOf(ctx), p, key, func() { next(ctx) })
			return
		}
		next(ctx)
	}}
}

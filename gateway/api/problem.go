package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"scrm/gateway/kit/fault"
)

// Problem is an error as clients get it (RFC 9457), for every status of 400 and more.
type Problem struct {
	Type      string       `json:"type" doc:"about:blank: the code says what it is" example:"about:blank"`
	Title     string       `json:"title" doc:"the status in words" example:"Unprocessable Entity"`
	Status    int          `json:"status" doc:"the HTTP status" example:"422"`
	Detail    string       `json:"detail" doc:"what is wrong, for the person who has to mend it"`
	Code      string       `json:"code" doc:"what is wrong, for programs; stable" example:"invalid_fields"`
	RequestID string       `json:"request_id" doc:"names this request in the server's log"`
	Errors    []FieldError `json:"errors,omitempty" doc:"the fields at fault"`

	retryAfter int // seconds, 0: not said
}

// FieldError is what is wrong with one field of the input. It never repeats the field's value.
type FieldError struct {
	Field  string `json:"field" doc:"path of the field in the input" example:"lines[2].paid"`
	Code   string `json:"code" doc:"what is wrong with it; stable" example:"required"`
	Detail string `json:"detail" doc:"the same in words"`
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the headers that belong to the problem, for huma.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	return h
}

// ContentType makes huma answer problem+json.
func (p *Problem) ContentType(string) string { return problemJSON }

const problemJSON = "application/problem+json"

// statuses is the one table from kinds of errors to HTTP statuses. 499 is the customary status of a request that its client gave
// up; nobody reads that answer, but the log and the metrics do.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Exists:          http.StatusConflict,
	fault.Conflict:        http.StatusConflict,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Canceled:        http.StatusServiceUnavailable,
}

// statusOf are the codes whose status differs from their kind's: a body that cannot be read at all is 400, not 422.
var statusOf = map[string]int{
	"invalid_utf8":      http.StatusBadRequest,
	"malformed_json":    http.StatusBadRequest,
	"body_incomplete":   http.StatusBadRequest,
	"body_required":     http.StatusBadRequest,
	"body_timeout":      http.StatusRequestTimeout,
	"too_many_attempts": http.StatusTooManyRequests,
}

// retryAfter is how long clients are asked to wait when something is not available, in seconds.
const retryAfter = 1

// problemOf turns an error into what the client gets; the detail of an internal one stays inside.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		c := *p
		return c.complete()
	}
	kind, code := fault.KindOf(err), fault.CodeOf(err)
	p = &Problem{Status: statuses[kind], Code: code}
	if s, ok := statusOf[code]; ok {
		p.Status = s
	}
	var f *fault.Error
	switch {
	case kind == fault.Internal:
		p.Code, p.Detail = "internal", "something went wrong on our side; the request id names it in the log"
	case errors.As(err, &f):
		p.Detail = f.Detail
		if f.Field != "" {
			p.Errors = []FieldError{{Field: f.Field, Code: f.Code, Detail: f.Detail}}
		}
	case errors.Is(err, context.Canceled):
		p.Status, p.Detail = statusClientClosed, "the request was given up"
	default:
		p.Detail = "the request took too long"
	}
	switch p.Status {
	case http.StatusServiceUnavailable:
		p.retryAfter = retryAfter
	case http.StatusTooManyRequests:
		p.retryAfter = int(throttleWindow.Seconds())
	}
	return p.complete()
}

const statusClientClosed = 499

func (p *Problem) complete() *Problem {
	p.Type = "about:blank"
	if p.Title = http.StatusText(p.Status); p.Title == "" {
		p.Title = "Client Closed Request"
	}
	return p
}

// problem is problemOf with the request's id, and logs what is our fault.
func (s *Server) problem(ctx context.Context, err error) *Problem {
	p := problemOf(err)
	p.RequestID = requestID(ctx)
	if p.Status >= http.StatusInternalServerError {
		level := slog.LevelError
		if p.Status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
		s.log.LogAttrs(ctx, level, "request failed", slog.String("request_id", p.RequestID), slog.Any("error", err))
	}
	return p
}

// refuse answers a request with an error, outside of huma.
func (s *Server) refuse(c *fiber.Ctx, err error) error {
	p := s.problem(c.UserContext(), err)
	if p.retryAfter > 0 {
		c.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		c.Set("WWW-Authenticate", `Bearer realm="scrm"`)
	}
	body, err := encodeJSON(p)
	if err != nil {
		return err
	}
	c.Status(p.Status)
	c.Set("Content-Type", problemJSON)
	return c.Send(body)
}

// onFiberError answers what the router and the server themselves refuse: unknown paths, wrong methods, unreadable requests.
func (s *Server) onFiberError(c *fiber.Ctx, err error) error {
	if requestID(c.UserContext()) == "" { // refused by the server itself, before anything of ours
		s.begin(c)
	}
	var known *fiber.Error
	if !errors.As(err, &known) {
		return s.refuse(c, err)
	}
	p := &Problem{Status: known.Code}
	switch known.Code {
	case http.StatusNotFound:
		p.Code, p.Detail = "unknown_path", "there is nothing at this path"
	case http.StatusMethodNotAllowed:
		p.Code, p.Detail = "method_not_allowed", "this path does not take this method"
	case http.StatusRequestEntityTooLarge:
		p.Code, p.Detail = errTooLarge.Code, errTooLarge.Detail
	case http.StatusRequestHeaderFieldsTooLarge:
		p.Code, p.Detail = "headers_too_large", "the request's headers are too large"
	case http.StatusRequestTimeout:
		p.Code, p.Detail = "request_timeout", "the request did not arrive in time"
	default:
		p.Status, p.Code, p.Detail = http.StatusBadRequest, "malformed_request", "this is not a readable HTTP request"
	}
	return s.refuse(c, p)
}

// newHumaError makes huma's own errors ours: field errors without the values that huma would repeat.
func newHumaError(status int, _ string, errs ...error) *Problem {
	for _, err := range errs {
		var p *Problem
		if errors.As(err, &p) { // a resolver refused the request as a whole
			return problemOf(p)
		}
	}
	p := &Problem{Status: status}
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			p.Errors = append(p.Errors, fieldError(d.ErrorDetail()))
		}
	}
	switch {
	case len(p.Errors) == 1 && p.Errors[0].Code == errMalformed.Code:
		return problemOf(errMalformed)
	case len(p.Errors) > 0:
		p.Status, p.Code, p.Detail = http.StatusUnprocessableEntity, "invalid_fields", "fields of the input are not as they must be"
	case status == http.StatusBadRequest:
		p.Code, p.Detail = "body_required", "this operation needs a body"
	case status == http.StatusInternalServerError:
		p.Code, p.Detail = "internal", "something went wrong on our side; the request id names it in the log"
	default:
		p.Code, p.Detail = "request_refused", http.StatusText(status)
	}
	return p.complete()
}

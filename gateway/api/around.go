package api

import (
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"scrm/gateway/kit/ident"
)

const requestIDHeader = "X-Request-Id"

var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// begin gives a request its id and its answer the headers that every answer has.
func (s *Server) begin(c *fiber.Ctx) (id string) {
	if id = c.Get(requestIDHeader); !goodRequestID.MatchString(id) {
		id = ident.New()
	}
	c.SetUserContext(withRequest(s.base, request{id: id}))
	header := &c.Response().Header
	header.Set(requestIDHeader, id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	return id
}

// knownMethods refuses methods that Fiber does not know, which it would answer as plain text.
func (s *Server) knownMethods(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(rc *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(rc.Method())) {
			next(rc)
			return
		}
		c := s.app.AcquireCtx(rc)
		defer s.app.ReleaseCtx(c)
		s.begin(c)
		rc.SetConnectionClose()
		_ = s.refuse(c, &Problem{Status: fiber.StatusNotImplemented, Code: "unknown_method", Detail: "there is no such method"})
	}
}

// around is what happens around every request: its id, headers that every answer has, recovery from panics, the body's rest, the
// access log and the metrics.
func (s *Server) around(c *fiber.Ctx) error {
	start := time.Now()
	id := s.begin(c)
	s.metrics.inFlight.Inc()
	err := s.recovered(c)
	if err != nil { // answered here, so that the log and the metrics see the status
		err = s.onFiberError(c, err)
	}
	finishBody(c)
	s.metrics.inFlight.Dec()

	route, status, took := routeOf(c), c.Response().StatusCode(), time.Since(start)
	s.metrics.observe(c.Method(), route, status, took)
	level := slog.LevelInfo
	if status < fiber.StatusBadRequest && quiet[route] {
		level = slog.LevelDebug
	}
	if s.log.Enabled(c.UserContext(), level) {
		s.log.LogAttrs(c.UserContext(), level, "request", slog.String("method", c.Method()), slog.String("route", route),
			slog.Int("status", status), slog.Float64("took_ms", float64(took.Microseconds())/1000), slog.String("request_id", id))
	}
	return err
}

// quiet are routes whose successes are logged only at level debug: probes, and what tills send thousands of times a second.
var quiet = map[string]bool{"/livez": true, "/readyz": true, "/metrics": true, "/v1/pos/transactions": true, "/v1/orders": true}

// routeOf is the pattern that a request matched, never its path, which a client may have put anything into.
func routeOf(c *fiber.Ctx) string {
	route := c.Route().Path
	if route == "/" && c.Path() != "/" {
		return "unmatched"
	}
	return route
}

// recovered runs the rest of the chain and turns a panic into an error.
func (s *Server) recovered(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic", "request_id", requestID(c.UserContext()), "panic", fmt.Sprint(r), "stack", strings.TrimSpace(string(debug.Stack())))
			err = fmt.Errorf("api: panic: %v", r)
		}
	}()
	return c.Next()
}

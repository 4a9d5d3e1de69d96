package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/geo"
)

// Limits of a request in time.
const (
	requestTimeout = 30 * time.Second // of an operation that does not say otherwise
	readTimeout    = 30 * time.Second // until the headers and the start of the body are there
	writeTimeout   = 30 * time.Second // until an answer is written
	idleTimeout    = 2 * time.Minute  // between two requests of a connection
)

// Config is what a server is made of.
type Config struct {
	DB            docdb.DB // the gateway's own: users, sessions, idempotency records
	Keys          *seal.Keyring
	Clock         when.Clock
	Log           *slog.Logger
	Bus           *stream.Bus // INTAKE
	Services      Services
	Nearest       *geo.Index                                       // the stores of all brands
	AdminPassword string                                           // of the user admin at the first start; empty: one is made
	Audit         func(ctx context.Context) ([]audit.Check, error) // the equations over all domains
	Projected     func(ctx context.Context) error                  // returns when all that store has decided is projected; nil: outcomes are looked at until they are there
	Ready         map[string]func(ctx context.Context) error       // what readyz asks, by name
	Web           fs.FS                                            // the dashboard's files, index.html at its root; nil: none
	Version       string
}

// Server is the HTTP edge.
type Server struct {
	Config
	log       *slog.Logger
	app       *fiber.App
	api       huma.API
	metrics   *metrics
	auth      *auth
	contents  *contents
	forgotten atomic.Pointer[string] // the day before which kept answers were deleted

	base, serving   context.Context // base is every request's and ends when they have had time to end; serving ends before it
	stop, endStream context.CancelFunc
}

// New makes a server and, at the first start, the user admin.
func New(ctx context.Context, config Config) (*Server, error) {
	setUpHuma()
	s := &Server{Config: config, log: config.Log, metrics: newMetrics(), contents: newContents(config.Keys)}
	s.base, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.serving, s.endStream = context.WithCancel(s.base)
	if err := config.DB.Ensure(ctx, schemas()...); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	var err error
	if s.auth, err = newAuth(ctx, config); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	s.app = fiber.New(fiber.Config{
		AppName: "scrm", DisableStartupMessage: true, Immutable: true, StreamRequestBody: true, DisablePreParseMultipartForm: true,
		StrictRouting: true, CaseSensitive: true, BodyLimit: MaxJSON, ReadBufferSize: 16 << 10,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, ErrorHandler: s.onFiberError,
	})
	s.app.Server().Handler = s.knownMethods(s.app.Server().Handler)
	s.app.Use(s.around)
	s.routeIntake() // first, since Fiber looks through the routes in order
	s.plainRoutes()
	s.api = huma.NewAPI(humaConfig(config.Version), adapter{s})
	s.routes()
	return s, nil
}

// setUpHuma makes huma's errors ours. huma keeps these in variables of its package.
var setUpHuma = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return newHumaError(status, message, errs...)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := newHumaError(status, message, errs...)
		p.RequestID = requestID(ctx.Context())
		return p
	}
	huma.ValidateStrictCasing = true
})

// Serve answers requests that come to the listener until Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.app.Listener(listener); err != nil {
		return fmt.Errorf("api: serve: %w", err)
	}
	return nil
}

// Shutdown stops listening, ends streams, and waits for the requests under way, as long as ctx allows; then their contexts end.
func (s *Server) Shutdown(ctx context.Context) error {
	s.endStream()
	err := s.app.ShutdownWithContext(ctx)
	s.stop()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("api: shut down: %w", err)
	}
	return nil
}

// requestContext is the context of a request's handler: with its id, ending with its time, or when the server gives up waiting.
func (s *Server) requestContext(c *fiber.Ctx, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		timeout = requestTimeout
	}
	return context.WithTimeout(c.UserContext(), timeout)
}

func humaConfig(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "scrm", Version: version, Description: openAPIText},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: securitySchemes(),
			},
		},
		OpenAPIPath:   "/openapi",
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
	}
}

const openAPIText = `Conventions: times are RFC 3339 with offset, amounts integers in minor units, lists answer items and
next_cursor, errors are RFC 9457 problem+json with a stable code, POSTs that create take an optional Idempotency-Key.`

package api

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/fault"
)

//go:embed docs.html
var docsPage []byte

// plainRoutes are what is not part of the API: probes, metrics, the documentation's page and the dashboard.
func (s *Server) plainRoutes() {
	s.app.Get("/livez", func(c *fiber.Ctx) error { return c.SendString("ok\n") })
	s.app.Get("/readyz", s.readyz)
	s.app.Get("/metrics", adaptor.HTTPHandler(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})))
	s.app.Get("/docs", func(c *fiber.Ctx) error {
		c.Set("Content-Type", "text/html; charset=utf-8")
		c.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
		return c.Send(docsPage)
	})
	if s.Web != nil {
		s.app.Get("/", s.web)
		s.app.Get("/assets/*", s.web)
	}
}

// readyTimeout is how long the parts that a request needs may take to say that they are there.
const readyTimeout = 2 * time.Second

// readyz says whether every part that requests need is there, and names those that are not; why, the log says.
func (s *Server) readyz(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), readyTimeout)
	defer cancel()
	missing := []string{}
	for name, ready := range s.Ready {
		if err := ready(ctx); err != nil {
			missing = append(missing, name)
			s.log.WarnContext(ctx, "not ready", "part", name, "error", err)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return s.refuse(c, fault.New(fault.Unavailable, "not_ready", "not ready: %s", strings.Join(missing, ", ")))
	}
	return c.SendString("ok\n")
}

// web serves the dashboard's files.
func (s *Server) web(c *fiber.Ctx) error {
	name := strings.TrimPrefix(path.Clean(c.Path()), "/")
	if name == "" {
		name = "index.html"
	}
	content, err := fs.ReadFile(s.Web, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return fiber.ErrNotFound
	}
	if err != nil {
		return err
	}
	c.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	c.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
	return c.Send(content)
}

func (s *Server) registerRunning() {
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/audit", ID: "audit", Tag: "Running", Summary: "Check the equations E1–E8 over the stored data",
		Description: "For platform admins. Reads everything that is stored, so it takes a while.", Timeout: auditTimeout,
	}, s.runAudit)
}

// auditTimeout bounds a check of everything that is stored.
const auditTimeout = 30 * time.Minute

type auditReport struct {
	OK     bool          `json:"ok" doc:"whether every equation holds"`
	Checks []audit.Check `json:"checks" nullable:"false"`
}

func (s *Server) runAudit(ctx context.Context, _ *struct{}) (*reply[auditReport], error) {
	if err := caller(ctx).MustRole(PlatformAdmin); err != nil {
		return nil, err
	}
	checks, err := s.Audit(ctx)
	if err != nil {
		return nil, err
	}
	failed := slices.ContainsFunc(checks, func(c audit.Check) bool { return !c.OK })
	return answer(auditReport{OK: !failed, Checks: checks}), nil
}

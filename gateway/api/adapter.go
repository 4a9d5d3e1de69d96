package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

// adapter lets huma register its operations on Fiber v2. It is our own because huma's links Fiber v3 as well and leaves the
// limits of streamed bodies to the caller (docs/decisions/0005-http-edge.md).
type adapter struct{ s *Server }

// Handle adds an operation's route. {param} becomes :param.
func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	timeout, _ := op.Metadata[timeoutKey].(time.Duration)
	path := strings.NewReplacer("{", ":", "}", "").Replace(op.Path)
	a.s.app.Add(op.Method, path, func(c *fiber.Ctx) error {
		ctx, cancel := a.s.requestContext(c, timeout)
		streams := false
		defer func() {
			if !streams {
				cancel()
			}
		}()
		handler(&call{s: a.s, op: op, fiber: c, ctx: ctx, cancel: cancel, streams: &streams})
		return nil
	})
}

// ServeHTTP is for huma's own test tools, which this program does not use: its tests speak HTTP to a listener.
func (adapter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not served this way", http.StatusNotImplemented)
}

// call is one request as huma sees it. Strings that it hands out are copies (the app is Immutable), so they may outlive the
// request, whose buffers Fiber uses again.
type call struct {
	s     *Server
	op    *huma.Operation
	fiber *fiber.Ctx
	ctx   context.Context

	cancel  context.CancelFunc // ends ctx
	streams *bool              // the answer's body is still written after the handler, so that its writer ends ctx

	body    []byte // the whole body, read at most once
	bodyErr error
	read    bool
}

var _ huma.Context = (*call)(nil)

// callOf finds the call under huma's wrappers.
func callOf(ctx huma.Context) *call {
	for {
		if c, ok := ctx.(*call); ok {
			return c
		}
		w, ok := ctx.(interface{ Unwrap() huma.Context })
		if !ok {
			panic("api: not a context of this adapter")
		}
		ctx = w.Unwrap()
	}
}

func (c *call) Operation() *huma.Operation { return c.op }
func (c *call) Context() context.Context   { return c.ctx }
func (c *call) Method() string             { return c.fiber.Method() }
func (c *call) Host() string               { return c.fiber.Hostname() }
func (c *call) RemoteAddr() string         { return c.fiber.Context().RemoteAddr().String() }
func (c *call) Query(name string) string   { return c.fiber.Query(name) }
func (c *call) Header(name string) string  { return c.fiber.Get(name) }

// Param is a path parameter, unescaped.
func (c *call) Param(name string) string {
	raw := c.fiber.Params(name)
	if p, err := url.PathUnescape(raw); err == nil {
		return p
	}
	return raw
}

func (c *call) URL() url.URL {
	u, err := url.ParseRequestURI(string(c.fiber.Request().RequestURI()))
	if err != nil {
		return url.URL{Path: c.fiber.Path()}
	}
	return *u
}

func (c *call) EachHeader(each func(name, value string)) {
	for name, value := range c.fiber.Request().Header.All() {
		each(string(name), string(value))
	}
}

// BodyReader gives huma the whole body; prepare has read it and answered the request if that failed.
func (c *call) BodyReader() io.Reader {
	body, err := c.wholeBody()
	if err != nil {
		return failingReader{err}
	}
	return bytes.NewReader(body)
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func (c *call) GetMultipartForm() (*multipart.Form, error) {
	return nil, errors.New("api: forms are not taken")
}

// SetReadDeadline is huma's deadline for a body, which body.go sets itself.
func (c *call) SetReadDeadline(time.Time) error { return nil }

func (c *call) SetStatus(code int)              { c.fiber.Status(code) }
func (c *call) Status() int                     { return c.fiber.Response().StatusCode() }
func (c *call) AppendHeader(name, value string) { c.fiber.Response().Header.Add(name, value) }
func (c *call) SetHeader(name, value string)    { c.fiber.Set(name, value) }
func (c *call) BodyWriter() io.Writer           { return c.fiber.Response().BodyWriter() }
func (c *call) TLS() *tls.ConnectionState       { return c.fiber.Context().TLSConnectionState() }
func (c *call) Version() huma.ProtoVersion      { return huma.ProtoVersion{Proto: c.fiber.Protocol()} }

// WithContext makes huma's middlewares share this call with another context.
func (c *call) WithContext(ctx context.Context) huma.Context {
	next := *c
	next.ctx = ctx
	return &next
}

// StreamBody answers with a body that is written while it is made (server-sent events); huma calls it. It ends with the
// operation's time, or when the server is shut down.
func (c *call) StreamBody(write func(io.Writer)) {
	*c.streams = true
	conn, stop := c.fiber.Context().Conn(), context.AfterFunc(c.s.serving, c.cancel)
	c.fiber.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer c.cancel()
		defer stop()
		write(&streamWriter{w, conn})
	})
}

// streamWriter flushes what is written to a stream, and moves its connection's deadline.
type streamWriter struct {
	*bufio.Writer
	conn interface{ SetWriteDeadline(time.Time) error }
}

// Flush sends what is buffered; a write after a failed one fails too, so that the stream ends.
func (w *streamWriter) Flush() { _ = w.Writer.Flush() }

// SetWriteDeadline bounds the writes to come.
func (w *streamWriter) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }

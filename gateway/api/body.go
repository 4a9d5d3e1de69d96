package api

import (
	"errors"
	"io"
	"mime"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"scrm/gateway/kit/fault"
)

const (
	// MaxJSON is the largest JSON body in bytes.
	MaxJSON = 1 << 20
	// MaxCSV is the largest CSV body in bytes.
	MaxCSV = 512 << 20
	// prefetched is how much of a body Fiber has read before a handler runs, where the request says its length.
	prefetched = 8 << 10
	// drained is how much of a body that nobody read is taken from the connection, so that the client gets to read the answer
	// before the connection is closed.
	drained = 32 << 20
	// bodyIdle is how long a client may pause within a body.
	bodyIdle = 30 * time.Second
)

var errTooLarge = fault.New(fault.TooLarge, "body_too_large", "a JSON body has at most %d bytes", MaxJSON)

// readBody reads a request's JSON body into a slice of its own: fault.TooLarge over MaxJSON, fault.Invalid where it is
// not UTF-8.
func readBody(c *fiber.Ctx) ([]byte, error) {
	length := c.Request().Header.ContentLength()
	if length > MaxJSON {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(incomingOf(c), MaxJSON+1))
	switch {
	case err != nil:
		return nil, bodyFault(err)
	case len(body) > MaxJSON:
		return nil, errTooLarge
	case len(body) < length:
		return nil, bodyFault(io.ErrUnexpectedEOF)
	case !utf8.Valid(body):
		return nil, fault.New(fault.Invalid, "invalid_utf8", "the body is not UTF-8")
	}
	return body, nil
}

// bodyFault translates an error of reading a body: the client was too slow, or broke off.
func bodyFault(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fault.New(fault.Canceled, "body_timeout", "the body did not arrive in time").Because(err)
	}
	return fault.New(fault.Invalid, "body_incomplete", "the body ended before it was whole").Because(err)
}

// wholeBody is the JSON body, read once however often it is asked for.
func (c *call) wholeBody() ([]byte, error) {
	if !c.read {
		c.body, c.bodyErr = readBody(c.fiber)
		c.read = true
	}
	return c.body, c.bodyErr
}

// checkJSON refuses a body that says it is something else than JSON. A missing Content-Type counts as JSON.
func checkJSON(c *fiber.Ctx) error {
	kind := contentType(c)
	if kind == "" || kind == fiber.MIMEApplicationJSON || strings.HasSuffix(kind, "+json") {
		return nil
	}
	return unsupported("application/json")
}

func contentType(c *fiber.Ctx) string {
	header := c.Request().Header.ContentType()
	if string(header) == fiber.MIMEApplicationJSON {
		return fiber.MIMEApplicationJSON // the usual one, without parsing
	}
	kind, _, err := mime.ParseMediaType(string(header))
	if err != nil && len(header) > 0 {
		return "unreadable"
	}
	return kind
}

func unsupported(want string) error {
	return &Problem{Status: fiber.StatusUnsupportedMediaType, Code: "unsupported_media_type", Detail: "this operation takes a body of type " + want}
}

// csvStream is the field of an operation's input that takes a CSV body while it arrives: text/csv, of at most MaxCSV bytes. Reading
// more answers fault.TooLarge, a pause of more than bodyIdle fault.Canceled. Whether it is CSV at all, who reads it finds out.
type csvStream struct{ io.Reader }

// Resolve opens the stream; huma calls it once the rest of the input is in order.
func (s *csvStream) Resolve(ctx huma.Context) []error {
	c := callOf(ctx)
	if kind := contentType(c.fiber); kind != "text/csv" && kind != "" {
		return []error{unsupported("text/csv")}
	}
	if c.fiber.Request().Header.ContentLength() > MaxCSV {
		return []error{problemOf(errCSVTooLarge)}
	}
	s.Reader = &limitedStream{from: incomingOf(c.fiber), left: MaxCSV}
	return nil
}

var errCSVTooLarge = fault.New(fault.TooLarge, "body_too_large", "a CSV body has at most %d bytes", MaxCSV)

// limitedStream counts a streamed body against its limit, which Fiber does not.
type limitedStream struct {
	from *incoming
	left int64
}

func (s *limitedStream) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, errCSVTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = bodyFault(err)
	}
	return n, err
}

// incoming is a request's body as it arrives. Each read has its own deadline, so that a long upload does not run into the
// deadline of a request; and it remembers its end, since Fiber's own stream would go on into the next request.
type incoming struct {
	from io.Reader // nil: no body
	conn net.Conn
	done bool
}

type incomingKey struct{}

// incomingOf is the one reader of a request's body.
func incomingOf(c *fiber.Ctx) *incoming {
	if in, ok := c.Locals(incomingKey{}).(*incoming); ok {
		return in
	}
	in := &incoming{from: c.Request().BodyStream(), conn: c.Context().Conn()}
	in.done = in.from == nil
	c.Locals(incomingKey{}, in)
	return in
}

func (in *incoming) Read(p []byte) (int, error) {
	if in.done {
		return 0, io.EOF
	}
	if err := in.conn.SetReadDeadline(time.Now().Add(bodyIdle)); err != nil {
		return 0, err
	}
	n, err := in.from.Read(p)
	in.done = err != nil
	return n, err
}

// finishBody deals with what the handler has not read of a body: a little is read and dropped, and where more is left the
// connection is closed after the answer, since the rest would be taken for the next request.
func finishBody(c *fiber.Ctx) {
	length := c.Request().Header.ContentLength()
	if length >= 0 && length <= prefetched {
		return
	}
	n, err := io.Copy(io.Discard, io.LimitReader(incomingOf(c), drained))
	if err != nil || n == drained {
		c.Context().SetConnectionClose()
	}
}

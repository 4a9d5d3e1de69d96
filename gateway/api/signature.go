package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

// The headers of a terminal's signed request.
const (
	terminalHeader  = "Scrm-Terminal"
	timestampHeader = "Scrm-Timestamp"
	signatureHeader = "Scrm-Signature"
)

// signatureWindow is how far a signed request's time may be off.
const signatureWindow = 300 * time.Second

// One answer for everything that can be wrong with a signature but its time, so that nobody learns which terminals there are.
var (
	errSignature = fault.New(fault.Unauthenticated, "invalid_signature", "the terminal is not known or the signature is not right")
	errTimestamp = fault.New(fault.Unauthenticated, "timestamp_off", "Scrm-Timestamp is not within 300 seconds of the server's time")
)

// signed is what a terminal signs.
type signed struct {
	method    string
	path      string // with its query, as sent
	timestamp string // unix seconds
	body      []byte
}

// mac is the HMAC-SHA256 over METHOD\nPATH\nTIMESTAMP\nhex(SHA-256(body)).
func (r signed) mac(secret string) []byte {
	sum := sha256.Sum256(r.body)
	m := hmac.New(sha256.New, []byte(secret))
	buf := make([]byte, 0, 256)
	buf = append(append(buf, r.method...), '\n')
	buf = append(append(buf, r.path...), '\n')
	buf = append(append(buf, r.timestamp...), '\n')
	m.Write(hex.AppendEncode(buf, sum[:]))
	return m.Sum(nil)
}

// Sign is the value of the Scrm-Signature header for a request, as tills make it; path is what goes on the request line.
func Sign(secret, method, path string, at time.Time, body []byte) (timestamp, signature string) {
	r := signed{method: method, path: path, timestamp: strconv.FormatInt(at.Unix(), 10), body: body}
	return r.timestamp, "v1=" + hex.EncodeToString(r.mac(secret))
}

// check says whether signature is right for the request, and by how much the till's clock is off: arrival − timestamp in
// milliseconds. It takes as long for a wrong signature as for a right one.
func (r signed) check(secret, signature string, now when.Instant) (offsetMillis int64, err error) {
	version, digits, ok := strings.Cut(signature, "=")
	given, err := hex.DecodeString(digits)
	if !ok || version != "v1" || err != nil || !hmac.Equal(given, r.mac(secret)) {
		return 0, errSignature
	}
	// At most 11 digits and no sign, so that nothing overflows below.
	seconds, err := strconv.ParseUint(r.timestamp, 10, 36)
	if err != nil {
		return 0, errTimestamp
	}
	offset := now.Sub(when.Of(time.Unix(int64(seconds), 0)))
	if offset.Abs() > signatureWindow {
		return 0, errTimestamp
	}
	return offset.Milliseconds(), nil
}

// verifySignature establishes the terminal that signed a request.
func (s *Server) verifySignature(ctx context.Context, c *fiber.Ctx, body []byte) (*Principal, error) {
	t, err := s.Services.Store.Terminal(ctx, c.Get(terminalHeader))
	if fault.Is(err, fault.NotFound) {
		return nil, errSignature
	}
	if err != nil {
		return nil, err
	}
	r := signed{method: c.Method(), path: string(c.Request().RequestURI()), timestamp: c.Get(timestampHeader), body: body}
	offset, err := r.check(t.Secret, c.Get(signatureHeader), s.Clock.Now())
	if err != nil {
		return nil, err
	}
	return &Principal{Name: t.ID, Role: TerminalRole, Store: t.Store, ClockOffsetMillis: offset, terminal: t}, nil
}

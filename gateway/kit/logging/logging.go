// Package logging makes the program's logger: one JSON line a record on the given writer, and a handler that takes personal
// data and secrets out of every record, wherever in it they stand, so that no call site has to think of it.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Redacted stands where something was taken out.
const Redacted = "[redacted]"

// New makes a logger that writes JSON lines at level and above to w, redacted.
func New(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(Redact(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})))
}

// Redact wraps a handler so that it sees no phone numbers, tokens or secrets: values under telling keys (password, secret,
// token, phone …) are replaced whole, and in every other text whatever looks like a phone number, a bearer or JSON web token,
// or a terminal's signature.
func Redact(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ next slog.Handler }

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = attr(a)
	}
	return handler{h.next.WithAttrs(clean)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.next.WithGroup(name)} }

// secretKeys are attribute names, in lower case, whose values never reach a log.
var secretKeys = map[string]bool{
	"password": true, "secret": true, "token": true, "access_token": true, "refresh_token": true, "authorization": true,
	"signature": true, "scrm-signature": true, "phone": true, "e164": true, "number": true, "name": true,
	"master_key": true, "key": true, "cookie": true,
}

func attr(a slog.Attr) slog.Attr {
	if secretKeys[strings.ToLower(a.Key)] {
		return slog.String(a.Key, Redacted)
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Text(v.String()))
	case slog.KindGroup:
		members := v.Group()
		clean := make([]slog.Attr, len(members))
		for i, m := range members {
			clean[i] = attr(m)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(clean...)}
	case slog.KindAny:
		return slog.String(a.Key, Text(fmt.Sprint(v.Any())))
	default: // numbers, booleans, times and durations, which the program itself makes
		return slog.Attr{Key: a.Key, Value: v}
	}
}

// Package fault is the closed set of error kinds that cross package borders.
//
// A driver's error is translated into a kind where it enters the program; the HTTP edge maps kinds to status codes in one
// table; everything between wraps with %w. Callers test with KindOf, CodeOf and errors.As, never by text.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what a caller can do about an error.
type Kind uint8

// The kinds. Internal is the zero value, so that an error nobody classified is treated as ours.
const (
	Internal        Kind = iota // a defect or a broken dependency; retrying may or may not help
	Invalid                     // the request itself is wrong: the caller must change it
	Unauthenticated             // who the caller is could not be established
	Forbidden                   // the caller is known and may not do this
	NotFound                    // the thing does not exist, or not for this caller
	Exists                      // a thing with this id exists already
	Conflict                    // the state of the thing does not allow this (now), or changed meanwhile
	TooLarge                    // the input is over a limit
	Unavailable                 // a dependency is down or full: the same request may succeed later
	Canceled                    // the caller went away or its deadline passed
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "forbidden", "not_found", "exists", "conflict", "too_large", "unavailable", "canceled"}

// String is the kind's stable name, used in logs and dead letters.
func (k Kind) String() string { return kindNames[k] }

// Error is an error with a kind, a stable machine-readable code and a detail for people. The detail never contains personal
// data or the rejected input.
type Error struct {
	Kind   Kind
	Code   string // stable snake_case, part of the API
	Detail string // one sentence for the person who has to mend it
	Field  string // the input field at fault as a path (lines[2].paid), empty if none
	Err    error  // cause, nil if none
}

func (e *Error) Error() string {
	s := e.Code + ": " + e.Detail
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error; format and args give its detail.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// At returns a copy of e that names the input field at fault.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// Because returns a copy of e with a cause.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// KindOf finds the kind of err; context errors are Canceled, unknown errors Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Canceled
	}
	return Internal
}

// Is reports whether err is of the kind. A nil error is of no kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// CodeOf finds the code of err, or "internal".
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return KindOf(err).String()
}

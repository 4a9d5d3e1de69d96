package api

import (
	"context"
	"fmt"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

// Guessing passwords is slowed down by counting failures in windows of time: per user name and client address, so that a stranger
// cannot lock a user out from elsewhere, and per user name over all addresses, against guessing from many.
const (
	throttleWindow  = 15 * time.Minute
	maxFailuresFrom = 5
	maxFailures     = 100
)

// failure counts failed logins; its id is <window>|<user name>|<address, or empty for all>.
type failure struct {
	docdb.Doc `json:",inline"`
	Count     int64 `json:"count"`
}

var failures = docdb.Define[failure]("login_failures")

var errThrottled = fault.New(fault.Unavailable, "too_many_attempts", "too many failed sign-ins: wait 15 minutes")

func window(now when.Instant) int64 { return int64(now) / throttleWindow.Milliseconds() }

// windowID is the part of an id that orders failures by time.
func windowID(w int64) string { return fmt.Sprintf("%012d|", w) }

// throttled answers an error while there have been too many failures.
func (a *auth) throttled(ctx context.Context, name, from string) error {
	w := windowID(window(a.clock.Now()))
	found, err := failures.GetMany(ctx, a.db, w+name+"|"+from, w+name+"|")
	if err != nil {
		return err
	}
	if f := found[w+name+"|"+from]; f != nil && f.Count >= maxFailuresFrom {
		return errThrottled
	}
	if f := found[w+name+"|"]; f != nil && f.Count >= maxFailures {
		return errThrottled
	}
	return nil
}

// failed counts a failure, and forgets those of windows gone by.
func (a *auth) failed(ctx context.Context, name, from string) error {
	w := window(a.clock.Now())
	count := func(id string) docdb.Increment[failure] {
		return docdb.Increment[failure]{New: &failure{Doc: docdb.Doc{ID: windowID(w) + id}}, Inc: map[string]int64{"count": 1}}
	}
	if err := failures.IncrementMany(ctx, a.db, []docdb.Increment[failure]{count(name + "|" + from), count(name + "|")}); err != nil {
		return err
	}
	_, err := failures.DeleteRange(ctx, a.db, "", windowID(w))
	return err
}

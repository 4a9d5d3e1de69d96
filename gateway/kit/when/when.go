// Package when holds the two kinds of time that the business knows: instants and business dates, and the clock.
package when

import (
	"fmt"
	"time"
)

// Instant is a moment in milliseconds since the Unix epoch, UTC. Zero means "not set".
type Instant int64

// Of converts a time, dropping what is below a millisecond.
func Of(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time is the instant as a UTC time.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// Add moves the instant by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Sub is the duration from other to i.
func (i Instant) Sub(other Instant) time.Duration {
	return time.Duration(i-other) * time.Millisecond
}

// SecondEnd is the last millisecond of the instant's second where the instant is in whole seconds, else the instant itself.
// Look-ups as of a business time use it: who enrols and pays in the same second is a member.
func (i Instant) SecondEnd() Instant {
	if i%1000 == 0 {
		return i + 999
	}
	return i
}

// String is RFC 3339 with milliseconds, in UTC.
func (i Instant) String() string { return i.Time().Format("2006-01-02T15:04:05.000Z07:00") }

// Date is a calendar day in the form 2006-01-02; dates compare as strings. Empty means "not set".
type Date string

const dateLayout = "2006-01-02"

// ParseDate checks the form and that the day exists.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return "", fmt.Errorf("when: %w", err)
	}
	return Date(t.Format(dateLayout)), nil
}

// DateIn is the business date of an instant: its day in loc, where days start dayStarts after midnight (a bar that closes at
// 02:00 has dayStarts = 4h, so 01:30 still counts to the day before).
func DateIn(i Instant, loc *time.Location, dayStarts time.Duration) Date {
	t := time.UnixMilli(int64(i)).In(loc)
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, loc)
	h, m, s := t.Clock()
	sinceMidnight := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	if sinceMidnight < dayStarts {
		midnight = midnight.AddDate(0, 0, -1)
	}
	return Date(midnight.Format(dateLayout))
}

// Add moves the date by whole days.
func (d Date) Add(days int) Date { return Date(d.utc().AddDate(0, 0, days).Format(dateLayout)) }

// Months moves the date by whole months as time.AddDate does.
func (d Date) Months(n int) Date { return Date(d.utc().AddDate(0, n, 0).Format(dateLayout)) }

// DaysSince is the number of days from other to d, negative if d is earlier.
func (d Date) DaysSince(other Date) int { return int(d.utc().Sub(other.utc()).Hours() / 24) }

// Start is the instant at which the date begins in loc, dayStarts after midnight.
func (d Date) Start(loc *time.Location, dayStarts time.Duration) Instant {
	t := d.utc()
	h, m := int(dayStarts.Hours()), int(dayStarts.Minutes())%60
	return Of(time.Date(t.Year(), t.Month(), t.Day(), h, m, 0, 0, loc))
}

func (d Date) utc() time.Time {
	t, _ := time.Parse(dateLayout, string(d))
	return t
}

// Later is the later of two dates.
func Later(a, b Date) Date {
	if a > b {
		return a
	}
	return b
}

// Clock tells the business time. Everything that asks for the time gets one injected.
type Clock interface{ Now() Instant }

// System is the wall clock.
type System struct{}

// Now is the present instant.
func (System) Now() Instant { return Of(time.Now()) }

// Fixed is a clock that stands still, for tests.
type Fixed Instant

// Now is the fixed instant.
func (f Fixed) Now() Instant { return Instant(f) }

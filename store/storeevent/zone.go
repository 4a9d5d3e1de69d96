package storeevent

import (
	"fmt"
	"time"

	"scrm/gateway/kit/when"
)

// ParseDayStart reads HH:MM as the time after midnight at which a business day begins.
func ParseDayStart(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	if err == nil && len(s) != len("15:04") {
		err = fmt.Errorf("not HH:MM")
	}
	if err != nil {
		return 0, fmt.Errorf("storeevent: day start: %w", err)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// End is when a business date ends in the zone.
func (z Zone) End(date when.Date) (when.Instant, error) {
	loc, err := time.LoadLocation(z.Timezone)
	if err != nil {
		return 0, fmt.Errorf("storeevent: zone: %w", err)
	}
	starts, err := ParseDayStart(z.DayStarts)
	if err != nil {
		return 0, err
	}
	return date.Add(1).Start(loc, starts), nil
}

// DayEnd is when a business date has ended for the brand: in its own zone, where orders count, and in every one of its stores.
func (b *Brand) DayEnd(date when.Date) (when.Instant, error) {
	last, err := Zone{b.Timezone, "00:00"}.End(date)
	for i := 0; err == nil && i < len(b.Zones); i++ {
		var end when.Instant
		end, err = b.Zones[i].End(date)
		last = max(last, end)
	}
	return last, err
}

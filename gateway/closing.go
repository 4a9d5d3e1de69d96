package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"scrm/commission"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/store"
	"scrm/store/storeevent"
)

const (
	closingDurable  = "closing"
	closeScheduleOf = "close."                                       // begins the names of the brands' schedules
	subjectClose    = stream.SubjectTriggers + closeScheduleOf + ">" // what they trigger; the payload is the brand's id
)

// closing is T+1: each brand's days are closed every day at its close_at in its time zone, by a schedule that JetStream keeps,
// so that one of many processes does it, and a firing missed while all were down is made up for.
type closing struct {
	bus        *stream.Bus
	log        *slog.Logger
	days       days
	commission *commission.Service
}

// schedule makes the brands' schedules as they are set up now. Publishing an unchanged one is left out by the bus.
func (c *closing) schedule(ctx context.Context, brands []storeevent.Brand) error {
	for _, b := range brands {
		name := closeScheduleOf + b.ID
		if b.CloseAt == "" {
			if err := c.bus.Unschedule(ctx, name); err != nil {
				return fmt.Errorf("closing: unschedule %s: %w", b.ID, err)
			}
			continue
		}
		hour, minute := b.CloseAt[:2], b.CloseAt[3:]
		cron := fmt.Sprintf("0 %s %s * * *", minute, hour)
		if err := c.bus.Schedule(ctx, name, cron, b.Timezone, []byte(b.ID)); err != nil {
			return fmt.Errorf("closing: schedule %s: %w", b.ID, err)
		}
	}
	return nil
}

// onTrigger asks for every past day of the brands that are due to be closed. A brand whose close fails holds up no other: the
// asking is stored, and commission goes on with it behind.
func (c *closing) onTrigger(ctx context.Context, items []stream.Item) (later []int, err error) {
	for i, item := range items {
		brand := string(item.Data)
		date, err := c.days.PastThrough(ctx, brand)
		if err == nil {
			_, err = c.commission.RequestClose(ctx, brand, date)
		}
		if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound) {
			c.log.WarnContext(ctx, "a brand's days could not be asked to close; trying again", "brand", brand, "error", err)
			later = append(later, i)
		}
	}
	return later, nil
}

// givenUp notes a firing that could not even be asked for. Nothing is lost by it: the next one closes every open past day.
func (c *closing) givenUp(ctx context.Context, item stream.Item, reason error) error {
	c.log.ErrorContext(ctx, "a brand's days were not closed at its close_at", "brand", string(item.Data), "error", reason)
	return nil
}

// days tells which days of a brand are past.
type days struct {
	store *store.Service
	clock when.Clock
}

// PastThrough is the latest date that has ended in every one of the brand's stores, and in the brand's own time zone.
func (d days) PastThrough(ctx context.Context, brand string) (when.Date, error) {
	b, err := d.store.Brand(ctx, brand)
	if err != nil {
		return "", err
	}
	now := d.clock.Now()
	date := when.DateIn(now, time.UTC, 0).Add(1) // no zone is further ahead
	for {
		end, err := b.DayEnd(date)
		if err != nil || end <= now {
			return date, err
		}
		date = date.Add(-1)
	}
}

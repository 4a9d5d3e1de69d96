package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/fault"
)

// Schedule has payload published as an item on subject, which begins with SubjectTriggers, whenever cron says so: six fields (second
// minute hour day month weekday) in the time zone tz (an IANA name). name, of the characters of an id and dots, identifies the
// schedule; calling again with the same values changes nothing, so that a firing missed while the server was down is not lost, with
// others it replaces the schedule. It fires at least once; several firings missed are one.
//
// fault.Invalid if the server does not understand cron or tz.
func (b *Bus) Schedule(ctx context.Context, name, cron, tz, subject string, payload []byte) error {
	var body pack
	body.add(payload)
	s, err := b.js.Stream(ctx, Schedules)
	if err != nil {
		return unavailable("schedule "+name, err)
	}
	at := scheduleSubject(name)
	var seen uint64
	old, err := s.GetLastMsgForSubject(ctx, at)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		return unavailable("schedule "+name, err)
	default:
		h := old.Header
		if h.Get(jetstream.ScheduleHeader) == cron && h.Get(jetstream.ScheduleTimeZoneHeader) == tz &&
			h.Get(jetstream.ScheduleTargetHeader) == subject && bytes.Equal(old.Data, body.bytes) {
			return nil
		}
		seen = old.Sequence
	}
	msg := nats.NewMsg(at)
	msg.Data = body.bytes
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	_, err = b.js.PublishMsg(ctx, msg, jetstream.WithScheduleCron(cron), jetstream.WithScheduleTimeZone(tz),
		jetstream.WithScheduleTarget(subject), jetstream.WithExpectLastSequencePerSubject(seen))
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return b.Schedule(ctx, name, cron, tz, subject, payload) // another process did it at the same moment
	case errors.As(err, &api) && api.Code == 400:
		return fault.New(fault.Invalid, "invalid_schedule", "the schedule's times, time zone or subject are not valid").Because(err)
	default:
		return unavailable("schedule "+name, err)
	}
}

// Unschedule ends a schedule; one that does not exist is no error.
func (b *Bus) Unschedule(ctx context.Context, name string) error {
	s, err := b.js.Stream(ctx, Schedules)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(scheduleSubject(name)))
	}
	if err != nil {
		return unavailable(fmt.Sprintf("unschedule %s", name), err)
	}
	return nil
}

func scheduleSubject(name string) string { return "schedules." + name }

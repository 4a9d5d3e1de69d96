package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/robfig/cron/v3"

	"scrm/gateway/kit/fault"
)

// Schedule has payload published as an item on the subject SubjectTriggers + name whenever times says so: six fields (second minute hour
// day month weekday) in the time zone tz (an IANA name). name, ids with dots between them as in close.aurora, identifies the schedule. What
// it published last and nobody has handled yet gives way to what it publishes next.
//
// Calling again with the same values changes nothing, with others it replaces the schedule. It fires at least once: call it
// at every start, then a firing that was missed while the server was down is made up for; several of them are one.
//
// fault.Invalid with code "invalid_schedule" if name, times or tz are not valid.
func (b *Bus) Schedule(ctx context.Context, name, times, tz string, payload []byte) error {
	s := &schedule{name: name, times: times, tz: tz}
	if err := s.check(); err != nil {
		return err
	}
	var body pack
	body.add(payload)
	s.body = body.bytes
	err := b.keepSchedule(ctx, s)
	for changedMeanwhile(err) { // by another process: have another look
		err = b.keepSchedule(ctx, s)
	}
	if err != nil && fault.KindOf(err) == fault.Internal {
		return unavailable(ctx, "schedule "+name, err)
	}
	return err
}

// schedule is what the server is to be told.
type schedule struct {
	name  string
	times string
	tz    string
	body  []byte

	next cron.Schedule // when it is to fire, in its time zone
}

// subject is that of the message which is the schedule.
func (s *schedule) subject() string { return scheduleSubject(s.name) }

// target is the subject on which it publishes.
func (s *schedule) target() string { return SubjectTriggers + s.name }

func scheduleSubject(name string) string { return "schedules." + name }

var cronFields = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

var scheduleName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func (s *schedule) check() error {
	invalid := fault.New(fault.Invalid, "invalid_schedule", "a schedule needs a name, six fields of times and a time zone")
	if !scheduleName.MatchString(s.name) || s.tz == "" {
		return invalid
	}
	next, err := cronFields.Parse("TZ=" + s.tz + " " + s.times)
	if err != nil {
		return invalid.Because(err)
	}
	s.next = next
	return nil
}

// is reports whether a stored message is this schedule as it should be.
func (s *schedule) is(m *jetstream.RawStreamMsg) bool {
	return m.Header.Get(jetstream.ScheduleHeader) == s.times && m.Header.Get(jetstream.ScheduleTimeZoneHeader) == s.tz &&
		m.Header.Get(jetstream.ScheduleTargetHeader) == s.target() && bytes.Equal(m.Data, s.body)
}

// keepSchedule publishes a schedule if it is absent or changed, and fires one that is there and has not fired when it should.
func (b *Bus) keepSchedule(ctx context.Context, s *schedule) error {
	old, err := b.lastOf(ctx, s.subject())
	if err != nil {
		return err
	}
	if old != nil && s.is(old) {
		return b.makeUpFor(ctx, s, old.Time)
	}
	seen := uint64(0)
	if old != nil {
		seen = old.Sequence
	}
	_, err = b.js.PublishMsg(ctx, &nats.Msg{Subject: s.subject(), Data: s.body}, jetstream.WithScheduleCron(s.times),
		jetstream.WithScheduleTimeZone(s.tz), jetstream.WithScheduleTarget(s.target()), jetstream.WithExpectLastSequencePerSubject(seen))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code == http.StatusBadRequest && !changedMeanwhile(err) {
		return fault.New(fault.Invalid, "invalid_schedule", "the server does not take the schedule's times or time zone").Because(err)
	}
	return err
}

// makeUpFor publishes what a schedule should have published since it last did, or since it was set. The server does so itself after it
// was stopped, but after a crash it may take up its schedules from now on.
func (b *Bus) makeUpFor(ctx context.Context, s *schedule, since time.Time) error {
	last, err := b.lastOf(ctx, s.target())
	if err != nil {
		return err
	}
	if last != nil && last.Time.After(since) {
		since = last.Time
	}
	due := s.next.Next(since)
	if due.IsZero() || time.Since(due) < firingTakes {
		return nil
	}
	b.log.Info("a schedule did not fire, making up for it", "schedule", s.name, "due", due)
	_, err = b.js.PublishMsg(ctx, &nats.Msg{Subject: s.target(), Data: s.body}, jetstream.WithMsgID(fmt.Sprintf("%s@%d", s.name, due.Unix())))
	return err
}

// firingTakes is how much later than due the server's own firing may come.
const firingTakes = 2 * time.Second

// lastOf is the newest message of a subject of SCHEDULES, nil if there is none.
func (b *Bus) lastOf(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	s, err := b.js.Stream(ctx, Schedules)
	if err != nil {
		return nil, err
	}
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	return m, err
}

// Unschedule ends a schedule; one that does not exist is no error.
func (b *Bus) Unschedule(ctx context.Context, name string) error {
	s, err := b.js.Stream(ctx, Schedules)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(scheduleSubject(name)))
	}
	if err != nil {
		return unavailable(ctx, "unschedule "+name, err)
	}
	return nil
}

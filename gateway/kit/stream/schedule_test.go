package stream_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
)

const everySecond = "* * * * * *"

// firings hands the payloads that a schedule publishes to a channel.
func firings(t *testing.T, bus *stream.Bus, name string) <-chan string {
	t.Helper()
	fired := make(chan string, 100)
	consume(t, bus, stream.Consumer{Stream: stream.Schedules, Durable: strings.ReplaceAll(name, ".", "-"), Subjects: []string{stream.SubjectTriggers + name},
		Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
			for _, item := range items {
				fired <- string(item.Data)
			}
			return nil, nil
		}})
	return fired
}

func awaitFiring(t *testing.T, fired <-chan string, payload string) {
	t.Helper()
	for timeout := time.After(time.Minute); ; {
		select {
		case got := <-fired:
			if got == payload {
				return
			}
		case <-timeout:
			t.Fatalf("%q did not fire", payload)
		}
	}
}

func schedule(t *testing.T, bus *stream.Bus, name, cron, tz, payload string) {
	t.Helper()
	if err := bus.Schedule(t.Context(), name, cron, tz, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

func TestScheduleFires(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			one, other := firings(t, bus, "test.one"), firings(t, bus, "test.other")
			schedule(t, bus, "test.one", everySecond, "Asia/Shanghai", "first")
			schedule(t, bus, "test.other", everySecond, "Asia/Shanghai", "tick")
			awaitFiring(t, one, "first")
			awaitFiring(t, one, "first")

			schedule(t, bus, "test.one", everySecond, "Asia/Shanghai", "second") // replaces it
			awaitFiring(t, one, "second")
			for range 2 {
				awaitFiring(t, one, "second")
				if len(one) > 0 && <-one == "first" {
					t.Error("a schedule that was replaced goes on firing")
				}
			}

			if err := bus.Unschedule(t.Context(), "test.one"); err != nil {
				t.Fatal(err)
			}
			awaitFiring(t, other, "tick") // so far it may have fired still
			for len(one) > 0 {
				<-one
			}
			for range 3 {
				awaitFiring(t, other, "tick")
			}
			if len(one) > 0 {
				t.Error("a schedule that was ended goes on firing")
			}
			if err := bus.Unschedule(t.Context(), "test.one"); err != nil {
				t.Errorf("ending it again: %v", err)
			}
		})
	}
}

func TestScheduleAgainChangesNothing(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			seq := func(bus *stream.Bus) uint64 {
				last, err := bus.LastSeq(t.Context(), stream.Schedules)
				if err != nil {
					t.Fatal(err)
				}
				return last
			}
			bus := streamtest.OpenWith(t, cfg)
			schedule(t, bus, "test", "0 0 10 * * *", "Asia/Shanghai", "aurora")
			was := seq(bus)
			schedule(t, bus, "test", "0 0 10 * * *", "Asia/Shanghai", "aurora")
			if err := bus.Close(); err != nil {
				t.Fatal(err)
			}
			bus = streamtest.OpenWith(t, cfg)
			schedule(t, bus, "test", "0 0 10 * * *", "Asia/Shanghai", "aurora")
			if seq(bus) != was {
				t.Error("the same schedule was published again")
			}
			schedule(t, bus, "test", "0 30 10 * * *", "Asia/Shanghai", "aurora")
			schedule(t, bus, "test", "0 30 10 * * *", "UTC", "aurora")
			schedule(t, bus, "test", "0 30 10 * * *", "UTC", "borealis")
			if seq(bus) != was+3 {
				t.Error("a changed schedule was not published")
			}
		})
	}
}

func TestScheduleRefuses(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	for _, args := range [][3]string{
		{"test", "0 10 * * *", "Asia/Shanghai"},
		{"test", "", "Asia/Shanghai"},
		{"test", "0 0 25 * * *", "Asia/Shanghai"},
		{"test", "0 0 10 * * *", "Asia/Nowhere"},
		{"test", "0 0 10 * * *", ""},
		{"", "0 0 10 * * *", "Asia/Shanghai"},
		{"close.*", "0 0 10 * * *", "Asia/Shanghai"},
	} {
		err := bus.Schedule(t.Context(), args[0], args[1], args[2], []byte("payload"))
		if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != "invalid_schedule" {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// A firing that falls into a time when the server is down comes when it is back, once.
func TestScheduleMissedWhileDown(t *testing.T) {
	t.Parallel()
	cfg := stream.Config{Dir: t.TempDir()}
	bus := streamtest.OpenWith(t, cfg)
	at := time.Now().UTC().Add(2 * time.Second)
	scheduleAt(t, bus, at)
	if err := bus.Close(); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(at.Add(time.Second)))
	bus = streamtest.OpenWith(t, cfg)
	scheduleAt(t, bus, at)
	awaitFiring(t, firings(t, bus, "test"), "missed")
}

// daily are the times of a schedule that fires each day at a moment's time of day.
func daily(at time.Time) string {
	return fmt.Sprintf("%d %d %d * * *", at.Second(), at.Minute(), at.Hour())
}

func scheduleAt(t *testing.T, bus *stream.Bus, at time.Time) {
	t.Helper()
	schedule(t, bus, "test", daily(at), "UTC", "missed")
}

// scheduleAndHang is a child's role: it has something scheduled for the near future, says when, and waits for its end.
func scheduleAndHang(bus *stream.Bus) {
	at := time.Now().UTC().Add(2 * time.Second)
	if err := bus.Schedule(context.Background(), "test", daily(at), "UTC", []byte("missed")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, at.Format(time.RFC3339))
	select {}
}

func TestScheduleMissedAfterKill(t *testing.T) {
	t.Parallel()
	cfg := stream.Config{Dir: t.TempDir()}
	c := startChild(t, "scheduler", cfg)
	at, err := time.Parse(time.RFC3339, c.line(t))
	if err != nil {
		t.Fatal(err)
	}
	c.kill()
	<-time.After(time.Until(at.Add(2 * time.Second)))
	bus := streamtest.OpenWith(t, cfg)
	fired := firings(t, bus, "test")
	scheduleAt(t, bus, at)
	awaitFiring(t, fired, "missed")
	scheduleAt(t, bus, at)
	last, err := bus.LastSeq(t.Context(), stream.Schedules)
	if err != nil {
		t.Fatal(err)
	}
	if last != 2 {
		t.Errorf("the stream has had %d messages, want the schedule and what it missed", last)
	}
}

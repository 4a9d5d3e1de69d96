package stream

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// A follower that lost its place at the server, and with it messages that it had not got yet, is told so when it takes up again.
func TestFollowerIsToldThatItMissedSomething(t *testing.T) {
	t.Parallel()
	b := openQuiet(t, Config{PurgeEvery: time.Hour})
	missed := 0
	k := &consumption{
		Consumer: Consumer{Stream: Facts, Handle: accept, Missed: func(context.Context) { missed++ }},
		bus:      b, log: slog.New(slog.DiscardHandler), inbox: newInbox(),
	}
	takeUp := func(wantMissed int, why string) {
		t.Helper()
		if _, err := k.subscribe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if missed != wantMissed {
			t.Errorf("%s: told %d times, want %d", why, missed, wantMissed)
		}
	}
	takeUp(0, "at its start")
	mustPublish(t, b, SubjectStoreChanged, 2)
	takeUp(0, "with everything still there")
	s, err := b.js.Stream(t.Context(), Facts)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	takeUp(1, "behind what was purged")
}

package stream

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// firstSeq is the oldest message that a stream still has.
func firstSeq(t *testing.T, b *Bus, name string) uint64 {
	t.Helper()
	s, err := b.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.FirstSeq
}

func openQuiet(t *testing.T, cfg Config) *Bus {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.URL == "" && cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	b, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func mustPublish(t *testing.T, b *Bus, subject string, n int) (last uint64) {
	t.Helper()
	for range n {
		seq, err := b.Publish(t.Context(), subject, []byte("item"))
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	return last
}

func accept(context.Context, []Item) ([]int, error) { return nil, nil }

func neverDead(t *testing.T) func(context.Context, Item, error) error {
	t.Helper()
	return func(_ context.Context, item Item, reason error) error {
		t.Errorf("message %d became a dead letter: %v", item.Seq, reason)
		return nil
	}
}

func mustConsume(t *testing.T, b *Bus, c Consumer) (stop func()) {
	t.Helper()
	c.Dead = neverDead(t)
	stop, err := b.Consume(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return stop
}

func TestPurgeStopsAtTheSlowestConsumer(t *testing.T) {
	t.Parallel()
	b := openQuiet(t, Config{PurgeEvery: time.Hour, Durables: map[string][]string{Sales: {"fast", "slow"}}})
	purge := func(wantFirst uint64, why string) {
		t.Helper()
		if err := b.purge(t.Context(), Sales); err != nil {
			t.Fatal(err)
		}
		if first := firstSeq(t, b, Sales); first != wantFirst {
			t.Errorf("%s: the stream begins with %d, want %d", why, first, wantFirst)
		}
	}
	last := mustPublish(t, b, SubjectSales, 10)
	purge(1, "without a consumer")

	mustConsume(t, b, Consumer{Stream: Sales, Durable: "fast", Handle: accept})
	if err := b.WaitDone(t.Context(), Sales, "fast", last); err != nil {
		t.Fatal(err)
	}
	purge(1, "before the slow consumer has connected for the first time")

	reached, release := make(chan struct{}), make(chan struct{})
	mustConsume(t, b, Consumer{Stream: Sales, Durable: "slow", MaxItems: 1, Handle: func(_ context.Context, items []Item) ([]int, error) {
		if items[0].Seq == 4 {
			close(reached)
			<-release
		}
		return nil, nil
	}})
	<-reached
	if err := b.WaitDone(t.Context(), Sales, "slow", 3); err != nil {
		t.Fatal(err)
	}
	purge(4, "while the slow consumer works on 4")

	close(release)
	if err := b.WaitDone(t.Context(), Sales, "slow", last); err != nil {
		t.Fatal(err)
	}
	purge(last+1, "when all are done")

	last = mustPublish(t, b, SubjectSales, 5)
	for _, durable := range []string{"fast", "slow"} { // sequences go on, and so does everything else
		if err := b.WaitDone(t.Context(), Sales, durable, last); err != nil {
			t.Fatal(err)
		}
	}
	purge(last+1, "after more")
}

func TestPurgeUnderstandsFilters(t *testing.T) {
	t.Parallel()
	b := openQuiet(t, Config{PurgeEvery: time.Hour})
	mustConsume(t, b, Consumer{Stream: Facts, Durable: "joined", Subjects: []string{SubjectJoined}, Handle: accept})
	mustPublish(t, b, SubjectJoined, 1)
	last := mustPublish(t, b, SubjectBound, 20) // in which nobody takes an interest
	if err := b.WaitDone(t.Context(), Facts, "joined", last); err != nil {
		t.Fatal(err)
	}
	if err := b.purge(t.Context(), Facts); err != nil {
		t.Fatal(err)
	}
	if first := firstSeq(t, b, Facts); first != last+1 {
		t.Errorf("the stream begins with %d, want %d", first, last+1)
	}
}

func TestPurgeRunsByItself(t *testing.T) {
	t.Parallel()
	b := openQuiet(t, Config{PurgeEvery: 20 * time.Millisecond})
	last := mustPublish(t, b, SubjectIntake, 10)
	mustConsume(t, b, Consumer{Stream: Intake, Durable: "store", Handle: accept})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for firstSeq(t, b, Intake) != last+1 {
		if !sleep(ctx, 5*time.Millisecond) {
			t.Fatal("the stream was not purged")
		}
	}
}

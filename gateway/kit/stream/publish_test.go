package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
)

func TestLonePublishIsAMessageOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			for want := range uint64(3) {
				if seq := publish(t, bus, stream.SubjectIntake, "item"); seq != want+1 {
					t.Fatalf("message %d has sequence %d", want+1, seq)
				}
			}
		})
	}
}

func TestPublishPacksWhatComesTogether(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			const callers, each = 64, 50
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for i := range each {
						if _, err := bus.Publish(t.Context(), stream.SubjectIntake, fmt.Appendf(nil, "%d-%d", c, i)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			messages, err := bus.LastSeq(t.Context(), stream.Intake)
			if err != nil {
				t.Fatal(err)
			}
			if messages > callers*each/4 {
				t.Errorf("%d items of %d callers went out in %d messages", callers*each, callers, messages)
			}
			l := newLedger()
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
			l.await(t, callers*each)
			waitDone(t, bus, stream.Intake, "reader", messages)
			next := map[string]int{} // each caller's items come in its order, each once
			for _, item := range l.order {
				c, i, _ := strings.Cut(item, "-")
				if i != fmt.Sprint(next[c]) {
					t.Fatalf("caller %s: item %s came when %d was due", c, i, next[c])
				}
				next[c]++
			}
		})
	}
}

func TestPublishSplitsWhatIsTooMuchForOneMessage(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	items := numbered("n", 2*stream.MaxItems+1)
	items = append(items, strings.Repeat("a", stream.MaxBytes+1), strings.Repeat("b", stream.MaxItemSize), "last")
	if seq := publish(t, bus, stream.SubjectIntake, items...); seq != 6 {
		t.Errorf("the last item is in message %d, want 6: 1,000, 1,000, 1, and three that do not fit together", seq)
	}
	l := newLedger()
	consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
	l.await(t, len(items))
	waitDone(t, bus, stream.Intake, "reader", 6)
	if !slices.Equal(l.order, items) {
		t.Error("the items did not arrive as they were published")
	}
}

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	_, err := bus.Publish(t.Context(), stream.SubjectIntake, []byte("small"), make([]byte, stream.MaxItemSize+1))
	wantFault(t, err, fault.TooLarge, "event_too_large")

	if seq, err := bus.Publish(t.Context(), stream.SubjectIntake); seq != 0 || err != nil {
		t.Errorf("publishing nothing answers %d, %v", seq, err)
	}
	if err := bus.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = bus.Publish(t.Context(), stream.SubjectIntake, []byte("late"))
	wantFault(t, err, fault.Unavailable, "stream_closed")
}

func TestPublishCancelledByOneCallerHarmsNoOther(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	gone, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = gone
			}
			_, err := bus.Publish(ctx, stream.SubjectIntake, fmt.Appendf(nil, "%d", i))
			cancel() // from the first acknowledgement on
			if err != nil && (i%2 != 0 || !errors.Is(err, context.Canceled)) {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	l := newLedger()
	consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
	for {
		last, err := bus.LastSeq(t.Context(), stream.Intake)
		if err != nil {
			t.Fatal(err)
		}
		waitDone(t, bus, stream.Intake, "reader", last)
		if l.has() >= 50 {
			break
		}
	}
	for i := 1; i < 100; i += 2 {
		if l.entries[fmt.Sprint(i)] != 1 {
			t.Errorf("item %d, whose caller waited, arrived %d times", i, l.entries[fmt.Sprint(i)])
		}
	}
}

func TestPublishToAFullStream(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			cfg.MaxBytes = 4 << 20
			cfg.PurgeEvery = time.Hour // only being full makes it purge
			bus := streamtest.OpenWith(t, cfg)
			item := bytes.Repeat([]byte{'x'}, 200<<10)
			accepted := 0
			var err error
			for err == nil {
				if _, err = bus.Publish(t.Context(), stream.SubjectIntake, item); err == nil {
					accepted++
				}
			}
			wantFault(t, err, fault.Unavailable, "intake_full")
			if accepted < 15 {
				t.Errorf("the stream took %d items of 200 KiB before it was full", accepted)
			}
			handled := make(chan int, 1000)
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
				handled <- len(items)
				return nil, nil
			}})
			for n := 0; n < accepted; n += <-handled {
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for err != nil && ctx.Err() == nil {
				_, err = bus.Publish(ctx, stream.SubjectIntake, item)
			}
			if err != nil {
				t.Errorf("after its consumer has caught up, the stream stays full: %v", err)
			}
		})
	}
}

// publishForever is a child's role: it publishes from several callers and writes each item that is acknowledged.
func publishForever(bus *stream.Bus) {
	var mu sync.Mutex
	for c := range 8 {
		go func() {
			for i := 0; ; i++ {
				item := fmt.Sprintf("%d-%06d", c, i)
				if _, err := bus.Publish(context.Background(), stream.SubjectIntake, []byte(item)); err != nil {
					continue
				}
				mu.Lock()
				fmt.Fprintln(os.Stdout, item)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestWhatIsAcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			c := startChild(t, "publisher", cfg)
			var acknowledged []string
			for range 500 {
				acknowledged = append(acknowledged, c.line(t))
			}
			acknowledged = append(acknowledged, c.kill()...)
			bus := streamtest.OpenWith(t, cfg)
			l := newLedger()
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
			last, err := bus.LastSeq(t.Context(), stream.Intake)
			if err != nil {
				t.Fatal(err)
			}
			waitDone(t, bus, stream.Intake, "reader", last)
			for _, item := range acknowledged {
				if l.entries[item] != 1 {
					t.Errorf("item %s was acknowledged and arrived %d times", item, l.entries[item])
				}
			}
		})
	}
}

func TestWhatIsAcknowledgedSurvivesClose(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			items := numbered("n", 300)
			for part := range slices.Chunk(items, 100) {
				bus := streamtest.OpenWith(t, cfg)
				publish(t, bus, stream.SubjectIntake, part...)
				if err := bus.Close(); err != nil {
					t.Fatal(err)
				}
			}
			bus := streamtest.OpenWith(t, cfg)
			l := newLedger()
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
			l.await(t, len(items))
			if !slices.Equal(l.order, items) {
				t.Error("the items did not arrive as they were published")
			}
		})
	}
}

func TestPublishWhileTheServerIsDown(t *testing.T) {
	t.Parallel()
	server := streamtest.Start(t)
	bus := streamtest.OpenWith(t, stream.Config{URL: server.URL, AckWait: shortAckWait})
	publish(t, bus, stream.SubjectIntake, "before")
	l := newLedger()
	consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
	l.await(t, 1)

	server.Kill()
	_, err := bus.Publish(t.Context(), stream.SubjectIntake, []byte("meanwhile"))
	wantFault(t, err, fault.Unavailable, "stream_unavailable")
	wantFault(t, bus.Ready(t.Context()), fault.Unavailable, "stream_unavailable")

	server.Restart()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for err != nil && ctx.Err() == nil {
		_, err = bus.Publish(ctx, stream.SubjectIntake, []byte("afterwards"))
	}
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, 2) // and the consumer goes on by itself
}

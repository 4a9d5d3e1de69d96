package stream_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
)

func TestConsumeBatchesAcrossMessages(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			items := numbered("n", 1200)
			var last uint64
			for part := range slices.Chunk(items, 60) {
				last = publish(t, bus, stream.SubjectSales, part...)
			}
			l := newLedger()
			sizes := make(chan int, len(items))
			consume(t, bus, stream.Consumer{Stream: stream.Sales, Durable: "reader", MaxItems: 150, Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
				sizes <- len(items)
				l.book(items)
				return nil, nil
			}})
			waitDone(t, bus, stream.Sales, "reader", last)
			if !slices.Equal(l.order, items) {
				t.Error("the items did not arrive in stream order, each once")
			}
			close(sizes)
			for n := range sizes {
				if n > 150 || n%60 != 0 {
					t.Errorf("a batch had %d items, of messages of 60, where 150 were allowed", n)
				}
			}
		})
	}
}

func TestConsumeCutsMessagesLargerThanABatch(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	items := numbered("n", 1000)
	seq := publish(t, bus, stream.SubjectSales, items...)
	l := newLedger()
	consume(t, bus, stream.Consumer{Stream: stream.Sales, Durable: "reader", MaxItems: 300, Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
		if len(items) > 300 {
			t.Errorf("a batch had %d items", len(items))
		}
		l.book(items)
		return nil, nil
	}})
	waitDone(t, bus, stream.Sales, "reader", seq)
	if !slices.Equal(l.order, items) {
		t.Error("the items did not arrive in stream order, each once")
	}
}

func TestConsumersOfSubjects(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	joined, bound := newLedger(), newLedger()
	consume(t, bus, stream.Consumer{Stream: stream.Facts, Durable: "a", Subjects: []string{stream.SubjectJoined}, Handle: joined.handle})
	consume(t, bus, stream.Consumer{Stream: stream.Facts, Durable: "b", Subjects: []string{stream.SubjectBound, stream.SubjectDayClosed}, Handle: bound.handle})
	publish(t, bus, stream.SubjectJoined, "j1", "j2")
	publish(t, bus, stream.SubjectBound, "b1")
	publish(t, bus, stream.SubjectDayClosed, "d1")
	publish(t, bus, stream.SubjectTierChanged, "nobody's")
	joined.await(t, 2)
	bound.await(t, 2)
	if !slices.Equal(joined.order, []string{"j1", "j2"}) || !slices.Equal(bound.order, []string{"b1", "d1"}) {
		t.Errorf("handled were %v and %v", joined.order, bound.order)
	}
}

func TestConsumeOneCallAtATime(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	var running atomic.Int32
	l := newLedger()
	consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", MaxItems: 3, Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
		if running.Add(1) > 1 {
			t.Error("two calls of the handler at a time")
		}
		l.book(items)
		running.Add(-1)
		return nil, nil
	}})
	for _, item := range numbered("n", 100) {
		publish(t, bus, stream.SubjectIntake, item)
	}
	l.await(t, 100)
}

// handleAndHang is a child's role: it handles one batch, says so, and never gets to acknowledge it.
func handleAndHang(bus *stream.Bus) {
	_, err := bus.Consume(context.Background(), stream.Consumer{
		Stream: stream.Intake, Durable: "reader", MaxItems: 10,
		Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
			for _, item := range items {
				fmt.Fprintln(os.Stdout, string(item.Data))
			}
			select {}
		},
		Dead: func(context.Context, stream.Item, error) error { return nil },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func TestKilledBetweenHandlingAndAcknowledging(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			items := numbered("n", 100)
			var last uint64
			for _, item := range items {
				last = publish(t, bus, stream.SubjectIntake, item)
			}
			if err := bus.Close(); err != nil {
				t.Fatal(err)
			}
			c := startChild(t, "consumer", cfg)
			c.line(t)
			c.kill()
			bus = streamtest.OpenWith(t, cfg)
			l := newLedger()
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
			waitDone(t, bus, stream.Intake, "reader", last)
			if l.has() != len(items) {
				t.Errorf("after the crash %d of %d items came again", l.has(), len(items))
			}
		})
	}
}

func TestStopHandsBackWhatIsNotHandled(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			cfg.AckWait = time.Hour // so that only handing back brings the rest
			bus := streamtest.OpenWith(t, cfg)
			items := numbered("n", 500)
			var last uint64
			for _, item := range items {
				last = publish(t, bus, stream.SubjectIntake, item)
			}
			l := newLedger()
			entered, leave := make(chan struct{}), make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			stop, err := bus.Consume(ctx, stream.Consumer{
				Stream: stream.Intake, Durable: "reader", MaxItems: 7,
				Handle: func(ctx context.Context, items []stream.Item) ([]int, error) {
					close(entered)
					<-leave
					if ctx.Err() != nil {
						t.Error("the batch under way was cancelled")
					}
					l.book(items)
					return nil, nil
				},
				Dead: newGrave().bury,
			})
			if err != nil {
				t.Fatal(err)
			}
			<-entered
			cancel() // the context and stop mean the same
			stopped := make(chan struct{})
			go func() {
				stop()
				close(stopped)
			}()
			close(leave)
			<-stopped
			first := l.has()
			if first == 0 || first > 7 {
				t.Errorf("a stopped consumer handled %d items, want the batch under way", first)
			}
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
			waitDone(t, bus, stream.Intake, "reader", last)
			for _, item := range items {
				if l.entries[item] != 1 {
					t.Errorf("item %s was handled %d times", item, l.entries[item])
				}
			}
		})
	}
}

func TestALongBatchKeepsItsMessages(t *testing.T) {
	t.Parallel()
	cfg := stream.Config{URL: streamtest.Start(t).URL, AckWait: shortAckWait}
	var calls atomic.Int32
	work := func(ctx context.Context, _ []stream.Item) ([]int, error) {
		calls.Add(1)
		select { // the work takes longer than the server waits without a sign of life
		case <-time.After(3 * cfg.AckWait):
		case <-ctx.Done():
		}
		return nil, nil
	}
	bus := streamtest.OpenWith(t, cfg)
	seq := publish(t, bus, stream.SubjectIntake, "slow")
	for range 2 { // processes, either of which could get it
		consume(t, streamtest.OpenWith(t, cfg), stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: work})
	}
	waitDone(t, bus, stream.Intake, "reader", seq)
	if calls.Load() != 1 {
		t.Errorf("a message under way was handled %d times", calls.Load())
	}
}

func TestProcessesShareADurable(t *testing.T) {
	t.Parallel()
	cfg := stream.Config{URL: streamtest.Start(t).URL, AckWait: shortAckWait}
	var buses []*stream.Bus
	l := newLedger()
	var busy sync.WaitGroup
	busy.Add(2)
	for range 2 {
		bus := streamtest.OpenWith(t, cfg)
		buses = append(buses, bus)
		var once sync.Once
		consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", MaxItems: 5, Handle: func(ctx context.Context, items []stream.Item) ([]int, error) {
			once.Do(busy.Done)
			busy.Wait() // each has got something
			return l.handle(ctx, items)
		}})
	}
	var last uint64
	for _, item := range numbered("n", 3000) {
		last = publish(t, buses[0], stream.SubjectIntake, item)
	}
	waitDone(t, buses[1], stream.Intake, "reader", last)
	if l.has() != 3000 {
		t.Errorf("%d of 3000 items were handled", l.has())
	}
}

func TestFollowersEachGetEverything(t *testing.T) {
	t.Parallel()
	server := streamtest.Start(t)
	var buses []*stream.Bus
	var ledgers []*ledger
	for range 2 {
		bus := streamtest.OpenWith(t, stream.Config{URL: server.URL})
		if len(buses) == 0 {
			publish(t, bus, stream.SubjectStoreChanged, "before")
		}
		l := newLedger()
		consume(t, bus, stream.Consumer{Stream: stream.Facts, Subjects: []string{stream.SubjectStoreChanged}, Handle: l.handle})
		buses, ledgers = append(buses, bus), append(ledgers, l)
	}
	publish(t, buses[0], stream.SubjectStoreChanged, "one")
	for _, l := range ledgers {
		l.await(t, 1)
	}
	// The server's crash takes the followers' positions with it; they go on where they were.
	server.Kill()
	server.Restart()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if _, err := buses[0].Publish(ctx, stream.SubjectStoreChanged, []byte("two")); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	for _, l := range ledgers {
		l.await(t, 2)
		if l.entries["before"] != 0 || l.entries["two"] == 0 {
			t.Errorf("a follower got %v", l.entries)
		}
	}
}

func TestConsumeRefuses(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	handle := newLedger().handle
	for name, c := range map[string]stream.Consumer{
		"no handler": {Stream: stream.Intake, Durable: "reader", Dead: newGrave().bury},
		"no dead":    {Stream: stream.Intake, Durable: "reader", Handle: handle},
		"no stream":  {Stream: "NONE", Durable: "reader", Handle: handle, Dead: newGrave().bury},
	} {
		if stop, err := bus.Consume(t.Context(), c); err == nil {
			stop()
			t.Errorf("%s: a consumer started", name)
		}
	}
}

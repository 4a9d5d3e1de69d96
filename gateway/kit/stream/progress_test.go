package stream_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
)

func TestWaitDone(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			first := publish(t, bus, stream.SubjectIntake, "first")
			second := publish(t, bus, stream.SubjectIntake, "second")

			impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if err := bus.WaitDone(impatient, stream.Intake, "reader", first); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("waiting for a consumer that does not exist ended with %v", err)
			}
			var wg sync.WaitGroup
			for range 20 { // who waits before the consumer starts
				wg.Go(func() { waitDone(t, bus, stream.Intake, "reader", first) })
			}
			release := make(chan struct{})
			l := newLedger()
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", MaxItems: 1, Handle: func(ctx context.Context, items []stream.Item) ([]int, error) {
				if string(items[0].Data) == "second" {
					<-release
				}
				return l.handle(ctx, items)
			}})
			wg.Wait()
			impatient, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if err := bus.WaitDone(impatient, stream.Intake, "reader", second); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("waiting for a message under way ended with %v", err)
			}
			close(release)
			waitDone(t, bus, stream.Intake, "reader", second)
			if l.entries["second"] != 1 {
				t.Error("WaitDone returned before the handler had")
			}
			waitDone(t, bus, stream.Intake, "reader", 0)
		})
	}
}

func TestWaitDoneByAnotherProcess(t *testing.T) {
	t.Parallel()
	cfg := stream.Config{URL: streamtest.Start(t).URL}
	here, there := streamtest.OpenWith(t, cfg), streamtest.OpenWith(t, cfg)
	l := newLedger()
	consume(t, there, stream.Consumer{Stream: stream.Sales, Durable: "reader", Handle: l.handle})
	for i, item := range numbered("n", 50) {
		waitDone(t, here, stream.Sales, "reader", publish(t, here, stream.SubjectSales, item))
		if l.has() != i+1 {
			t.Fatalf("WaitDone returned before item %d was handled", i)
		}
	}
}

func TestWaitDoneOfAFilteredConsumer(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			release := make(chan struct{})
			l := newLedger()
			consume(t, bus, stream.Consumer{
				Stream: stream.Facts, Durable: "reader", MaxItems: 1, Subjects: []string{stream.SubjectJoined, stream.SubjectBound},
				Handle: func(ctx context.Context, items []stream.Item) ([]int, error) {
					if string(items[0].Data) == "held" {
						<-release
					}
					return l.handle(ctx, items)
				},
			})
			waitDone(t, bus, stream.Facts, "reader", publish(t, bus, stream.SubjectTierChanged, "not its own"))
			publish(t, bus, stream.SubjectJoined, "its own")
			between := publish(t, bus, stream.SubjectTierChanged, "not its own")
			held := publish(t, bus, stream.SubjectBound, "held")
			after := publish(t, bus, stream.SubjectTierChanged, "not its own")

			waitDone(t, bus, stream.Facts, "reader", between)
			impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := bus.WaitDone(impatient, stream.Facts, "reader", held); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("waiting for a message under way ended with %v", err)
			}
			close(release)
			waitDone(t, bus, stream.Facts, "reader", after)
			if l.has() != 2 {
				t.Errorf("handled were %v", l.order)
			}
		})
	}
}

func TestWaitDoneEndsWithTheBus(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	ended := make(chan error)
	go func() { ended <- bus.WaitDone(t.Context(), stream.Intake, "nobody", 1) }()
	go func() { _ = bus.Close() }()
	wantFault(t, <-ended, fault.Unavailable, "stream_closed")
	wantFault(t, bus.WaitDone(t.Context(), stream.Intake, "nobody", 1), fault.Unavailable, "stream_closed")
}

func TestProgress(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	_, err := bus.Progress(t.Context(), stream.Intake, "nobody")
	wantFault(t, err, fault.NotFound, "unknown_consumer")

	seq := publish(t, bus, stream.SubjectIntake, "first")
	entered, release := make(chan struct{}), make(chan struct{})
	consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: func(context.Context, []stream.Item) ([]int, error) {
		close(entered)
		<-release
		return nil, nil
	}})
	<-entered
	p, err := bus.Progress(t.Context(), stream.Intake, "reader")
	if want := (stream.Progress{Unanswered: 1}); err != nil || p != want {
		t.Errorf("during the work the progress is %+v, %v, want %+v", p, err, want)
	}
	close(release)
	waitDone(t, bus, stream.Intake, "reader", seq)
	p, err = bus.Progress(t.Context(), stream.Intake, "reader")
	if want := (stream.Progress{Settled: seq}); err != nil || p != want {
		t.Errorf("after the work the progress is %+v, %v, want %+v", p, err, want)
	}
	if err := bus.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

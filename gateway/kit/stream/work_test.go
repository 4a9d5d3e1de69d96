package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
)

func TestLaterIsNoFailure(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			bus := streamtest.OpenWith(t, cfg)
			consumer := stream.Consumer{Stream: stream.Sales, Durable: "reader"}
			l := newLedger()
			consumer.Handle = func(_ context.Context, items []stream.Item) (later []int, err error) {
				var now []stream.Item
				for i, item := range items {
					of, isReturn := strings.CutPrefix(string(item.Data), "return of ")
					if isReturn && l.entries[of] == 0 {
						later = append(later, i)
					} else {
						now = append(now, item)
					}
				}
				l.book(now)
				return later, nil
			}
			consume(t, bus, consumer)
			publish(t, bus, stream.SubjectSales, "other sale 1", "return of sale", "other sale 2")
			l.await(t, 2)
			for tries := 0; tries < 2; { // put off twice, without becoming a dead letter
				p, err := bus.Progress(t.Context(), stream.Sales, "reader")
				if err != nil {
					t.Fatal(err)
				}
				if p.Settled != 0 || p.Unanswered != 1 {
					t.Fatalf("a message with an item put off counts as done: %+v", p)
				}
				l.mu.Lock()
				tries = l.entries["other sale 1"] - 1
				changed := l.changed
				l.mu.Unlock()
				if tries < 2 {
					<-changed
				}
			}
			last := publish(t, bus, stream.SubjectSales, "sale")
			waitDone(t, bus, stream.Sales, "reader", last)
			if l.entries["return of sale"] != 1 || l.entries["sale"] != 1 {
				t.Errorf("booked were %v", l.entries)
			}
		})
	}
}

// books is an effect as the domains have it: a batch is booked as a whole or not at all.
type books struct {
	ledger
	refuse func(item string) error
}

func (b *books) handle(_ context.Context, items []stream.Item) ([]int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, item := range items {
		if err := b.refuse(string(item.Data)); err != nil {
			return nil, err
		}
	}
	for _, item := range items {
		b.entries[string(item.Data)]++
	}
	return nil, nil
}

func TestPoisonIsIsolated(t *testing.T) {
	invalid := fault.New(fault.Invalid, "bad_item", "an item that cannot be read")
	broken := errors.New("a defect")
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := start(t)
			cfg.AckWait = time.Minute // for each item beside the poison to be handled once, nothing may be delivered twice
			bus := streamtest.OpenWith(t, cfg)
			b := &books{ledger: *newLedger(), refuse: func(item string) error {
				switch item {
				case "n-00003", "n-00998":
					return invalid
				case "n-00500":
					return broken
				case "n-00501":
					panic("a worse defect")
				}
				return nil
			}}
			items := numbered("n", 1000)
			var last uint64
			for part := range slices.Chunk(items, 300) {
				last = publish(t, bus, stream.SubjectIntake, part...)
			}
			g := newGrave()
			consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: b.handle, Dead: g.bury})
			waitDone(t, bus, stream.Intake, "reader", last)

			tries := map[string]int{"n-00003": 1, "n-00998": 1, "n-00500": 5, "n-00501": 5}
			for _, item := range items {
				want, dead := tries[item]
				switch {
				case dead && (g.dead[item] == nil || g.dead[item].Tries != want || b.entries[item] != 0):
					t.Errorf("item %s: booked %d times, dead letter %+v, want one after %d tries", item, b.entries[item], g.dead[item], want)
				case !dead && (b.entries[item] != 1 || g.dead[item] != nil):
					t.Errorf("item %s beside the poison: booked %d times, dead letter %+v", item, b.entries[item], g.dead[item])
				}
			}
			if reason := g.dead["n-00500"]; !errors.Is(reason, broken) {
				t.Errorf("the reason given is %v", reason)
			}
		})
	}
}

func TestAnUnavailableDependencyKillsNothing(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	calls := 0
	l := newLedger()
	seq := publish(t, bus, stream.SubjectIntake, numbered("n", 10)...)
	consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
		if calls++; calls <= 4 {
			if len(items) != 10 {
				t.Errorf("the batch was cut to %d items", len(items))
			}
			if calls%2 == 0 {
				return nil, fmt.Errorf("load: %w", context.DeadlineExceeded)
			}
			return nil, fault.New(fault.Unavailable, "down", "the database is away")
		}
		l.book(items)
		return nil, nil
	}})
	waitDone(t, bus, stream.Intake, "reader", seq)
	if l.has() != 10 {
		t.Errorf("%d of 10 items were handled", l.has())
	}
}

func TestDeadIsRepeatedUntilItIsStored(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	seq := publish(t, bus, stream.SubjectIntake, "poison")
	g, tries := newGrave(), 0
	consume(t, bus, stream.Consumer{
		Stream: stream.Intake, Durable: "reader",
		Handle: func(context.Context, []stream.Item) ([]int, error) {
			return nil, fault.New(fault.Invalid, "bad", "bad")
		},
		Dead: func(ctx context.Context, item stream.Item, reason error) error {
			if tries++; tries < 4 {
				return errors.New("the database is away")
			}
			return g.bury(ctx, item, reason)
		},
	})
	waitDone(t, bus, stream.Intake, "reader", seq)
	if len(g.dead) != 1 {
		t.Error("the message counts as done and its dead letter is not stored")
	}
}

func TestPuttingOffWhatIsNotThereIsADefect(t *testing.T) {
	t.Parallel()
	bus := streamtest.Open(t)
	seq := publish(t, bus, stream.SubjectIntake, "item")
	g := newGrave()
	consume(t, bus, stream.Consumer{
		Stream: stream.Intake, Durable: "reader", Dead: g.bury,
		Handle: func(context.Context, []stream.Item) ([]int, error) { return []int{1}, nil },
	})
	waitDone(t, bus, stream.Intake, "reader", seq)
	if len(g.dead) != 1 {
		t.Error("the item is not a dead letter")
	}
}

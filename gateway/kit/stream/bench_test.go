package stream_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"scrm/gateway/kit/stream"
)

// The sizes are those of a transaction of 2.3 lines.
var benchItem = bytes.Repeat([]byte{'x'}, 256)

func openBench(b *testing.B) *stream.Bus {
	b.Helper()
	bus, err := stream.Open(context.Background(), stream.Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = bus.Close() })
	return bus
}

func report(b *testing.B, bus *stream.Bus, items int) {
	b.Helper()
	last, err := bus.LastSeq(context.Background(), stream.Intake)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(items)/b.Elapsed().Seconds(), "items/s")
	b.ReportMetric(float64(items)/float64(last), "items/msg")
}

// BenchmarkPublishLone is one caller with one item at a time: the latency of a synced publish.
func BenchmarkPublishLone(b *testing.B) {
	bus := openBench(b)
	for b.Loop() {
		if _, err := bus.Publish(b.Context(), stream.SubjectIntake, benchItem); err != nil {
			b.Fatal(err)
		}
	}
	report(b, bus, b.N)
}

// BenchmarkPublish64Callers is 64 callers with one item each at a time.
func BenchmarkPublish64Callers(b *testing.B) { publishFrom(b, 64, 1) }

// BenchmarkPublish64CallersOf100 is 64 callers with 100 items each at a time.
func BenchmarkPublish64CallersOf100(b *testing.B) { publishFrom(b, 64, 100) }

// BenchmarkPublish8CallersOf1000 fills whole messages.
func BenchmarkPublish8CallersOf1000(b *testing.B) { publishFrom(b, 8, 1000) }

func publishFrom(b *testing.B, callers, size int) {
	b.Helper()
	bus := openBench(b)
	items := make([][]byte, size)
	for i := range items {
		items[i] = benchItem
	}
	b.ReportAllocs()
	b.SetParallelism(callers)
	var n atomic.Int64
	b.ResetTimer()
	done := make(chan struct{})
	for range callers {
		go func() {
			defer func() { done <- struct{}{} }()
			for n.Add(1) <= int64(b.N) {
				if _, err := bus.Publish(b.Context(), stream.SubjectIntake, items...); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	for range callers {
		<-done
	}
	b.StopTimer()
	report(b, bus, b.N*size)
}

// BenchmarkConsumePacked is one consumer of full messages, its handler doing nothing.
func BenchmarkConsumePacked(b *testing.B) { consumeAll(b, 1000) }

// BenchmarkConsumeLone is one consumer of messages of one item each, as they come from one till at a time.
func BenchmarkConsumeLone(b *testing.B) { consumeAll(b, 1) }

func consumeAll(b *testing.B, size int) {
	b.Helper()
	bus := openBench(b)
	items := make([][]byte, size)
	for i := range items {
		items[i] = benchItem
	}
	for range b.N {
		if _, err := bus.Publish(b.Context(), stream.SubjectIntake, items...); err != nil {
			b.Fatal(err)
		}
	}
	handled, calls := 0, 0
	all := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	stop, err := bus.Consume(b.Context(), stream.Consumer{
		Stream: stream.Intake, Durable: "bench",
		Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
			calls++
			if handled += len(items); handled >= b.N*size {
				close(all)
			}
			return nil, nil
		},
		Dead: func(context.Context, stream.Item, error) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	<-all
	b.StopTimer()
	stop()
	b.ReportMetric(float64(handled)/b.Elapsed().Seconds(), "items/s")
	b.ReportMetric(float64(handled)/float64(calls), "items/batch")
}

// BenchmarkPublishAndWaitDone is a lone item from its publishing until its consumer is done with it, as Prefer: wait sees it.
func BenchmarkPublishAndWaitDone(b *testing.B) {
	bus := openBench(b)
	stop, err := bus.Consume(b.Context(), stream.Consumer{
		Stream: stream.Intake, Durable: "bench",
		Handle: func(context.Context, []stream.Item) ([]int, error) { return nil, nil },
		Dead:   func(context.Context, stream.Item, error) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	for b.Loop() {
		seq, err := bus.Publish(b.Context(), stream.SubjectIntake, benchItem)
		if err != nil {
			b.Fatal(err)
		}
		if err := bus.WaitDone(b.Context(), stream.Intake, "bench", seq); err != nil {
			b.Fatal(err)
		}
	}
}

package stream_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
)

// startCluster starts three servers that know each other.
func startCluster(t *testing.T) (servers []*streamtest.Server, url string) {
	t.Helper()
	var routes []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var urls []string
	for i, own := range routes {
		lines := fmt.Sprintf("server_name: s%d\ncluster { name: test, listen: %q, routes: [nats://%s] }\n", i, own, strings.Join(routes, ", nats://"))
		s := streamtest.StartWith(t, lines)
		servers, urls = append(servers, s), append(urls, s.URL)
	}
	return servers, strings.Join(urls, ",")
}

func TestClusterOfThreeLosesNothingWithAServer(t *testing.T) {
	t.Parallel()
	servers, url := startCluster(t)
	bus := streamtest.OpenWith(t, stream.Config{URL: url})
	if notes := strings.Join(bus.Notes(), "\n"); !strings.Contains(notes, "majority of 3 replicas") {
		t.Errorf("on a cluster of three the notes are: %s", notes)
	}
	l := newLedger()
	consume(t, bus, stream.Consumer{Stream: stream.Intake, Durable: "reader", Handle: l.handle})
	var mu sync.Mutex
	var accepted []string
	ctx, stop := context.WithCancel(t.Context())
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				item := fmt.Sprintf("%d-%d", p, i)
				if _, err := bus.Publish(t.Context(), stream.SubjectIntake, []byte(item)); err == nil {
					mu.Lock()
					accepted = append(accepted, item)
					mu.Unlock()
				}
			}
		})
	}
	reach := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for have := 0; have < n; {
			mu.Lock()
			have = len(accepted)
			mu.Unlock()
			select {
			case <-ctx.Done():
				t.Fatalf("%d of %d items were accepted", have, n)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	reach(200)
	servers[0].Kill()
	mu.Lock()
	before := len(accepted)
	mu.Unlock()
	reach(before + 500)
	stop()
	publishers.Wait()
	last, err := bus.LastSeq(t.Context(), stream.Intake)
	if err != nil {
		t.Fatal(err)
	}
	waitDone(t, bus, stream.Intake, "reader", last)
	for _, item := range accepted {
		if l.entries[item] == 0 {
			t.Errorf("item %s was accepted and is lost", item)
		}
	}
}

func TestNotesSayHowDurableItIs(t *testing.T) {
	t.Parallel()
	if notes := strings.Join(streamtest.Open(t).Notes(), "\n"); !strings.Contains(notes, "embedded") || !strings.Contains(notes, "synced") {
		t.Errorf("embedded, the notes are: %s", notes)
	}
	bus := streamtest.OpenWith(t, stream.Config{URL: streamtest.Start(t).URL})
	if notes := strings.Join(bus.Notes(), "\n"); !strings.Contains(notes, "sync_interval") || strings.Contains(notes, "majority") {
		t.Errorf("on a lone server, the notes are: %s", notes)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	open := func(cfg stream.Config, why string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if bus, err := stream.Open(ctx, cfg); err == nil {
			_ = bus.Close()
			t.Errorf("%s: opened", why)
		}
	}
	open(stream.Config{}, "no directory")
	open(stream.Config{URL: "nats://127.0.0.1:1"}, "nobody there")
	open(stream.Config{URL: streamtest.StartWith(t, "max_payload: 64KB").URL}, "messages too small")
}

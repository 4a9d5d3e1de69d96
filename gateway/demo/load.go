package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// shot is a request that is written out whole before the clock starts, so that the load costs the machine as little as it can.
type shot struct {
	bytes []byte
	items int // transactions in it
}

// newShot writes a till's request down, signed now: it has to be fired within five minutes.
func newShot(base *url.URL, r call, items int) (shot, error) {
	request, err := http.NewRequest(r.method, base.JoinPath(r.path).String(), bytes.NewReader(r.body)) //nolint:noctx // it is only written down
	if err != nil {
		return shot{}, fmt.Errorf("demo: %w", err)
	}
	request.Header.Set("Content-Type", r.contentType)
	r.till.sign(request.Header, r)
	var out bytes.Buffer
	if err := request.Write(&out); err != nil {
		return shot{}, fmt.Errorf("demo: %w", err)
	}
	return shot{out.Bytes(), items}, nil
}

// fired is what came of a volley.
type fired struct {
	items     int
	took      time.Duration
	latencies []time.Duration // of each request, in order of length
}

func (f *fired) perSecond() float64 { return float64(f.items) / f.took.Seconds() }

// percentile is the latency that p of a hundred requests did not exceed.
func (f *fired) percentile(p int) time.Duration {
	return f.latencies[min(len(f.latencies)*p/100, len(f.latencies)-1)]
}

// fire sends all shots over as many connections as it is told, each one's next when its last is answered.
func fire(ctx context.Context, base *url.URL, shots []shot, conns int) (*fired, error) {
	queue := make(chan shot, len(shots))
	result := &fired{}
	for _, s := range shots {
		queue <- s
		result.items += s.items
	}
	close(queue)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	started := time.Now()
	for range conns {
		group.Go(func() error {
			latencies, err := fireFrom(ctx, base.Host, queue)
			mu.Lock()
			defer mu.Unlock()
			result.latencies = append(result.latencies, latencies...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	result.took = time.Since(started)
	slices.Sort(result.latencies)
	return result, nil
}

func fireFrom(ctx context.Context, address string, queue <-chan shot) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var latencies []time.Duration
	answers := bufio.NewReader(conn)
	for s := range queue {
		started := time.Now()
		if _, err := conn.Write(s.bytes); err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		if response.StatusCode >= http.StatusBadRequest {
			err = problemOf(response)
		} else {
			_, err = io.Copy(io.Discard, response.Body)
		}
		response.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
		latencies = append(latencies, time.Since(started))
	}
	return latencies, nil
}

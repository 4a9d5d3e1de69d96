package stream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/stream/streamtest"
)

// Tests that kill a process start this executable again in one of the roles below, named by its environment.
const (
	roleVar = "SCRM_STREAM_TEST_ROLE"
	urlVar  = "SCRM_STREAM_TEST_URL"
	dirVar  = "SCRM_STREAM_TEST_DIR"
)

var roles = map[string]func(bus *stream.Bus){
	"publisher": publishForever,
	"consumer":  handleAndHang,
	"scheduler": scheduleAndHang,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVar)
	if role == "" {
		os.Exit(m.Run())
	}
	bus, err := stream.Open(context.Background(), stream.Config{
		URL: os.Getenv(urlVar), Dir: os.Getenv(dirVar), Log: slog.New(slog.DiscardHandler), AckWait: shortAckWait,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	roles[role](bus)
}

// shortAckWait makes messages of a dead process come again soon.
const shortAckWait = time.Second

// child is a process in a role, which writes lines.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startChild(t *testing.T, role string, cfg stream.Config) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role, urlVar+"="+cfg.URL, dirVar+"="+cfg.Dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, lines: bufio.NewScanner(out)}
	t.Cleanup(func() { c.kill() })
	return c
}

func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatal("the child process ended by itself")
	}
	return c.lines.Text()
}

// kill ends the process at once and returns the lines that it had written before.
func (c *child) kill() []string {
	_ = c.cmd.Process.Kill()
	var rest []string
	for c.lines.Scan() {
		rest = append(rest, c.lines.Text())
	}
	_ = c.cmd.Wait()
	return rest
}

// servers are what most tests run on. A bus may be closed and opened again with the same configuration: the streams are still there.
var servers = map[string]func(t *testing.T) stream.Config{"embedded": embedded, "external": external}

func embedded(t *testing.T) stream.Config {
	t.Helper()
	return stream.Config{Dir: t.TempDir(), AckWait: shortAckWait}
}

func external(t *testing.T) stream.Config {
	t.Helper()
	return stream.Config{URL: streamtest.Start(t).URL, AckWait: shortAckWait}
}

func publish(t *testing.T, bus *stream.Bus, subject string, items ...string) uint64 {
	t.Helper()
	data := make([][]byte, len(items))
	for i, item := range items {
		data[i] = []byte(item)
	}
	seq, err := bus.Publish(t.Context(), subject, data...)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// ledger is an effect that happens once: a handler's books.
type ledger struct {
	mu      sync.Mutex
	entries map[string]int // item → how often it was booked
	order   []string
	changed chan struct{}
}

func newLedger() *ledger { return &ledger{entries: map[string]int{}, changed: make(chan struct{})} }

func (l *ledger) book(items []stream.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, item := range items {
		l.entries[string(item.Data)]++
		l.order = append(l.order, string(item.Data))
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// handle books every item.
func (l *ledger) handle(_ context.Context, items []stream.Item) ([]int, error) {
	l.book(items)
	return nil, nil
}

// has tells how many different items are booked.
func (l *ledger) has() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// await waits until n different items are booked.
func (l *ledger) await(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		l.mu.Lock()
		have, changed := len(l.entries), l.changed
		l.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%d of %d items were handled", have, n)
		}
	}
}

// grave collects dead letters.
type grave struct {
	mu   sync.Mutex
	dead map[string]*stream.GivenUpError
}

func newGrave() *grave { return &grave{dead: map[string]*stream.GivenUpError{}} }

func (g *grave) bury(_ context.Context, item stream.Item, reason error) error {
	var given *stream.GivenUpError
	if !errors.As(reason, &given) {
		return fmt.Errorf("the reason is %w, and no word of the tries", reason)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dead[string(item.Data)] = given
	return nil
}

func consume(t *testing.T, bus *stream.Bus, c stream.Consumer) (stop func()) {
	t.Helper()
	if c.Dead == nil {
		c.Dead = func(_ context.Context, item stream.Item, reason error) error {
			t.Errorf("item %d of message %d became a dead letter: %v", item.Index, item.Seq, reason)
			return nil
		}
	}
	stop, err := bus.Consume(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return stop
}

func waitDone(t *testing.T, bus *stream.Bus, name, durable string, seq uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := bus.WaitDone(ctx, name, durable, seq); err != nil {
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s with code %s", err, kind, code)
	}
}

func numbered(prefix string, n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return items
}

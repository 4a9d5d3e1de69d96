// Package streamtest gives tests the streams: embedded, or on a real NATS server in a process of its own.
package streamtest

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"scrm/gateway/kit/stream"
)

// Open opens streams on an embedded server in a directory of the test, and closes them when it ends.
func Open(tb testing.TB) *stream.Bus {
	tb.Helper()
	return OpenWith(tb, stream.Config{Dir: tb.TempDir()})
}

// OpenWith opens streams with settings of the test's own. Without a log of its own it is quiet.
func OpenWith(tb testing.TB, cfg stream.Config) *stream.Bus {
	tb.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	bus, err := stream.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := bus.Close(); err != nil {
			tb.Error(err)
		}
	})
	return bus
}

// Server is a NATS server in a process of its own, on a free loopback port, that syncs every message.
type Server struct {
	URL string

	tb     testing.TB
	config string
	cmd    *exec.Cmd
}

// Start starts a NATS server with its data in a directory of the test, and ends it with the test. The executable is the one that
// SCRM_TEST_NATS names, else nats-server on the PATH, else it is built from the module that the program embeds.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return StartWith(tb, "")
}

// StartWith starts a NATS server with further lines of configuration.
func StartWith(tb testing.TB, lines string) *Server {
	tb.Helper()
	dir := tb.TempDir()
	s := &Server{tb: tb, config: filepath.Join(dir, "nats.conf")}
	s.write(-1, dir, lines)
	s.Restart()
	var port int
	if _, err := fmt.Sscanf(s.URL, "nats://127.0.0.1:%d", &port); err != nil {
		tb.Fatal(err)
	}
	s.write(port, dir, lines) // where it comes back after Kill
	tb.Cleanup(s.Kill)
	return s
}

func (s *Server) write(port int, dir, lines string) {
	s.tb.Helper()
	text := fmt.Sprintf("listen: \"127.0.0.1:%d\"\njetstream { store_dir: %q, sync_interval: always, max_file_store: 1TB }\n%s\n", port, dir, lines)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

var (
	listening = regexp.MustCompile(`Listening for client connections on (127\.0\.0\.1:\d+)`)
	isReady   = regexp.MustCompile(`Server is ready`)
)

// Restart starts the server again after Kill, at the same address and with the data it had.
func (s *Server) Restart() {
	s.tb.Helper()
	// #nosec G204 -- the executable is the test's own choice
	s.cmd = exec.CommandContext(context.Background(), executable(s.tb), "-c", s.config)
	log, err := s.cmd.StderrPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		var address string
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				address = m[1]
			}
			if isReady.MatchString(lines.Text()) {
				ready <- address
			}
		}
		close(ready)
	}()
	select {
	case address, ok := <-ready:
		if !ok {
			s.tb.Fatal("nats-server did not start")
		}
		s.URL = "nats://" + address
	case <-time.After(time.Minute):
		s.tb.Fatal("nats-server was not ready within a minute")
	}
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// executable finds nats-server, or builds it once and for all test runs into the user's cache directory.
func executable(tb testing.TB) string {
	tb.Helper()
	name, err := found()
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

var found = sync.OnceValues(func() (string, error) {
	if name := os.Getenv("SCRM_TEST_NATS"); name != "" {
		return name, nil
	}
	if name, err := exec.LookPath("nats-server"); err == nil {
		return name, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "scrm-test")
	name := filepath.Join(dir, "nats-server-"+server.VERSION)
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	fresh := fmt.Sprintf("%s.%d", name, os.Getpid())
	// #nosec G204 -- a fixed command
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", fresh, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build nats-server: %w\n%s", err, out)
	}
	return name, os.Rename(fresh, name)
})

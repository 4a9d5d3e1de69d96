package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/logging"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/when"
)

// edge is a server of a test's own on a loopback port, with a client for it.
type edge struct {
	*Server
	t     testing.TB
	url   string
	clock *testClock
	log   *syncBuffer
	admin string // an access token
}

// testClock is a clock that a test sets.
type testClock struct {
	mu  sync.Mutex
	now when.Instant
}

func (c *testClock) Now() when.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// syncBuffer takes what several goroutines write.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

const adminPassword = "correct horse"

// newEdge starts a server; change may set parts of its configuration, and more routes may be added before it listens.
func newEdge(t testing.TB, change func(*Config), more ...func(*Server)) *edge {
	t.Helper()
	keys, err := seal.NewKeyring(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{t: t, clock: &testClock{now: when.Of(time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC))}, log: &syncBuffer{}}
	config := Config{
		DB: docdbtest.SQLite(t), Keys: keys, Clock: e.clock, Log: logging.New(e.log, slog.LevelDebug), AdminPassword: adminPassword, Version: "test",
		Audit: func(context.Context) ([]audit.Check, error) {
			return []audit.Check{*audit.New("E1", "one is one")}, nil
		},
	}
	if change != nil {
		change(&config)
	}
	if e.Server, err = New(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for _, add := range more {
		add(e.Server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.url = "http://" + listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- e.Serve(listener) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	if e.admin, err = e.OperatorToken(); err != nil {
		t.Fatal(err)
	}
	return e
}

// answerOf is an answer with its body read.
type answerOf struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// header is one request header.
type header struct{ name, value string }

// do sends a request; a body that is not a string, bytes or reader goes as JSON.
func (e *edge) do(method, path string, payload any, headers ...header) answerOf {
	e.t.Helper()
	var reader io.Reader
	switch p := payload.(type) {
	case nil:
	case string:
		reader = bytes.NewReader([]byte(p))
	case []byte:
		reader = bytes.NewReader(p)
	case io.Reader:
		reader = p
	default:
		raw, err := json.Marshal(p)
		if err != nil {
			e.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, reader)
	if err != nil {
		e.t.Fatal(err)
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		req.Header.Set(h.name, h.value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return answerOf{e.t, resp.StatusCode, resp.Header, body}
}

// asAdmin is the header that makes a request the platform admin's.
func (e *edge) asAdmin() header { return header{"Authorization", "Bearer " + e.admin} }

// as is the header that makes a request a principal's.
func (e *edge) as(p Principal) header {
	e.t.Helper()
	token, err := e.auth.tokens.mint(&p, e.clock.Now())
	if err != nil {
		e.t.Fatal(err)
	}
	return header{"Authorization", "Bearer " + token}
}

// want fails the test unless the answer has the status.
func (a answerOf) want(status int) answerOf {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// into decodes the answer's body.
func (a answerOf) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
}

// wantProblem fails the test unless the answer is a complete problem with the status and code.
func (a answerOf) wantProblem(status int, code string) Problem {
	a.t.Helper()
	a.want(status)
	var p Problem
	a.into(&p)
	if ct := a.header.Get("Content-Type"); ct != problemJSON {
		a.t.Errorf("Content-Type %q", ct)
	}
	if p.Code != code {
		a.t.Errorf("code %q, want %q: %s", p.Code, code, a.body)
	}
	if p.Status != status || p.Type == "" || p.Title == "" || p.Detail == "" || p.RequestID == "" || p.RequestID != a.header.Get(requestIDHeader) {
		a.t.Errorf("incomplete problem: %s", a.body)
	}
	return p
}

package api

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

var docdbAll = docdb.Query{Limit: 100}

type madeView struct {
	N int64 `json:"n"`
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	var made atomic.Int64
	started, release := make(chan struct{}), make(chan struct{})
	e := newEdge(t, nil, func(s *Server) {
		type input struct {
			Name string `json:"name"`
		}
		register(s, operation{Method: http.MethodPost, Path: "/v1/things", ID: "make", Status: http.StatusCreated, Creates: true},
			func(_ context.Context, in *body[input]) (*reply[madeView], error) {
				n := made.Add(1)
				switch in.Body.Name {
				case "slow":
					close(started)
					<-release
				case "refused":
					return nil, fault.New(fault.Invalid, "refused", "no")
				case "broken":
					return nil, fault.New(fault.Unavailable, "down", "no")
				case "taken":
					return nil, fault.New(fault.Exists, "taken", "no")
				}
				return answer(madeView{n}), nil
			})
	})
	other := e.as(Principal{Name: "other", Role: PlatformAdmin})
	post := func(name, key string, who header) answerOf {
		return e.do("POST", "/v1/things", map[string]string{"name": name}, who, header{"Idempotency-Key", key})
	}
	number := func(a answerOf) int64 {
		var v madeView
		a.want(201).into(&v)
		return v.N
	}
	first := post("a", "k1", e.asAdmin())
	n := number(first)
	again := post("a", "k1", e.asAdmin())
	if number(again) != n || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("repeated: %s %v", again.body, again.header)
	}
	if again.header.Get("Content-Type") != first.header.Get("Content-Type") {
		t.Errorf("Content-Type %q, was %q", again.header.Get("Content-Type"), first.header.Get("Content-Type"))
	}
	if number(post("a", "k1", other)) == n {
		t.Error("another user got the answer")
	}
	if number(post("a", "k2", e.asAdmin())) == n {
		t.Error("another key got the answer")
	}
	post("b", "k1", e.asAdmin()).wantProblem(422, "idempotency_key_reused")
	post("a", "k\xe9y", e.asAdmin()).wantProblem(422, "invalid_idempotency_key")
	post("a", strings.Repeat("k", maxKey+1), e.asAdmin()).wantProblem(422, "invalid_idempotency_key")

	// A refusal of the request is kept; what may pass or be mended is not.
	for _, c := range []struct {
		name   string
		status int
		runs   int64
	}{{"refused", 422, 1}, {"broken", 503, 2}, {"taken", 409, 2}} {
		before := made.Load()
		post(c.name, c.name, e.asAdmin()).want(c.status)
		post(c.name, c.name, e.asAdmin()).want(c.status)
		if runs := made.Load() - before; runs != c.runs {
			t.Errorf("%s ran %d times, want %d", c.name, runs, c.runs)
		}
	}

	done := make(chan answerOf)
	go func() { done <- post("slow", "k3", e.asAdmin()) }()
	<-started
	post("slow", "k3", e.asAdmin()).wantProblem(409, "request_in_progress")
	close(release)
	n = number(<-done)
	if number(post("slow", "k3", e.asAdmin())) != n {
		t.Error("the answer of the request that was under way is not given again")
	}

	e.clock.advance(keptFor)
	e.admin, _ = e.OperatorToken()
	if number(post("a", "k1", e.asAdmin())) == number(first) {
		t.Error("the answer is given again after its time")
	}
	e.clock.advance(2 * keptFor)
	e.admin, _ = e.OperatorToken()
	number(post("a", "k4", e.asAdmin()))
	page, err := kept.Find(t.Context(), e.DB, docdbAll)
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%d answers are kept, error %v", len(page.Items), err)
	}
}

// TestIdempotencyAfterCrash finds a key whose request never ended.
func TestIdempotencyAfterCrash(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	in := userInput{"someone", "long enough", Grant{Role: PlatformAdmin}}
	key := header{"Idempotency-Key", "k"}
	e.do("POST", "/v1/users", in, e.asAdmin(), key).want(201)
	page, err := kept.Find(t.Context(), e.DB, docdbAll)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d answers are kept, error %v", len(page.Items), err)
	}
	crashed := page.Items[0]
	crashed.Status, crashed.Sealed = 0, nil
	if err := kept.Replace(t.Context(), e.DB, crashed); err != nil {
		t.Fatal(err)
	}
	e.do("POST", "/v1/users", in, e.asAdmin(), key).wantProblem(409, "request_in_progress")
	e.clock.advance(claimFor + time.Second)
	e.do("POST", "/v1/users", in, e.asAdmin(), key).wantProblem(409, "user_exists") // ran again, and its own rule holds
}

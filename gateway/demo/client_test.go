package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// served starts a server with one handler and gives a client of it, whose tokens are 1, 2, 3 …
func served(t *testing.T, handle http.HandlerFunc) *client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	tokens := 0
	c := newClient(server.URL, func() (string, error) {
		tokens++
		return fmt.Sprint(tokens), nil
	})
	t.Cleanup(c.close)
	return c
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"no","errors":[{"field":"brand","detail":"why"}]}`, status, code)
}

func TestClientTriesAgainWhileTheServerIsBusy(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			refuse(w, http.StatusServiceUnavailable, "full")
			return
		}
		fmt.Fprint(w, `{"id":"x"}`)
	})
	var answer struct{ ID string }
	if err := c.send(context.Background(), http.MethodPost, "/v1/x", object{}, &answer); err != nil || answer.ID != "x" || calls.Load() != 3 {
		t.Fatalf("%v, %q after %d calls", err, answer.ID, calls.Load())
	}
}

func TestClientTakesANewToken(t *testing.T) {
	t.Parallel()
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer 2" {
			refuse(w, http.StatusUnauthorized, "token")
		}
	})
	if err := c.send(context.Background(), http.MethodPost, "/v1/x", object{}, nil); err != nil {
		t.Fatal(err)
	}
	never := served(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, http.StatusUnauthorized, "token") })
	if err := never.send(context.Background(), http.MethodPost, "/v1/x", object{}, nil); !hasCode(err, "token") {
		t.Fatalf("got %v", err)
	}
}

func TestClientMakesOnce(t *testing.T) {
	t.Parallel()
	code := "already_exists"
	c := served(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, http.StatusConflict, code) })
	if err := c.make(context.Background(), "/v1/brands", object{}); err != nil {
		t.Fatal(err)
	}
	code = "start_in_the_past"
	err := c.make(context.Background(), "/v1/brands?phone=13812345678", object{})
	if !hasCode(err, "start_in_the_past") || !strings.Contains(err.Error(), "brand: why") || strings.Contains(err.Error(), "138") {
		t.Fatalf("got %v", err)
	}
}

func TestPagesReadsToTheEnd(t *testing.T) {
	t.Parallel()
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			fmt.Fprint(w, `{"items":[1,2],"next_cursor":"a b"}`)
		case "a b":
			fmt.Fprint(w, `{"items":[3]}`)
		}
	})
	var got []int
	err := pages(context.Background(), c, "/v1/x", url.Values{}, func(items []int) error {
		got = append(got, items...)
		return nil
	})
	if err != nil || !slices.Equal(got, []int{1, 2, 3}) {
		t.Fatalf("%v, %v", err, got)
	}
}

func TestEachEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	items := make([]int, 10_000)
	var done atomic.Int32
	err := each(context.Background(), items, func(ctx context.Context, i, _ int) error {
		done.Add(1)
		if i == 3 {
			return fmt.Errorf("item %d", i)
		}
		if i > 3 {
			<-ctx.Done() // the error is heard of however fast the others are
		}
		return nil
	})
	if err == nil || done.Load() == int32(len(items)) {
		t.Fatalf("%v after %d", err, done.Load())
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := each(canceled, items, func(context.Context, int, int) error { return nil }); err == nil {
		t.Fatal("nothing was done and nobody says so")
	}
}

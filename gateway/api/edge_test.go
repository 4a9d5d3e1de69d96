package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"scrm/gateway/kit/fault"
)

// probeInput has a field of every kind that validation can refuse.
type probeInput struct {
	Name  string `json:"name" minLength:"2" maxLength:"5"`
	Phone string `json:"phone,omitempty" format:"email" doc:"not a phone's format, so that its parser's error would repeat the value"`
	Count int64  `json:"count,omitempty" minimum:"1"`
	Kind  string `json:"kind,omitempty" enum:"a,b"`
	Lines []struct {
		Paid int64 `json:"paid"`
	} `json:"lines,omitempty"`
}

// probes are operations that tests of the edge itself call.
func probes(s *Server) {
	register(s, operation{Method: http.MethodPost, Path: "/v1/probe", ID: "probe", Access: public}, func(_ context.Context, in *body[probeInput]) (*reply[probeInput], error) {
		return answer(in.Body), nil
	})
	type query struct {
		Page
		Mode string `query:"mode" enum:"panic,plain,canceled,unavailable,conflict,internal,wrapped"`
	}
	register(s, operation{Method: http.MethodGet, Path: "/v1/fail", ID: "fail", Access: public}, func(_ context.Context, in *query) (*reply[struct{}], error) {
		switch in.Mode {
		case "panic":
			panic("13812345678")
		case "plain":
			return nil, errors.New("a driver says 13812345678")
		case "canceled":
			return nil, fmt.Errorf("loading: %w", context.DeadlineExceeded)
		case "unavailable":
			return nil, fault.New(fault.Unavailable, "stream_full", "try again")
		case "conflict":
			return nil, fmt.Errorf("closing: %w", fault.New(fault.Conflict, "day_not_past", "the day is not past").At("date"))
		case "internal":
			return nil, fault.New(fault.Internal, "cannot_unseal", "the key of 13812345678 is wrong")
		default:
			return answer(struct{}{}), nil
		}
	})
	type csv struct{ CSV csvStream }
	register(s, operation{Method: http.MethodPost, Path: "/v1/csv", ID: "csv", Access: public, CSV: true}, func(_ context.Context, in *csv) (*reply[map[string]int64], error) {
		n, err := io.Copy(io.Discard, in.CSV)
		if err != nil {
			return nil, err
		}
		return answer(map[string]int64{"bytes": n}), nil
	})
}

func TestProblems(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil, probes)
	const phone = "13812345678"
	for _, c := range []struct {
		name         string
		method, path string
		body         any
		kind         string // Content-Type
		status       int
		code         string
		field        string // of errors[0]
		fieldCode    string
	}{
		{name: "unknown path", method: "GET", path: "/v1/" + phone, status: 404, code: "unknown_path"},
		{name: "wrong method", method: "DELETE", path: "/v1/probe", status: 405, code: "method_not_allowed"},
		{name: "unknown method", method: "BREW", path: "/v1/probe", status: 501, code: "unknown_method"},
		{name: "no body", method: "POST", path: "/v1/probe", status: 400, code: "body_required"},
		{name: "not JSON", method: "POST", path: "/v1/probe", body: "{" + phone, status: 400, code: "malformed_json"},
		{name: "two values", method: "POST", path: "/v1/probe", body: `{"name":"abc"} {}`, status: 400, code: "malformed_json"},
		{name: "not UTF-8", method: "POST", path: "/v1/probe", body: "{\"name\":\"\xff\xfe\"}", status: 400, code: "invalid_utf8"},
		{name: "over 1 MiB", method: "POST", path: "/v1/probe", body: `{"name":"` + strings.Repeat("x", MaxJSON) + `"}`, status: 413, code: "body_too_large"},
		{name: "over 1 MiB, chunked", method: "POST", path: "/v1/probe", body: io.MultiReader(strings.NewReader(`{"name":"` + strings.Repeat("x", MaxJSON) + `"}`)), status: 413, code: "body_too_large"},
		{name: "far over 1 MiB", method: "POST", path: "/v1/probe", body: strings.Repeat(" ", 9*MaxJSON), status: 413, code: "body_too_large"},
		{name: "form", method: "POST", path: "/v1/probe", body: "name=" + phone, kind: "application/x-www-form-urlencoded", status: 415, code: "unsupported_media_type"},
		{name: "unreadable type", method: "POST", path: "/v1/probe", body: "{}", kind: "application/json; charset", status: 415, code: "unsupported_media_type"},
		{name: "JSON for CSV", method: "POST", path: "/v1/csv", body: "{}", status: 415, code: "unsupported_media_type"},
		{name: "missing field", method: "POST", path: "/v1/probe", body: "{}", status: 422, code: "invalid_fields", field: "name", fieldCode: "required"},
		{name: "wrong type", method: "POST", path: "/v1/probe", body: `{"name":` + phone + `}`, status: 422, code: "invalid_fields", field: "name", fieldCode: "wrong_type"},
		{name: "too long", method: "POST", path: "/v1/probe", body: `{"name":"` + phone + `"}`, status: 422, code: "invalid_fields", field: "name", fieldCode: "too_long"},
		{name: "too small", method: "POST", path: "/v1/probe", body: `{"name":"abc","count":-5}`, status: 422, code: "invalid_fields", field: "count", fieldCode: "too_small"},
		{name: "too large a number", method: "POST", path: "/v1/probe", body: `{"name":"abc","count":1e30}`, status: 422, code: "invalid_fields", field: "count", fieldCode: "wrong_type"},
		{name: "not one of", method: "POST", path: "/v1/probe", body: `{"name":"abc","kind":"` + phone + `"}`, status: 422, code: "invalid_fields", field: "kind", fieldCode: "not_one_of"},
		{name: "parser's error", method: "POST", path: "/v1/probe", body: `{"name":"abc","phone":"` + phone + `"}`, status: 422, code: "invalid_fields", field: "phone", fieldCode: "wrong_format"},
		{name: "unknown field", method: "POST", path: "/v1/probe", body: `{"name":"abc","nmae":1}`, status: 422, code: "invalid_fields", field: "nmae", fieldCode: "unknown_field"},
		{name: "twice", method: "POST", path: "/v1/probe", body: `{"name":"abc","name":"abd"}`, status: 422, code: "invalid_fields", field: "name", fieldCode: "duplicate_field"},
		{name: "other case", method: "POST", path: "/v1/probe", body: `{"name":"abc","Kind":"a"}`, status: 422, code: "invalid_fields", field: "Kind", fieldCode: "unknown_field"},
		{name: "personal data as a field", method: "POST", path: "/v1/probe", body: `{"name":"abc","` + phone + `":1}`, status: 422, code: "invalid_fields", field: "?", fieldCode: "unknown_field"},
		{name: "within a list", method: "POST", path: "/v1/probe", body: `{"name":"abc","lines":[{"paid":1},{"paid":"` + phone + `"}]}`, status: 422, code: "invalid_fields", field: "lines[1].paid", fieldCode: "wrong_type"},
		{name: "bad limit", method: "GET", path: "/v1/fail?limit=201", status: 422, code: "invalid_fields", field: "limit", fieldCode: "too_large"},
		{name: "limit not a number", method: "GET", path: "/v1/fail?limit=" + phone + "x", status: 422, code: "invalid_fields", field: "limit", fieldCode: "wrong_type"},
		{name: "panic", method: "GET", path: "/v1/fail?mode=panic", status: 500, code: "internal"},
		{name: "unclassified error", method: "GET", path: "/v1/fail?mode=plain", status: 500, code: "internal"},
		{name: "internal", method: "GET", path: "/v1/fail?mode=internal", status: 500, code: "internal"},
		{name: "deadline", method: "GET", path: "/v1/fail?mode=canceled", status: 503, code: "canceled"},
		{name: "unavailable", method: "GET", path: "/v1/fail?mode=unavailable", status: 503, code: "stream_full"},
		{name: "conflict, wrapped", method: "GET", path: "/v1/fail?mode=conflict", status: 409, code: "day_not_past", field: "date", fieldCode: "day_not_past"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := *e
			e.t = t
			var headers []header
			if c.kind != "" {
				headers = append(headers, header{"Content-Type", c.kind})
			}
			a := e.do(c.method, c.path, c.body, headers...)
			p := a.wantProblem(c.status, c.code)
			if bytes.Contains(a.body, []byte(phone)) || bytes.Contains(a.body, []byte("xxxx")) {
				t.Errorf("the input is repeated: %s", a.body)
			}
			if c.status == 503 && a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			if c.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != c.field || p.Errors[0].Code != c.fieldCode || p.Errors[0].Detail == "") {
				t.Errorf("errors %+v, want %s %s", p.Errors, c.field, c.fieldCode)
			}
		})
	}
	t.Run("log", func(t *testing.T) { // after the parallel ones are started, so at least the sequential requests below are in it
		e := *e
		e.t = t
		a := e.do("GET", "/v1/fail?mode=plain", nil)
		p := a.wantProblem(500, "internal")
		if log := e.log.String(); !strings.Contains(log, p.RequestID) || strings.Contains(log, phone) {
			t.Errorf("the log has %s: %v; has the number: %v", p.RequestID, strings.Contains(log, p.RequestID), strings.Contains(log, phone))
		}
	})
}

// TestBodies sends bodies around every border at which reading them changes, on connections that are used again.
func TestBodies(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil, probes)
	for _, size := range []int{0, 1, prefetched - 1, prefetched, prefetched + 1, 3 * prefetched, MaxJSON, 3 * MaxJSON} {
		for _, chunked := range []bool{false, true} {
			var payload io.Reader = bytes.NewReader(bytes.Repeat([]byte("a"), size))
			if chunked {
				payload = io.MultiReader(payload)
			}
			var got struct{ Bytes int }
			e.do("POST", "/v1/csv", payload, header{"Content-Type", "text/csv"}).want(200).into(&got)
			if got.Bytes != size {
				t.Errorf("%d of %d bytes arrived (chunked: %v)", got.Bytes, size, chunked)
			}
			// Unread: the operation does not take a body of this type.
			if chunked {
				payload = io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("GET / HTTP/1.1\r\n\r\n"), size/18)))
			} else {
				payload = bytes.NewReader(bytes.Repeat([]byte("GET / HTTP/1.1\r\n\r\n"), size/18))
			}
			e.do("POST", "/v1/csv", payload, header{"Content-Type", "text/plain"}).want(415)
		}
	}
	for _, size := range []int{MaxJSON - 11, MaxJSON - 10} { // {"name":""} is 11 bytes
		status := map[bool]int{true: 422, false: 413}[size+11 <= MaxJSON]
		e.do("POST", "/v1/probe", `{"name":"`+strings.Repeat("x", size)+`"}`).want(status)
	}
}

// TestBuffersAreNotShared keeps strings of requests beyond their end while others overwrite Fiber's buffers.
func TestBuffersAreNotShared(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var kept []string
	e := newEdge(t, nil, func(s *Server) {
		type input struct {
			ID   string `path:"id"`
			Q    string `query:"q"`
			H    string `header:"X-Probe"`
			Body struct {
				Name string `json:"name"`
			}
		}
		register(s, operation{Method: http.MethodPost, Path: "/v1/keep/{id}", ID: "keep", Access: public}, func(_ context.Context, in *input) (*struct{}, error) {
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, in.ID, in.Q, in.H, in.Body.Name)
			return nil, nil
		})
	})
	const n = 200
	for i := range n {
		v := fmt.Sprintf("%04d-abcdefghijklmnop", i)
		e.do("POST", "/v1/keep/"+v+"?q="+v, map[string]string{"name": v}, header{"X-Probe", v}).want(200)
	}
	seen := map[string]int{}
	for _, v := range kept {
		seen[v]++
	}
	for i := range n {
		if v := fmt.Sprintf("%04d-abcdefghijklmnop", i); seen[v] != 4 {
			t.Errorf("%s was kept %d times of 4", v, seen[v])
		}
	}
}

// TestServerSentEvents reads a stream that goes on after its handler has returned, until the server is shut down.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	more, ended := make(chan struct{}), make(chan struct{})
	type event struct{ N int }
	e := newEdge(t, nil, func(s *Server) {
		sse.Register(s.api, huma.Operation{Method: http.MethodGet, Path: "/v1/events", OperationID: "events"}, map[string]any{"message": event{}},
			func(ctx context.Context, _ *struct{}, send sse.Sender) {
				defer close(ended)
				for n := 1; ; n++ {
					if err := send.Data(event{n}); err != nil {
						t.Error(err)
					}
					select {
					case <-more:
					case <-ctx.Done():
						return
					}
				}
			})
	})
	resp, err := http.Get(e.url + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return text
			}
		}
		return "end"
	}
	for _, want := range []string{`{"N":1}`, `{"N":2}`} {
		if got := next(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if want == `{"N":1}` {
			more <- struct{}{}
		}
	}
	e.endStream()
	<-ended
	if got := next(); got != "end" {
		t.Errorf("after the shutdown: %s", got)
	}
}

// TestUnreadableRequests sends what is no HTTP request.
func TestUnreadableRequests(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	for text, status := range map[string]int{
		"nonsense\r\n\r\n": 400,
		"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("13812345678", 4000) + "\r\n\r\n":  431,
		"POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n": 400,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var p Problem
		if err := json.Unmarshal(body, &p); err != nil || resp.StatusCode != status || p.Status != status || p.RequestID == "" || strings.Contains(string(body), "138") {
			t.Errorf("%.40q: %d %s", text, resp.StatusCode, body)
		}
		conn.Close()
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]huma.Operation
	}
	e.do("GET", "/openapi.json", nil).want(200).into(&doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Paths["/v1/auth/login"]["post"].Summary == "" {
		t.Errorf("openapi %q with paths %v", doc.OpenAPI, slices.Collect(mapKeys(doc.Paths)))
	}
	page := e.do("GET", "/docs", nil).want(200)
	for _, outside := range []string{"https://", "http://", "src="} {
		if bytes.Contains(page.body, []byte(outside)) {
			t.Errorf("the documentation's page contains %q", outside)
		}
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestRunning(t *testing.T) {
	t.Parallel()
	broken := errors.New("no storage at 13812345678")
	e := newEdge(t, func(c *Config) {
		c.Ready = map[string]func(context.Context) error{
			"storage": func(context.Context) error { return broken },
			"stream":  func(context.Context) error { return nil },
		}
	})
	e.do("GET", "/livez", nil).want(200)
	if p := e.do("GET", "/readyz", nil).wantProblem(503, "not_ready"); p.Detail != "not ready: storage" {
		t.Errorf("detail %q", p.Detail)
	}
	m := e.do("GET", "/metrics", nil).want(200)
	if !bytes.Contains(m.body, []byte(`scrm_http_requests_total{method="GET",route="/readyz",status="503"} 1`)) {
		t.Errorf("metrics lack the request: %s", m.body)
	}
	var report auditReport
	e.do("GET", "/v1/audit", nil, e.asAdmin()).want(200).into(&report)
	if !report.OK || len(report.Checks) != 1 {
		t.Errorf("audit %+v", report)
	}
	e.do("GET", "/v1/audit", nil, e.as(Principal{Name: "a", Role: Auditor, Brand: "aurora"})).wantProblem(403, "forbidden")
	e.do("GET", "/v1/audit", nil).wantProblem(401, "not_signed_in")
	if id := e.do("GET", "/livez", nil, header{"X-Request-Id", "mine-12345"}).header.Get("X-Request-Id"); id != "mine-12345" {
		t.Errorf("request id %q", id)
	}
	if id := e.do("GET", "/livez", nil, header{"X-Request-Id", "<script>"}).header.Get("X-Request-Id"); strings.Contains(id, "<") {
		t.Errorf("request id %q", id)
	}
}

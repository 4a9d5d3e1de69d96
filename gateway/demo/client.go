package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// connections is how many requests run at once, and how many connections are kept for them.
const connections = 64

// patience is how long a request that the server cannot take now is repeated.
const patience = time.Minute

// client speaks the HTTP interface as its users do. Every call that it repeats is harmless to repeat.
type client struct {
	base  string
	http  *http.Client
	fresh func() (string, error)

	mu    sync.Mutex
	token string
}

func newClient(base string, token func() (string, error)) *client {
	transport := &http.Transport{MaxIdleConns: 2 * connections, MaxIdleConnsPerHost: 2 * connections, DisableCompression: true}
	return &client{base: base, http: &http.Client{Transport: transport}, fresh: token}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// problem is an answer of 400 or more (RFC 9457).
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Field  string `json:"field"`
		Detail string `json:"detail"`
	} `json:"errors"`
	retryAfter time.Duration
}

func (p *problem) Error() string {
	text := fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
	for _, e := range p.Errors {
		text += fmt.Sprintf(" (%s: %s)", e.Field, e.Detail)
	}
	return text
}

// isThere reports whether err is the server's answer that what was to be made exists already.
func isThere(err error) bool {
	var p *problem
	return errors.As(err, &p) && p.Status == http.StatusConflict && strings.HasSuffix(p.Code, "_exists")
}

// exists reports whether err is the server's answer that there is a thing of this id already (guide_exists, terminal_exists …).
func exists(err error) bool {
	var p *problem
	return errors.As(err, &p) && p.Status == http.StatusConflict && strings.HasSuffix(p.Code, "_exists")
}

// hasCode reports whether err is the server's answer with a code.
func hasCode(err error, code string) bool {
	var p *problem
	return errors.As(err, &p) && p.Code == code
}

// call is one request.
type call struct {
	method, path string
	contentType  string
	body         []byte
	prefer       string
	till         *till // signs it; nil: a user's, with a bearer token
}

// get reads something into answer.
func (c *client) get(ctx context.Context, path string, query url.Values, answer any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(ctx, call{method: http.MethodGet, path: path}, answer)
}

// send writes body as JSON and reads the answer; answer may be nil.
func (c *client) send(ctx context.Context, method, path string, body, answer any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return c.do(ctx, call{method: method, path: path, contentType: "application/json", body: data}, answer)
}

// make posts something that may be there already, from an earlier run: then nothing is to do.
func (c *client) make(ctx context.Context, path string, body any) error {
	err := c.send(ctx, http.MethodPost, path, body, nil)
	if isThere(err) {
		return nil
	}
	return err
}

// upload posts a CSV file.
func (c *client) upload(ctx context.Context, path string, csv []byte, answer any) error {
	return c.do(ctx, call{method: http.MethodPost, path: path, contentType: "text/csv", body: csv}, answer)
}

// do makes a request, again for a while where the server cannot take it now, and decodes the answer.
func (c *client) do(ctx context.Context, r call, answer any) error {
	deadline := time.Now().Add(patience)
	for renewed := false; ; {
		err := c.once(ctx, r, answer)
		var p *problem
		switch {
		case !errors.As(err, &p):
		case p.Status == http.StatusUnauthorized && r.till == nil && !renewed:
			renewed = true
			c.forgetToken()
			continue
		case (p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests) && time.Now().Before(deadline):
			if err := wait(ctx, max(p.retryAfter, 50*time.Millisecond)); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("demo: %s %s: %w", r.method, pathOnly(r.path), err)
		}
		return nil
	}
}

// pathOnly leaves the query out of messages: it may hold a phone number.
func pathOnly(path string) string {
	only, _, _ := strings.Cut(path, "?")
	return only
}

func (c *client) once(ctx context.Context, r call, answer any) error {
	request, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	if r.contentType != "" {
		request.Header.Set("Content-Type", r.contentType)
	}
	if r.prefer != "" {
		request.Header.Set("Prefer", r.prefer)
	}
	if r.till != nil {
		r.till.sign(request.Header, r)
	} else {
		token, err := c.bearer()
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return problemOf(response)
	}
	if answer == nil {
		_, err = io.Copy(io.Discard, response.Body)
	} else {
		err = json.NewDecoder(response.Body).Decode(answer)
	}
	return err
}

func problemOf(response *http.Response) error {
	p := &problem{}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) //nolint:errcheck // an unreadable type is none
	if kind != "application/problem+json" || json.NewDecoder(response.Body).Decode(p) != nil {
		p = &problem{Code: "no_problem_json", Detail: response.Status}
	}
	p.Status = response.StatusCode
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		p.retryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

func (c *client) bearer() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == "" {
		token, err := c.fresh()
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		c.token = token
	}
	return c.token, nil
}

func (c *client) forgetToken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = ""
}

// till is a POS terminal with its secret.
type till struct {
	id, store, secret string
}

// sign puts the headers of a terminal's request: HMAC-SHA256 over METHOD\nPATH\nTIMESTAMP\nhex(SHA-256(body)).
func (t *till) sign(header http.Header, r call) {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	body := sha256.Sum256(r.body)
	mac := hmac.New(sha256.New, []byte(t.secret))
	fmt.Fprintf(mac, "%s\n%s\n%s\n%x", r.method, r.path, timestamp, body)
	header.Set("Scrm-Terminal", t.id)
	header.Set("Scrm-Timestamp", timestamp)
	header.Set("Scrm-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
}

// wait lets time pass; it ends early with the context.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// pages reads a list to its end, calling each with every page's items.
func pages[T any](ctx context.Context, c *client, path string, query url.Values, each func(items []T) error) error {
	query.Set("limit", "200")
	for {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next_cursor"`
		}
		if err := c.get(ctx, path, query, &page); err != nil {
			return err
		}
		if err := each(page.Items); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"scrm/gateway/api"
	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/when"
)

// remote is a server that a command talks to by HTTP.
type remote struct {
	url   string
	token func() (string, error)
}

// remotely runs do with the server that holds the data directory, or starts one for the time, so that commands go one way.
func (e *environment) remotely(ctx context.Context, do func(*remote) error) (err error) {
	quiet := *e
	quiet.Listen = "127.0.0.1:0"
	r, err := quiet.start(ctx)
	var held *heldError
	switch {
	case errors.As(err, &held) && held.by.URL != "":
		keys, err := seal.Load(e.MasterKey, masterKeyFile(e.Config))
		if err != nil {
			return err
		}
		return do(&remote{held.by.URL, func() (string, error) { return api.OperatorToken(keys, when.System{}) }})
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	return do(&remote{r.url, r.Server.OperatorToken})
}

// masterKeyFile is where the master key is where the configuration does not have it.
func masterKeyFile(c Config) string { return filepath.Join(c.Data, "keys", "master.key") }

// do sends a request as the operator, and decodes the answer into out; an error has the server's own words.
func (r *remote) do(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	token, err := r.token()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		var p api.Problem
		if json.Unmarshal(answer, &p) != nil || p.Code == "" {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return fmt.Errorf("%s (%s, request %s)", p.Detail, p.Code, p.RequestID)
	}
	return json.Unmarshal(answer, out)
}

// post sends a JSON body.
func (r *remote) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return r.do(ctx, http.MethodPost, path, "application/json", bytes.NewReader(body), out)
}

func query(name, value string) string { return "?" + url.Values{name: {value}}.Encode() }

func segment(s string) string { return url.PathEscape(s) }

// pause waits, unless the context ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// print writes v as indented JSON.
func (e *environment) print(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printChecks writes the audit for people.
func printChecks(w io.Writer, checks []audit.Check) {
	for _, c := range checks {
		state := "holds"
		if !c.OK {
			state = "FAILS"
		}
		fmt.Fprintf(w, "%s %s  %s\n", c.ID, state, c.Name)
		for _, name := range slices.Sorted(maps.Keys(c.Figures)) {
			fmt.Fprintf(w, "      %-40s %15d\n", strings.ReplaceAll(name, "_", " "), c.Figures[name])
		}
		for _, p := range c.Problems {
			fmt.Fprintf(w, "      ! %s\n", p)
		}
	}
}

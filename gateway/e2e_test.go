package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"scrm/gateway/demo"
	"scrm/gateway/demo/dataset"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/stream/streamtest"
)

// input is the real data where SCRM_TEST_DATA says where they lie, else generated files of the same formats.
func input(t *testing.T) dataset.Files {
	t.Helper()
	if dir := os.Getenv("SCRM_TEST_DATA"); dir != "" {
		return dataset.Files{
			Stores: filepath.Join(dir, "stores.csv"), CRMOnline: filepath.Join(dir, "crm-online.csv"),
			CRMStore: filepath.Join(dir, "crm-store.csv"), Receipts: filepath.Join(dir, "receipts.csv.gz"),
		}
	}
	return files(t, dataset.Recipe{Seed: 11, Stores: 60, Members: 1000, Transactions: 4000, Days: 20, LastDay: "2026-02-28"})
}

// files are generated files in the formats of the real ones.
func files(t *testing.T, recipe dataset.Recipe) dataset.Files {
	t.Helper()
	set, err := dataset.Generate(recipe)
	if err != nil {
		t.Fatal(err)
	}
	files, err := set.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// embedded is a configuration that needs nothing but a directory.
func embedded(t *testing.T) Config {
	t.Helper()
	c := defaults()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	return c
}

// play runs the demo on a server of this process, and then does what the test wants with it while it still runs.
func play(t *testing.T, config Config, o demo.Options, then func(r *running, s *demo.Summary)) *demo.Summary {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	e := &environment{Config: config, log: log, stdout: io.Discard, stderr: io.Discard}
	var summary *demo.Summary
	err := e.while(t.Context(), func(r *running) (err error) {
		o.BaseURL, o.Token, o.Dir, o.Progress = r.url, r.Server.OperatorToken, config.Data, t.Output()
		if summary, err = demo.Run(t.Context(), o); err == nil && then != nil {
			then(r, summary)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range summary.Audit {
		if !c.OK {
			t.Errorf("%s does not hold: %v, %v", c.ID, c.Figures, c.Problems)
		}
	}
	if len(summary.Audit) != 8 {
		t.Errorf("the audit has %d equations", len(summary.Audit))
	}
	return summary
}

// TestTheWholeWay plays the files and compares what comes out with the oracle; then it plays them again, which must change nothing;
// then once more on real servers, which must give the same.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	in := input(t)
	want := consult(t, in)
	config := embedded(t)
	options := demo.Options{Files: in}
	first := play(t, config, options, func(r *running, s *demo.Summary) {
		if got := paid(t, r, want.dates); !maps.Equal(got, want.paid) {
			reportPayees(t, got, want.paid)
		}
	})
	if first.Members != want.members || first.DualCardMembers != want.dual || first.Refused.Total != want.refused {
		t.Errorf("%d members, %d dual-card, %d refused; the oracle has %d, %d, %d",
			first.Members, first.DualCardMembers, first.Refused.Total, want.members, want.dual, want.refused)
	}
	if first.Rows.ReceiptLines != want.lines || first.CommissionEntries != want.entries {
		t.Errorf("%d lines, %d entries; the oracle has %d, %d", first.Rows.ReceiptLines, first.CommissionEntries, want.lines, want.entries)
	}
	if first.Transactions["applied"] != first.Rows.Receipts || first.ZReports.Matched != first.ZReports.Sent {
		t.Errorf("transactions %v, Z-reports %+v", first.Transactions, first.ZReports)
	}
	if sum := total(want.paid); first.Statements.Total+first.Statements.Carried != sum {
		t.Errorf("statements pay %d and carry %d; the oracle has %d", first.Statements.Total, first.Statements.Carried, sum)
	}

	t.Run("again", func(t *testing.T) {
		t.Parallel()
		second := play(t, config, options, nil)
		if second.Transactions["duplicate"] != first.Rows.Receipts {
			t.Errorf("transactions of the second run: %v", second.Transactions)
		}
		mustEqual(t, second, first)
	})
	t.Run("real servers", func(t *testing.T) {
		t.Parallel()
		servers := embedded(t)
		servers.MongoURI, servers.NATSURL = docdbtest.MongoURI(t), streamtest.Start(t).URL
		third := play(t, servers, options, nil)
		third.Run = first.Run
		if a, b := pretty(t, third), pretty(t, first); a != b {
			t.Errorf("on real servers:\n%s\nembedded:\n%s", a, b)
		}
	})
}

// TestAGeneratedWeek plays the demo as it is without files, with online orders and returns of what another store sold.
func TestAGeneratedWeek(t *testing.T) {
	t.Parallel()
	recipe := dataset.Standard(5, 3000, "")
	recipe.Stores, recipe.Members = 80, 1500
	s := play(t, embedded(t), demo.Options{Recipe: recipe}, nil)
	if s.Transactions["applied"] != 3000 || s.Rows.Receipts != 3000 {
		t.Errorf("transactions %v", s.Transactions)
	}
	if s.DualCardMembers == 0 || s.Refused.Total == 0 || s.ReturnLines.Matched == 0 || s.ReturnLines.Unmatched == 0 || s.Statements.Total <= 0 {
		t.Errorf("a dull week: %s", pretty(t, s))
	}
}

// paid adds up what the statements of the closed days say each payee got, as anybody can who reads them.
func paid(t *testing.T, r *running, dates []string) map[string]int64 {
	t.Helper()
	api := &remote{r.url, r.Server.OperatorToken}
	sums := map[string]int64{}
	for _, brand := range []string{"aurora", "breeze", "cedar"} {
		for _, date := range dates {
			for query := (url.Values{"brand": {brand}, "date": {date}, "limit": {"200"}}); ; {
				var page struct {
					Items []struct {
						Payee struct {
							Type string `json:"type"`
							ID   string `json:"id"`
						} `json:"payee"`
						LinesTotal int64 `json:"lines_total"`
					} `json:"items"`
					NextCursor string `json:"next_cursor"`
				}
				if err := api.do(t.Context(), "GET", "/v1/commission/statements?"+query.Encode(), "", nil, &page); err != nil {
					t.Fatal(err)
				}
				for _, s := range page.Items {
					sums[s.Payee.Type+" "+s.Payee.ID] += s.LinesTotal
				}
				if page.NextCursor == "" {
					break
				}
				query.Set("cursor", page.NextCursor)
			}
		}
	}
	maps.DeleteFunc(sums, func(_ string, sum int64) bool { return sum == 0 })
	return sums
}

func total(by map[string]int64) (sum int64) {
	for _, n := range by {
		sum += n
	}
	return sum
}

func reportPayees(t *testing.T, got, want map[string]int64) {
	t.Helper()
	shown := 0
	for payee := range want {
		if got[payee] != want[payee] && shown < 10 {
			t.Logf("%s: %d, the oracle has %d", payee, got[payee], want[payee])
			shown++
		}
	}
	t.Errorf("%d payees got %d; the oracle has %d with %d", len(got), total(got), len(want), total(want))
}

// mustEqual compares what two runs over the same input left behind: everything but how the transactions went this time.
func mustEqual(t *testing.T, got, want *demo.Summary) {
	t.Helper()
	lasting := func(s *demo.Summary) *demo.Summary {
		c := *s
		c.Transactions, c.Run, c.Audit = nil, demo.Circumstances{}, nil
		for _, check := range s.Audit {
			if check.ID == "E3" { // counts every acceptance, so repeated ones too
				check.Figures = nil
			}
			c.Audit = append(c.Audit, check)
		}
		return &c
	}
	if a, b := lasting(got), lasting(want); !reflect.DeepEqual(a, b) {
		t.Errorf("got:\n%s\nwant:\n%s", pretty(t, a), pretty(t, b))
	}
}

func pretty(t *testing.T, s *demo.Summary) string {
	t.Helper()
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

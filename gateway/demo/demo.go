// Package demo is the main job, done from outside: it sets up brands, imports stores and members, replays receipts as tills
// and online shops send them, closes the days, and reads back who earned what. It knows the product by its HTTP interface only, so
// what it does anybody can do.
//
// Everything it sends is harmless to send again. A second run over the same data, also after the first was killed at any
// moment, ends with the same balances, statements and totals.
package demo

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"scrm/gateway/demo/dataset"
)

// Options say what to play, and where.
type Options struct {
	BaseURL  string                 // of the running server, without a slash at the end
	Token    func() (string, error) // makes a bearer token of a platform admin; called again when one has run out
	Files    dataset.Files          // what to read; none: data are generated
	Recipe   dataset.Recipe         // of generated data; LastDay "" is yesterday, or what an earlier run in Dir took
	Dir      string                 // for the list of refused rows, of unified members, and the notebook
	Progress io.Writer              // lines for people, as things happen
}

// demo is one run.
type demo struct {
	Options
	client   *client
	set      *dataset.Set
	business *Business
	tills    map[string]*till // by store
	known    map[string]bool  // external ids that the server took
	refused  [][]string       // rows of the imports: file, row, code, detail
	earned   map[string]int64 // paid by statements, by payee ("guide g-17")
	summary  *Summary
}

// Run plays the whole way once. It fails where the server does not answer as it must; whether the audit holds, the summary says.
func Run(ctx context.Context, o Options) (*Summary, error) {
	d := &demo{Options: o, client: newClient(o.BaseURL, o.Token), earned: map[string]int64{}, summary: newSummary(o.BaseURL, o.Dir)}
	defer d.client.close()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"read", d.read}, {"set_up", d.setUp}, {"enrol", d.enrol}, {"unified", d.readMembers}, {"replay", d.replay}, {"z_reports", d.reportDays},
		{"close", d.closeDays}, {"statements", d.readStatements}, {"audit", d.audit}, {"schedule", d.schedule}, {"users", d.makeUsers},
	} {
		started := time.Now()
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		d.summary.Run.Seconds[step.name] = time.Since(started).Seconds()
	}
	d.report()
	return d.summary, nil
}

func (d *demo) read(context.Context) error {
	set, err := prepare(d.Options)
	if err != nil {
		return err
	}
	d.set = set
	if d.business, err = NewBusiness(set); err != nil {
		return err
	}
	d.summary.Rows.Receipts, d.summary.Rows.ReceiptLines = len(set.Receipts), set.Lines
	d.summary.ReturnLines.Matched, d.summary.ReturnLines.Unmatched = set.ReturnLines()
	last := set.Receipts[len(set.Receipts)-1]
	d.say("read     %d stores, %d and %d rows of members, %d receipts and orders of %d lines, %s to %s", len(set.Stores),
		len(set.Online.ExternalIDs), len(set.InStore.ExternalIDs), len(set.Receipts), set.Lines, set.Receipts[0].Date(), last.Date())
	return nil
}

// say tells people how far it is.
func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.Progress, format+"\n", args...) }

// refuse notes an import's refused rows.
func (d *demo) refuse(file string, report *importReport) {
	for _, r := range report.Rejected {
		d.summary.Refused.Total++
		d.summary.Refused.ByCode[r.Code]++
		d.refused = append(d.refused, []string{file, strconv.Itoa(r.Row), r.Code, r.Detail})
	}
}

// writeCSV writes a list for people, readable by its owner only.
func writeCSV(path string, header []string, rows [][]string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		err = csv.NewWriter(file).WriteAll(append([][]string{header}, rows...))
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

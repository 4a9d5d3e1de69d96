package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"scrm/gateway/demo/dataset"
)

// BenchOptions say what to measure, and where.
type BenchOptions struct {
	BaseURL      string                 // of a running server with nothing in it
	Token        func() (string, error) // of a platform admin
	Dir          string                 // for the notebook
	Transactions int                    // of one business day: a quarter is sent one by one, the rest 100 at once
	Progress     io.Writer
}

// Figures are what a bench measured, with load from the same machine.
type Figures struct {
	Single, Batched  Rate
	Projected        float64 // transactions decided and projected by all three domains, per second, from the first request on
	ProjectedItems   int
	Close            time.Duration // of the day, all brands
	Statements       int
	EnrolledRows     int
	EnrolledInSecond float64
}

// Rate is how fast transactions were accepted and synced.
type Rate struct {
	Items     int
	PerSecond float64
	P50, P99  time.Duration // of a request
}

const batchSize = 100

// Bench loads a server with a business day over as many connections as the demo uses, and closes it.
func Bench(ctx context.Context, o BenchOptions) (*Figures, error) {
	yesterday := time.Now().In(dataset.Zone).AddDate(0, 0, -1).Format(time.DateOnly)
	d := &demo{
		Options: Options{
			BaseURL: o.BaseURL, Token: o.Token, Dir: o.Dir, Progress: o.Progress,
			Recipe: dataset.Recipe{Seed: 1, Stores: 400, Members: 10_000, Transactions: o.Transactions, Days: 1, LastDay: yesterday},
		},
		client: newClient(o.BaseURL, o.Token), earned: map[string]int64{}, summary: newSummary(o.BaseURL, o.Dir),
	}
	defer d.client.close()
	base, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	for _, step := range []func(context.Context) error{d.read, d.setUp} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	f := &Figures{}
	started := time.Now()
	if err := d.enrol(ctx); err != nil {
		return nil, err
	}
	f.EnrolledRows = d.summary.Rows.CRMOnline + d.summary.Rows.CRMStore
	f.EnrolledInSecond = float64(f.EnrolledRows) / time.Since(started).Seconds()
	if err := d.measureReplay(ctx, base, f); err != nil {
		return nil, err
	}
	started = time.Now()
	if err := d.closeDays(ctx); err != nil {
		return nil, err
	}
	f.Close = time.Since(started)
	if err := d.readStatements(ctx); err != nil {
		return nil, err
	}
	f.Statements = d.summary.Statements.Count
	return f, nil
}

// measureReplay fires the day's receipts, a quarter of them one by one, and waits until all of them are projected.
func (d *demo) measureReplay(ctx context.Context, base *url.URL, f *Figures) error {
	cashier := newCashier(d.set, d.known)
	quarter := len(d.set.Receipts) / 4
	volleys := []struct {
		receipts []*dataset.Receipt
		size     int
		rate     *Rate
	}{{d.set.Receipts[:quarter], 1, &f.Single}, {d.set.Receipts[quarter:], batchSize, &f.Batched}}
	for _, v := range volleys {
		shots, last, err := d.shots(base, cashier, v.receipts, v.size)
		if err != nil {
			return err
		}
		d.say("bench    %d transactions, %d a request, %d connections", len(v.receipts), v.size, connections)
		started := time.Now()
		result, err := fire(ctx, base, shots, connections)
		if err != nil {
			return err
		}
		*v.rate = Rate{Items: result.items, PerSecond: result.perSecond(), P50: result.percentile(50), P99: result.percentile(99)}
		if err := d.awaitProjected(ctx, last); err != nil {
			return err
		}
		// The last volley is the one that outruns the projections.
		f.ProjectedItems, f.Projected = result.items, float64(result.items)/time.Since(started).Seconds()
	}
	return nil
}

// shots writes down the requests of tills: batches of size, or each transaction alone where that is 1. last are receipts of those
// that will be under way at the end, one of each.
func (d *demo) shots(base *url.URL, cashier *cashier, receipts []*dataset.Receipt, size int) (shots []shot, last []*dataset.Receipt, err error) {
	parcels, err := d.parcels(receipts, cashier, size)
	if err != nil {
		return nil, nil, err
	}
	shots = make([]shot, len(parcels))
	for i, p := range parcels {
		body := p.body
		if size == 1 {
			if body, err = cashier.write(p.receipts[0]); err != nil {
				return nil, nil, err
			}
		}
		r := call{method: http.MethodPost, path: p.path, contentType: "application/json", body: body, till: p.till}
		if shots[i], err = newShot(base, r, len(p.receipts)); err != nil {
			return nil, nil, err
		}
		if i >= len(parcels)-connections {
			last = append(last, p.receipts[len(p.receipts)-1])
		}
	}
	return shots, last, nil
}

// awaitProjected waits until the last of the receipts that were sent are projected by all three domains: the streams keep their
// order, so all before them are too.
func (d *demo) awaitProjected(ctx context.Context, last []*dataset.Receipt) error {
	return each(ctx, last, func(ctx context.Context, _ int, r *dataset.Receipt) error {
		for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
			o, err := d.ask(ctx, r)
			if err != nil || o.projected() {
				return err
			}
			if err := wait(ctx, pause); err != nil {
				return err
			}
		}
	})
}

// Print writes the figures as a table.
func (f *Figures) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	for _, r := range []struct {
		name string
		rate Rate
	}{{"accepted and synced, one per request", f.Single}, {fmt.Sprintf("accepted and synced, %d per request", batchSize), f.Batched}} {
		fmt.Fprintf(table, "%s, %d connections\t%.0f tx/s\tp50 %s, p99 %s\t%d transactions\n", r.name, connections, r.rate.PerSecond, ms(r.rate.P50), ms(r.rate.P99), r.rate.Items)
	}
	fmt.Fprintf(table, "decided and projected by all three domains\t%.0f tx/s\t\t%d transactions\n", f.Projected, f.ProjectedItems)
	fmt.Fprintf(table, "enrolled and assigned, by CSV import\t%.0f rows/s\t\t%d rows\n", f.EnrolledInSecond, f.EnrolledRows)
	fmt.Fprintf(table, "T+1 close of the day, all brands\t%s\t\t%d statements\n", ms(f.Close), f.Statements)
	return table.Flush()
}

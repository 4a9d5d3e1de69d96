package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"scrm/gateway/demo/dataset"
)

// Limits of a batch that a till sends: the server takes 500 transactions and 1 MiB.
const (
	batchItems = 250
	batchBytes = 900 << 10
)

// preferWait asks for outcomes instead of a mere acceptance.
const preferWait = "wait=10"

// outcome is what the server answers for a transaction.
type outcome struct {
	EventID string `json:"event_id"`
	Status  string `json:"status"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`

	Points     *json.RawMessage `json:"points"` // absent until the domain has projected it …
	Commission *json.RawMessage `json:"commission"`
}

// projected reports whether all that follows from the transaction has been booked.
func (o outcome) projected() bool {
	return o.final() && (o.Status != "applied" || o.Points != nil && o.Commission != nil)
}

// final reports whether nothing can change the outcome any more: neither a decision nor a sale that has not come.
func (o outcome) final() bool { return o.Status != "accepted" && o.Status != "waiting" }

// parcel is one request of the replay: a batch of a till's receipts, or of a brand's orders on one channel.
type parcel struct {
	path     string
	till     *till // nil: orders
	receipts []*dataset.Receipt
	body     []byte
}

// tally counts outcomes, from many requests at once.
type tally struct {
	mu       sync.Mutex
	statuses map[string]int
	codes    map[string]int     // of those that were not applied
	open     []*dataset.Receipt // not final yet
}

func (t *tally) add(r *dataset.Receipt, o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !o.final() {
		t.open = append(t.open, r)
		return
	}
	t.statuses[o.Status]++
	if o.Code != "" {
		t.codes[o.Code]++
	}
}

// waves is into how many parts the replay is split at least where the days allow it: after each it says how far it is.
const waves = 5

// replay plays the receipts in the order of time, some whole days at once: each till sends its batches, and each online shop its
// orders, many of them at the same time. Among these a return may overtake its sale; then it waits for it at the server.
func (d *demo) replay(ctx context.Context) error {
	cashier := newCashier(d.set, d.known)
	counted := &tally{statuses: d.summary.Transactions, codes: d.summary.Run.Codes}
	for wave := range inWaves(d.set.Receipts, len(d.set.Receipts)/waves) {
		started := time.Now()
		parcels, err := d.parcels(wave, cashier, batchItems)
		if err != nil {
			return err
		}
		err = each(ctx, parcels, func(ctx context.Context, _ int, p *parcel) error { return d.deliver(ctx, p, counted) })
		if err != nil {
			return err
		}
		d.say("replay   %s to %s: %d receipts and orders in %d requests, %s", wave[0].Date(), wave[len(wave)-1].Date(), len(wave), len(parcels),
			time.Since(started).Round(time.Millisecond))
	}
	return d.settleOpen(ctx, counted)
}

// inWaves splits receipts, which are in the order of time, between days into parts of at least size.
func inWaves(receipts []*dataset.Receipt, size int) func(yield func([]*dataset.Receipt) bool) {
	return func(yield func([]*dataset.Receipt) bool) {
		for len(receipts) > 0 {
			n := 1
			for n < len(receipts) && (n < size || receipts[n].Date() == receipts[n-1].Date()) {
				n++
			}
			if !yield(receipts[:n]) {
				return
			}
			receipts = receipts[n:]
		}
	}
}

// parcels packs receipts into batches of at most size, those of each till and of each online shop by themselves.
func (d *demo) parcels(receipts []*dataset.Receipt, cashier *cashier, size int) ([]*parcel, error) {
	var parcels []*parcel
	open := map[string]*parcel{} // by sender, the batch that is being filled
	for _, r := range receipts {
		body, err := cashier.write(r)
		if err != nil {
			return nil, err
		}
		sender := r.Store
		if r.Channel != "" {
			sender = r.Brand + " " + r.Channel
		}
		p := open[sender]
		if p == nil || len(p.receipts) == size || len(p.body)+len(body) > batchBytes {
			if p, err = d.openParcel(r); err != nil {
				return nil, err
			}
			open[sender] = p
			parcels = append(parcels, p)
		}
		if len(p.receipts) > 0 {
			p.body = append(p.body, ',')
		}
		p.receipts = append(p.receipts, r)
		p.body = append(p.body, body...)
	}
	for _, p := range parcels {
		p.body = append(p.body, "]}"...)
	}
	return parcels, nil
}

// openParcel begins a parcel for a receipt's sender.
func (d *demo) openParcel(r *dataset.Receipt) (*parcel, error) {
	p := &parcel{path: "/v1/orders", body: []byte(`{"transactions":[`)}
	if r.Channel == "" {
		p.path, p.till = "/v1/pos/transactions", d.tills[r.Store]
		if p.till == nil {
			return nil, fmt.Errorf("demo: receipt %s is of a store that is not in the list", r.Number)
		}
	}
	return p, nil
}

// deliver sends a parcel and counts what became of its transactions.
func (d *demo) deliver(ctx context.Context, p *parcel, counted *tally) error {
	var answer struct {
		Items []outcome `json:"items"`
	}
	request := call{method: http.MethodPost, path: p.path, contentType: "application/json", body: p.body, prefer: preferWait, till: p.till}
	if err := d.client.do(ctx, request, &answer); err != nil {
		return err
	}
	if len(answer.Items) != len(p.receipts) {
		return fmt.Errorf("demo: the server answered %d of a batch of %d transactions", len(answer.Items), len(p.receipts))
	}
	for i, o := range answer.Items {
		counted.add(p.receipts[i], o)
	}
	return nil
}

// settling is how long the server may take to decide what it had accepted when the last receipt was sent.
const settling = 5 * time.Minute

// settleOpen asks again for what had no final outcome, until it has one: a return that was waiting is applied when its sale is. One
// whose sale never came stays waiting.
func (d *demo) settleOpen(ctx context.Context, counted *tally) error {
	open := counted.open
	counted.open = nil
	for pause, deadline := 20*time.Millisecond, time.Now().Add(settling); len(open) > 0; pause = min(2*pause, time.Second) {
		if err := wait(ctx, pause); err != nil {
			return err
		}
		var mu sync.Mutex
		var still []*dataset.Receipt
		undecided := 0
		late := time.Now().After(deadline)
		err := each(ctx, open, func(ctx context.Context, _ int, r *dataset.Receipt) error {
			o, err := d.ask(ctx, r)
			if err != nil {
				return err
			}
			if o.final() {
				counted.add(r, o)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			still = append(still, r)
			if o.Status == "accepted" {
				undecided++
			}
			return nil
		})
		if err != nil {
			return err
		}
		if late {
			return fmt.Errorf("demo: %d transactions are not decided after %s", len(still), settling)
		}
		// Waiting is an outcome once nothing that could end it is under way: every sale is decided, and nothing moved since.
		if len(still) == len(open) && undecided == 0 && pause >= time.Second {
			counted.statuses["waiting"] += len(still)
			return nil
		}
		open = still
	}
	return nil
}

// ask is what has become of a receipt or order.
func (d *demo) ask(ctx context.Context, r *dataset.Receipt) (o outcome, err error) {
	request := call{method: http.MethodGet, path: "/v1/pos/transactions?" + url.Values{"event_id": {eventID(r)}}.Encode()}
	if r.Channel == "" {
		request.till = d.tills[r.Store]
	}
	err = d.client.do(ctx, request, &o)
	if hasCode(err, "unknown_transaction") {
		return outcome{Status: "accepted"}, nil // store has not seen it yet
	}
	return o, err
}

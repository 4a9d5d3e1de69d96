package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// tillDay is a till's Z-report: what it sold and took back on one date.
type tillDay struct {
	Date     string `json:"business_date"`
	Count    int    `json:"count"`
	Sales    int64  `json:"sales"`   // minor units
	Returns  int64  `json:"returns"` // minor units
	FirstSeq int    `json:"first_seq"`
	LastSeq  int    `json:"last_seq"`

	till *till
}

// tillDays adds every till's receipts up, by date.
func (d *demo) tillDays(cashier *cashier) []*tillDay {
	type key struct{ store, date string }
	found := map[key]*tillDay{}
	var days []*tillDay
	for _, r := range d.set.Receipts {
		if r.Channel != "" {
			continue
		}
		k := key{r.Store, r.Date()}
		day := found[k]
		if day == nil {
			day = &tillDay{Date: k.date, FirstSeq: cashier.seq[r], till: d.tills[r.Store]}
			found[k] = day
			days = append(days, day)
		}
		day.Count++
		day.LastSeq = cashier.seq[r]
		for _, l := range r.Lines {
			if r.Return {
				day.Returns += l.Paid
			} else {
				day.Sales += l.Paid
			}
		}
	}
	return days
}

// reportDays sends every till's Z-report of every date and counts those that the server finds right.
func (d *demo) reportDays(ctx context.Context) error {
	days := d.tillDays(newCashier(d.set, d.known))
	var mu sync.Mutex
	err := each(ctx, days, func(ctx context.Context, _ int, day *tillDay) error {
		body, err := json.Marshal(day)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		var answer struct {
			Matched bool `json:"matched"`
		}
		request := call{method: http.MethodPost, path: "/v1/pos/z-reports", contentType: "application/json", body: body, till: day.till}
		if err := d.client.do(ctx, request, &answer); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		d.summary.ZReports.Sent++
		if answer.Matched {
			d.summary.ZReports.Matched++
		}
		return nil
	})
	if err == nil {
		d.say("tills    %d Z-reports, %d of them agree with what the server has", d.summary.ZReports.Sent, d.summary.ZReports.Matched)
	}
	return err
}

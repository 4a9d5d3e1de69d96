package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// closed is the server's answer about a day's close.
type closed struct {
	ID         string `json:"id"`
	Status     string `json:"status"`
	Statements int    `json:"statements"`
	Settled    int64  `json:"settled"`
	Control    struct {
		Entries int64 `json:"entries"`
		Amount  int64 `json:"amount"`
	} `json:"control"`
}

// closeDays closes every day of every brand, oldest first.
func (d *demo) closeDays(ctx context.Context) error {
	dates := d.business.dates(time.Now())
	var mu sync.Mutex
	err := each(ctx, d.business.Brands, func(ctx context.Context, _ int, brand string) error {
		for _, date := range dates {
			c, err := d.closeDay(ctx, brand, date)
			if err != nil {
				return err
			}
			mu.Lock()
			d.summary.CommissionEntries += c.Control.Entries
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.say("closed   %d days of %d brands: %d commission entries", len(dates), len(d.business.Brands), d.summary.CommissionEntries)
	return nil
}

func (d *demo) closeDay(ctx context.Context, brand, date string) (c closed, err error) {
	if err := d.client.send(ctx, http.MethodPost, "/v1/commission/closes", object{"brand": brand, "date": date}, &c); err != nil {
		return c, err
	}
	id := c.ID
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		if err := d.client.get(ctx, "/v1/commission/closes/"+url.PathEscape(id), nil, &c); err != nil {
			return c, err
		}
		if c.Status == "closed" {
			return c, nil
		}
		if c.Status != "running" {
			return c, fmt.Errorf("demo: the close %s is %s", id, c.Status)
		}
		if err := wait(ctx, pause); err != nil {
			return c, err
		}
	}
}

// statement is what a payee gets of a brand for a day.
type statement struct {
	Brand string `json:"brand"`
	Date  string `json:"date"`
	Payee struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"payee"`
	LinesTotal int64 `json:"lines_total"`
	Amount     int64 `json:"amount"`
	CarriedOut int64 `json:"carried_out"`
}

// readStatements reads all statements and adds them up, in all and by payee.
func (d *demo) readStatements(ctx context.Context) error {
	type key struct{ brand, date string }
	var days []key
	for _, brand := range d.business.Brands {
		for _, date := range d.business.dates(time.Now()) {
			days = append(days, key{brand, date})
		}
	}
	var mu sync.Mutex
	lastCarry := map[string]statement{}
	err := each(ctx, days, func(ctx context.Context, _ int, k key) error {
		return pages(ctx, d.client, "/v1/commission/statements", url.Values{"brand": {k.brand}, "date": {k.date}}, func(items []statement) error {
			mu.Lock()
			defer mu.Unlock()
			for _, s := range items {
				d.summary.Statements.Count++
				d.summary.Statements.Total += s.Amount
				payee := s.Payee.Type + " " + s.Payee.ID
				d.earned[payee] += s.Amount
				if chain := s.Brand + " " + payee; s.Date > lastCarry[chain].Date {
					lastCarry[chain] = s
				}
			}
			return nil
		})
	})
	for _, s := range lastCarry {
		d.summary.Statements.Carried += s.CarriedOut
	}
	return err
}

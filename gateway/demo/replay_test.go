package demo

import (
	"encoding/json"
	"testing"
	"time"

	"scrm/gateway/demo/dataset"
)

func smallSet(t *testing.T) *dataset.Set {
	t.Helper()
	set, err := dataset.Generate(dataset.Recipe{Seed: 1, Stores: 5, Members: 100, Transactions: 4000, OnlinePercent: 10, Days: 2, LastDay: "2026-03-15"})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestParcelsHoldEveryReceiptOnce: nothing is lost or sent twice, no batch is over a limit, and each holds receipts of one till.
func TestParcelsHoldEveryReceiptOnce(t *testing.T) {
	t.Parallel()
	set := smallSet(t)
	d := &demo{set: set, tills: map[string]*till{}}
	for _, s := range set.Selling() {
		d.tills[s.ID] = &till{id: tillID(s.ID), store: s.ID}
	}
	c := newCashier(set, nil)
	seen := map[*dataset.Receipt]bool{}
	waves, last := 0, ""
	for wave := range inWaves(set.Receipts, 1000) {
		if date := wave[0].Date(); date <= last {
			t.Fatalf("a wave begins on %s, where the last one ended", date)
		}
		waves, last = waves+1, wave[len(wave)-1].Date()
		parcels, err := d.parcels(wave, c, batchItems)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parcels {
			if len(p.receipts) > batchItems || len(p.body) > batchBytes+100 || !json.Valid(p.body) {
				t.Fatalf("a parcel of %d receipts and %d bytes", len(p.receipts), len(p.body))
			}
			for _, r := range p.receipts {
				first := p.receipts[0]
				if seen[r] || (p.till == nil) != (r.Channel != "") || p.till != nil && p.till.store != r.Store || r.Channel != first.Channel || r.Brand != first.Brand {
					t.Fatalf("%s is in the wrong parcel", r.Number)
				}
				seen[r] = true
			}
		}
	}
	if len(seen) != len(set.Receipts) || waves != 2 {
		t.Fatalf("%d of %d receipts are sent in %d waves", len(seen), len(set.Receipts), waves)
	}
}

func TestTillDaysAddUp(t *testing.T) {
	t.Parallel()
	set := smallSet(t)
	c := newCashier(set, nil)
	days := (&demo{set: set}).tillDays(c)
	var count int
	var net int64
	next := map[string]int{}
	for _, day := range days {
		count += day.Count
		net += day.Sales - day.Returns
		if day.LastSeq-day.FirstSeq+1 != day.Count {
			t.Fatalf("%+v has gaps", day)
		}
		next[day.Date]++
	}
	for _, r := range set.Receipts {
		for _, l := range r.Lines {
			switch {
			case r.Channel != "":
			case r.Return:
				net += l.Paid
			default:
				net -= l.Paid
			}
		}
		if r.Channel == "" {
			count--
		}
	}
	if count != 0 || net != 0 || len(next) != 2 || len(days) != 10 {
		t.Fatalf("off by %d receipts and %d fen on %d till days", count, net, len(days))
	}
}

func TestBusinessFollowsFromTheSet(t *testing.T) {
	t.Parallel()
	b, err := NewBusiness(smallSet(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Brands) != 3 || len(b.Selling) != 5 {
		t.Fatalf("%d brands, %d stores", len(b.Brands), len(b.Selling))
	}
	fallbacks := map[string]bool{}
	for _, brand := range b.Brands {
		plan := b.Plan(brand)
		fallbacks[plan.Fallback] = true
		if plan.HoldDays > maxHoldDays || b.FallbackStore(brand) == "" {
			t.Fatalf("%+v", plan)
		}
	}
	if len(fallbacks) != 3 {
		t.Fatalf("fallbacks %v", fallbacks)
	}
	// Days are closed until the last receipt's commission has settled, but none that is not past.
	for today, want := range map[string]string{"2026-03-16": "2026-03-15", "2026-03-17": "2026-03-16", "2026-06-01": "2026-03-17"} {
		now, err := time.ParseInLocation(time.DateOnly, today, dataset.Zone)
		if err != nil {
			t.Fatal(err)
		}
		if dates := b.dates(now.Add(10 * time.Hour)); dates[0] != "2026-03-14" || dates[len(dates)-1] != want {
			t.Fatalf("on %s: %v", today, dates)
		}
	}
}

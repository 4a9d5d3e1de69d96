package demo

import (
	"encoding/json"
	"testing"
	"time"

	"scrm/gateway/demo/dataset"
)

func TestBuyer(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"O1": true, "S1": true, "O2": true, "S3": true}
	for name, c := range map[string]struct {
		receipt dataset.Receipt
		want    *buyer
	}{
		"anonymous":                      {dataset.Receipt{}, nil},
		"both rows taken":                {dataset.Receipt{Customer: "1"}, &buyer{Card: "S1"}},
		"only the online row taken":      {dataset.Receipt{Customer: "2"}, &buyer{Card: "O2"}},
		"only the store row taken":       {dataset.Receipt{Customer: "3"}, &buyer{Card: "S3"}},
		"neither taken":                  {dataset.Receipt{Customer: "4"}, &buyer{Card: "S4"}},
		"an online shop knows its own":   {dataset.Receipt{Customer: "1", Channel: "tmall"}, &buyer{Card: "O1"}},
		"who gives a number is found so": {dataset.Receipt{Customer: "1", Phone: "13812345678"}, &buyer{Phone: "13812345678"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := (&cashier{known: known}).buyer(&c.receipt)
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestCashierWrites(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, dataset.Zone)
	sale := &dataset.Receipt{Number: "R1", Time: at, Store: "s1", Lines: []dataset.Line{{Line: 1, SKU: "x", Category: "tea", Brand: "b", Qty: 2, UnitPrice: 300, Paid: 600}}}
	order := &dataset.Receipt{Number: "D2", Time: at, Store: "s1", Channel: "tmall", Brand: "b", Lines: []dataset.Line{{Line: 1, SKU: "x", Brand: "b", Qty: 1, UnitPrice: 300, Paid: 300}}}
	back := &dataset.Receipt{Number: "C3", Return: true, Time: at.Add(time.Minute), Store: "s2", Lines: []dataset.Line{
		{Line: 1, SKU: "x", Brand: "b", Qty: 1, UnitPrice: 300, Paid: 300, Original: &dataset.Original{Sale: sale, Line: 1}},
		{Line: 2, SKU: "x", Brand: "b", Qty: 1, UnitPrice: 300, Paid: 300, Original: &dataset.Original{Sale: order, Line: 1}},
	}}
	refund := &dataset.Receipt{Number: "D2", Refund: "F4", Return: true, Time: at.Add(time.Hour), Store: "s1", Channel: "tmall", Brand: "b", Lines: []dataset.Line{
		{Line: 1, SKU: "x", Brand: "b", Paid: 50, Original: &dataset.Original{Sale: order, Line: 1}},
	}}
	set := &dataset.Set{Receipts: []*dataset.Receipt{sale, order, back, refund}}
	c := newCashier(set, nil)
	for i, want := range []struct {
		id      string
		seq     int
		tender  int64
		returns []original
	}{
		{"pos/t-s1/sale/R1", 1, 600, nil},
		{"order/b/tmall/sale/D2", 0, 300, nil},
		{"pos/t-s2/return/C3", 1, 600, []original{{Receipt: "R1", Terminal: "t-s1", Line: 1}, {Brand: "b", Channel: "tmall", OrderNo: "D2", Line: 1}}},
		{"order/b/tmall/return/D2/F4", 0, 50, []original{{Brand: "b", Channel: "tmall", OrderNo: "D2", Line: 1}}},
	} {
		r := set.Receipts[i]
		body, err := c.write(r)
		if err != nil {
			t.Fatal(err)
		}
		var got transaction
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if eventID(r) != want.id || got.Seq != want.seq || got.Tenders[0].Amount != want.tender || (got.Type == "return") != r.Return {
			t.Fatalf("%s: %s", eventID(r), body)
		}
		for j, o := range want.returns {
			if *got.Lines[j].Original != o {
				t.Fatalf("%s: original %+v, want %+v", want.id, *got.Lines[j].Original, o)
			}
		}
	}
}

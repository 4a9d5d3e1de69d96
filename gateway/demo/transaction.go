package demo

import (
	"encoding/json"
	"fmt"
	"time"

	"scrm/gateway/demo/dataset"
)

// transaction is a receipt or order as the server takes it.
type transaction struct {
	Receipt      string `json:"receipt,omitempty"`
	Seq          int    `json:"seq,omitempty"`
	Brand        string `json:"brand,omitempty"`
	Channel      string `json:"channel,omitempty"`
	OrderNo      string `json:"order_no,omitempty"`
	RefundNo     string `json:"refund_no,omitempty"`
	Store        string `json:"store,omitempty"`
	Type         string `json:"type"`
	BusinessTime string `json:"business_time"`

	Member   *buyer   `json:"member,omitempty"`
	Guide    string   `json:"guide,omitempty"`
	Currency string   `json:"currency"`
	Lines    []line   `json:"lines"`
	Tenders  []tender `json:"tenders"`
}

type buyer struct {
	Phone string `json:"phone,omitempty"`
	Card  string `json:"card,omitempty"`
}

type line struct {
	Line      int       `json:"line"`
	SKU       string    `json:"sku"`
	Category  string    `json:"category"`
	Brand     string    `json:"brand"`
	Qty       int64     `json:"qty"`
	UnitPrice int64     `json:"unit_price"`
	Discount  int64     `json:"discount"`
	Paid      int64     `json:"paid"`
	Original  *original `json:"original,omitempty"`
}

type original struct {
	Receipt  string `json:"receipt,omitempty"`
	Terminal string `json:"terminal,omitempty"`
	Brand    string `json:"brand,omitempty"`
	Channel  string `json:"channel,omitempty"`
	OrderNo  string `json:"order_no,omitempty"`
	Line     int    `json:"line"`
}

type tender struct {
	Type   string `json:"type"`
	Amount int64  `json:"amount"`
}

// cashier writes receipts down as tills and online shops send them.
type cashier struct {
	known map[string]bool          // external ids that the server has taken
	seq   map[*dataset.Receipt]int // running number of each receipt at its till
}

// newCashier numbers each till's receipts in the order of time.
func newCashier(set *dataset.Set, known map[string]bool) *cashier {
	c := &cashier{known: known, seq: map[*dataset.Receipt]int{}}
	last := map[string]int{}
	for _, r := range set.Receipts {
		if r.Channel == "" {
			last[r.Store]++
			c.seq[r] = last[r.Store]
		}
	}
	return c
}

func (c *cashier) write(r *dataset.Receipt) ([]byte, error) {
	t := transaction{
		Type: "sale", BusinessTime: r.Time.Format(time.RFC3339), Member: c.buyer(r), Guide: SellingGuide(r), Currency: "CNY",
		Lines: make([]line, len(r.Lines)), Tenders: []tender{{Type: []string{"alipay", "wechat", "card", "cash"}[spread(r.Number, 4)]}},
	}
	if r.Return {
		t.Type = "return"
	}
	if r.Channel == "" {
		t.Receipt, t.Seq = r.Number, c.seq[r]
	} else {
		t.Channel, t.Brand, t.OrderNo, t.RefundNo, t.Store = r.Channel, r.Brand, r.Number, r.Refund, r.Store
	}
	for i, l := range r.Lines {
		t.Lines[i] = line{Line: l.Line, SKU: l.SKU, Category: l.Category, Brand: l.Brand, Qty: l.Qty, UnitPrice: l.UnitPrice, Paid: l.Paid}
		if o := l.Original; o != nil && o.Sale.Channel == "" {
			t.Lines[i].Original = &original{Receipt: o.Sale.Number, Terminal: tillID(o.Sale.Store), Line: o.Line}
		} else if o != nil {
			t.Lines[i].Original = &original{Brand: o.Sale.Brand, Channel: o.Sale.Channel, OrderNo: o.Sale.Number, Line: o.Line}
		}
		t.Tenders[0].Amount += l.Paid
	}
	body, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return body, nil
}

// buyer names the customer: by phone number where they gave one; an online shop by its own id; a till by the store system's id if
// that row was taken, else the online system's, else the store's, which nobody knows.
func (c *cashier) buyer(r *dataset.Receipt) *buyer {
	switch online, inStore := "O"+r.Customer, "S"+r.Customer; {
	case r.Customer == "":
		return nil
	case r.Phone != "":
		return &buyer{Phone: r.Phone}
	case r.Channel != "":
		return &buyer{Card: online}
	case !c.known[inStore] && c.known[online]:
		return &buyer{Card: online}
	default:
		return &buyer{Card: inStore}
	}
}

// eventID is the key under which the server keeps a receipt or order.
func eventID(r *dataset.Receipt) string {
	kind := "sale"
	if r.Return {
		kind = "return"
	}
	if r.Channel == "" {
		return fmt.Sprintf("pos/%s/%s/%s", tillID(r.Store), kind, r.Number)
	}
	id := fmt.Sprintf("order/%s/%s/%s/%s", r.Brand, r.Channel, kind, r.Number)
	if r.Refund != "" {
		id += "/" + r.Refund
	}
	return id
}

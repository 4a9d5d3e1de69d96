package store

import (
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// Limits of a transaction. They keep every sum and product of amounts within int64: a line's qty × unit price is below 10^18, and
// a transaction's sums are below 10^16.
const (
	MaxAmount = 1_000_000_000_000 // of any amount, in minor units
	MaxQty    = 1_000_000         // of a line
	MaxLines  = 5_000             // of a transaction
	MaxSeq    = 1 << 53           // of a terminal's running number: what JSON numbers hold exactly
)

const (
	maxTenders   = 50
	maxTextRunes = 64 // of a SKU, a category, a tender's reference
	maxLineNo    = 1_000_000
)

// ClockTolerance is how far a till's clock may be off before its business times are corrected (design: 5 s), and AheadTolerance
// how far a business time may lie after arrival before it is an anomaly; both in milliseconds.
const (
	ClockTolerance = 5_000
	AheadTolerance = 300_000
)

// Submission is a transaction as a till or an online shop sent it and the edge decoded it. What identifies a person is replaced
// already: the phone number by its blind index and sealed bytes, a member code by the member's id.
type Submission struct {
	Kind string // storeevent.Sale or storeevent.Return

	Receipt string // of a till, with Seq, the terminal's running number from 1
	Seq     int64

	Brand    string // of an online order, with Channel, OrderNo and, for a return, RefundNo
	Channel  string
	OrderNo  string
	RefundNo string
	Store    string // that serves the order; empty: none. A till's is its terminal's

	BusinessTime when.Instant
	BusinessDate when.Date    // as sent, unchecked; empty: derived
	ArrivedAt    when.Instant // when the request came in
	ClockOffset  int64        // arrival − Scrm-Timestamp in ms; 0 for orders

	Member   *storeevent.MemberRef // Brands is filled by Admit; nil: anonymous
	Guide    string
	Currency string
	Lines    []SubmittedLine
	Tenders  []storeevent.Tender
	Content  []byte // HMAC of the normalised plaintext
}

// SubmittedLine is a line as the API takes it.
type SubmittedLine struct {
	Line       int           `json:"line"`
	SKU        string        `json:"sku"`
	Category   string        `json:"category,omitempty"`
	Brand      string        `json:"brand"` // of an order's line: the order's unless named
	Qty        int64         `json:"qty"`
	UnitPrice  int64         `json:"unit_price"`
	Discount   int64         `json:"discount,omitempty"`
	Paid       int64         `json:"paid"`
	Tax        int64         `json:"tax,omitempty"`
	PointsPaid int64         `json:"points_paid,omitempty"`
	Original   *OriginalLine `json:"original,omitempty"`
}

// OriginalLine names the sale line that a return takes back: by Receipt and Terminal (a return at a till: this terminal unless
// named), or by Brand (the line's unless named), Channel (an order's: its own unless named) and OrderNo.
type OriginalLine struct {
	Receipt  string `json:"receipt,omitempty"`
	Terminal string `json:"terminal,omitempty"`
	Brand    string `json:"brand,omitempty"`
	Channel  string `json:"channel,omitempty"`
	OrderNo  string `json:"order_no,omitempty"`
	Line     int    `json:"line"`
}

// Admission is the edge's answer to a submission: Transaction, or why it is refused (a *fault.Error with the field at fault).
type Admission struct {
	Transaction *storeevent.Transaction
	Err         error
}

// POSEventID is the event id of a till's transaction.
func POSEventID(terminal, kind, receipt string) string {
	return "pos/" + terminal + "/" + kind + "/" + receipt
}

// OrderEventID is the event id of an online order (kind sale, no refund number) or of a refund of one.
func OrderEventID(brand, channel, kind, orderNo, refundNo string) string {
	id := "order/" + brand + "/" + channel + "/" + kind + "/" + orderNo
	if refundNo != "" {
		id += "/" + refundNo
	}
	return id
}

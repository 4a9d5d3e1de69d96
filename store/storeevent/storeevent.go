// Package storeevent is what the store domain says to others: the transaction as the edge accepts it (INTAKE), the verdict on it
// (SALES), and the facts about brands and stores (FACTS). Golden files under testdata pin the payloads: a change that breaks one is a new version.
//
// What passes by the thousand a second (Transaction and Verdict) has numbered fields on the wire, half the size of named ones and
// faster to read. A number is never given to another field.
package storeevent

import (
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
)

// The kinds of a transaction.
const (
	Sale   = "sale"
	Return = "return" // also a refund without goods: quantity 0
)

// ChannelStore is the channel of transactions that a till reports; online orders name their own.
const ChannelStore = "store"

// Transaction is a POS transaction or online order, checked and normalised by the edge: what INTAKE holds.
type Transaction struct {
	EventID string `json:"event_id" cbor:"1,keyasint"` // pos/<terminal>/<kind>/<receipt> or order/<brand>/<channel>/<kind>/<order_no>[/<refund_no>]
	Content []byte `json:"content" cbor:"2,keyasint"`  // HMAC-SHA256 of the normalised plaintext: same id, other content = not the same transaction
	Kind    string `json:"kind" cbor:"3,keyasint"`

	Terminal string `json:"terminal,omitempty" cbor:"4,keyasint,omitempty"` // empty for orders
	Receipt  string `json:"receipt,omitempty" cbor:"5,keyasint,omitempty"`
	Seq      int64  `json:"seq,omitempty" cbor:"6,keyasint,omitempty"` // the terminal's own running number, from 1

	Brand    string `json:"brand,omitempty" cbor:"7,keyasint,omitempty"` // of an order; empty for tills
	Channel  string `json:"channel" cbor:"8,keyasint"`
	OrderNo  string `json:"order_no,omitempty" cbor:"9,keyasint,omitempty"`
	RefundNo string `json:"refund_no,omitempty" cbor:"10,keyasint,omitempty"`

	Store     string `json:"store,omitempty" cbor:"11,keyasint,omitempty"`     // the till's, or the one that serves the order; empty: none
	Ownership string `json:"ownership,omitempty" cbor:"12,keyasint,omitempty"` // of the store as of the business time: direct, franchise, dealer
	Dealer    string `json:"dealer,omitempty" cbor:"13,keyasint,omitempty"`    // of the store as of the business time

	BusinessTime when.Instant `json:"business_time" cbor:"14,keyasint"` // corrected by the clock's offset, never later than ArrivedAt
	BusinessDate when.Date    `json:"business_date" cbor:"15,keyasint"`
	ArrivedAt    when.Instant `json:"arrived_at" cbor:"16,keyasint"`
	ClockOffset  int64        `json:"clock_offset,omitempty" cbor:"17,keyasint,omitempty"` // arrival − Scrm-Timestamp in ms
	AheadMillis  int64        `json:"ahead_ms,omitempty" cbor:"18,keyasint,omitempty"`     // how far the business time lay after arrival before it was capped

	Member   *MemberRef `json:"member,omitempty" cbor:"19,keyasint,omitempty"` // nil: anonymous
	Guide    string     `json:"guide,omitempty" cbor:"20,keyasint,omitempty"`  // the selling guide as the till names her
	Currency string     `json:"currency" cbor:"21,keyasint"`
	Lines    []Line     `json:"lines" cbor:"22,keyasint"`
	Tenders  []Tender   `json:"tenders,omitempty" cbor:"23,keyasint,omitempty"`
}

// MemberRef is how a transaction names its member: exactly one of Phone, Card and ID is set.
type MemberRef struct {
	Phone  string   `json:"phone,omitempty" cbor:"1,keyasint,omitempty"`  // keyed blind index of the E.164 number, hex
	Sealed []byte   `json:"sealed,omitempty" cbor:"2,keyasint,omitempty"` // the number sealed under the day's key; only gateway and member can open it
	Card   string   `json:"card,omitempty" cbor:"3,keyasint,omitempty"`   // a card's number or an external id
	ID     string   `json:"id,omitempty" cbor:"4,keyasint,omitempty"`     // a member id, also from a verified member code
	Brands []string `json:"brands,omitempty" cbor:"5,keyasint,omitempty"` // with Card: brands in whose cards it is looked up, in order (the store's, or the order's)
}

// Line is one line of a transaction. Amounts are in minor units.
type Line struct {
	Line       int       `json:"line" cbor:"1,keyasint"`
	SKU        string    `json:"sku" cbor:"2,keyasint"`
	Category   string    `json:"category,omitempty" cbor:"3,keyasint,omitempty"`
	Brand      string    `json:"brand" cbor:"4,keyasint"`
	Qty        int64     `json:"qty" cbor:"5,keyasint"`
	UnitPrice  int64     `json:"unit_price" cbor:"6,keyasint"`
	Discount   int64     `json:"discount,omitempty" cbor:"7,keyasint,omitempty"`
	Paid       int64     `json:"paid" cbor:"8,keyasint"` // qty × unit price − discount
	Tax        int64     `json:"tax,omitempty" cbor:"9,keyasint,omitempty"`
	PointsPaid int64     `json:"points_paid,omitempty" cbor:"10,keyasint,omitempty"` // the part of Paid that points covered
	Original   *Original `json:"original,omitempty" cbor:"11,keyasint,omitempty"`    // of a return's line; nil there: a return without a receipt
}

// Original is the sale line that a return's line takes back. The edge fills EventID and Line; the verdict adds the rest.
type Original struct {
	EventID    string `json:"event_id" cbor:"1,keyasint"`
	Line       int    `json:"line" cbor:"2,keyasint"`
	SoldQty    int64  `json:"sold_qty,omitempty" cbor:"3,keyasint,omitempty"`
	SoldPaid   int64  `json:"sold_paid,omitempty" cbor:"4,keyasint,omitempty"`
	QtyBefore  int64  `json:"qty_before,omitempty" cbor:"5,keyasint,omitempty"`  // returned of the sale's line before this return's line …
	PaidBefore int64  `json:"paid_before,omitempty" cbor:"6,keyasint,omitempty"` // … what it adds is the return line's own Qty and Paid
}

// Tender is a payment.
type Tender struct {
	Type      string `json:"type" cbor:"1,keyasint"` // cash, alipay, wechat, card, points …
	Amount    int64  `json:"amount" cbor:"2,keyasint"`
	Reference string `json:"reference,omitempty" cbor:"3,keyasint,omitempty"` // for points: the reservation
}

// Verdict is what SALES holds: a transaction that was applied. Others (duplicate, waiting, anomaly, rejected, dead) are not
// published; a waiting return is when its sale has come.
type Verdict struct {
	Transaction `json:"transaction" cbor:"1,keyasint"`
	IntakeSeq   uint64       `json:"intake_seq" cbor:"2,keyasint"` // sequence of the INTAKE message that brought it
	DecidedAt   when.Instant `json:"decided_at" cbor:"3,keyasint"`
}

// Unchanged is the Verdict on a transaction that goes on as it came: it has the encoding of a Verdict, but takes the
// transaction's encoding as it is, so that the busiest step of all encodes nothing twice.
type Unchanged struct {
	Transaction wire.Raw     `json:"-" cbor:"1,keyasint"`
	IntakeSeq   uint64       `json:"intake_seq" cbor:"2,keyasint"`
	DecidedAt   when.Instant `json:"decided_at" cbor:"3,keyasint"`
}

// Statuses of a transaction's outcome.
const (
	StatusAccepted  = "accepted" // in INTAKE, not decided yet
	StatusApplied   = "applied"
	StatusDuplicate = "duplicate"
	StatusWaiting   = "waiting"
	StatusAnomaly   = "anomaly"
	StatusRejected  = "rejected"
	StatusDead      = "dead"
)

// Brand is a brand's set-up as other domains need it.
type Brand struct {
	ID            string       `json:"id"`
	Name          string       `json:"name"`
	Currency      string       `json:"currency"`
	Timezone      string       `json:"timezone"`     // IANA name
	MaxAssignM    int64        `json:"max_assign_m"` // greatest distance of an assignment, metres
	FallbackStore string       `json:"fallback_store,omitempty"`
	CloseAt       string       `json:"close_at,omitempty"`       // HH:MM in Timezone; empty: closed by hand only
	FirstAccepted when.Instant `json:"first_accepted,omitempty"` // when its first transaction was accepted; 0: none yet, so facts may still be dated back
	Zones         []Zone       `json:"zones,omitempty"`          // where its stores' days begin other than at midnight in Timezone; grows only
	Rev           int64        `json:"rev"`
}

// Zone is where and when a business day begins.
type Zone struct {
	Timezone  string `json:"timezone"`      // IANA name
	DayStarts string `json:"day_starts_at"` // HH:MM after midnight
}

// The ownerships of a store.
const (
	Direct    = "direct"
	Franchise = "franchise"
	ByDealer  = "dealer"
)

// Store is a store as it is now, as other domains need it. What it was at a transaction's business time stands in the transaction.
type Store struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Address     string            `json:"address,omitempty"`
	City        string            `json:"city,omitempty"`
	Ownership   string            `json:"ownership"`
	Dealer      string            `json:"dealer,omitempty"`
	Brands      map[string]string `json:"brands"` // brand → region (may be empty)
	Lat         float64           `json:"lat"`    // WGS-84 degrees
	Lng         float64           `json:"lng"`
	Timezone    string            `json:"timezone"`
	DayStarts   string            `json:"day_starts_at"` // HH:MM
	Open        bool              `json:"open"`
	ServiceArea [][2]float64      `json:"service_area,omitempty"` // a polygon's corners, WGS-84 latitude and longitude; empty: everywhere
	Rev         int64             `json:"rev"`                    // grows with each change: an older fact never overwrites a newer one
}

// Changed is the fact that brands, stores or terminals were made or changed.
type Changed struct {
	Brands    []Brand  `json:"brands,omitempty"`
	Stores    []Store  `json:"stores,omitempty"`
	Terminals []string `json:"terminals,omitempty"` // ids; what they are now, only the store domain tells
}

package store

import (
	"fmt"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/store/storeevent"
)

// collections are what the domain stores.
type collections struct {
	brands    docdb.Collection[brandDoc]
	regions   docdb.Collection[regionDoc]
	dealers   docdb.Collection[dealerDoc]
	stores    docdb.Collection[storeDoc]
	terminals docdb.Collection[terminalDoc]
	records   docdb.Collection[record]
	repeats   docdb.Collection[repeat]
	days      docdb.Collection[storeDay]
	answers   docdb.Collection[zAnswer]
}

func defineCollections() collections {
	return collections{
		brands:    docdb.Define[brandDoc]("brands"),
		regions:   docdb.Define[regionDoc]("regions"),
		dealers:   docdb.Define[dealerDoc]("dealers"),
		stores:    docdb.Define[storeDoc]("stores", docdb.By("brands")),
		terminals: docdb.Define[terminalDoc]("terminals"),
		records:   docdb.Define[record]("records", docdb.By("open")),
		repeats:   docdb.Define[repeat]("repeats"),
		days:      docdb.Define[storeDay]("store_days"),
		answers:   docdb.Define[zAnswer]("z_answers"),
	}
}

func (c *collections) schemas() []*docdb.Schema {
	return []*docdb.Schema{
		c.brands.Schema(), c.regions.Schema(), c.dealers.Schema(), c.stores.Schema(), c.terminals.Schema(),
		c.records.Schema(), c.repeats.Schema(), c.days.Schema(), c.answers.Schema(),
	}
}

// record is what became of one event id. Where a return names a sale that has not come, the sale's record stands there without a
// status, to hold the return's id.
type record struct {
	docdb.Doc `json:",inline"`
	Status    string `json:"status,omitempty"`
	Code      string `json:"code,omitempty"` // why, unless applied
	IntakeSeq int64  `json:"seq,omitempty"`  // the acceptance that counted: its message …
	Index     int64  `json:"index,omitempty"`
	Of        int64  `json:"of,omitempty"` // … and how many items that message holds

	DecidedAt when.Instant `json:"decided_at,omitempty"`
	Since     int64        `json:"since,omitempty"` // position in its till's day at which the status was decided
	Past      []step       `json:"past,omitempty"`  // earlier statuses, oldest first

	Returned []returned `json:"returned,omitempty"` // of a sale's lines
	Awaited  []string   `json:"awaited,omitempty"`  // returns that wait for this sale, in the order in which they came
	Open     []string   `json:"open,omitempty"`     // its till's day while it is not applied: an index that applied ones are not in

	// Data is the storeevent.Transaction as INTAKE brought it, without sealed bytes; of an applied return, with what the verdict added
	// to its lines. It is kept encoded: most records are never read again, and encoding them anew would cost more than
	// storing them.
	Data []byte `json:"data,omitempty"`
}

// step is an earlier status of a record.
type step struct {
	Status string `json:"status"`
	Code   string `json:"code,omitempty"`
	Since  int64  `json:"since"`
}

// returned is what has come back of a sale's line.
type returned struct {
	Line int   `json:"line"`
	Qty  int64 `json:"qty"`
	Paid int64 `json:"paid"`
}

func (r *record) decided() bool { return r.Status != "" }

// transaction decodes the record's transaction.
func (r *record) transaction() (*storeevent.Transaction, error) {
	tx := &storeevent.Transaction{}
	if err := wire.Unmarshal(r.Data, tx); err != nil {
		return nil, fmt.Errorf("store: record %s: %w", r.ID, err)
	}
	return tx, nil
}

// back is what has come back of a line so far.
func (r *record) back(line int) returned {
	for _, b := range r.Returned {
		if b.Line == line {
			return b
		}
	}
	return returned{Line: line}
}

// giveBack notes what a return's line has taken back.
func (r *record) giveBack(line int, qty, paid int64) {
	for i := range r.Returned {
		if r.Returned[i].Line == line {
			r.Returned[i].Qty += qty
			r.Returned[i].Paid += paid
			return
		}
	}
	r.Returned = append(r.Returned, returned{line, qty, paid})
}

// repeat is an accepted item that is not an event's first: the same transaction again, or another one under its id, which is kept
// to be looked at. Items that nobody could read are here too. Its id is the item's place in INTAKE.
type repeat struct {
	docdb.Doc `json:",inline"`
	EventID   string       `json:"event_id,omitempty"`
	Status    string       `json:"status"` // duplicate, anomaly or dead
	Code      string       `json:"code,omitempty"`
	IntakeSeq int64        `json:"seq"`
	Index     int64        `json:"index"`
	Of        int64        `json:"of"`
	DecidedAt when.Instant `json:"decided_at"`
	Data      []byte       `json:"data,omitempty"` // of an anomaly, as in a record
}

// repeatID is the id of an item's row: its place in INTAKE, in order.
func repeatID(seq, index int64) string { return fmt.Sprintf("%012d.%04d", seq, index) }

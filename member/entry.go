package member

import (
	"strconv"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/money"
	"scrm/gateway/kit/when"
)

// Entry is one line of the points ledger: what an event did to one card. Entries are never changed or deleted.
type Entry struct {
	docdb.Doc `json:",inline"` // <event id>#<position>, of a re-rating <event id>#<position>|<causing event id>
	Card      string           `json:"card"`
	Seq       int64            `json:"seq"` // its place in the card's ledger, from 1
	Kind      Kind             `json:"kind"`
	Points    int64            `json:"points"`
	Growth    int64            `json:"growth,omitempty"`
	Balance   int64            `json:"balance"` // the card's points after it
	Date      when.Date        `json:"date"`    // the event's business date
	Through   when.Date        `json:"through"` // the greatest date that this entry or an earlier one of the card depends on
	At        when.Instant     `json:"at"`      // when it was booked
	Version   int64            `json:"version,omitempty"`
	Tier      string           `json:"tier,omitempty"`      // held at the start of Date
	UsableOn  when.Date        `json:"usable_on,omitempty"` // of points gained; empty: at once
	ExpiresOn when.Date        `json:"expires_on,omitempty"`
	Lines     []Rated          `json:"lines,omitempty"`
}

// Kind says why an entry was made; E4 sums by it.
type Kind string

// The kinds of entries.
const (
	KindOpeningTier   Kind = "opening_tier"   // an imported tier: its threshold as growth
	KindOpeningPoints Kind = "opening_points" // an imported balance
	KindEarned        Kind = "earned"         // a sale
	KindReversed      Kind = "reversed"       // a return
	KindRerated       Kind = "rerated"        // the difference that a late event made by changing the tier of a date
)

// Rated is what one line of the transaction gave or took, with what it was worked out from, so that it can be worked out again.
type Rated struct {
	Line   int       `json:"line"`
	Points int64     `json:"points"`
	Growth int64     `json:"growth,omitempty"`
	Base   int64     `json:"base,omitempty"`  // minor units that count: paid less what points paid; of the sale's line if Back is set
	Times  int64     `json:"times,omitempty"` // the category's multiplier
	Back   *Takeback `json:"back,omitempty"`  // of a return with receipt
}

// Takeback is what a return's line takes back: the share of a sale's line that belongs to the amount From … To of its Paid.
type Takeback struct {
	Entry     string    `json:"entry"` // the sale's
	Line      int       `json:"line"`  // the sale's
	Date      when.Date `json:"date"`  // the sale's business date
	Version   int64     `json:"version"`
	UsableOn  when.Date `json:"usable_on,omitempty"`  // of the sale's points
	ExpiresOn when.Date `json:"expires_on,omitempty"` // of the sale's points
	From      int64     `json:"from"`
	To        int64     `json:"to"`
	Paid      int64     `json:"paid"`
}

// of is the part of a share of the sale's line that goes back, by the cumulative floor: all parts together are the share.
func (b *Takeback) of(share int64) int64 { return money.Cumulative(share, b.From, b.To, b.Paid) }

func entryID(event string, position int) string { return event + "#" + strconv.Itoa(position) }

// Event is the event that an entry belongs to. A receipt's number may contain #, never |.
func (e *Entry) Event() string {
	own := e.original()
	return own[:strings.LastIndexByte(own, '#')]
}

// original is the id of the entry that a re-rating corrects; of others their own.
func (e *Entry) original() string {
	own, _, _ := strings.Cut(e.ID, "|")
	return own
}

// Cause is the event whose lateness made a re-rating; empty for other entries.
func (e *Entry) Cause() string {
	_, cause, _ := strings.Cut(e.ID, "|")
	return cause
}

// ratable reports whether the entry's points follow from tiers, which a late event may change.
func (e *Entry) ratable() bool { return e.Kind == KindEarned || e.Kind == KindReversed }

// worth is what a line of a ratable entry gives with the tiers that the card has now.
func (e *Entry) worth(l *Rated, p *Program, c *Card) int64 {
	switch {
	case l.Back != nil:
		share := p.numbered(l.Back.Version).points(l.Base, l.Times, c.tierOn(l.Back.Date))
		return -l.Back.of(share)
	case e.Kind == KindReversed:
		return -p.numbered(e.Version).points(l.Base, l.Times, c.tierOn(e.Date))
	default:
		return p.numbered(e.Version).points(l.Base, l.Times, c.tierOn(e.Date))
	}
}

// latest is the greatest date that the entry depends on: its own, and those of the sales that it takes back.
func (e *Entry) latest() when.Date {
	d := e.Date
	for i := range e.Lines {
		if b := e.Lines[i].Back; b != nil {
			d = max(d, b.Date)
		}
	}
	return d
}

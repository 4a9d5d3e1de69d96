package commission

import (
	"slices"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// Payee is who is paid: "guide:<id>", "store:<id>" or "dealer:<id>". Nobody is the empty payee.
type Payee string

// Nobody is the payee of an entry that pays no one: its amount is 0.
const Nobody Payee = ""

// The types of payees.
const (
	PayeeGuide  = "guide"
	PayeeStore  = "store"
	PayeeDealer = "dealer"
)

// PayeeOf is the payee of a type and an id, Nobody where the id is empty.
func PayeeOf(kind, id string) Payee {
	if id == "" {
		return Nobody
	}
	return Payee(kind + ":" + id)
}

// Split is the payee's type and id.
func (p Payee) Split() (kind, id string) {
	kind, id, _ = strings.Cut(string(p), ":")
	return kind, id
}

// Booking is all that one event books, and the permanent row that says that it has been: events that book nothing have one too.
// It holds everything its amounts were worked out from.
type Booking struct {
	docdb.Doc `json:",inline"` // the event's id
	Kind      string           `json:"kind"` // storeevent.Sale or Return
	At        when.Instant     `json:"at"`   // business time
	Date      when.Date        `json:"date"` // business date
	Channel   string           `json:"channel"`
	Store     string           `json:"store,omitempty"`
	Ownership string           `json:"ownership,omitempty"`
	Dealer    string           `json:"dealer,omitempty"`
	Member    string           `json:"member,omitempty"`
	Parts     []Part           `json:"parts,omitempty"`
	Skipped   []Skipped        `json:"skipped,omitempty"`
	Sales     []string         `json:"sales,omitempty"` // of a return: the events whose shares it takes back
}

// Part is what an event books for one brand. A return has one for each brand and sale that it takes back.
type Part struct {
	Brand   string    `json:"brand"`
	Plan    string    `json:"plan"`           // in force at business time; of what a return takes back, the sale's
	Sale    string    `json:"sale,omitempty"` // the event that a return takes back; empty for sales and for returns without a receipt
	Day     when.Date `json:"day"`            // booking day
	Settles when.Date `json:"settles"`        // settlement day
	Lane    int       `json:"lane"`           // of the control totals that count the part
	Nth     int64     `json:"nth"`            // how many entries those totals counted before it
	Holders []Holder  `json:"holders"`        // of the roles that its lines pay, in the order of Roles
	Lines   []Line    `json:"lines"`
}

// Holder says who is paid for a role, and why.
type Holder struct {
	Role   Role         `json:"role"`
	Payee  Payee        `json:"payee,omitempty"`
	Since  when.Instant `json:"since,omitempty"`  // since when a guide has held the role
	Reason string       `json:"reason,omitempty"` // why nobody holds it, so that Payee is the plan's fallback
}

// Line is one line of the event. What it takes back of a sale has the rule, amounts and pool of the sale's line.
type Line struct {
	Line       int         `json:"line"`
	SKU        string      `json:"sku,omitempty"`
	Category   string      `json:"category,omitempty"`
	Rule       string      `json:"rule"`
	Paid       int64       `json:"paid"`
	Tax        int64       `json:"tax,omitempty"`
	PointsPaid int64       `json:"points_paid,omitempty"`
	Qty        int64       `json:"qty"`
	Pool       int64       `json:"pool"`
	Of         int         `json:"of,omitempty"`     // the sale's line that it takes back …
	Before     int64       `json:"before,omitempty"` // … of which so much was back before it (an amount, or units where nothing was paid) …
	After      int64       `json:"after,omitempty"`  // … and so much with it
	Shares     []RoleShare `json:"shares"`           // one entry each
}

// RoleShare is an entry: what one role gets of the line, or gives back.
type RoleShare struct {
	Role   Role  `json:"role"`
	Figure int64 `json:"figure"` // minor units, negative where it is taken back; the entry's amount unless its payee is Nobody
}

// Skipped is a line that books nothing.
type Skipped struct {
	Line   int    `json:"line"`
	Brand  string `json:"brand"`
	Reason string `json:"reason"`
}

// Why a line books nothing.
const (
	NoPlan       = "no_plan"         // none of the brand was in force at business time
	NoRule       = "no_rule"         // none of the plan's rules is for the line
	SaleUnbooked = "sale_not_booked" // the sale's line booked nothing that could be taken back
)

// Base is what a rate applies to: what was paid, without tax and without what points covered, at least 0.
func (l *Line) Base() int64 { return max(0, l.Paid-l.Tax-l.PointsPaid) }

// Whole is what Before and After are parts of: what was paid for the sale's line, or its quantity where nothing was paid.
func (l *Line) Whole() int64 {
	if l.Paid > 0 {
		return l.Paid
	}
	return l.Qty
}

// payee is who is paid for a role.
func (p *Part) payee(r Role) Payee {
	for i := range p.Holders {
		if p.Holders[i].Role == r {
			return p.Holders[i].Payee
		}
	}
	return Nobody
}

// amount is what an entry of the part adds to its payee's total.
func (p *Part) amount(s RoleShare) int64 {
	if p.payee(s.Role) == Nobody {
		return 0
	}
	return s.Figure
}

// sums are the count and the amount of the part's entries.
func (p *Part) sums() (entries, amount int64) {
	for _, h := range p.Holders {
		n, sum := p.of(h)
		entries += n
		if h.Payee != Nobody {
			amount += sum
		}
	}
	return entries, amount
}

// of is the count and the sum of the figures of a role's entries.
func (p *Part) of(h Holder) (entries, figures int64) {
	for i := range p.Lines {
		for _, s := range p.Lines[i].Shares {
			if s.Role == h.Role {
				entries++
				figures += s.Figure
			}
		}
	}
	return entries, figures
}

// part finds the part that booked a line, and the line.
func (b *Booking) part(line int) (*Part, *Line) {
	for i := range b.Parts {
		for j := range b.Parts[i].Lines {
			if b.Parts[i].Lines[j].Line == line {
				return &b.Parts[i], &b.Parts[i].Lines[j]
			}
		}
	}
	return nil, nil
}

// pays reports whether one of the part's lines pays a role.
func (p *Part) pays(r Role) bool {
	for i := range p.Lines {
		for _, s := range p.Lines[i].Shares {
			if s.Role == r {
				return true
			}
		}
	}
	return false
}

// complete drops the holders whom no line pays, and names the sales that are taken back.
func (b *Booking) complete() {
	for i := range b.Parts {
		p := &b.Parts[i]
		p.Holders = slices.DeleteFunc(p.Holders, func(h Holder) bool { return !p.pays(h.Role) })
		if p.Sale != "" && !slices.Contains(b.Sales, p.Sale) {
			b.Sales = append(b.Sales, p.Sale)
		}
	}
}

// newBooking is a booking without parts.
func newBooking(v *storeevent.Verdict, member string) *Booking {
	return &Booking{
		Doc: docdb.Doc{ID: v.EventID}, Kind: v.Kind, At: v.BusinessTime, Date: v.BusinessDate, Channel: v.Channel,
		Store: v.Store, Ownership: v.Ownership, Dealer: v.Dealer, Member: member,
	}
}

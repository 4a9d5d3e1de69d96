package commission

import (
	"context"
	"fmt"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// lanes is how many documents share the control totals of a booking day, and at most how many share a payee's total of a
// settlement day. It may grow from one release to the next, never shrink.
const lanes = 8

// ledger is a brand's one close document: how far its days are frozen and closed. Whatever must not overlook a freeze, and
// cannot be guarded by a shard that exists, writes it.
type ledger struct {
	docdb.Doc `json:",inline"` // the brand
	First     when.Date        `json:"first,omitempty"`  // earliest booking day
	Frozen    when.Date        `json:"frozen,omitempty"` // last day that is not open; empty: every day is open
	Closed    when.Date        `json:"closed,omitempty"` // last closed day: Frozen, or while a close is under way the day before it
	Asked     when.Date        `json:"asked,omitempty"`  // the day up to which a close that is under way goes
	Plans     int64            `json:"plans,omitempty"`  // how many plans the brand has
}

// day is the booking day of a business date: the date itself if it is open, else the first open day.
func (l *ledger) day(date when.Date) when.Date {
	if l.Frozen == "" {
		return date
	}
	return when.Later(date, l.Frozen.Add(1))
}

// shard is one lane's control totals of a booking day, <brand>|<day>|<lane>.
type shard struct {
	docdb.Doc `json:",inline"`
	Frozen    bool  `json:"frozen,omitempty"` // nothing is booked on the day any more
	Entries   int64 `json:"entries"`
	Amount    int64 `json:"amount"`
}

func dayKey(brand string, day when.Date) string { return brand + "|" + string(day) + "|" }

func newShard(brand string, day when.Date, lane int) *shard {
	return &shard{Doc: docdb.Doc{ID: fmt.Sprintf("%s%d", dayKey(brand, day), lane)}}
}

// total is one lane's sum of a payee's entries of a settlement day, <brand>|<day>|<payee>|<lane>.
type total struct {
	docdb.Doc `json:",inline"`
	Sum       int64 `json:"sum"`
	Count     int64 `json:"count"`
}

func totalID(statement string, lane int) string { return fmt.Sprintf("%s|%d", statement, lane) }

// parseTotal takes a total's id apart.
func parseTotal(id string) (brand string, day when.Date, p Payee) {
	parts := strings.Split(id, "|")
	return parts[0], when.Date(parts[1]), Payee(parts[2])
}

// parseShard takes a shard's id apart.
func parseShard(id string) (brand string, day when.Date) {
	parts := strings.Split(id, "|")
	return parts[0], when.Date(parts[1])
}

// after is the end of the range of ids that begin with a key: no id contains a character beyond the separator.
func after(key string) string { return key + "~" }

// carry is what a payee's last statement carried out, where that is not 0.
type carry struct {
	docdb.Doc `json:",inline"` // <brand>|<payee>
	Brand     string           `json:"brand"`
	Payee     Payee            `json:"payee"`
	Amount    int64            `json:"amount"`
	Date      when.Date        `json:"date"` // of that statement
}

func carryID(brand string, p Payee) string { return brand + "|" + string(p) }

// repo is the domain's collections.
type repo struct {
	plans      docdb.Collection[Plan]
	bookings   docdb.Collection[Booking]
	shards     docdb.Collection[shard]
	totals     docdb.Collection[total]
	ledgers    docdb.Collection[ledger]
	closes     docdb.Collection[Close]
	statements docdb.Collection[Statement]
	carries    docdb.Collection[carry]
}

func newRepo() repo {
	return repo{
		plans:      docdb.Define[Plan]("plans", docdb.By("brand", "effective_from")),
		bookings:   docdb.Define[Booking]("bookings", docdb.By("keys"), docdb.By("sales")),
		shards:     docdb.Define[shard]("shards"),
		totals:     docdb.Define[total]("totals"),
		ledgers:    docdb.Define[ledger]("ledgers", docdb.By("asked")),
		closes:     docdb.Define[Close]("closes"),
		statements: docdb.Define[Statement]("statements", docdb.By("brand", "payee", "date")),
		carries:    docdb.Define[carry]("carries", docdb.By("brand", "amount")),
	}
}

func (r *repo) schemas() []*docdb.Schema {
	return []*docdb.Schema{
		r.plans.Schema(), r.bookings.Schema(), r.shards.Schema(), r.totals.Schema(), r.ledgers.Schema(), r.closes.Schema(),
		r.statements.Schema(), r.carries.Schema(),
	}
}

// ledger reads a brand's ledger; one that does not exist yet is empty.
func (r *repo) ledger(ctx context.Context, s docdb.Session, brand string) (*ledger, error) {
	found, err := r.ledgers.GetMany(ctx, s, brand)
	if err != nil {
		return nil, err
	}
	if l := found[brand]; l != nil {
		return l, nil
	}
	return &ledger{Doc: docdb.Doc{ID: brand}}, nil
}

// plansOf reads a brand's plans in the order of their start.
func (r *repo) plansOf(ctx context.Context, s docdb.Session, brand string) ([]*Plan, error) {
	var plans []*Plan
	for p, err := range r.plans.Each(ctx, s, docdb.Query{Index: "brand_effective_from", Eq: []any{brand}}) {
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// firstID is the id of the first document of a range, "" if it is empty.
func firstID[T any](ctx context.Context, s docdb.Session, c docdb.Collection[T], from, to string, id func(*T) string) (string, error) {
	page, err := c.Find(ctx, s, docdb.Query{From: from, To: to, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return "", err
	}
	return id(page.Items[0]), nil
}

// parseCarry takes a carry's id apart.
func parseCarry(id string) (brand string, p Payee) {
	brand, payee, _ := strings.Cut(id, "|")
	return brand, Payee(payee)
}

package commission

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// lanes is how many documents share what every batch changes: the control totals of a booking day, and each page of totals of a
// settlement day. It may grow from one release to the next, never shrink.
const lanes = 16

// pages is over how many pages the payees of a settlement day are spread. A page is all documents whose ids begin with it, so
// that it may be divided further; but what is on one page must stay on it.
const pages = 32

// pageOf is the page that a payee's totals and lines stand on.
func pageOf(p Payee) int {
	h := fnv.New32a()
	h.Write([]byte(p))
	return int(h.Sum32() % pages)
}

// ledger is a brand's one close document: how far its days are frozen and closed. Whatever must not overlook a freeze, and
// cannot be guarded by a shard that exists, writes it.
type ledger struct {
	docdb.Doc `json:",inline"` // the brand
	First     when.Date        `json:"first,omitempty"`  // earliest booking day
	Frozen    when.Date        `json:"frozen,omitempty"` // last day that is not open; empty: every day is open
	Closed    when.Date        `json:"closed,omitempty"` // last closed day: Frozen, or while a close is under way the day before it
	Asked     when.Date        `json:"asked,omitempty"`  // the day up to which a close that is under way goes
	Empty     when.Date        `json:"empty,omitempty"`  // the day up to which there was nothing to close yet when somebody asked to
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
	return &shard{Doc: docdb.Doc{ID: fmt.Sprintf("%s%02d", dayKey(brand, day), lane)}}
}

// sheet holds sums of payees on one page of a settlement day, by payee.
type sheet struct {
	Payees []Payee `json:"payees"` // in order
	Sums   []int64 `json:"sums"`   // of their entries' amounts
	Counts []int64 `json:"counts"` // of their entries
}

// total is one lane's sums of a page, <brand>|<settlement day>|<page>|<lane>. Every batch that books on the page raises it.
type total struct {
	docdb.Doc `json:",inline"`
	Sheet     sheet `json:"sheet"`
}

// slip is what one batch has booked on a page, <brand>|<settlement day>|<page>|<booking day>|<lane>|<nth>, where nth is the number
// of the batch's first entry in the control totals. Slips are how the lines of a statement are found; they never change.
type slip struct {
	docdb.Doc `json:",inline"`
	Sheet     sheet      `json:"sheet"`
	Events    [][]string `json:"events"` // by payee: whose bookings have entries of hers
}

func pageKey(brand string, settles when.Date, page int) string {
	return fmt.Sprintf("%s%02d|", dayKey(brand, settles), page)
}

func totalID(page string, lane int) string { return fmt.Sprintf("%s%02d", page, lane) }

// parseSlip takes a slip's id apart: the shard that counts its entries, the number of the first, and the page that it is on.
func parseSlip(id string) (page, shard string, nth int64, err error) {
	parts := strings.Split(id, "|")
	if len(parts) != 6 {
		return "", "", 0, fmt.Errorf("commission: %s is no slip", id)
	}
	nth, err = strconv.ParseInt(parts[5], 10, 64)
	return strings.Join(parts[:3], "|") + "|", strings.Join([]string{parts[0], parts[3], parts[4]}, "|"), nth, err
}

// page is the page that a total is on.
func (t *total) page() string { return t.ID[:strings.LastIndex(t.ID, "|")+1] }

func slipID(page string, booked when.Date, lane int, nth int64) string {
	return fmt.Sprintf("%s%s|%02d|%012d", page, booked, lane, nth)
}

// parseDay is the day in an id that begins with a brand and a day.
func parseDay(id string) (brand string, day when.Date) {
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
	slips      docdb.Collection[slip]
	ledgers    docdb.Collection[ledger]
	closes     docdb.Collection[Close]
	statements docdb.Collection[Statement]
	carries    docdb.Collection[carry]
}

func newRepo() repo {
	return repo{
		plans:      docdb.Define[Plan]("plans", docdb.By("brand", "effective_from")),
		bookings:   docdb.Define[Booking]("bookings", docdb.By("sales")),
		shards:     docdb.Define[shard]("shards"),
		totals:     docdb.Define[total]("totals"),
		slips:      docdb.Define[slip]("slips"),
		ledgers:    docdb.Define[ledger]("ledgers", docdb.By("asked")),
		closes:     docdb.Define[Close]("closes"),
		statements: docdb.Define[Statement]("statements", docdb.By("brand", "payee", "date")),
		carries:    docdb.Define[carry]("carries", docdb.By("brand", "amount")),
	}
}

func (r *repo) schemas() []*docdb.Schema {
	return []*docdb.Schema{
		r.plans.Schema(), r.bookings.Schema(), r.shards.Schema(), r.totals.Schema(), r.slips.Schema(), r.ledgers.Schema(), r.closes.Schema(),
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

// page reads the totals of all payees on a page, whichever lanes raised them.
func (r *repo) page(ctx context.Context, s docdb.Session, key string) (sheet, error) {
	var all sheet
	for t, err := range r.totals.Each(ctx, s, docdb.Query{From: key, To: after(key)}) {
		if err != nil {
			return sheet{}, err
		}
		all = all.merged(&t.Sheet)
	}
	return all, nil
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

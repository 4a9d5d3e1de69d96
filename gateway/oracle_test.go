package main

import (
	"cmp"
	"encoding/csv"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"scrm/gateway/demo"
	"scrm/gateway/demo/dataset"
)

// oracle works out from the files alone what a demo over them has to end with. It shares nothing with the domains: it knows
// the rules as docs tell them, and the demo's made-up plans and people.
type oracle struct {
	members int              // persons
	dual    int              // with both cards of a brand
	refused int              // rows of both exports
	paid    map[string]int64 // all that a payee ever got, less what was taken back: "guide g-1", in fen
	lines   int              // of receipts
	entries int64            // of commission
	dates   []string         // on which something may be settled
}

// serving is who serves a person of a brand, and from when.
type serving struct {
	guide string
	from  time.Time
}

type cardholder struct {
	phone, brand string
	from         time.Time
}

// share is what a role got of a sale's line.
type share struct {
	payee  string
	amount int64
}

func consult(t *testing.T, files dataset.Files) *oracle {
	t.Helper()
	set, err := dataset.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	business, err := demo.NewBusiness(set)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{paid: map[string]int64{}, lines: set.Lines}
	bound := map[[2]string]serving{} // by phone and brand
	cards := o.enrol(t, files, business, bound)

	carries, ownership := map[string]string{}, map[string]string{}
	for _, row := range rowsOf(t, files.Stores) {
		carries[row["id"]], ownership[row["id"]] = "|"+row["brands"]+"|", row["ownership"]
	}
	plans := map[string]demo.Plan{}
	for _, brand := range business.Brands {
		plans[brand] = business.Plan(brand)
	}
	type lineOf struct {
		sale *dataset.Receipt
		line int
	}
	booked := map[lineOf][]share{}
	sold, back := map[lineOf]dataset.Line{}, map[lineOf]int64{}
	for _, r := range set.Receipts {
		// Who is it? A card says so if its brand is sold here and it was there by the end of that second.
		person := ""
		for _, letter := range []string{"S", "O"} {
			if card, ok := cards[letter+r.Customer]; ok {
				if strings.Contains(carries[r.Store], "|"+card.brand+"|") && !card.from.After(r.Time) {
					person = card.phone
				}
				break
			}
		}
		for _, l := range r.Lines {
			holders := map[string]string{"selling": demo.SellingGuide(r), "manager": demo.ManagerID(r.Store)}
			if s, ok := bound[[2]string{person, l.Brand}]; ok && !s.from.After(r.Time) {
				holders["serving"] = s.guide
			}
			at := lineOf{r, l.Line}
			switch {
			case r.Return && l.Original != nil: // each share's part of what is back, rounded down on the cumulative amount
				at = lineOf{l.Original.Sale, l.Original.Line}
				before := back[at]
				back[at] += l.Paid
				for _, s := range booked[at] {
					o.paid[s.payee] -= s.amount*back[at]/sold[at].Paid - s.amount*before/sold[at].Paid
					o.entries++
				}
			case r.Return: // without a receipt: all of it at the store's expense
				for _, s := range sharesOf(plans[l.Brand], r, l, ownership[r.Store], holders) {
					if s.payee != "" {
						s.payee = "store " + r.Store
					}
					o.paid[s.payee] -= s.amount
					o.entries++
				}
			default:
				sold[at], booked[at] = l, sharesOf(plans[l.Brand], r, l, ownership[r.Store], holders)
				for _, s := range booked[at] {
					o.paid[s.payee] += s.amount
					o.entries++
				}
			}
		}
	}
	first, last := set.Receipts[0].Time, set.Receipts[len(set.Receipts)-1].Time
	for day := first; !day.After(last.AddDate(0, 0, 10)); day = day.AddDate(0, 0, 1) {
		o.dates = append(o.dates, day.Format(time.DateOnly))
	}
	delete(o.paid, "") // nobody
	maps.DeleteFunc(o.paid, func(_ string, sum int64) bool { return sum == 0 })
	return o
}

// sharesOf splits what the plan's most specific rule pays for a line over the rule's roles.
func sharesOf(plan demo.Plan, r *dataset.Receipt, l dataset.Line, ownership string, holders map[string]string) []share {
	var rule *demo.Rule
	rank := func(c *demo.Rule) (n int) {
		for _, part := range []struct {
			limit  string
			weight int
		}{{c.SKU, 20}, {c.Category, 10}, {c.Ownership, 1}, {c.Channel, 1}} {
			if part.limit != "" {
				n += part.weight
			}
		}
		return n
	}
	for i := range plan.Rules {
		c := &plan.Rules[i]
		fits := (c.SKU == "" || c.SKU == l.SKU) && (c.Category == "" || c.Category == l.Category) &&
			(c.Ownership == "" || c.Ownership == ownership) && (c.Channel == "" || c.Channel == cmp.Or(r.Channel, "store"))
		if fits && (rule == nil || rank(c) > rank(rule)) {
			rule = c
		}
	}
	if rule == nil {
		return nil
	}
	pool := l.Paid*rule.RateBps/10_000 + l.Qty*rule.FixedPerUnit
	order := []string{"selling", "serving", "recruiting", "manager", "store"}
	type part struct {
		role             string
		amount, fraction int64
	}
	var parts []*part
	var sum, given int64
	for _, role := range order {
		if bps := int64(rule.Roles[role]); bps > 0 {
			parts = append(parts, &part{role, pool * bps / 10_000, pool * bps % 10_000})
			sum += bps
			given += pool * bps / 10_000
		}
	}
	byFraction := slices.Clone(parts)
	slices.SortStableFunc(byFraction, func(a, b *part) int { return cmp.Compare(b.fraction, a.fraction) })
	for _, p := range byFraction[:pool*sum/10_000-given] {
		p.amount++
	}
	var shares []share
	for _, p := range parts {
		payee := "store " + r.Store
		if guide := holders[p.role]; guide != "" {
			payee = "guide " + guide
		} else if p.role != "store" {
			switch plan.Fallback {
			case "none":
				payee = ""
			case "selling":
				if seller := holders["selling"]; seller != "" {
					payee = "guide " + seller
				}
			}
		}
		shares = append(shares, share{payee, p.amount})
	}
	return shares
}

var mobile = regexp.MustCompile(`^(?:00)?(?:86)?(1[3-9]\d{9})$`)

// enrol reads both exports in row order: who they are, which cards they have, and which guide serves them.
func (o *oracle) enrol(t *testing.T, files dataset.Files, business *demo.Business, bound map[[2]string]serving) map[string]cardholder {
	t.Helper()
	carries := map[string]string{}
	for _, s := range business.Selling {
		carries[s.ID] = strings.Join(s.Brands, "|")
	}
	cards := map[string]cardholder{}
	programs := map[[2]string]map[string]bool{} // by phone and brand
	people, dual := map[string]bool{}, map[string]bool{}
	load := map[string]int{} // members of a brand, by brand and guide
	for _, export := range []struct{ program, path string }{{"online", files.CRMOnline}, {"store", files.CRMStore}} {
		for _, row := range rowsOf(t, export.path) {
			digits := strings.Map(func(r rune) rune {
				if r >= '０' && r <= '９' {
					r += '0' - '０'
				}
				if r >= '0' && r <= '9' {
					return r
				}
				return -1
			}, row["phone"])
			found := mobile.FindStringSubmatch(digits)
			if found == nil {
				o.refused++
				continue
			}
			phone, brand := found[1], row["brand"]
			joined, err := time.ParseInLocation(time.DateOnly, row["joined"], dataset.Zone)
			if err != nil {
				t.Fatal(err)
			}
			people[phone] = true
			k := [2]string{phone, brand}
			if programs[k] == nil { // a new member of the brand: the store that the row names, else the fallback store
				programs[k] = map[string]bool{}
				store := row["store"]
				if !slices.Contains(strings.Split(carries[store], "|"), brand) {
					store = business.FallbackStore(brand)
				}
				guides := []string{demo.GuideID(store, 1), demo.GuideID(store, 2)}
				slices.SortStableFunc(guides, func(a, b string) int { return load[brand+a] - load[brand+b] })
				load[brand+guides[0]]++
				bound[k] = serving{guides[0], joined}
			}
			programs[k][export.program] = true
			if len(programs[k]) == 2 {
				dual[phone] = true
			}
			cards[row["external_id"]] = cardholder{phone, brand, joined}
		}
	}
	o.members, o.dual = len(people), len(dual)
	return cards
}

// rowsOf reads a CSV file into one map per row.
func rowsOf(t *testing.T, path string) []map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]map[string]string, 0, len(records)-1)
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

package commission

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

var update = flag.Bool("update", false, "write the tables of docs/commission.md anew")

const handbook = "../docs/commission.md"

// TestHandbook books the examples of docs/commission.md and compares its tables.
func TestHandbook(t *testing.T) {
	text, err := os.ReadFile(handbook)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for name, rows := range map[string]func(*testing.T) []string{
		"rule": exampleRule, "split": exampleSplit, "holders": exampleHolders, "returns": exampleReturns, "loose": exampleLoose, "days": exampleDays,
		"statements": exampleStatements,
	} {
		before, rest, ok := strings.Cut(doc, "<!-- example: "+name+" -->\n")
		if !ok {
			t.Errorf("there is no example %s", name)
			continue
		}
		lines := strings.SplitAfterN(rest, "\n", 3) // the table's head, and what follows it
		old, after := tableRows(lines[2])
		fresh := strings.Join(rows(t), "")
		if !*update && old != fresh {
			t.Errorf("example %s: the table says\n%sand it is\n%s", name, old, fresh)
		}
		doc = before + "<!-- example: " + name + " -->\n" + lines[0] + lines[1] + fresh + after
	}
	if *update {
		if err := os.WriteFile(handbook, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// tableRows cuts a text behind the rows that it begins with.
func tableRows(text string) (rows, after string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		rows += line
	}
	return rows, text[len(rows):]
}

func row(cells ...any) string {
	var b strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&b, "| %v ", c)
	}
	return b.String() + "|\n"
}

// short is an event's id without what all examples share.
func short(event string) string {
	return strings.TrimPrefix(strings.TrimPrefix(event, "pos/t-1/"), "order/aurora/")
}

// amounts are rows of entries with rule, base and pool.
func amounts(t *testing.T, s *Service, events ...*storeevent.Verdict) (rows []string) {
	t.Helper()
	for _, v := range events {
		booked, err := s.Booked(t.Context(), []string{v.EventID})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range booked[v.EventID] {
			rows = append(rows, row(short(e.EventID), e.Line, e.Rule, e.Base, e.Pool, e.Role, named(e.Payee), e.Amount))
		}
	}
	mustAudit(t, s)
	return rows
}

func example(t *testing.T, terms Terms) *Service {
	t.Helper()
	s := openSQLite(t, newWorld("aurora"))
	makePlan(t, s, "aurora", day("2026-01-01"), terms)
	return s
}

func exampleRule(t *testing.T) []string {
	t.Helper()
	pays := func(id string, bps int64, change func(*Rule)) Rule {
		return rate(id, func(r *Rule) {
			r.RateBps = ptr(bps)
			if change != nil {
				change(r)
			}
		})
	}
	s := example(t, Terms{Fallback: ToShop, Rules: []Rule{
		pays("all", 100, nil),
		pays("direct", 200, func(r *Rule) { r.Ownership = "direct" }),
		pays("cake", 300, func(r *Rule) { r.Category = "cake" }),
		pays("cake-tmall", 400, func(r *Rule) { r.Category, r.Channel = "cake", "tmall" }),
		pays("star", 500, func(r *Rule) { r.SKU = "A1" }),
	}})
	r1 := sale("R1", "2026-11-20", "aurora", 10_000, 10_000, 10_000)
	r1.Lines[1].Category, r1.Lines[2].Category, r1.Lines[2].SKU = "cake", "cake", "A1"
	order := sale("", "2026-11-20", "aurora", 10_000, 10_000)
	order.EventID, order.Channel, order.Store, order.Ownership = "order/aurora/tmall/sale/N1", "tmall", "s-3", "franchise"
	order.Lines[0].Category = "cake"
	project(t, s, r1, order)
	return amounts(t, s, r1, order)
}

func exampleSplit(t *testing.T) []string {
	t.Helper()
	s := example(t, Terms{Fallback: ToShop, Rules: []Rule{
		{ID: "all", RateBps: ptr(500), Roles: map[Role]int64{Selling: 5000, Serving: 3333, Shop: 1667}},
		{ID: "gift", Category: "gift", FixedPerUnit: ptr(33), Roles: map[Role]int64{Selling: 5000, Manager: 5000}},
	}})
	r1 := sale("R1", "2026-11-20", "aurora", 10_000, 50, 0)
	r1.Lines[0].Tax, r1.Lines[0].PointsPaid = 1_000, 500
	r1.Lines[2].Category, r1.Lines[2].Qty = "gift", 3
	project(t, s, r1)
	return amounts(t, s, r1)
}

func exampleHolders(t *testing.T) (rows []string) {
	t.Helper()
	quarters := map[Role]int64{Selling: 2500, Serving: 2500, Manager: 2500, Shop: 2500}
	for _, c := range []struct {
		fallback Fallback
		receipts []string
	}{{ToSelling, []string{"R1", "R2"}}, {ToNobody, []string{"R3"}}, {ToShop, []string{"A1", "D1"}}} {
		s := example(t, Terms{Fallback: c.fallback, Rules: []Rule{{ID: "all", RateBps: ptr(400), Roles: quarters}}})
		for _, receipt := range c.receipts {
			v := sale(receipt, "2026-11-20", "aurora", 10_000)
			v.Member = nil
			switch receipt {
			case "R2":
				v.Guide = ""
			case "A1":
				v.EventID, v.Channel, v.Store, v.Ownership, v.Guide = "order/aurora/tmall/sale/A1", "tmall", "", "", ""
			case "D1":
				v.Store, v.Ownership, v.Dealer = "s-2", "dealer", "d-1"
			}
			project(t, s, v)
			rows = append(rows, amounts(t, s, v)...)
		}
	}
	return rows
}

func exampleReturns(t *testing.T) []string {
	t.Helper()
	r1 := sale("R1", "2026-11-20", "aurora", 999)
	s := example(t, Terms{Fallback: ToSelling, Rules: []Rule{{ID: "all", FixedPerUnit: ptr(50), Roles: simple().Rules[0].Roles}}})
	events := []*storeevent.Verdict{r1}
	for i := range int64(3) {
		events = append(events, giveBack(fmt.Sprint("B", i+1), "2026-11-21", r1, 1, i*333, 333))
	}
	project(t, s, events...)
	return amounts(t, s, events...)
}

func exampleLoose(t *testing.T) []string {
	t.Helper()
	s := example(t, Terms{Fallback: ToSelling, Rules: []Rule{{ID: "all", FixedPerUnit: ptr(50), Roles: simple().Rules[0].Roles}}})
	b := sale("", "2026-11-21", "aurora", 999)
	b.EventID, b.Kind, b.Guide = "pos/t-1/return/B1", storeevent.Return, "g-till"
	project(t, s, b)
	return amounts(t, s, b)
}

func exampleDays(t *testing.T) (rows []string) {
	t.Helper()
	terms := simple()
	terms.HoldDays = 2
	terms.Rules[0].Roles = map[Role]int64{Selling: 10_000}
	s := example(t, terms)
	r1, r2 := sale("R1", "2026-11-20", "aurora", 10_000), sale("R2", "2026-11-19", "aurora", 10_000)
	b1, b2 := giveBack("B1", "2026-11-21", r1, 1, 0, 2_000), giveBack("B2", "2026-11-25", r1, 1, 2_000, 3_000)
	project(t, s, r1, b1)
	closeThrough(t, s, "aurora", "2026-11-24")
	project(t, s, b2, r2)
	for _, v := range []*storeevent.Verdict{r1, b1, b2, r2} {
		booked, err := s.Booked(t.Context(), []string{v.EventID})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range booked[v.EventID] {
			rows = append(rows, row(short(e.EventID), e.Line, e.Role, named(e.Payee), e.Amount, v.BusinessDate, e.Booked, e.Settles))
		}
	}
	mustAudit(t, s)
	return rows
}

func exampleStatements(t *testing.T) (rows []string) {
	t.Helper()
	terms := simple()
	terms.MinPayout = 100
	s := example(t, terms)
	makePlan(t, s, "aurora", day("2026-11-25"), simple())
	r1 := sale("R1", "2026-11-20", "aurora", 10_000)
	project(t, s, r1, giveBack("B1", "2026-11-21", r1, 1, 0, 10_000), sale("R2", "2026-11-23", "aurora", 12_000))
	closeThrough(t, s, "aurora", "2026-11-30")
	for _, date := range []when.Date{"2026-11-20", "2026-11-21", "2026-11-23", "2026-11-25"} {
		page, err := s.Statements(t.Context(), "aurora", date, nil, 100, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range page.Items {
			rows = append(rows, row(date, named(st.Payee), st.CarriedIn, st.LinesTotal, st.Amount, st.CarriedOut))
		}
	}
	mustAudit(t, s)
	return rows
}

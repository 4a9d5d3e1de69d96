package commission

import (
	"fmt"
	"strings"
	"testing"

	"scrm/gateway/kit/fault"
	"scrm/store/storeevent"
)

func TestLinesOfAStatement(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora", "borealis"))
	for _, b := range []string{"aurora", "borealis"} {
		makePlan(t, s, b, day("2026-01-01"), simple())
	}
	var events []*storeevent.Verdict
	for i := range 230 { // more bookings than are fetched at a time, each with three lines of one brand and one of the other
		v := sale(fmt.Sprintf("%04d", i), "2026-11-20", "aurora", 10_000, 555, 100, 100)
		v.Lines[2].Brand = "borealis"
		events = append(events, v)
	}
	project(t, s, events...)
	closeThrough(t, s, "aurora", "2026-11-20")
	st, err := s.Statement(t.Context(), "aurora.2026-11-20.guide.g-sell")
	if err != nil || st.LinesCount != 3*230 {
		t.Fatalf("statement %+v, %v", st, err)
	}
	for _, limit := range []int{1, 7, 200, 1000} {
		seen, sum, last := map[string]bool{}, int64(0), ""
		for cursor, pages := "", 0; ; pages++ {
			if limit == 1 && pages == 250 {
				break // enough
			}
			lines, next, err := s.Lines(t.Context(), st, limit, cursor)
			if err != nil || len(lines) > limit || len(lines) < limit && next != "" {
				t.Fatalf("limit %d: %d lines, next %q, %v", limit, len(lines), next, err)
			}
			for _, l := range lines {
				if seen[l.ID] || l.ID < last || l.Payee != st.Payee || l.Brand != "aurora" || *l.RateBps != 500 || l.Rule != "all" {
					t.Fatalf("limit %d: line %+v behind %s", limit, l, last)
				}
				seen[l.ID], last = true, l.ID
				sum += l.Amount
			}
			if cursor = next; cursor == "" {
				if sum != st.LinesTotal || int64(len(seen)) != st.LinesCount {
					t.Errorf("limit %d: %d lines of %d, want %d of %d", limit, len(seen), sum, st.LinesCount, st.LinesTotal)
				}
				break
			}
		}
	}
	if _, _, err := s.Lines(t.Context(), st, 10, "nonsense"); fault.CodeOf(err) != "invalid_cursor" {
		t.Errorf("a cursor of nobody's: %v", err)
	}
	if _, err := s.Statement(t.Context(), "aurora.2026-11-20.guide.other"); fault.CodeOf(err) != "unknown_statement" {
		t.Errorf("a statement of nobody's: %v", err)
	}
}

func TestStatementsOfPayees(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("a", "a-b"))
	for _, b := range []string{"a", "a-b"} {
		makePlan(t, s, b, day("2026-01-01"), simple())
		project(t, s, sale("of-"+b, "2026-11-20", b, 10_000))
		closeThrough(t, s, b, "2026-11-20")
	}
	page, err := s.Statements(t.Context(), "a", "2026-11-20", nil, 2, "")
	if err != nil || len(page.Items) != 2 || page.Next == "" || page.Items[0].Payee != "guide:g-1" {
		t.Fatalf("first page %+v, %v", page, err)
	}
	if page, err = s.Statements(t.Context(), "a", "2026-11-20", nil, 2, page.Next); err != nil || len(page.Items) != 1 || page.Next != "" {
		t.Errorf("second page %+v, %v", page, err)
	}
	page, err = s.Statements(t.Context(), "a", "2026-11-20", []Payee{"guide:g-sell", "store:s-1"}, 2, "")
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != "a.2026-11-20.guide.g-sell" {
		t.Errorf("of two payees: %+v, %v", page, err)
	}
}

func TestShareIDs(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"pos/t-1/sale/R#1", "order/b/tmall/return/A.1/2"} {
		id := shareID(event, 3, Shop)
		got, line, role, ok := parseShareID(id)
		if strings.ContainsAny(id, "/#?%") || !ok || got != event || line != 3 || role != Shop {
			t.Errorf("%s: %s, %s %d %s %v", event, id, got, line, role, ok)
		}
	}
	for _, id := range []string{"", "x", "x:selling", "a:b:selling"} {
		if _, _, _, ok := parseShareID(id); ok {
			t.Errorf("%q is taken for an id", id)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := openSQLite(t, newWorld("aurora"))
	terms := simple()
	terms.HoldDays = 2
	terms.Rules = append(terms.Rules, Rule{
		ID: "cake", Category: "cake", Ownership: "direct", FixedPerUnit: ptr(333), Roles: map[Role]int64{Selling: 3333, Recruiting: 3333, Shop: 3334},
	})
	makePlan(t, s, "aurora", day("2026-01-01"), terms)
	v := sale("R#1", "2026-11-20", "aurora", 10_000, 900)
	v.Lines[0].Tax, v.Lines[1].Category, v.Lines[1].Qty, v.Member = 1_000, "cake", 2, nil
	back, late := giveBack("R2", "2026-11-21", v, 1, 0, 3_333), giveBack("R3", "2026-11-25", v, 1, 3_333, 6_667)
	loose := giveBack("R4", "2026-11-21", v, 1, 0, 100)
	loose.Lines[0].Original = nil
	project(t, s, v, back, loose)
	closeThrough(t, s, "aurora", "2026-11-25")
	project(t, s, late)
	for id, want := range map[string]string{
		shareID(v.EventID, 1, Selling): `
			Base: 10000 paid − 1000 tax − 0 covered by points = 9000 (at least 0).
			rule all applies: it is for every line, and no other rule is for the line.
			Pool: 9000 × 500 basis points, rounded down = 450.
			selling 6000 bps = 270, serving 3000 bps = 135, manager 1000 bps = 45; this line is the share of selling.
			The role is held by guide g-sell since
			Booked on its business date 2026-11-20; it settles on the later of that day and the business date + 2 days: 2026-11-22.
			pos/t-1/return/R2 took back 89, settled on 2026-11-22.
			pos/t-1/return/R3 took back 181, settled on 2026-11-26.`,
		shareID(v.EventID, 1, Serving): `Nobody holds the role (no_member); the plan's fallback (selling) pays guide g-sell.`,
		shareID(v.EventID, 2, Shop): `
			rule cake applies: it is for category cake, ownership direct, and it is more specific than all.
			Pool: 333 for each of 2 units = 666.
			selling 3333 bps = 222, recruiting 3333 bps = 222, store 3334 bps = 222; this line is the share of store.
			The role is held by store s-1.`,
		shareID(back.EventID, 1, Selling): `
			It takes back of line 1 of pos/t-1/sale/R#1, whose share of selling was 270.
			Of the amount paid, 0 of 10000 was back before and 3333 with this: −(floor(270 × 3333 ÷ 10000) − floor(270 × 0 ÷ 10000)) = -89.
			It comes from who got the share: guide g-sell.
			it settles on the later of that day and the sale's settlement day: 2026-11-22.`,
		shareID(late.EventID, 1, Selling): `Its business date 2026-11-25 was closed, so it is booked on the first open day 2026-11-26;`,
		shareID(loose.EventID, 1, Manager): `
			A return without a receipt books the negative.
			A return without a receipt is borne by the store: store s-1.`,
	} {
		e, err := s.Explain(t.Context(), id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if e.Share.ID != id {
			t.Errorf("%s: explains %s", id, e.Share.ID)
		}
		var said []string
		for _, step := range e.Steps {
			said = append(said, step.English)
			if step.Chinese == "" || step.Name == "" || step.Figures == nil {
				t.Errorf("%s: incomplete step %+v", id, step)
			}
		}
		all := strings.Join(said, "\n")
		for line := range strings.Lines(strings.TrimSpace(want)) {
			if !strings.Contains(all, strings.TrimSpace(line)) {
				t.Errorf("%s: %q is not said in\n%s", id, strings.TrimSpace(line), all)
			}
		}
	}
	for _, id := range []string{"x", shareID(v.EventID, 9, Selling), shareID(v.EventID, 1, Recruiting), shareID("pos/t-1/sale/no", 1, Selling)} {
		if _, err := s.Explain(t.Context(), id); fault.CodeOf(err) != "unknown_line" {
			t.Errorf("%s: %v", id, err)
		}
	}
}

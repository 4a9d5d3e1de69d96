package member

import (
	"reflect"
	"testing"

	"scrm/gateway/kit/when"
)

// stage is a program whose second tier, x2, is reached at a growth that changes from version to version.
func stage(thresholds map[when.Date]int64, dates ...when.Date) *Program {
	p := &Program{}
	for i, d := range dates {
		p.Versions = append(p.Versions, Version{Number: int64(i + 1), FirstDate: d, Rules: Rules{Earn: Earn{PointsPerUnit: 1, Unit: 1},
			Tiers: []Tier{{ID: "x1", MultiplierBps: 10_000}, {ID: "x2", Growth: thresholds[d], MultiplierBps: 20_000}}}})
	}
	return p
}

func TestTiersFollowFromGrowthByDate(t *testing.T) {
	t.Parallel()
	p := stage(map[when.Date]int64{"2026-01-01": 1_000, "2026-03-10": 500, "2026-03-12": 1_000}, "2026-01-01", "2026-03-10", "2026-03-12")
	start := []Step{{Tier: "x1"}}
	for name, c := range map[string]struct {
		card  Card
		date  when.Date // on which growth has changed
		later []grown
		want  []Step
	}{
		"not reached":                          {Card{Growth: 400}, "2026-03-01", nil, start},
		"from the next date":                   {Card{Growth: 1_000}, "2026-03-01", nil, []Step{{Tier: "x1"}, {"2026-03-02", "x2", 1_000}}},
		"a lower threshold, while it lasts":    {Card{Growth: 600, Through: "2026-03-15"}, "2026-03-01", nil, []Step{{Tier: "x1"}, {"2026-03-10", "x2", 500}}},
		"between two dates of growth":          {Card{Growth: 300}, "2026-03-01", []grown{{"2026-03-05", 50}, {"2026-03-20", -350}}, []Step{{Tier: "x1"}, {"2026-03-10", "x2", 500}}},
		"a tier does not fall":                 {Card{Growth: 0}, "2026-03-01", []grown{{"2026-03-02", -1_000}}, []Step{{Tier: "x1"}, {"2026-03-02", "x2", 1_000}}},
		"later steps are worked out anew":      {Card{Growth: 900, Steps: []Step{{Tier: "x1"}, {"2026-03-03", "x2", 1_000}}}, "2026-03-01", nil, start},
		"earlier steps stay":                   {Card{Growth: 0, Steps: []Step{{Tier: "x1"}, {"2026-02-03", "x2", 1_000}}}, "2026-03-01", nil, []Step{{Tier: "x1"}, {"2026-02-03", "x2", 1_000}}},
		"negative growth is the lowest tier's": {Card{Growth: -5}, "2026-03-01", nil, start},
	} {
		if c.card.Steps == nil {
			c.card.Steps = []Step{{Tier: "x1"}}
		}
		c.card.retier(p, c.date, c.later)
		if !reflect.DeepEqual(c.card.Steps, c.want) {
			t.Errorf("%s: %v, want %v", name, c.card.Steps, c.want)
		}
	}
}

func TestTierThatANewVersionLacks(t *testing.T) {
	t.Parallel()
	p := stage(map[when.Date]int64{"2026-03-10": 500}, "2026-03-10")
	c := Card{Steps: []Step{{Tier: "gold", Growth: 700}}, Growth: 0, Through: "2026-03-01"}
	if got := p.Versions[0].points(100, 1, c.tierOn("2026-03-01")); got != 200 {
		t.Errorf("%d points, want x2's 200", got)
	}
	c.settle(p, "2026-03-20")
	if want := []Step{{Tier: "gold", Growth: 700}, {"2026-03-10", "x2", 500}}; !reflect.DeepEqual(c.Steps, want) {
		t.Errorf("%v, want %v: its threshold places it", c.Steps, want)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	c := &claim{}
	if !c.give("a", 100) || c.give("a", 150) || !c.give("a", 50) {
		t.Error("a holder may find that it was theirs earlier, and nothing else changes")
	}
	c.Holders[0].To = 200
	if c.current() != "" || !c.give("b", 120) || c.current() != "b" {
		t.Error("a freed number is another's", c.Holders)
	}
	if c.give("b", 10) {
		t.Error("it was never theirs before the other one gave it up")
	}
	for at, want := range map[when.Instant]string{49: "", 50: "a", 199: "a", 200: "b", 1_000: "b"} {
		if got := c.at(at); got != want {
			t.Errorf("at %d: %q, want %q", at, got, want)
		}
	}
	var none *claim
	if none.at(1) != "" || none.current() != "" {
		t.Error("nobody's")
	}
}

func TestCardNumbers(t *testing.T) {
	t.Parallel()
	// The example of ISO/IEC 7812-1's annex, by way of every textbook: 7992739871 has the check digit 3.
	if got := luhn([]byte("7992739871")); got != '3' {
		t.Errorf("check digit %c", got)
	}
	seen := map[string]bool{}
	for range 100 {
		n := newNumber(1_795_143_600_000)
		if len(n) != 19 || n[:10] != "1795143600" || luhn([]byte(n[:18])) != n[18] || seen[n] {
			t.Fatal(n)
		}
		seen[n] = true
	}
}

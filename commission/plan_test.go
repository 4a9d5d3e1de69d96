package commission

import (
	"errors"
	"testing"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

func rate(id string, change func(*Rule)) Rule {
	r := Rule{ID: id, RateBps: ptr(100), Roles: map[Role]int64{Selling: 10_000}}
	if change != nil {
		change(&r)
	}
	return r
}

func TestTermsThatContradictThemselves(t *testing.T) {
	t.Parallel()
	with := func(rules ...Rule) Terms { return Terms{Fallback: ToShop, Rules: rules} }
	of := func(change func(*Rule)) Terms { return with(rate("r", change)) }
	for name, c := range map[string]struct {
		terms       Terms
		code, field string
	}{
		"no rules":             {Terms{Fallback: ToShop}, "no_rules", "rules"},
		"no fallback":          {Terms{Rules: []Rule{rate("r", nil)}}, "invalid_fallback", "fallback"},
		"hold of a year more":  {Terms{Fallback: ToShop, HoldDays: 367, Rules: []Rule{rate("r", nil)}}, "invalid_hold_days", "hold_days"},
		"negative hold":        {Terms{Fallback: ToShop, HoldDays: -1, Rules: []Rule{rate("r", nil)}}, "invalid_hold_days", "hold_days"},
		"negative minimum":     {Terms{Fallback: ToShop, MinPayout: -1, Rules: []Rule{rate("r", nil)}}, "invalid_min_payout", "min_payout"},
		"id of other letters":  {with(rate("全部", nil)), "invalid_id", "rules[0].id"},
		"same id twice":        {with(rate("r", nil), rate("r", func(r *Rule) { r.SKU = "x" })), "duplicate_rule", "rules[1].id"},
		"SKU and category":     {of(func(r *Rule) { r.SKU, r.Category = "x", "y" }), "rule_target", "rules[0]"},
		"neither rate nor sum": {of(func(r *Rule) { r.RateBps = nil }), "rate_or_fixed", "rules[0]"},
		"rate and sum":         {of(func(r *Rule) { r.FixedPerUnit = ptr(1) }), "rate_or_fixed", "rules[0]"},
		"rate over all":        {of(func(r *Rule) { r.RateBps = ptr(10_001) }), "invalid_rate", "rules[0].rate_bps"},
		"negative sum":         {of(func(r *Rule) { r.RateBps, r.FixedPerUnit = nil, ptr(-1) }), "invalid_fixed_amount", "rules[0].fixed_per_unit"},
		"no roles":             {of(func(r *Rule) { r.Roles = nil }), "no_roles", "rules[0].roles"},
		"unknown role":         {of(func(r *Rule) { r.Roles = map[Role]int64{"boss": 1} }), "unknown_role", "rules[0].roles"},
		"role without a share": {of(func(r *Rule) { r.Roles = map[Role]int64{Selling: 0} }), "invalid_role_share", "rules[0].roles"},
		"roles over the pool":  {of(func(r *Rule) { r.Roles = map[Role]int64{Selling: 6000, Manager: 4001} }), "roles_over_pool", "rules[0].roles"},
		"unknown ownership":    {of(func(r *Rule) { r.Ownership = "rented" }), "invalid_ownership", "rules[0].ownership"},
		"two default rules":    {with(rate("a", nil), rate("b", nil)), "equal_rules", "rules[1]"},
		"two rules for a SKU": {with(rate("a", func(r *Rule) { r.SKU = "x" }), rate("b", func(r *Rule) { r.SKU = "x" })),
			"equal_rules", "rules[1]"},
		"different limits, equally many": {with(rate("a", func(r *Rule) { r.Ownership = "direct" }), rate("b", func(r *Rule) { r.Channel = "tmall" })),
			"equal_rules", "rules[1]"},
	} {
		err := c.terms.validate()
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Code != c.code || f.Field != c.field {
			t.Errorf("%s: %v, want %s at %s", name, err, c.code, c.field)
		}
	}
}

func TestRuleForALine(t *testing.T) {
	t.Parallel()
	terms := Terms{Fallback: ToShop, Rules: []Rule{
		rate("default", nil),
		rate("default-direct", func(r *Rule) { r.Ownership = "direct" }),
		rate("default-dealer", func(r *Rule) { r.Ownership = "dealer" }),
		rate("default-direct-store", func(r *Rule) { r.Ownership, r.Channel = "direct", "store" }),
		rate("cake", func(r *Rule) { r.Category = "cake" }),
		rate("cake-tmall", func(r *Rule) { r.Category, r.Channel = "cake", "tmall" }),
		rate("sku", func(r *Rule) { r.SKU = "A1" }),
		rate("sku-only-tmall", func(r *Rule) { r.SKU, r.Channel = "B2", "tmall" }),
	}}
	if err := terms.validate(); err != nil {
		t.Fatal(err)
	}
	plan := prepare(&Plan{Rules: terms.Rules})
	for _, c := range []struct{ sku, category, ownership, channel, want string }{
		{"X", "", "franchise", "store", "default"},
		{"X", "", "direct", "tmall", "default-direct"},
		{"X", "", "dealer", "store", "default-dealer"},
		{"X", "", "direct", "store", "default-direct-store"},
		{"X", "cake", "direct", "store", "cake"},
		{"X", "cake", "", "tmall", "cake-tmall"},
		{"A1", "cake", "direct", "tmall", "sku"},
		{"B2", "cake", "direct", "store", "cake"}, // the rule for its SKU is for another channel
		{"B2", "cake", "direct", "tmall", "sku-only-tmall"},
	} {
		if got := plan.match(c.sku, c.category, c.ownership, c.channel); got == nil || got.ID != c.want {
			t.Errorf("%+v: rule %v", c, got)
		}
	}
	if r := prepare(&Plan{Rules: terms.Rules[6:]}).match("X", "cake", "direct", "store"); r != nil {
		t.Errorf("a line that no rule is for got %s", r.ID)
	}
}

func TestPlanInForce(t *testing.T) {
	t.Parallel()
	line := newTimeline([]*Plan{{Version: 2, EffectiveFrom: 3000}, {Version: 1, EffectiveFrom: 1000}, {Version: 3, EffectiveFrom: 9000}})
	for at, want := range map[when.Instant]int64{0: 0, 999: 0, 1000: 1, 2999: 1, 3000: 2, 8999: 2, 9000: 3, 1 << 50: 3} {
		got := int64(0)
		if p := line.at(at); p != nil {
			got = p.Version
		}
		if got != want {
			t.Errorf("at %d: version %d, want %d", at, got, want)
		}
	}
}

func TestMakePlan(t *testing.T) {
	t.Parallel()
	w := newWorld("aurora", "busy")
	w.brands["busy"] = storeevent.Brand{ID: "busy", Timezone: "Asia/Shanghai", FirstAccepted: now - 1000}
	s := openSQLite(t, w)
	ctx := t.Context()
	code := func(brand string, from when.Instant, terms Terms) string {
		_, _, err := s.MakePlan(ctx, brand, from, terms, "admin")
		if err == nil {
			return ""
		}
		return fault.CodeOf(err)
	}
	first := makePlan(t, s, "aurora", day("2020-01-01"), simple())
	again, made, err := s.MakePlan(ctx, "aurora", day("2020-01-01"), simple(), "another")
	if err != nil || made || again.ID != first.ID || again.MadeBy != "admin" {
		t.Errorf("the same plan again: %+v, made %v, %v", again, made, err)
	}
	other := simple()
	other.HoldDays = 7
	for name, got := range map[string][2]string{
		"other terms, same start":  {code("aurora", day("2020-01-01"), other), "plan_exists"},
		"unknown brand":            {code("nobody", now, simple()), "unknown_brand"},
		"past of a busy brand":     {code("busy", now-1, simple()), "start_in_the_past"},
		"present of a busy brand":  {code("busy", now, simple()), ""},
		"no start":                 {code("busy", 0, simple()), ""},
		"past before first sale":   {code("aurora", day("2019-01-01"), other), ""},
		"terms that are not valid": {code("aurora", 0, Terms{}), "invalid_fallback"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: code %q, want %q", name, got[0], got[1])
		}
	}
	page, err := s.Plans(ctx, "busy", 10, "")
	if err != nil || len(page.Items) != 2 || page.Items[1].EffectiveFrom != now+1000 || page.Items[1].ID != "busy.2" {
		t.Errorf("plans of busy: %+v, %v", page.Items, err)
	}
	if p := page.Items[0]; !p.Terms().equal(simple()) {
		t.Errorf("stored terms %+v", p.Terms())
	}
}

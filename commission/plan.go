package commission

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/money"
	"scrm/gateway/kit/when"
)

// Role is what somebody did for a sale, and is paid for.
type Role string

// The roles.
const (
	Selling    Role = "selling"    // the guide whom the transaction names
	Serving    Role = "serving"    // the guide bound to the member for the line's brand
	Recruiting Role = "recruiting" // the guide who brought the member to the brand
	Manager    Role = "manager"    // the manager of the transaction's store
	Shop       Role = "store"      // the store of the transaction, or its dealer where it has one
)

// Roles are all roles in the order in which a pool is split, which decides who gets an odd fen.
var Roles = []Role{Selling, Serving, Recruiting, Manager, Shop}

// Fallback says who is paid for a role that nobody holds.
type Fallback string

// The fallbacks.
const (
	ToSelling Fallback = "selling" // the selling guide; without one, the store
	ToShop    Fallback = "store"
	ToNobody  Fallback = "none"
)

// Limits of a plan.
const (
	maxRules        = 10_000
	maxHoldDays     = 366
	maxFixedPerUnit = 100_000_000   // minor units
	maxMinPayout    = 1_000_000_000 // minor units
)

// Terms are what a plan says.
type Terms struct {
	HoldDays  int      // days by which commission settles after the business date
	MinPayout int64    // statements under it are carried on, minor units
	Fallback  Fallback // for roles without a holder
	Rules     []Rule
}

// Plan is a brand's rules in force from a moment on, until the start of the brand's next plan. It never changes.
type Plan struct {
	docdb.Doc     `json:",inline"` // <brand>.<version>
	Brand         string           `json:"brand"`
	Version       int64            `json:"version"`        // counts the brand's plans from 1, in the order in which they were made
	EffectiveFrom when.Instant     `json:"effective_from"` // no two plans of a brand share it
	HoldDays      int              `json:"hold_days,omitempty"`
	MinPayout     int64            `json:"min_payout,omitempty"`
	Fallback      Fallback         `json:"fallback"`
	Rules         []Rule           `json:"rules"`
	MadeAt        when.Instant     `json:"made_at"`
	MadeBy        string           `json:"made_by"` // the user
}

// Terms are what the plan says.
func (p *Plan) Terms() Terms { return Terms{p.HoldDays, p.MinPayout, p.Fallback, p.Rules} }

// Rule says what a line pays. It is for one SKU, or one category, or (naming neither) for every line; it may be limited to
// stores of one ownership and to one channel. Exactly one of RateBps and FixedPerUnit is set.
type Rule struct {
	ID           string         `json:"id"`
	SKU          string         `json:"sku,omitempty"`
	Category     string         `json:"category,omitempty"`
	Ownership    string         `json:"ownership,omitempty"` // direct, franchise, dealer
	Channel      string         `json:"channel,omitempty"`   // storeevent.ChannelStore, or an online one
	RateBps      *int64         `json:"rate_bps,omitempty"`  // of the line's base
	FixedPerUnit *int64         `json:"fixed_per_unit,omitempty"`
	Roles        map[Role]int64 `json:"roles"` // basis points of the pool
}

// weights are the rule's roles and their basis points, in the order of Roles.
func (r *Rule) weights() (roles []Role, bps []int64) {
	for _, role := range Roles {
		if w, ok := r.Roles[role]; ok {
			roles, bps = append(roles, role), append(bps, w)
		}
	}
	return roles, bps
}

// limits is how many limits the rule has.
func (r *Rule) limits() int {
	n := 0
	for _, limit := range []string{r.Ownership, r.Channel} {
		if limit != "" {
			n++
		}
	}
	return n
}

func (r *Rule) allows(ownership, channel string) bool {
	return (r.Ownership == "" || r.Ownership == ownership) && (r.Channel == "" || r.Channel == channel)
}

// rivals reports whether a line can exist that both rules match with neither of them being the more specific.
func (r *Rule) rivals(other *Rule) bool {
	disjoint := func(a, b string) bool { return a != "" && b != "" && a != b }
	return r.SKU == other.SKU && r.Category == other.Category && r.limits() == other.limits() &&
		!disjoint(r.Ownership, other.Ownership) && !disjoint(r.Channel, other.Channel)
}

// validate checks what a plan says: fault.Invalid, naming the field.
func (t Terms) validate() error {
	invalid := func(field, code, detail string, args ...any) error {
		return fault.New(fault.Invalid, code, detail, args...).At(field)
	}
	switch {
	case t.HoldDays < 0 || t.HoldDays > maxHoldDays:
		return invalid("hold_days", "invalid_hold_days", "commission is held back for 0 to %d days", maxHoldDays)
	case t.MinPayout < 0 || t.MinPayout > maxMinPayout:
		return invalid("min_payout", "invalid_min_payout", "the minimum payout is an amount from 0 to %d minor units", maxMinPayout)
	case !slices.Contains([]Fallback{ToSelling, ToShop, ToNobody}, t.Fallback):
		return invalid("fallback", "invalid_fallback", "the fallback is selling, store or none")
	case len(t.Rules) == 0:
		return invalid("rules", "no_rules", "a plan has at least one rule")
	case len(t.Rules) > maxRules:
		return invalid("rules", "too_many_rules", "a plan has at most %d rules", maxRules)
	}
	ids := make(map[string]bool, len(t.Rules))
	type target struct{ sku, category string }
	same := map[target][]int{} // rules by what they are for
	for i := range t.Rules {
		r, field := &t.Rules[i], fmt.Sprintf("rules[%d]", i)
		if err := r.validate(field); err != nil {
			return err
		}
		if ids[r.ID] {
			return invalid(field+".id", "duplicate_rule", "two rules of the plan have the same id")
		}
		ids[r.ID] = true
		to := target{r.SKU, r.Category}
		for _, j := range same[to] {
			if r.rivals(&t.Rules[j]) {
				return invalid(field, "equal_rules", "a line can match this rule and rules[%d], and neither is the more specific one", j)
			}
		}
		same[to] = append(same[to], i)
	}
	return nil
}

func (r *Rule) validate(field string) error {
	invalid := func(at, code, detail string) error {
		return fault.New(fault.Invalid, code, "%s", detail).At(field + at)
	}
	if err := ident.Check(field+".id", r.ID); err != nil {
		return err
	}
	if r.Channel != "" {
		if err := ident.Check(field+".channel", r.Channel); err != nil {
			return err
		}
	}
	switch {
	case r.SKU != "" && r.Category != "":
		return invalid("", "rule_target", "a rule is for a SKU or for a category, not for both")
	case !slices.Contains([]string{"", "direct", "franchise", "dealer"}, r.Ownership):
		return invalid(".ownership", "invalid_ownership", "the ownership is direct, franchise or dealer")
	case (r.RateBps == nil) == (r.FixedPerUnit == nil):
		return invalid("", "rate_or_fixed", "a rule has either rate_bps or fixed_per_unit")
	case r.RateBps != nil && (*r.RateBps < 0 || *r.RateBps > money.FullBps):
		return invalid(".rate_bps", "invalid_rate", "a rate is 0 to 10,000 basis points")
	case r.FixedPerUnit != nil && (*r.FixedPerUnit < 0 || *r.FixedPerUnit > maxFixedPerUnit):
		return invalid(".fixed_per_unit", "invalid_fixed_amount", "a fixed amount is 0 to 100,000,000 minor units")
	case len(r.Roles) == 0:
		return invalid(".roles", "no_roles", "a rule names at least one role")
	}
	var sum int64
	for role, bps := range r.Roles {
		if !slices.Contains(Roles, role) {
			return invalid(".roles", "unknown_role", "the roles are selling, serving, recruiting, manager and store")
		}
		if bps < 1 || bps > money.FullBps {
			return invalid(".roles", "invalid_role_share", "a role's share is 1 to 10,000 basis points")
		}
		sum += bps
	}
	if sum > money.FullBps {
		return invalid(".roles", "roles_over_pool", "the roles' shares sum to more than 10,000 basis points")
	}
	return nil
}

func (t Terms) equal(other Terms) bool { return reflect.DeepEqual(t, other) }

// rulebook is a plan prepared for look-ups.
type rulebook struct {
	*Plan
	bySKU, byCategory map[string][]*Rule // each with the most limited rules first
	defaults          []*Rule
	byID              map[string]*Rule
}

func prepare(p *Plan) *rulebook {
	b := &rulebook{Plan: p, bySKU: map[string][]*Rule{}, byCategory: map[string][]*Rule{}, byID: map[string]*Rule{}}
	for i := range p.Rules {
		r := &p.Rules[i]
		b.byID[r.ID] = r
		switch {
		case r.SKU != "":
			b.bySKU[r.SKU] = append(b.bySKU[r.SKU], r)
		case r.Category != "":
			b.byCategory[r.Category] = append(b.byCategory[r.Category], r)
		default:
			b.defaults = append(b.defaults, r)
		}
	}
	mostLimited := func(x, y *Rule) int { return cmp.Compare(y.limits(), x.limits()) }
	slices.SortStableFunc(b.defaults, mostLimited)
	for rules := range maps.Values(b.bySKU) {
		slices.SortStableFunc(rules, mostLimited)
	}
	for rules := range maps.Values(b.byCategory) {
		slices.SortStableFunc(rules, mostLimited)
	}
	return b
}

// match is the rule for a line, nil if none is: one for its SKU beats one for its category beats one for every line, and
// among these the one with more limits wins.
func (b *rulebook) match(sku, category, ownership, channel string) *Rule {
	for _, rules := range [...][]*Rule{b.bySKU[sku], b.byCategory[category], b.defaults} {
		for _, r := range rules {
			if r.allows(ownership, channel) {
				return r
			}
		}
	}
	return nil
}

// timeline is the plans of a brand by their start.
type timeline []*rulebook

func newTimeline(plans []*Plan) timeline {
	t := make(timeline, len(plans))
	for i, p := range plans {
		t[i] = prepare(p)
	}
	slices.SortFunc(t, func(x, y *rulebook) int { return cmp.Compare(x.EffectiveFrom, y.EffectiveFrom) })
	return t
}

// at is the plan in force at an instant, nil if there is none.
func (t timeline) at(i when.Instant) *rulebook {
	n, _ := slices.BinarySearchFunc(t, i, func(b *rulebook, i when.Instant) int {
		if b.EffectiveFrom <= i {
			return -1
		}
		return 1
	})
	if n == 0 {
		return nil
	}
	return t[n-1]
}

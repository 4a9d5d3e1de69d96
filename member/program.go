package member

import (
	"fmt"
	"maps"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/money"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// The programs that every brand has. A brand may add more.
const (
	ProgramOnline = "online"
	ProgramStore  = "store"
)

// programOf is the program whose card a transaction of a channel earns on: a till's the store card, any other the online one.
func programOf(channel string) string {
	if channel == storeevent.ChannelStore {
		return ProgramStore
	}
	return ProgramOnline
}

// Program is a brand's rules for one kind of card: its versions by the moment they take effect.
type Program struct {
	docdb.Doc `json:",inline"` // programID
	Versions  []Version        `json:"versions"`
}

func programID(brand, program string) string { return brand + "|" + program }

// Version is a program's rules from a moment on.
type Version struct {
	Number    int64        `json:"number"` // never given twice; entries name it
	From      when.Instant `json:"from"`
	FirstDate when.Date    `json:"first_date"` // the first date that begins (in the brand's zone) under it: tiers are judged by its thresholds from then on
	Rules     `json:",inline"`
}

// Rules are what a version says.
type Rules struct {
	Earn          Earn   `json:"earn"`
	PendingDays   int64  `json:"pending_days"`    // days after the business date until points are usable
	ExpireMonths  int64  `json:"expire_months"`   // months after the business date until points expire; 0: never
	GrowthPerUnit int64  `json:"growth_per_unit"` // growth for each Earn.Unit paid
	Tiers         []Tier `json:"tiers"`           // ascending by growth; the first has growth 0
}

// Earn says how many points a line earns: floor(PointsPerUnit × (paid − points paid) × category multiplier × tier multiplier ÷
// Unit).
type Earn struct {
	PointsPerUnit int64            `json:"points_per_unit"`
	Unit          int64            `json:"unit"`       // minor units
	Categories    map[string]int64 `json:"categories"` // multipliers; a category that is not named has 1
}

// Tier is a level of a program.
type Tier struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Growth        int64  `json:"growth"`              // reached with this growth
	MultiplierBps int64  `json:"earn_multiplier_bps"` // 10,000 = ×1
}

// Limits that keep every product within 64 bits and every page readable. Fastest is points per minor unit, with all multipliers.
const (
	maxPerUnit    = 1_000_000
	maxUnit       = 1_000_000_000
	maxMultiplier = 1_000
	maxTierBps    = 1_000_000
	maxFastest    = 1_000
	maxTiers      = 50
	maxCategories = 1_000
	maxName       = 100
	maxGrowth     = 1_000_000_000_000
	maxDays       = 3_660
	maxMonths     = 1_200
)

// check validates rules. A program without tiers gets one that everybody holds.
func (r *Rules) check() error {
	inRange := func(field string, n, low, high int64) error {
		if n < low || n > high {
			return fault.New(fault.Invalid, "out_of_range", "must be from %d to %d", low, high).At(field)
		}
		return nil
	}
	for _, err := range []error{
		inRange("earn.points_per_unit", r.Earn.PointsPerUnit, 0, maxPerUnit),
		inRange("earn.unit", r.Earn.Unit, 1, maxUnit),
		inRange("pending_days", r.PendingDays, 0, maxDays),
		inRange("expire_months", r.ExpireMonths, 0, maxMonths),
		inRange("growth_per_unit", r.GrowthPerUnit, 0, maxPerUnit),
		inRange("earn.categories", int64(len(r.Earn.Categories)), 0, maxCategories),
	} {
		if err != nil {
			return err
		}
	}
	fastest := int64(1)
	for category, times := range r.Earn.Categories {
		if err := inRange("earn.categories", times, 0, maxMultiplier); err != nil || len(category) == 0 || len(category) > maxName {
			return fault.New(fault.Invalid, "invalid_category", "a category has a name and a multiplier from 0 to %d", maxMultiplier).At("earn.categories")
		}
		fastest = max(fastest, times)
	}
	if len(r.Tiers) == 0 {
		r.Tiers = []Tier{{ID: "base", Name: "Base", MultiplierBps: money.FullBps}}
	}
	bps, err := r.checkTiers()
	if err != nil {
		return err
	}
	if fastest*bps*r.Earn.PointsPerUnit/money.FullBps > maxFastest*r.Earn.Unit {
		return fault.New(fault.Invalid, "earns_too_much", "with all multipliers this earns more than %d points per minor unit", maxFastest).At("earn")
	}
	return nil
}

// checkTiers validates the tiers and answers their largest multiplier.
func (r *Rules) checkTiers() (bps int64, err error) {
	if len(r.Tiers) > maxTiers {
		return 0, fault.New(fault.Invalid, "too_many_tiers", "a program has at most %d tiers", maxTiers).At("tiers")
	}
	names := map[string]bool{}
	for i, t := range r.Tiers {
		field := fmt.Sprintf("tiers[%d]", i)
		if err := ident.Check(field+".id", t.ID); err != nil {
			return 0, err
		}
		if !validName(t.Name) {
			return 0, fault.New(fault.Invalid, "invalid_name", "a name is at most %d printable characters", maxName).At(field + ".name")
		}
		// An import names tiers by id or name, so no two may answer to the same word.
		for _, word := range slices.Compact([]string{t.ID, t.Name}) {
			if word != "" && names[word] {
				return 0, fault.New(fault.Invalid, "tier_not_unique", "two tiers have the same id or name").At(field)
			}
			names[word] = true
		}
		switch {
		case i == 0 && t.Growth != 0:
			return 0, fault.New(fault.Invalid, "first_tier_not_zero", "the first tier is everybody's: its growth is 0").At(field + ".growth")
		case i > 0 && t.Growth <= r.Tiers[i-1].Growth:
			return 0, fault.New(fault.Invalid, "tiers_not_ascending", "each tier needs more growth than the one before").At(field + ".growth")
		case t.Growth > maxGrowth:
			return 0, fault.New(fault.Invalid, "out_of_range", "must be at most %d", int64(maxGrowth)).At(field + ".growth")
		case t.MultiplierBps < 0 || t.MultiplierBps > maxTierBps:
			return 0, fault.New(fault.Invalid, "out_of_range", "must be from 0 to %d", maxTierBps).At(field + ".earn_multiplier_bps")
		}
		bps = max(bps, t.MultiplierBps)
	}
	return bps, nil
}

func (r *Rules) equal(o *Rules) bool {
	return r.Earn.PointsPerUnit == o.Earn.PointsPerUnit && r.Earn.Unit == o.Earn.Unit && maps.Equal(r.Earn.Categories, o.Earn.Categories) &&
		r.PendingDays == o.PendingDays && r.ExpireMonths == o.ExpireMonths && r.GrowthPerUnit == o.GrowthPerUnit && slices.Equal(r.Tiers, o.Tiers)
}

// put adds rules from a moment on, 0 for now, and answers their version. Before the brand's first accepted transaction they may
// start at any moment, and replace those that started at the same one; afterwards only now or later. Saying again what is in force already
// changes nothing.
func (p *Program) put(rules Rules, from, now when.Instant, brand storeevent.Brand) (v Version, changed bool, err error) {
	if from == 0 {
		if current := p.at(now); current != nil && current.equal(&rules) {
			return *current, false, nil
		}
		from = now
	}
	i, found := slices.BinarySearchFunc(p.Versions, from, func(v Version, from when.Instant) int { return int(v.From - from) })
	if found && p.Versions[i].equal(&rules) {
		return p.Versions[i], false, nil
	}
	if from < now && brand.FirstAccepted != 0 {
		return Version{}, false, fault.New(fault.Conflict, "start_in_the_past",
			"the brand has accepted transactions: a program takes effect now or later").At("effective_from")
	}
	zone, err := zoneOf(brand)
	if err != nil {
		return Version{}, false, err
	}
	v = Version{Number: p.lastNumber() + 1, From: from, FirstDate: when.DateIn(from-1, zone, 0).Add(1), Rules: rules}
	if found {
		v.Number = p.Versions[i].Number
		p.Versions[i] = v
	} else {
		p.Versions = slices.Insert(p.Versions, i, v)
	}
	return v, true, nil
}

func (p *Program) lastNumber() (n int64) {
	for i := range p.Versions {
		n = max(n, p.Versions[i].Number)
	}
	return n
}

// at is the version in force at a moment, nil if none.
func (p *Program) at(t when.Instant) *Version {
	for i := len(p.Versions) - 1; i >= 0; i-- {
		if p.Versions[i].From <= t {
			return &p.Versions[i]
		}
	}
	return nil
}

// opening is the version whose tiers a card opened at t starts with: the one in force, else the first.
func (p *Program) opening(t when.Instant) *Version {
	if v := p.at(t); v != nil || len(p.Versions) == 0 {
		return v
	}
	return &p.Versions[0]
}

// on is the version by whose thresholds the tier of a date is judged, nil if none.
func (p *Program) on(d when.Date) *Version {
	for i := len(p.Versions) - 1; i >= 0; i-- {
		if p.Versions[i].FirstDate <= d {
			return &p.Versions[i]
		}
	}
	return nil
}

// numbered is the version with a number that an entry names.
func (p *Program) numbered(n int64) *Version {
	for i := len(p.Versions) - 1; i >= 0; i-- {
		if p.Versions[i].Number == n {
			return &p.Versions[i]
		}
	}
	return nil
}

// points are what a line earns with a tier: floor(points_per_unit × base × category multiplier × tier multiplier ÷ unit).
func (v *Version) points(base, times int64, held Step) int64 {
	return money.MulDiv(base, v.Earn.PointsPerUnit*times*v.Tiers[v.place(held)].MultiplierBps, v.Earn.Unit*money.FullBps)
}

// growth is what a line grows: floor(growth_per_unit × base ÷ unit), no multipliers.
func (v *Version) growth(base int64) int64 { return money.MulDiv(base, v.GrowthPerUnit, v.Earn.Unit) }

// times is a category's multiplier.
func (v *Version) times(category string) int64 {
	if times, ok := v.Earn.Categories[category]; ok {
		return times
	}
	return 1
}

// usable is the date on which what is earned on a date becomes usable; empty: at once.
func (v *Version) usable(d when.Date) when.Date {
	if v.PendingDays == 0 {
		return ""
	}
	return d.Add(int(v.PendingDays))
}

// expires is the first date on which what is earned on a date is no longer usable; empty: it always is.
func (v *Version) expires(d when.Date) when.Date {
	if v.ExpireMonths == 0 {
		return ""
	}
	return d.Months(int(v.ExpireMonths))
}

// tier finds a tier by id, else by name.
func (v *Version) tier(word string) (Tier, bool) {
	for _, by := range []func(Tier) string{func(t Tier) string { return t.ID }, func(t Tier) string { return t.Name }} {
		if i := slices.IndexFunc(v.Tiers, func(t Tier) bool { return by(t) == word }); i >= 0 {
			return v.Tiers[i], true
		}
	}
	return Tier{}, false
}

// reached is the position of the tier that growth reaches.
func (v *Version) reached(growth int64) int {
	i := len(v.Tiers) - 1
	for i > 0 && v.Tiers[i].Growth > growth {
		i--
	}
	return i
}

// place is where a held tier stands in this version: under its id, else where its threshold would.
func (v *Version) place(held Step) int {
	if i := slices.IndexFunc(v.Tiers, func(t Tier) bool { return t.ID == held.Tier }); i >= 0 {
		return i
	}
	return v.reached(held.Growth)
}

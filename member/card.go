package member

import (
	"slices"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// Card is what a member holds of one program of a brand: the balance of its ledger, and the tier it has had since when.
type Card struct {
	docdb.Doc `json:",inline"` // cardID
	At        when.Instant     `json:"at"`      // since when it is the member's
	Seq       int64            `json:"seq"`     // entries so far
	Balance   int64            `json:"balance"` // points, pending ones included; may be negative
	Pending   []Due            `json:"pending"` // points of Balance that are not usable yet, by date; past dates may still be listed
	Growth    int64            `json:"growth"`
	Steps     []Step           `json:"steps"`   // the tiers held, oldest first; the first from the card's start
	Through   when.Date        `json:"through"` // Steps are worked out for every date up to this one
	Last      when.Date        `json:"last"`    // the greatest date that an entry depends on: an event of an earlier date is late
}

// Due is points that become usable on a date.
type Due struct {
	On     when.Date `json:"on"`
	Points int64     `json:"points"`
}

// Step is the tier held from the start of a business date on; the threshold it had then places it in versions that lack it.
type Step struct {
	From   when.Date `json:"from"`
	Tier   string    `json:"tier"`
	Growth int64     `json:"growth"`
}

// cardID is readable, begins with the member and is the id's only form, so that a second card of a program cannot exist.
func cardID(member, brand, program string) string { return member + "|" + brand + "|" + program }

// owner is the member, brand and program in a card's id.
func owner(card string) (member, brand, program string) {
	member, rest, _ := strings.Cut(card, "|")
	brand, program, _ = strings.Cut(rest, "|")
	return member, brand, program
}

// tierOn is the tier held at the start of a date up to c.Through.
func (c *Card) tierOn(d when.Date) Step {
	i := len(c.Steps) - 1
	for i > 0 && c.Steps[i].From > d {
		i--
	}
	return c.Steps[i]
}

// shown is the tier shown on a date: also one that is reached already and earns from the next business date only.
func (c *Card) shown(p *Program, today when.Date) Step {
	seen := Card{Growth: c.Growth, Steps: slices.Clone(c.Steps), Through: c.Through}
	seen.settle(p, today)
	seen.reach(p.on(seen.Through), seen.Through, seen.Growth) // a card older than its program has had no tier so far
	return seen.Steps[len(seen.Steps)-1]
}

// settle works the tiers out up to a date, with the growth as it stands: versions that begin until then judge it anew.
func (c *Card) settle(p *Program, d when.Date) {
	if d <= c.Through {
		return
	}
	c.judge(p, c.Growth, c.Through, d)
	c.Through = d
}

// grown is growth by business date.
type grown struct {
	date   when.Date
	growth int64
}

// retier works the tiers out anew for the dates after d, where growth has changed. later is the growth on dates after d, in
// order of date. A date's tier follows from the growth at the end of the date before; tiers do not fall.
func (c *Card) retier(p *Program, d when.Date, later []grown) {
	keep := len(c.Steps)
	for keep > 1 && c.Steps[keep-1].From > d {
		keep--
	}
	c.Steps = c.Steps[:keep:keep]
	growth := c.Growth
	for _, g := range later {
		growth -= g.growth
	}
	next := d.Add(1)
	c.reach(p.on(next), next, growth)
	settled := next
	for _, g := range later {
		c.judge(p, growth, settled, g.date)
		settled = max(settled, g.date)
		growth += g.growth
		next = g.date.Add(1)
		c.reach(p.on(next), next, growth)
		settled = max(settled, next)
	}
	c.judge(p, growth, settled, c.Through)
	c.Through = max(c.Through, settled)
}

// judge lets the versions whose first date lies in (after, through] look at a growth that did not change in that time.
func (c *Card) judge(p *Program, growth int64, after, through when.Date) {
	for i := range p.Versions {
		if v := &p.Versions[i]; v.FirstDate > after && v.FirstDate <= through {
			c.reach(p.on(v.FirstDate), v.FirstDate, growth)
		}
	}
}

// reach raises the tier, from the start of a date, to the one that the growth at the end of the date before reaches. A version
// that lacks the tier held so far puts one of its own in its place.
func (c *Card) reach(v *Version, d when.Date, growth int64) {
	if v == nil {
		return
	}
	last := len(c.Steps) - 1
	held := c.Steps[last]
	tier := v.Tiers[max(v.place(held), v.reached(growth))]
	switch {
	case tier.ID == held.Tier:
	case held.From == d && last > 0:
		c.Steps[last] = Step{From: d, Tier: tier.ID, Growth: tier.Growth}
	default:
		c.Steps = append(c.Steps, Step{From: d, Tier: tier.ID, Growth: tier.Growth})
	}
}

// add books points that became usable, or do, on a date (empty: at once).
func (c *Card) add(points int64, usable when.Date) {
	c.Balance += points
	if usable == "" || points == 0 {
		return
	}
	i, found := slices.BinarySearchFunc(c.Pending, usable, func(d Due, on when.Date) int { return strings.Compare(string(d.On), string(on)) })
	if !found {
		c.Pending = slices.Insert(c.Pending, i, Due{On: usable})
	}
	if c.Pending[i].Points += points; c.Pending[i].Points == 0 {
		c.Pending = slices.Delete(c.Pending, i, i+1)
	}
}

// usable splits the balance on a date into what can be spent and what is pending. A debt is refilled first by whatever is
// earned, so while it lasts nothing is pending.
func (c *Card) usable(today when.Date) (available, pending int64) {
	for _, d := range c.Pending {
		if d.On > today {
			pending += d.Points
		}
	}
	pending = max(0, min(pending, c.Balance))
	return c.Balance - pending, pending
}

// prune forgets dates that are past everywhere.
func (c *Card) prune(past when.Date) {
	c.Pending = slices.DeleteFunc(c.Pending, func(d Due) bool { return d.On <= past })
}

package guide

import (
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
)

// colleague is a guide as a candidate for a member of one brand.
type colleague struct {
	*Guide
	load *load  // of that brand
	why  string // she is no candidate; empty: she is one
}

// Notes of candidates that were not chosen.
const (
	noteNoGuide = "no_guide" // a store where nobody works
	noteOffDuty = "off_duty"
	noteNoRoom  = "no_room"
	noteLessApt = "higher_load"
	noteManager = "manager" // managers serve no members unless their capacity says so
	noteNoStore = "unknown_or_not_carried"
)

// choose picks the guide of a store who gets the next member of a brand: the lowest ratio of members to capacity among those
// on duty with room; if nobody is on duty, among all with room; ties by fewest assignments so far, then by id. limited is whether capacity
// counts (a fallback store takes everybody). It answers nil if nobody has room, and what it saw, with why not, either way.
func choose(store string, distanceM int64, staff []colleague, limited bool) (*colleague, []guideevent.Candidate) {
	onDuty := false
	for i := range staff {
		onDuty = onDuty || staff[i].why == "" && staff[i].OnDuty
	}
	var best *colleague
	seen := make([]guideevent.Candidate, 0, max(1, len(staff)))
	for i := range staff {
		c := &staff[i]
		note := c.why
		switch {
		case note != "":
		case onDuty && !c.OnDuty:
			note = noteOffDuty
		case limited && c.load.Members >= c.Capacity:
			note = noteNoRoom
		case best == nil || c.before(best):
			best = c
		}
		seen = append(seen, guideevent.Candidate{Store: store, DistanceM: distanceM, Guide: c.ID, Load: c.load.Members, Capacity: c.Capacity, Note: note})
	}
	for i := range seen {
		if seen[i].Note == "" && seen[i].Guide != best.ID {
			seen[i].Note = noteLessApt
		}
	}
	if len(staff) == 0 {
		seen = append(seen, guideevent.Candidate{Store: store, DistanceM: distanceM, Note: noteNoGuide})
	}
	return best, seen
}

// before reports whether c is to get the next member rather than d.
func (c *colleague) before(d *colleague) bool {
	// members ÷ capacity without dividing; a capacity of 0 counts as 1 (a fallback store's guides may have none).
	left, right := c.load.Members*max(1, d.Capacity), d.load.Members*max(1, c.Capacity)
	switch {
	case left != right:
		return left < right
	case c.load.Assigned != d.load.Assigned:
		return c.load.Assigned < d.load.Assigned
	default:
		return c.ID < d.ID
	}
}

// barred says why a guide may not be given members of a brand now, in a store where one is named; empty: she may.
func (g *Guide) barred(brand, store string, now when.Instant) string {
	term := g.at(now)
	switch {
	case term == nil:
		return whyEmployment
	case store != "" && term.Store != store:
		return whyStore
	case !term.covers(brand):
		return whyAuthority
	case !g.serves(term.Role):
		return noteManager
	}
	return ""
}

package guide

import (
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
)

// colleague is a guide as a candidate for a member of one brand: with her load of that brand.
type colleague struct {
	*Guide
	load *load
}

// Notes of candidates that were not chosen.
const (
	noteNoGuide   = "no_guide" // a store where nobody is authorised for the brand
	noteOffDuty   = "off_duty"
	noteNoRoom    = "no_room"
	noteLessApt   = "higher_load"
	noteNotOurs   = "not_employed_or_authorised"
	noteNoStore   = "unknown_or_not_carried"
	noteOutOfArea = "outside_service_area"
)

// choose picks the guide of a store who gets the next member of a brand: the lowest ratio of members to capacity among those
// on duty with room; if nobody is on duty, among all with room; ties by fewest assignments so far, then by id. limited is whether capacity
// counts (a fallback store takes everybody). It answers nil if nobody has room, and what it saw either way.
func choose(store string, distanceM int64, staff []colleague, limited bool) (*colleague, []guideevent.Candidate) {
	onDuty := false
	for i := range staff {
		onDuty = onDuty || staff[i].OnDuty
	}
	var best *colleague
	seen := make([]guideevent.Candidate, 0, max(1, len(staff)))
	for i := range staff {
		c := &staff[i]
		note := ""
		switch {
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

// eligible reports whether a guide may be given members of a brand now.
func (g *Guide) eligible(brand, store string, now when.Instant) bool {
	term := g.at(now)
	return term != nil && term.covers(brand) && (store == "" || term.Store == store) && g.serves(term.Role)
}

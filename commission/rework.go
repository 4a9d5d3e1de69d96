package commission

import (
	"fmt"

	"scrm/store/storeevent"
)

// rework works the entries of a booked line out again from what is pinned: its plan and, where it takes back a sale's line, the
// sale's booking (nil otherwise). It fails where the pinned facts contradict each other.
func (b *Booking) rework(p *Part, l *Line, plan *rulebook, sale *Booking) ([]RoleShare, error) {
	if p.Sale != "" {
		return l.reworkTaken(p, sale)
	}
	rule := plan.match(l.SKU, l.Category, b.Ownership, b.Channel)
	if rule == nil || rule.ID != l.Rule {
		return nil, fmt.Errorf("commission: line %d of %s is not booked by the rule that is for it", l.Line, b.ID)
	}
	if pool := rule.pool(l); pool != l.Pool {
		return nil, fmt.Errorf("commission: line %d of %s has a pool of %d and should have %d", l.Line, b.ID, l.Pool, pool)
	}
	shares := rule.split(l.Pool)
	if b.Kind == storeevent.Return {
		for i := range shares {
			shares[i].Figure = -shares[i].Figure
		}
	}
	return shares, nil
}

func (l *Line) reworkTaken(p *Part, sale *Booking) ([]RoleShare, error) {
	if sale == nil {
		return nil, fmt.Errorf("commission: sale %s is not booked, and part of it is taken back", p.Sale)
	}
	_, sold := sale.part(l.Of)
	if sold == nil || l.Before < 0 || l.After < l.Before || l.After > sold.Whole() {
		return nil, fmt.Errorf("commission: what is taken back of line %d of %s is no part of it", l.Of, p.Sale)
	}
	return takenOf(sold.Shares, l.Before, l.After, sold.Whole()), nil
}

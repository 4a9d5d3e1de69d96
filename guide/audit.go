package guide

import (
	"context"
	"fmt"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb"
)

// Audit checks what the domain adds to E8: a member has one binding at a time for each brand, without gaps, and a guide's load is
// the number of current bindings that name her.
func (s *Service) Audit(ctx context.Context) ([]audit.Check, error) {
	check := audit.New("E8", "guide: one binding at a time per member and brand, and loads = current bindings")
	current := map[string]int64{}
	for b, err := range s.repo.bindings.Each(ctx, s.deps.DB, docdb.Query{}) {
		if err != nil {
			return nil, fmt.Errorf("guide: audit: %w", err)
		}
		check.Figures["bindings_current"]++
		check.Figures["bindings_ever"] += int64(len(b.History))
		for i := range b.History {
			last := i == len(b.History)-1
			if to := b.History[i].To; last != (to == 0) || !last && to != b.History[i+1].From {
				check.Fail("bindings overlap or leave a gap: " + b.ID)
			}
		}
		if c := b.current(); c.Guide != b.Guide || c.Store != b.Store {
			check.Fail("the current binding is not the last one: " + b.ID)
		}
		if b.Guide != "" {
			_, brand := b.owner()
			current[loadID(b.Guide, brand)]++
			check.Figures["bindings_with_guide"]++
		}
	}
	for l, err := range s.repo.loads.Each(ctx, s.deps.DB, docdb.Query{}) {
		if err != nil {
			return nil, fmt.Errorf("guide: audit: %w", err)
		}
		check.Figures["loads"] += l.Members
		if l.Members != current[l.ID] {
			check.Fail("a load is not the number of bindings: " + l.ID)
		}
		delete(current, l.ID)
	}
	for id := range current {
		check.Fail("a load is missing: " + id)
	}
	return []audit.Check{*check}, nil
}

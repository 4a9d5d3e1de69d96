package guide

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb"
)

// Audit checks what the domain adds to E8: a member has one binding at a time for each brand, without gaps, and a guide's load is
// the number of current bindings that name her.
func (s *Service) Audit(ctx context.Context) ([]audit.Check, error) {
	check := audit.New("E8", "guide: one binding at a time per member and brand, and loads = current bindings")
	current := map[string]int64{}
	var suspects []string
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
			current[loadID(b.Guide, b.Brand)]++
			check.Figures["bindings_with_guide"]++
		}
	}
	for l, err := range s.repo.loads.Each(ctx, s.deps.DB, docdb.Query{}) {
		if err != nil {
			return nil, fmt.Errorf("guide: audit: %w", err)
		}
		check.Figures["loads"] += l.Members
		if l.Members != current[l.ID] {
			suspects = append(suspects, l.ID)
		}
		delete(current, l.ID)
	}
	suspects = slices.AppendSeq(suspects, maps.Keys(current))
	for _, id := range suspects {
		ok, err := s.loadCounts(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("guide: audit: %w", err)
		}
		if !ok {
			check.Fail("a load is not the number of bindings: " + id)
		}
	}
	return []audit.Check{*check}, nil
}

// loadCounts compares a load with the bindings in one transaction: members may have been assigned between the reading of both.
func (s *Service) loadCounts(ctx context.Context, id string) (ok bool, err error) {
	guide, brand, _ := strings.Cut(id, "|")
	err = s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		found, err := s.repo.loads.GetMany(ctx, tx, id)
		if err != nil {
			return err
		}
		var members int64
		for b, err := range s.repo.bindings.Each(ctx, tx, docdb.Query{Index: "guide", Eq: []any{guide}}) {
			if err != nil {
				return err
			}
			if b.Brand == brand {
				members++
			}
		}
		ok = found[id] != nil && found[id].Members == members
		return nil
	})
	return ok, err
}

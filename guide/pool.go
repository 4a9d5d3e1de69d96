package guide

import (
	"context"
	"fmt"

	"scrm/gateway/kit/docdb"
)

// poolBatch is how many members of a pool are given out in one storage transaction.
const poolBatch = 500

// drain gives the members in the pools of a guide's store out, as far as somebody there has room. What it does not come to, the
// next change in the store does, so that an error is for the log only.
func (s *Service) drain(ctx context.Context, g *Guide) {
	term := g.at(s.deps.Clock.Now())
	if term == nil {
		return
	}
	for _, brand := range term.Brands {
		for more := true; more; {
			err := s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) (err error) {
				more, err = s.giveOut(ctx, tx, term.Store, brand)
				return err
			})
			if err != nil {
				s.deps.Log.Warn("a store's pool is not given out", "store", term.Store, "brand", brand, "error", fmt.Errorf("guide: %w", err))
				return
			}
			s.outbox.Wake()
		}
	}
}

// giveOut gives a batch of a pool's members to the store's guides, and says whether there may be more.
func (s *Service) giveOut(ctx context.Context, tx docdb.Session, store, brand string) (more bool, err error) {
	page, err := s.repo.bindings.Find(ctx, tx, docdb.Query{Index: "store_brand_guide", Eq: []any{store, brand, ""}, Limit: poolBatch})
	if err != nil || len(page.Items) == 0 {
		return false, err
	}
	r := s.newRound(tx)
	more = page.Next != ""
	for _, b := range page.Items {
		staff, err := r.staff(ctx, store, brand)
		if err != nil {
			return false, err
		}
		next := Binding{Store: store, DistanceM: b.current().DistanceM, Reason: ReasonFromPool}
		if b.current().provisional() { // it stays so; a fallback store takes everybody
			next.Reason = ReasonFallback
		}
		var best *colleague
		best, next.Candidates = choose(store, next.DistanceM, staff, !next.provisional())
		if best == nil {
			more = false
			continue
		}
		next.Guide = best.ID
		if err := r.again(ctx, b, next); err != nil {
			return false, err
		}
	}
	return more, r.save(ctx)
}

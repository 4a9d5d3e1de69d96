package guide

import (
	"context"
	"fmt"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
)

// handoverBatch is how many members are handed over in one storage transaction.
const handoverBatch = 500

// Handover says who serves the members of a guide who left.
type Handover struct {
	Guide   string           `json:"guide"`
	LeftAt  when.Instant     `json:"left_at"`
	Members int64            `json:"members"`  // handed over by this call
	ToGuide map[string]int64 `json:"to_guide"` // by guide
	ToPool  int64            `json:"to_pool"`  // nobody within reach had room
}

// Leave ends a guide's employment at a moment (0: now) and hands her members over by the rule of assignment, starting in her store.
// What she sold stays hers. Asking again goes on with a handover that was interrupted. Errors: fault.NotFound "unknown_guide",
// fault.Invalid "leave_not_now" for a moment after now, or before now once one of her brands has accepted transactions.
func (s *Service) Leave(ctx context.Context, id string, at when.Instant) (Handover, error) {
	now := s.deps.Clock.Now()
	if at == 0 {
		at = now
	}
	err := s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		g, err := s.guide(ctx, tx, id)
		if err != nil || g.LeftAt != 0 {
			return err
		}
		started, err := s.carried(ctx, g.Last().Store, g.Last().Brands)
		if err != nil {
			return err
		}
		if at > now || started && at < now || at < g.Last().From {
			return fault.New(fault.Invalid, "leave_not_now", "a guide leaves when it is said: not later, and not earlier once a brand of hers has accepted transactions").At("at")
		}
		g.LeftAt, g.Leaving, g.OnDuty = at, true, false
		p, err := s.post(ctx, tx, g.Last().Store)
		if err != nil {
			return err
		}
		p.leave(id, at)
		return s.saveStaff(ctx, tx, g, p)
	})
	if err != nil {
		return Handover{}, err
	}
	return s.handOver(ctx, id)
}

// Resume goes on with the handovers that an earlier process did not finish.
func (s *Service) Resume(ctx context.Context) error {
	for g, err := range s.repo.guides.Each(ctx, s.deps.DB, docdb.Query{Index: "leaving", Eq: []any{true}}) {
		if err != nil {
			return fmt.Errorf("guide: resume: %w", err)
		}
		if _, err := s.handOver(ctx, g.ID); err != nil {
			return err
		}
	}
	return nil
}

// handOver assigns the members of a guide who has left, a batch at a time: a batch's members are not hers any more, so that an
// interrupted handover goes on with the rest.
func (s *Service) handOver(ctx context.Context, id string) (Handover, error) {
	g, err := s.Guide(ctx, id)
	if err != nil {
		return Handover{}, err
	}
	h := Handover{Guide: id, LeftAt: g.LeftAt, ToGuide: map[string]int64{}}
	for g.Leaving {
		var batch []guideevent.Assignment
		err := s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
			batch = nil
			page, err := s.repo.bindings.Find(ctx, tx, docdb.Query{Index: "guide", Eq: []any{id}, Limit: handoverBatch})
			if err != nil {
				return err
			}
			r := s.newRound(tx)
			for _, b := range page.Items {
				if err := r.moveOn(ctx, b, g.Last().Store); err != nil {
					return err
				}
				batch = append(batch, b.assignment())
			}
			if len(batch) == 0 {
				if g, err = s.guide(ctx, tx, id); err != nil {
					return err
				}
				g.Leaving = false
				return s.repo.guides.SaveMany(ctx, tx, []*Guide{g})
			}
			return r.save(ctx)
		})
		if err != nil {
			return h, fmt.Errorf("guide: hand over: %w", err)
		}
		s.outbox.Wake()
		for _, a := range batch {
			h.Members++
			if a.Guide == "" {
				h.ToPool++
			} else {
				h.ToGuide[a.Guide]++
			}
		}
	}
	return h, nil
}

// moveOn assigns a member again, starting in a store.
func (r *round) moveOn(ctx context.Context, b *bindings, store string) error {
	member, brand := b.owner()
	next, _, err := r.place(ctx, &memberevent.Joined{Member: member, Brand: brand, Store: store})
	if err != nil {
		return err
	}
	return r.again(ctx, b, next)
}

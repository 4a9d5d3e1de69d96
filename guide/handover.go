package guide

import (
	"context"
	"fmt"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/member/memberevent"
)

// handoverBatch is how many members are handed over in one storage transaction.
const handoverBatch = 500

// Handover says who serves the members of a guide who left.
type Handover struct {
	docdb.Doc `json:",inline"` // the guide's id
	LeftAt    when.Instant     `json:"left_at"`
	Members   int64            `json:"members"`  // handed over so far
	ToGuide   map[string]int64 `json:"to_guide"` // by guide
	ToPool    int64            `json:"to_pool"`  // nobody within reach had room
}

// clockSkew is by how much the clock of who says when a guide leaves may be ahead.
const clockSkew = 5 * time.Minute

// Leave ends a guide's employment at a moment (0: now) and hands her members over by the rule of assignment, starting in her store.
// What she sold stays hers. The moment may lie in the past while none of her brands has accepted a transaction; afterwards an
// earlier one counts as now. Asking again goes on with a handover that was interrupted, and answers what has been handed over in all.
// Errors: fault.NotFound "unknown_guide", fault.Invalid "leave_later" for a moment after now, fault.Invalid "leave_before_start".
func (s *Service) Leave(ctx context.Context, id string, at when.Instant) (*Handover, error) {
	now := s.deps.Clock.Now()
	if at > now.Add(clockSkew) {
		return nil, fault.New(fault.Invalid, "leave_later", "a guide leaves when it is said, not later").At("at")
	}
	if at == 0 || at > now {
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
		if started {
			at = now
		}
		if at < g.Last().From {
			return fault.New(fault.Invalid, "leave_before_start", "she started where she works now after that moment").At("at")
		}
		g.LeftAt, g.Leaving, g.OnDuty = at, true, false
		p, err := s.post(ctx, tx, g.Last().Store)
		if err != nil {
			return err
		}
		p.leave(id, at)
		if err := s.closeLoads(ctx, tx, g); err != nil {
			return err
		}
		if err := s.repo.handovers.Insert(ctx, tx, &Handover{Doc: docdb.Doc{ID: id}, LeftAt: at, ToGuide: map[string]int64{}}); err != nil {
			return err
		}
		return s.saveStaff(ctx, tx, g, p)
	})
	if err != nil {
		return nil, err
	}
	return s.handOver(ctx, id)
}

// closeLoads writes the load documents of a guide who leaves, as they are: an assignment to her that has read her as employed and
// is not committed yet fails by it, and is decided again. So none comes after the handover.
func (s *Service) closeLoads(ctx context.Context, tx docdb.Session, g *Guide) error {
	ids := map[string]bool{}
	for _, t := range g.Terms {
		for _, brand := range t.Brands {
			ids[loadID(g.ID, brand)] = true
		}
	}
	found, err := s.repo.loads.GetMany(ctx, tx, docdb.IDs(ids)...)
	if err != nil {
		return err
	}
	var loads []*load
	for _, id := range docdb.IDs(ids) {
		l := found[id]
		if l == nil {
			l = &load{Doc: docdb.Doc{ID: id}}
		}
		loads = append(loads, l)
	}
	return s.repo.loads.SaveMany(ctx, tx, loads)
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
func (s *Service) handOver(ctx context.Context, id string) (*Handover, error) {
	for {
		var sum *Handover
		var leaving bool
		err := s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) (err error) {
			sum, leaving, err = s.handOverBatch(ctx, tx, id)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("guide: hand over: %w", err)
		}
		s.outbox.Wake()
		if !leaving {
			return sum, nil
		}
	}
}

func (s *Service) handOverBatch(ctx context.Context, tx docdb.Session, id string) (sum *Handover, leaving bool, err error) {
	g, err := s.guide(ctx, tx, id)
	if err != nil {
		return nil, false, err
	}
	if sum, err = s.repo.handovers.Get(ctx, tx, id); err != nil || !g.Leaving {
		return sum, false, err
	}
	page, err := s.repo.bindings.Find(ctx, tx, docdb.Query{Index: "guide", Eq: []any{id}, Limit: handoverBatch})
	if err != nil {
		return nil, false, err
	}
	r := s.newRound(tx)
	for _, b := range page.Items {
		if err := r.moveOn(ctx, b, g.Last().Store); err != nil {
			return nil, false, err
		}
		sum.Members++
		if b.Guide == "" {
			sum.ToPool++
		} else {
			sum.ToGuide[b.Guide]++
		}
	}
	if g.Leaving = len(page.Items) == handoverBatch; !g.Leaving {
		if err := s.repo.guides.SaveMany(ctx, tx, []*Guide{g}); err != nil {
			return nil, false, err
		}
	}
	if err := s.repo.handovers.SaveMany(ctx, tx, []*Handover{sum}); err != nil {
		return nil, false, err
	}
	return sum, g.Leaving, r.save(ctx)
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

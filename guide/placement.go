package guide

import (
	"context"

	"scrm/gateway/kit/fault"
	"scrm/geo"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// place finds a store and a guide, with why; From is the caller's to set. The guide is nil in a pool.
func (r *round) place(ctx context.Context, j *memberevent.Joined) (Binding, *Guide, error) {
	brand, err := r.deps.Stores.Brand(ctx, j.Brand)
	if err != nil {
		return Binding{}, nil, err
	}
	p := placement{round: r, brand: brand, named: j.Store}
	located := j.Lat != nil && j.Lng != nil
	if j.RecruitingGuide != "" {
		if err := p.recruiter(ctx, j.RecruitingGuide, located); p.chosen != nil || err != nil {
			return p.Binding, p.chosen, err
		}
	}
	from, named, err := p.start(ctx)
	if err != nil || p.chosen != nil {
		return p.Binding, p.chosen, err
	}
	if !named && located {
		from = geo.Point{Lat: *j.Lat, Lng: *j.Lng}
	}
	if named || located {
		if err := p.near(ctx, from); err != nil || p.chosen != nil {
			return p.Binding, p.chosen, err
		}
	}
	return p.Binding, p.chosen, p.last(ctx)
}

// placement is the search for one member.
type placement struct {
	*round
	Binding // what it comes to
	brand   storeevent.Brand
	named   string // the store to start with
	full    string // the first store looked at that serves the brand: its pool takes those whom nobody has room for
	fullM   int64
	chosen  *Guide
}

// try looks for room in a store.
func (p *placement) try(ctx context.Context, store string, distanceM int64, reason string, limited bool) (bool, error) {
	staff, err := p.staff(ctx, store, p.brand.ID)
	if err != nil {
		return false, err
	}
	best, seen := choose(store, distanceM, staff, limited)
	if best != nil || len(p.Candidates) < maxCandidates {
		p.Candidates = append(p.Candidates, seen...)
	}
	if best == nil {
		return false, nil
	}
	p.take(best.Guide, store, distanceM, reason)
	return true, nil
}

func (p *placement) take(g *Guide, store string, distanceM int64, reason string) {
	p.chosen = g
	p.Store, p.Guide, p.DistanceM, p.Reason = store, g.ID, distanceM, reason
}

// recruiter gives the member to the guide whose code brought them, on duty or not, if she still works for the brand and has room.
// If she is full and nothing else says where the member is, the search starts in her store.
func (p *placement) recruiter(ctx context.Context, id string, located bool) error {
	if _, known := p.guides[id]; !known {
		if err := p.readGuides(ctx, id); err != nil {
			return err
		}
	}
	seen := guideevent.Candidate{Guide: id, DistanceM: -1, Note: whyUnknown}
	g := p.guides[id]
	if g != nil {
		seen.Note = g.barred(p.brand.ID, "", p.now)
	}
	if seen.Note != "" {
		p.Candidates = append(p.Candidates, seen)
		return nil
	}
	l, err := p.load(ctx, id, p.brand.ID)
	if err != nil {
		return err
	}
	seen.Store, seen.Load, seen.Capacity = g.at(p.now).Store, l.Members, g.Capacity
	if l.Members < g.Capacity {
		p.take(g, seen.Store, -1, ReasonRecruiting)
	} else {
		seen.Note = noteNoRoom
		if p.named == "" && !located {
			p.named = seen.Store
		}
	}
	p.Candidates = append(p.Candidates, seen)
	return nil
}

// start looks for room in the named store, and says where it lies for those who have to look further.
func (p *placement) start(ctx context.Context) (from geo.Point, named bool, err error) {
	if p.named == "" {
		return from, false, nil
	}
	st, err := p.deps.Stores.Store(ctx, p.named)
	_, carried := st.Brands[p.brand.ID]
	if fault.Is(err, fault.NotFound) || err == nil && !carried {
		p.Candidates = append(p.Candidates, guideevent.Candidate{Store: p.named, DistanceM: -1, Note: noteNoStore})
		p.named = ""
		return from, false, nil
	}
	if err != nil {
		return from, false, err
	}
	p.full, p.fullM = p.named, -1
	_, err = p.try(ctx, p.named, -1, ReasonNamed, true)
	return geo.Point{Lat: st.Lat, Lng: st.Lng}, true, err
}

// near looks for room in the stores within reach, nearest first.
func (p *placement) near(ctx context.Context, from geo.Point) error {
	query := geo.Query{Brand: p.brand.ID, From: from, K: firstLook, MaxM: float64(p.brand.MaxAssignM), Serving: true}
	looked := map[string]bool{p.named: true} // by store: stores may move or close between two looks
	for {
		hits := p.deps.Nearest.Nearest(query)
		if err := p.readStaff(ctx, hits); err != nil {
			return err
		}
		for _, hit := range hits {
			if looked[hit.Store] {
				continue
			}
			looked[hit.Store] = true
			reason, distance := ReasonNext, int64(hit.DistanceM+0.5)
			if p.full == "" {
				reason, p.full, p.fullM = ReasonNearest, hit.Store, distance
			}
			if done, err := p.try(ctx, hit.Store, distance, reason, true); done || err != nil {
				return err
			}
		}
		if len(hits) < query.K {
			return nil
		}
		query.K *= lookFurther
	}
}

// readStaff reads at once who works in stores that are about to be looked at.
func (p *placement) readStaff(ctx context.Context, hits []geo.Hit) error {
	if len(hits) == 1 {
		return nil
	}
	var stores, guides []string
	for _, hit := range hits {
		if _, known := p.posts[hit.Store]; !known {
			stores = append(stores, hit.Store)
		}
	}
	if err := p.readPosts(ctx, stores...); err != nil {
		return err
	}
	for _, store := range stores {
		for _, id := range p.staffOf(store) {
			if _, known := p.guides[id]; !known {
				guides = append(guides, id)
			}
		}
	}
	return p.readGuides(ctx, guides...)
}

// last is for members whom nobody has room for: the pool of the first store looked at, else the brand's fallback store.
func (p *placement) last(ctx context.Context) error {
	if p.full != "" {
		p.Store, p.DistanceM, p.Reason = p.full, p.fullM, ReasonPool
		return nil
	}
	p.DistanceM, p.Reason = -1, ReasonNone
	if p.brand.FallbackStore == "" {
		return nil
	}
	p.Store, p.Reason = p.brand.FallbackStore, ReasonFallback
	_, err := p.try(ctx, p.brand.FallbackStore, -1, ReasonFallback, false)
	return err
}

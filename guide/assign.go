package guide

import (
	"context"
	"fmt"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/geo"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

const (
	firstLook     = 1  // nearest stores looked at first, which mostly has room …
	lookFurther   = 10 // … and by how many times more, while all of them are full
	maxCandidates = 60 // kept in an explanation
)

// Assign gives each new member of a brand a store and a guide, in order, and answers the bindings. A member who has one for the
// brand keeps it, and it is the answer, so asking again is harmless; only one whom no store was in reach of is assigned again where a
// location is given. Errors: fault.NotFound "unknown_brand".
//
// The order is: the recruiting guide; the named store; the nearest open store of the brand within its greatest distance, inside
// whose service area the point lies. Where nobody there has room: the next store within reach, else the pool of the first one.
// Where no store is in reach: the brand's fallback store, which takes everybody.
func (s *Service) Assign(ctx context.Context, joins []memberevent.Joined) ([]guideevent.Assignment, error) {
	answers := make([]guideevent.Assignment, len(joins))
	err := s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		r := s.newRound(tx)
		if err := r.prefetch(ctx, joins); err != nil {
			return err
		}
		for i := range joins {
			j := &joins[i]
			b := r.bindings[bindingsID(j.Member, j.Brand)]
			var err error
			switch {
			case b == nil:
				b, err = r.first(ctx, j)
			case b.current().provisional() && j.Lat != nil:
				err = r.settle(ctx, b, &memberevent.Joined{Lat: j.Lat, Lng: j.Lng})
			}
			if err != nil {
				return err
			}
			answers[i] = b.assignment()
		}
		return r.save(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("guide: assign: %w", err)
	}
	s.outbox.Wake()
	return answers, nil
}

// round is the state that a batch of assignments is decided on, read in its transaction as far as it is needed, and what
// they change of it.
type round struct {
	*Service
	tx       docdb.Session
	now      when.Instant
	bindings map[string]*bindings
	posts    map[string]*post // nil: nobody ever worked there
	guides   map[string]*Guide
	loads    map[string]*load

	bound    []*bindings // made or changed
	counted  map[string]*load
	unplaced map[string]bool // of those bound: whether provisionally
}

func (s *Service) newRound(tx docdb.Session) *round {
	return &round{
		Service: s, tx: tx, now: s.deps.Clock.Now(), bindings: map[string]*bindings{}, posts: map[string]*post{}, guides: map[string]*Guide{},
		loads: map[string]*load{}, counted: map[string]*load{}, unplaced: map[string]bool{},
	}
}

// prefetch reads at once what most of the batch needs: the bindings there are, and the staff of the named stores.
func (r *round) prefetch(ctx context.Context, joins []memberevent.Joined) error {
	ids := make([]string, 0, len(joins))
	stores, recruiters := map[string]bool{}, map[string]bool{}
	brands := map[string][]string{} // by store
	for i := range joins {
		j := &joins[i]
		ids = append(ids, bindingsID(j.Member, j.Brand))
		if j.Store != "" {
			stores[j.Store] = true
			if !slices.Contains(brands[j.Store], j.Brand) {
				brands[j.Store] = append(brands[j.Store], j.Brand)
			}
		}
		if j.RecruitingGuide != "" {
			recruiters[j.RecruitingGuide] = true
		}
	}
	var err error
	if r.bindings, err = r.repo.bindings.GetMany(ctx, r.tx, ids...); err != nil {
		return err
	}
	if err := r.readPosts(ctx, docdb.IDs(stores)...); err != nil {
		return err
	}
	var loads []string
	for store := range stores {
		for _, g := range r.staffOf(store) {
			recruiters[g] = true
			for _, brand := range brands[store] {
				loads = append(loads, loadID(g, brand))
			}
		}
	}
	if err := r.readGuides(ctx, docdb.IDs(recruiters)...); err != nil {
		return err
	}
	return r.readLoads(ctx, loads...)
}

func (r *round) readPosts(ctx context.Context, stores ...string) error {
	found, err := r.repo.posts.GetMany(ctx, r.tx, stores...)
	for _, id := range stores {
		r.posts[id] = found[id]
	}
	return err
}

func (r *round) readGuides(ctx context.Context, ids ...string) error {
	found, err := r.repo.guides.GetMany(ctx, r.tx, ids...)
	for _, id := range ids {
		r.guides[id] = found[id]
	}
	return err
}

func (r *round) readLoads(ctx context.Context, ids ...string) error {
	found, err := r.repo.loads.GetMany(ctx, r.tx, ids...)
	for _, id := range ids {
		if r.loads[id] = found[id]; found[id] == nil {
			r.loads[id] = &load{Doc: docdb.Doc{ID: id}}
		}
	}
	return err
}

func (r *round) staffOf(store string) []string {
	if p := r.posts[store]; p != nil {
		return p.Guides
	}
	return nil
}

// staff are a store's guides as candidates for members of a brand.
func (r *round) staff(ctx context.Context, store, brand string) ([]colleague, error) {
	if _, known := r.posts[store]; !known {
		if err := r.readPosts(ctx, store); err != nil {
			return nil, err
		}
	}
	ids := r.staffOf(store)
	unread := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, known := r.guides[id]; return known })
	if len(unread) > 0 {
		if err := r.readGuides(ctx, unread...); err != nil {
			return nil, err
		}
	}
	var staff []colleague
	for _, id := range ids {
		g := r.guides[id]
		why := g.barred(brand, store, r.now)
		if why != "" {
			staff = append(staff, colleague{g, &load{}, why})
			continue
		}
		l, err := r.load(ctx, id, brand)
		if err != nil {
			return nil, err
		}
		staff = append(staff, colleague{g, l, ""})
	}
	return staff, nil
}

func (r *round) load(ctx context.Context, guide, brand string) (*load, error) {
	id := loadID(guide, brand)
	if r.loads[id] == nil {
		if err := r.readLoads(ctx, id); err != nil {
			return nil, err
		}
	}
	return r.loads[id], nil
}

// settle assigns a member again whom no store was in reach of, by what is known of them now; where that still is none, nothing
// changes.
func (r *round) settle(ctx context.Context, b *bindings, known *memberevent.Joined) error {
	known.Member, known.Brand = b.owner()
	next, _, err := r.place(ctx, known)
	if err != nil || next.provisional() {
		return err
	}
	return r.again(ctx, b, next)
}

// first makes a member's first binding for a brand.
func (r *round) first(ctx context.Context, j *memberevent.Joined) (*bindings, error) {
	next, g, err := r.place(ctx, j)
	if err != nil {
		return nil, err
	}
	next.From = starts(j, g, r.now)
	b := &bindings{Doc: docdb.Doc{ID: bindingsID(j.Member, j.Brand)}, Brand: j.Brand}
	if recruiter := r.guides[j.RecruitingGuide]; recruiter != nil {
		b.Recruiting, b.RecruitingSince = j.RecruitingGuide, next.From
		if j.Backdated {
			b.RecruitingSince = j.At
		}
	}
	r.bind(b, next)
	return b, nil
}

// again ends a member's current binding and makes the next.
func (r *round) again(ctx context.Context, b *bindings, next Binding) error {
	if b.Guide != "" {
		l, err := r.load(ctx, b.Guide, b.Brand)
		if err != nil {
			return err
		}
		l.Members--
		r.counted[l.ID] = l
	}
	next.From = r.now
	r.bind(b, next)
	return nil
}

// bind adds a binding and counts its guide's load. Her load has been read when she was chosen.
func (r *round) bind(b *bindings, next Binding) {
	if len(next.Candidates) > maxCandidates {
		// The nearest ones, and those among whom it was decided.
		next.Candidates = slices.Delete(next.Candidates, maxCandidates/2, len(next.Candidates)-maxCandidates/2)
	}
	b.bind(next)
	r.bindings[b.ID] = b
	r.bound = append(r.bound, b)
	r.unplaced[b.ID] = next.provisional()
	if next.Guide == "" {
		return
	}
	l := r.loads[loadID(next.Guide, b.Brand)]
	l.Members++
	l.Assigned++
	r.counted[l.ID] = l
}

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

// save stores what the batch has changed, with the facts that tell of it.
func (r *round) save(ctx context.Context) error {
	if len(r.bound) == 0 {
		return nil
	}
	if err := r.repo.bindings.SaveMany(ctx, r.tx, r.bound); err != nil {
		return err
	}
	loads := make([]*load, 0, len(r.counted))
	for _, l := range r.counted {
		loads = append(loads, l)
	}
	if err := r.repo.loads.SaveMany(ctx, r.tx, loads); err != nil {
		return err
	}
	if err := r.savePlaced(ctx); err != nil {
		return err
	}
	facts := make([]any, len(r.bound))
	for i, b := range r.bound {
		facts[i] = guideevent.Bound{Assignment: b.assignment()}
	}
	return r.outbox.Add(ctx, r.tx, stream.SubjectBound, facts...)
}

// savePlaced keeps the marks of provisional bindings up to date.
func (r *round) savePlaced(ctx context.Context) error {
	ids := docdb.IDs(r.unplaced)
	marks, err := r.repo.unplaced.GetMany(ctx, r.tx, ids...)
	if err != nil {
		return err
	}
	var lost []*unplaced
	var found []string
	for _, id := range ids {
		switch marked := marks[id] != nil; {
		case r.unplaced[id] && !marked:
			lost = append(lost, &unplaced{Doc: docdb.Doc{ID: id}})
		case !r.unplaced[id] && marked:
			found = append(found, id)
		}
	}
	if err := r.repo.unplaced.Delete(ctx, r.tx, found...); err != nil {
		return err
	}
	_, err = r.repo.unplaced.InsertMany(ctx, r.tx, lost)
	return err
}

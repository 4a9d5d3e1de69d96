package guide

import (
	"context"
	"fmt"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
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
	if _, known := r.unplaced[b.ID]; !known { // a member may come twice in a batch
		r.bound = append(r.bound, b)
	}
	r.unplaced[b.ID] = next.provisional()
	if next.Guide == "" {
		return
	}
	l := r.loads[loadID(next.Guide, b.Brand)]
	l.Members++
	l.Assigned++
	r.counted[l.ID] = l
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

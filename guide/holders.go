package guide

import (
	"context"
	"fmt"
	"sync"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
)

// Why nobody holds a role.
const (
	whyNotNamed   = "not_named"
	whyUnknown    = "unknown_guide"
	whyEmployment = "not_employed"
	whyAuthority  = "not_authorised"
	whyStore      = "other_store"
	whyNoMember   = "no_member"
	whyNoBinding  = "no_binding"
	whyPool       = "in_pool"
	whyNoRecruit  = "not_recruited"
	whyNoStore    = "no_store"
	whyNoManager  = "no_manager"
)

// memory is what a process remembers of guides' terms and stores' managers: true as long as nobody's terms have changed.
type memory struct {
	mu     sync.Mutex
	number int64 // of changes, when it was read
	guides map[string]*Guide
	posts  map[string]*post
}

// Holders says who held the guides' roles of transactions at their business times, and why nobody did. Whole seconds are asked as
// of their end.
func (s *Service) Holders(ctx context.Context, queries []guideevent.HolderQuery) ([]guideevent.Holders, error) {
	bound := map[string]bool{}
	guides, posts := map[string]bool{}, map[string]bool{}
	for i := range queries {
		q := &queries[i]
		if q.Member != "" {
			bound[bindingsID(q.Member, q.Brand)] = true
		}
		if q.Guide != "" {
			guides[q.Guide] = true
		}
		if q.Store != "" {
			posts[q.Store] = true
		}
	}
	bindings, err := docdb.GetParts[served](ctx, s.deps.DB, s.repo.bindings, docdb.IDs(bound)...)
	if err != nil {
		return nil, fmt.Errorf("guide: holders: %w", err)
	}
	for i := range queries {
		if b := bindings[bindingsID(queries[i].Member, queries[i].Brand)]; b != nil {
			guides[b.Recruiting] = true
			if c := b.at(queries[i].At.SecondEnd()); c != nil {
				guides[c.Guide] = true
			}
		}
	}
	delete(guides, "")
	facts, err := s.recall(ctx, guides, posts)
	if err != nil {
		return nil, fmt.Errorf("guide: holders: %w", err)
	}
	answers := make([]guideevent.Holders, len(queries))
	for i := range queries {
		answers[i] = facts.holders(&queries[i], bindings[bindingsID(queries[i].Member, queries[i].Brand)])
	}
	return answers, nil
}

// staffFacts are guides and posts as they are stored.
type staffFacts struct {
	guides map[string]*Guide
	posts  map[string]*post
}

// recall answers guides, and posts with their managers, from memory, reading what it does not hold. Documents in it are never changed.
func (s *Service) recall(ctx context.Context, guides, posts map[string]bool) (staffFacts, error) {
	m := &s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	// Read before the documents: a change between the two makes the memory look older than it is, and is read again next time.
	number, err := s.repo.number(ctx, s.deps.DB)
	if err != nil {
		return staffFacts{}, err
	}
	if m.guides == nil || number != m.number || len(m.guides)+len(m.posts) > maxRemembered {
		m.number, m.guides, m.posts = number, map[string]*Guide{}, map[string]*post{}
	}
	facts := staffFacts{make(map[string]*Guide, len(guides)), make(map[string]*post, len(posts))}
	if err := remember(ctx, s.deps.DB, s.repo.posts, posts, m.posts, facts.posts); err != nil {
		return staffFacts{}, err
	}
	for _, p := range facts.posts {
		if p == nil {
			continue
		}
		for i := range p.Managers {
			guides[p.Managers[i].Guide] = true
		}
	}
	return facts, remember(ctx, s.deps.DB, s.repo.guides, guides, m.guides, facts.guides)
}

// maxRemembered bounds the memory, in documents of some hundred bytes.
const maxRemembered = 200_000

func remember[T any](ctx context.Context, s docdb.Session, c docdb.Collection[T], wanted map[string]bool, known, out map[string]*T) error {
	var unread []string
	for id := range wanted {
		if _, ok := known[id]; !ok {
			unread = append(unread, id)
		}
	}
	found, err := c.GetMany(ctx, s, unread...)
	if err != nil {
		return err
	}
	for _, id := range unread {
		known[id] = found[id] // nil: there is none
	}
	for id := range wanted {
		out[id] = known[id]
	}
	return nil
}

// holders answers one query. b are the member's bindings for the brand, nil if there are none.
func (f *staffFacts) holders(q *guideevent.HolderQuery, b *served) guideevent.Holders {
	at := q.At.SecondEnd()
	return guideevent.Holders{
		Selling:    f.selling(q, at),
		Serving:    f.serving(q, b, at),
		Recruiting: f.recruiting(q, b, at),
		Manager:    f.manager(q, at),
	}
}

func (f *staffFacts) selling(q *guideevent.HolderQuery, at when.Instant) guideevent.Holder {
	if q.Guide == "" {
		return guideevent.Holder{Reason: whyNotNamed}
	}
	if q.Store == "" {
		return guideevent.Holder{Reason: whyNoStore}
	}
	return f.holder(q.Guide, q.Brand, q.Store, at, 0)
}

func (f *staffFacts) serving(q *guideevent.HolderQuery, b *served, at when.Instant) guideevent.Holder {
	switch {
	case q.Member == "":
		return guideevent.Holder{Reason: whyNoMember}
	case b == nil || b.at(at) == nil:
		return guideevent.Holder{Reason: whyNoBinding}
	case b.at(at).Guide == "":
		return guideevent.Holder{Reason: whyPool}
	}
	c := b.at(at)
	return f.holder(c.Guide, q.Brand, "", at, c.From)
}

func (f *staffFacts) recruiting(q *guideevent.HolderQuery, b *served, at when.Instant) guideevent.Holder {
	switch {
	case q.Member == "":
		return guideevent.Holder{Reason: whyNoMember}
	case b == nil || b.Recruiting == "" || b.RecruitingSince > at:
		return guideevent.Holder{Reason: whyNoRecruit}
	}
	return f.holder(b.Recruiting, q.Brand, "", at, b.RecruitingSince)
}

func (f *staffFacts) manager(q *guideevent.HolderQuery, at when.Instant) guideevent.Holder {
	if q.Store == "" {
		return guideevent.Holder{Reason: whyNoStore}
	}
	p := f.posts[q.Store]
	if p == nil || p.managerAt(at) == nil {
		return guideevent.Holder{Reason: whyNoManager}
	}
	m := p.managerAt(at)
	return f.holder(m.Guide, q.Brand, q.Store, at, m.From)
}

// holder checks that a guide was employed at a moment, authorised for the brand, and, where the role asks for it, in the store. since
// is from when she held the role; 0: from when she has worked there.
func (f *staffFacts) holder(id, brand, store string, at, since when.Instant) guideevent.Holder {
	g := f.guides[id]
	if g == nil {
		return guideevent.Holder{Reason: whyUnknown}
	}
	term := g.at(at)
	switch {
	case term == nil:
		return guideevent.Holder{Reason: whyEmployment}
	case !term.covers(brand):
		return guideevent.Holder{Reason: whyAuthority}
	case store != "" && term.Store != store:
		return guideevent.Holder{Reason: whyStore}
	}
	if since == 0 {
		since = g.since(at, brand, store)
	}
	return guideevent.Holder{Guide: id, Since: since}
}

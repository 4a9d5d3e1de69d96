package guide

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/geo"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// StoreDirectory knows brands and stores; fault.NotFound for those it does not know.
type StoreDirectory interface {
	Brand(ctx context.Context, id string) (storeevent.Brand, error)
	Store(ctx context.Context, id string) (storeevent.Store, error)
}

// MemberResolver says which members transactions name, as of their business times: an id per ref, "" for somebody unknown.
type MemberResolver interface {
	Resolve(ctx context.Context, refs []memberevent.Ref) ([]string, error)
}

// Nearest finds a brand's nearest open stores, exactly, nearest first.
type Nearest interface {
	Nearest(q geo.Query) []geo.Hit
}

// Deps are what the domain needs.
type Deps struct {
	DB      docdb.DB // its own
	Clock   when.Clock
	Log     *slog.Logger
	Keys    *seal.Keyring // seals the guides' own phone numbers
	Stores  StoreDirectory
	Members MemberResolver
	Nearest Nearest
}

// Service is the guide domain. Its methods may be called at the same time, also in several processes over one database; they
// check no permissions: that is the edge's.
type Service struct {
	deps   Deps
	repo   repo
	outbox *stream.Outbox
	dead   *stream.DeadLetters
	memory memory
}

// New opens the domain on its database.
func New(ctx context.Context, deps Deps) (*Service, error) {
	s := &Service{deps: deps, repo: newRepo(), outbox: stream.NewOutbox(deps.DB), dead: stream.NewDeadLetters(deps.DB)}
	if err := deps.DB.Ensure(ctx, append(s.repo.schemas(), s.outbox.Schema(), s.dead.Schema())...); err != nil {
		return nil, fmt.Errorf("guide: %w", err)
	}
	return s, nil
}

// Outbox holds the domain's facts until they are published.
func (s *Service) Outbox() *stream.Outbox { return s.outbox }

// DeadLetters are the events that the domain could not work off.
func (s *Service) DeadLetters() *stream.DeadLetters { return s.dead }

// Guide reads a guide; fault.NotFound "unknown_guide".
func (s *Service) Guide(ctx context.Context, id string) (*Guide, error) {
	return s.guide(ctx, s.deps.DB, id)
}

func (s *Service) guide(ctx context.Context, session docdb.Session, id string) (*Guide, error) {
	found, err := s.repo.guides.GetMany(ctx, session, id)
	if err != nil {
		return nil, err
	}
	if found[id] == nil {
		return nil, fault.New(fault.NotFound, "unknown_guide", "there is no such guide")
	}
	return found[id], nil
}

// Hire adds a guide to a store, and gives her members from its pool as far as she has room. She may have been employed from any
// moment of the past while none of her brands has accepted a transaction; afterwards an earlier start counts as now. Errors:
// fault.Invalid for fields, fault.NotFound "unknown_store" and "unknown_brand", fault.Conflict "brand_not_carried" and
// "store_has_manager", fault.Exists "guide_exists".
func (s *Service) Hire(ctx context.Context, h Hire) (*Guide, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	now := s.deps.Clock.Now()
	started, err := s.carried(ctx, h.Store, h.Brands)
	if err != nil {
		return nil, err
	}
	if h.EmployedFrom == 0 || started && h.EmployedFrom < now {
		h.EmployedFrom = now
	}
	var g *Guide
	err = s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		g = &Guide{
			Doc: docdb.Doc{ID: h.ID}, Name: h.Name, Capacity: h.Capacity, OnDuty: h.OnDuty,
			Terms: []Term{{From: h.EmployedFrom, Store: h.Store, Brands: slices.Clone(h.Brands), Role: h.Role}},
		}
		if h.Phone != "" {
			g.PhoneIndex = s.deps.Keys.BlindIndex(h.Phone)
			g.PhoneSealed = seal.Seal(s.deps.Keys.Key("guide-phones"), []byte(h.Phone), h.ID)
		}
		if found, err := s.repo.guides.GetMany(ctx, tx, h.ID); err != nil || found[h.ID] != nil {
			if err == nil {
				err = fault.New(fault.Exists, "guide_exists", "there is a guide with this id").At("id")
			}
			return err
		}
		p, err := s.post(ctx, tx, h.Store)
		if err != nil {
			return err
		}
		if err := p.enter(h.ID, h.Role, h.EmployedFrom); err != nil {
			return err
		}
		return s.saveStaff(ctx, tx, g, p)
	})
	if err != nil {
		return nil, err
	}
	s.drain(ctx, g)
	return g, nil
}

// carried checks that a store carries every one of the brands, and says whether one of them has accepted a transaction.
func (s *Service) carried(ctx context.Context, store string, brands []string) (started bool, err error) {
	st, err := s.deps.Stores.Store(ctx, store)
	if err != nil {
		return false, err
	}
	for _, id := range brands {
		b, err := s.deps.Stores.Brand(ctx, id)
		if err != nil {
			return false, err
		}
		if _, ok := st.Brands[id]; !ok {
			return false, fault.New(fault.Conflict, "brand_not_carried", "the store does not carry every one of these brands").At("brands")
		}
		started = started || b.FirstAccepted != 0
	}
	return started, nil
}

func (s *Service) post(ctx context.Context, tx docdb.Session, store string) (*post, error) {
	found, err := s.repo.posts.GetMany(ctx, tx, store)
	if err != nil {
		return nil, err
	}
	if p := found[store]; p != nil {
		return p, nil
	}
	return &post{Doc: docdb.Doc{ID: store}}, nil
}

// saveStaff stores a guide whose terms have changed, and the stores that it concerns.
func (s *Service) saveStaff(ctx context.Context, tx docdb.Session, g *Guide, posts ...*post) error {
	if err := s.repo.guides.SaveMany(ctx, tx, []*Guide{g}); err != nil {
		return err
	}
	if err := s.repo.posts.SaveMany(ctx, tx, posts); err != nil {
		return err
	}
	return s.repo.raise(ctx, tx)
}

// Change changes a guide, and gives her members from her store's pool as far as she has room then. Another store, other brands or
// another role begin a new term now; her members stay hers. Errors as Hire, and fault.Conflict "guide_has_left".
func (s *Service) Change(ctx context.Context, id string, c Change) (*Guide, error) {
	var g *Guide
	now := s.deps.Clock.Now()
	err := s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) (err error) {
		if g, err = s.guide(ctx, tx, id); err != nil {
			return err
		}
		if g.LeftAt != 0 {
			return errLeft
		}
		before := *g.Last()
		g.apply(c, now)
		after := g.Last()
		if err := checkTerms(after.Store, after.Brands, after.Role, g.Capacity); err != nil {
			return err
		}
		if !c.moves() {
			return s.repo.guides.SaveMany(ctx, tx, []*Guide{g})
		}
		if _, err := s.carried(ctx, after.Store, after.Brands); err != nil {
			return err
		}
		posts, err := s.move(ctx, tx, id, &before, after)
		if err != nil {
			return err
		}
		return s.saveStaff(ctx, tx, g, posts...)
	})
	if err != nil {
		return nil, err
	}
	s.drain(ctx, g)
	return g, nil
}

var errLeft = fault.New(fault.Conflict, "guide_has_left", "the guide has left")

// move brings the posts of a guide's old and new term up to date.
func (s *Service) move(ctx context.Context, tx docdb.Session, id string, before, after *Term) ([]*post, error) {
	to, err := s.post(ctx, tx, after.Store)
	if err != nil {
		return nil, err
	}
	posts := []*post{to}
	switch {
	case before.Store != after.Store:
		from, err := s.post(ctx, tx, before.Store)
		if err != nil {
			return nil, err
		}
		from.leave(id, after.From)
		posts = append(posts, from)
	case before.Role == after.Role:
		return posts, nil // other brands only
	default:
		to.stepDown(id, after.From)
	}
	return posts, to.enter(id, after.Role, after.From)
}

// Serving says who serves members of brands now; Store and Guide stay empty where nobody does.
func (s *Service) Serving(ctx context.Context, who []guideevent.Serving) ([]guideevent.Serving, error) {
	ids := make([]string, len(who))
	for i, w := range who {
		ids[i] = bindingsID(w.Member, w.Brand)
	}
	found, err := s.repo.bindings.GetMany(ctx, s.deps.DB, ids...)
	if err != nil {
		return nil, fmt.Errorf("guide: serving: %w", err)
	}
	answers := slices.Clone(who)
	for i, id := range ids {
		if b := found[id]; b != nil {
			answers[i].Store, answers[i].Guide = b.Store, b.Guide
		}
	}
	return answers, nil
}

// BindingOf is a binding with the brand that it is for.
type BindingOf struct {
	Brand      string
	Recruiting string
	Binding
}

// Bindings are a member's bindings for all brands, present and past: by brand, then by time.
func (s *Service) Bindings(ctx context.Context, member string) ([]BindingOf, error) {
	page, err := s.repo.bindings.Find(ctx, s.deps.DB, docdb.Query{From: member + "|", To: member + "}", Limit: docdb.MaxPage})
	if err != nil {
		return nil, fmt.Errorf("guide: bindings: %w", err)
	}
	var all []BindingOf
	for _, b := range page.Items {
		_, brand := b.owner()
		for _, h := range b.History {
			all = append(all, BindingOf{Brand: brand, Recruiting: b.Recruiting, Binding: h})
		}
	}
	return all, nil
}

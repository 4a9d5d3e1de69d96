package commission

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// BrandDirectory knows the brands; fault.NotFound with code "unknown_brand".
type BrandDirectory interface {
	Brand(ctx context.Context, id string) (storeevent.Brand, error)
}

// MemberResolver says which members transactions name, as of their business times: an id per ref, "" for somebody unknown.
type MemberResolver interface {
	Resolve(ctx context.Context, refs []memberevent.Ref) ([]string, error)
}

// HolderSource says which guides hold the roles of transactions, as of their business times: an answer per query.
type HolderSource interface {
	Holders(ctx context.Context, queries []guideevent.HolderQuery) ([]guideevent.Holders, error)
}

// Days knows which days are past.
type Days interface {
	// PastThrough is the latest date that has ended in every one of the brand's stores, and in the brand's own time zone.
	PastThrough(ctx context.Context, brand string) (when.Date, error)
}

// Barrier waits until everything that had been accepted when it was called is booked here, or a dead letter.
type Barrier interface {
	Wait(ctx context.Context, brand string) error
}

// Deps are what the domain needs.
type Deps struct {
	DB      docdb.DB
	Clock   when.Clock
	Log     *slog.Logger
	Brands  BrandDirectory
	Members MemberResolver
	Holders HolderSource
	Days    Days
	Barrier Barrier
}

// Service is the commission domain. Its methods may be called at the same time, also in several processes over one database.
type Service struct {
	deps   Deps
	repo   repo
	outbox *stream.Outbox
	dead   *stream.DeadLetters
	lane   int // of the control totals and payees' totals that this process raises

	settleBatch int // how many totals or carries one storage transaction of a close reads
	closer      *closer

	mu        sync.Mutex
	timelines map[string]timeline  // by brand; as many plans as the brand had when it was last asked for
	plans     map[string]*rulebook // by id, those that were asked for
}

// New opens the domain on its database.
func New(ctx context.Context, deps Deps) (*Service, error) {
	s := &Service{
		deps: deps, repo: newRepo(), outbox: stream.NewOutbox(deps.DB), dead: stream.NewDeadLetters(deps.DB),
		lane: rand.IntN(lanes), settleBatch: settleBatch, closer: newCloser(), timelines: map[string]timeline{}, plans: map[string]*rulebook{},
	}
	if err := deps.DB.Ensure(ctx, append(s.repo.schemas(), s.outbox.Schema(), s.dead.Schema())...); err != nil {
		return nil, fmt.Errorf("commission: %w", err)
	}
	return s, nil
}

// Outbox holds the domain's facts until they are published.
func (s *Service) Outbox() *stream.Outbox { return s.outbox }

// DeadLetters are the events that could not be booked.
func (s *Service) DeadLetters() *stream.DeadLetters { return s.dead }

// MakePlan makes a brand's next plan, in force from an instant on; zero means from the next full second. A plan that is made
// already, with the same terms and start, is answered as it is, and made is false. Errors: fault.NotFound "unknown_brand", fault.Invalid
// for terms that contradict themselves, fault.Conflict "start_in_the_past" for a start before now once the brand has accepted
// transactions, fault.Exists "plan_exists" where another plan starts at that instant.
func (s *Service) MakePlan(ctx context.Context, brand string, from when.Instant, terms Terms, user string) (p *Plan, made bool, err error) {
	b, err := s.deps.Brands.Brand(ctx, brand)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			err = f.At("brand")
		}
		return nil, false, err
	}
	if err := terms.validate(); err != nil {
		return nil, false, err
	}
	now := s.deps.Clock.Now()
	if from == 0 {
		// Not at once: a business time in whole seconds is looked up at that second's end, so that some of what is booked
		// before the plan is stored would fall under it.
		from = now - now%1000 + 1000
	}
	err = s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		p, made = nil, false
		plans, err := s.repo.plansOf(ctx, tx, brand)
		if err != nil {
			return err
		}
		for _, other := range plans {
			switch {
			case other.EffectiveFrom != from:
			case other.Terms().equal(terms):
				p = other
				return nil
			default:
				return fault.New(fault.Exists, "plan_exists", "another plan of the brand starts at this time").At("effective_from")
			}
		}
		if from < now && b.FirstAccepted != 0 {
			return fault.New(fault.Conflict, "start_in_the_past",
				"the brand has accepted transactions: a plan can only start now or later").At("effective_from")
		}
		l, err := s.repo.ledger(ctx, tx, brand)
		if err != nil {
			return err
		}
		l.Plans++
		p = &Plan{
			Doc: docdb.Doc{ID: fmt.Sprintf("%s.%d", brand, l.Plans)}, Brand: brand, Version: l.Plans, EffectiveFrom: from,
			HoldDays: terms.HoldDays, MinPayout: terms.MinPayout, Fallback: terms.Fallback, Rules: terms.Rules, MadeAt: now, MadeBy: user,
		}
		made = true
		if err := s.repo.ledgers.Replace(ctx, tx, l); err != nil {
			return err
		}
		return s.repo.plans.Insert(ctx, tx, p)
	})
	if err != nil {
		return nil, false, fmt.Errorf("commission: make a plan: %w", err)
	}
	return p, made, nil
}

// Plans reads a page of a brand's plans in the order of their start. limit and cursor as in docdb.Query.
func (s *Service) Plans(ctx context.Context, brand string, limit int, cursor string) (docdb.Page[Plan], error) {
	return s.repo.plans.Find(ctx, s.deps.DB, docdb.Query{Index: "brand_effective_from", Eq: []any{brand}, Limit: limit, Cursor: cursor})
}

// timeline is a brand's plans as its ledger, read in the same transaction, counts them. Plans are never changed or deleted,
// so that the same number of plans is the same plans.
func (s *Service) timeline(ctx context.Context, tx docdb.Session, l *ledger) (timeline, error) {
	s.mu.Lock()
	t := s.timelines[l.ID]
	s.mu.Unlock()
	if int64(len(t)) == l.Plans {
		return t, nil
	}
	plans, err := s.repo.plansOf(ctx, tx, l.ID)
	if err != nil {
		return nil, err
	}
	if int64(len(plans)) != l.Plans {
		return nil, fmt.Errorf("commission: brand %s has %d plans, and its ledger counts %d", l.ID, len(plans), l.Plans)
	}
	t = newTimeline(plans)
	s.mu.Lock()
	s.timelines[l.ID] = t
	s.mu.Unlock()
	return t, nil
}

// plan is a plan by its id.
func (s *Service) plan(ctx context.Context, id string) (*rulebook, error) {
	s.mu.Lock()
	b := s.plans[id]
	s.mu.Unlock()
	if b != nil {
		return b, nil
	}
	p, err := s.repo.plans.Get(ctx, s.deps.DB, id)
	if err != nil {
		return nil, fmt.Errorf("commission: plan %s: %w", id, err)
	}
	b = prepare(p)
	s.mu.Lock()
	s.plans[id] = b
	s.mu.Unlock()
	return b, nil
}

// zone is a brand's time zone.
func (s *Service) zone(ctx context.Context, brand string) (*time.Location, error) {
	b, err := s.deps.Brands.Brand(ctx, brand)
	if err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(b.Timezone)
	if err != nil {
		return nil, fmt.Errorf("commission: brand %s: %w", brand, err)
	}
	return loc, nil
}

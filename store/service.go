package store

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// Durable is the name of the consumer of INTAKE whose handler is Decide.
const Durable = "store"

// Deps are what the domain needs.
type Deps struct {
	DB    docdb.DB // its own
	Clock when.Clock
	Log   *slog.Logger
	Keys  *seal.Keyring // seals the terminals' secrets

	// WaitIntake returns when everything that INTAKE held at the call is decided, with the last sequence of that. Z-reports, gaps
	// and the audit ask it; they bound the wait by ctx.
	WaitIntake func(ctx context.Context) (seq uint64, err error)
}

// Service is the shop domain. Its methods are safe for concurrent use, and check no permissions: that is the edge's.
type Service struct {
	collections
	db         docdb.DB
	clock      when.Clock
	log        *slog.Logger
	keys       *seal.Keyring
	waitIntake func(ctx context.Context) (seq uint64, err error)
	outbox     *stream.Outbox
	dead       *stream.DeadLetters
	directory  *directory
	cache      dayCache

	listenersMu sync.RWMutex
	listeners   []func(storeevent.Changed)
}

// New opens the domain on its database.
func New(ctx context.Context, deps Deps) (*Service, error) {
	s := &Service{
		collections: defineCollections(), db: deps.DB, clock: deps.Clock, log: deps.Log.With("part", "store"), keys: deps.Keys,
		waitIntake: deps.WaitIntake, outbox: stream.NewOutbox(deps.DB), dead: stream.NewDeadLetters(deps.DB), directory: newDirectory(),
	}
	if err := s.db.Ensure(ctx, append(s.schemas(), s.outbox.Schema(), s.dead.Schema())...); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, s.Reload(ctx)
}

// Reload brings what this process knows of brands up to date, for when changes of other processes may have passed it by.
func (s *Service) Reload(ctx context.Context) error {
	var brands []storeevent.Brand
	for doc, err := range s.brands.Each(ctx, s.db, docdb.Query{}) {
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		brands = append(brands, doc.fact())
	}
	return s.directory.putBrands(brands)
}

// Outbox holds what the domain has to tell: verdicts for SALES, changes for FACTS.
func (s *Service) Outbox() *stream.Outbox { return s.outbox }

// DeadLetters are the items of INTAKE that could not be decided. Replay them by Replay.
func (s *Service) DeadLetters() *stream.DeadLetters { return s.dead }

// OnChanged has f called with every change of set-up that this process makes, after its commit and before the call that made it
// returns.
func (s *Service) OnChanged(f func(storeevent.Changed)) {
	s.listenersMu.Lock()
	defer s.listenersMu.Unlock()
	s.listeners = append(s.listeners, f)
}

// ApplyChanged takes over a change that FACTS brings, mostly of another process. It does not call OnChanged's functions.
func (s *Service) ApplyChanged(c storeevent.Changed) error { return s.directory.apply(c) }

// change carries out a change of set-up in one transaction with the facts that tell of it, and tells this process.
func (s *Service) change(ctx context.Context, decide func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error)) error {
	var changed storeevent.Changed
	err := s.db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		var err error
		if changed, err = decide(ctx, tx); err != nil {
			return err
		}
		return s.outbox.Add(ctx, tx, stream.SubjectStoreChanged, facts(changed)...)
	})
	if err != nil {
		return err
	}
	s.outbox.Wake()
	if err := s.directory.apply(changed); err != nil {
		return err
	}
	s.listenersMu.RLock()
	defer s.listenersMu.RUnlock()
	for _, tell := range s.listeners {
		tell(changed)
	}
	return nil
}

// facts splits a change into events, none of which is large.
func facts(c storeevent.Changed) []any {
	out := make([]any, 0, len(c.Brands)+len(c.Stores)+len(c.Terminals))
	for i := range c.Brands {
		out = append(out, storeevent.Changed{Brands: c.Brands[i : i+1]})
	}
	for i := range c.Stores {
		out = append(out, storeevent.Changed{Stores: c.Stores[i : i+1]})
	}
	for i := range c.Terminals {
		out = append(out, storeevent.Changed{Terminals: c.Terminals[i : i+1]})
	}
	return out
}

// CreateBrand makes a brand. fault.Exists with code "brand_exists" if there is one of this id.
func (s *Service) CreateBrand(ctx context.Context, in NewBrand) (storeevent.Brand, error) {
	doc, err := makeBrand(in)
	if err != nil {
		return storeevent.Brand{}, err
	}
	var made storeevent.Brand
	err = s.change(ctx, func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error) {
		if err := vacant(ctx, tx, s.brands, in.ID, "brand"); err != nil {
			return storeevent.Changed{}, err
		}
		fresh := *doc
		if err := s.brands.Insert(ctx, tx, &fresh); err != nil {
			return storeevent.Changed{}, err
		}
		made = fresh.fact()
		return storeevent.Changed{Brands: []storeevent.Brand{made}}, nil
	})
	return made, err
}

// ChangeBrand changes a brand.
func (s *Service) ChangeBrand(ctx context.Context, id string, c BrandChange) (storeevent.Brand, error) {
	var made storeevent.Brand
	err := s.change(ctx, func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error) {
		doc, err := need(ctx, tx, s.brands, id, errNoBrand)
		if err != nil {
			return storeevent.Changed{}, err
		}
		if err := doc.change(c); err != nil {
			return storeevent.Changed{}, err
		}
		if c.FallbackStore != nil && *c.FallbackStore != "" {
			fallback, err := s.stores.GetMany(ctx, tx, *c.FallbackStore)
			if err != nil {
				return storeevent.Changed{}, err
			}
			if d := fallback[*c.FallbackStore]; d == nil || !slices.Contains(d.Brands, id) {
				return storeevent.Changed{}, errStore.At("fallback_store")
			}
		}
		if err := s.brands.Replace(ctx, tx, doc); err != nil {
			return storeevent.Changed{}, err
		}
		made = doc.fact()
		return storeevent.Changed{Brands: []storeevent.Brand{made}}, nil
	})
	return made, err
}

// Brand tells of a brand; fault.NotFound with code "unknown_brand". As long as the brand has accepted no transaction it is read from
// storage: what may be dated back hangs on that, and another process may have accepted the first one a moment ago.
func (s *Service) Brand(ctx context.Context, id string) (storeevent.Brand, error) {
	if b := (*s.directory.brands.Load())[id]; b != nil && b.FirstAccepted != 0 {
		return b.Brand, nil
	}
	doc, err := need(ctx, s.db, s.brands, id, errNoBrand)
	if err != nil {
		return storeevent.Brand{}, err
	}
	return doc.fact(), s.directory.putBrands([]storeevent.Brand{doc.fact()})
}

// Brands tells of all brands, by id.
func (s *Service) Brands(context.Context) ([]storeevent.Brand, error) {
	all := *s.directory.brands.Load()
	out := make([]storeevent.Brand, 0, len(all))
	for _, b := range all {
		out = append(out, b.Brand)
	}
	slices.SortFunc(out, func(a, b storeevent.Brand) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

var (
	errNoBrand    = fault.New(fault.NotFound, "unknown_brand", "there is no such brand")
	errNoStore    = fault.New(fault.NotFound, "unknown_store", "there is no such store")
	errNoTerminal = fault.New(fault.NotFound, "unknown_terminal", "there is no such terminal")
)

// vacant answers fault.Exists where an id is taken. Looking first keeps MongoDB's transaction alive.
func vacant[T any](ctx context.Context, tx docdb.Session, c docdb.Collection[T], id, what string) error {
	found, err := c.GetMany(ctx, tx, id)
	if err == nil && len(found) > 0 {
		return fault.New(fault.Exists, what+"_exists", "there is a %s of this id already", what).At("id")
	}
	return err
}

// need reads a document, or answers missing.
func need[T any](ctx context.Context, tx docdb.Session, c docdb.Collection[T], id string, missing error) (*T, error) {
	found, err := c.GetMany(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if doc := found[id]; doc != nil {
		return doc, nil
	}
	return nil, missing
}

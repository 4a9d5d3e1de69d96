package store

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// directory is the set-up in memory, so that accepting a transaction reads no storage: all brands, and the stores, terminals and
// regions that were asked for. Changes of this process are applied after their commit, those of others by ApplyChanged.
type directory struct {
	brandsMu  sync.Mutex // of those who change brands
	brands    atomic.Pointer[map[string]*brand]
	stores    lazy[*place]
	terminals lazy[*Terminal]
	regions   lazy[*regionDoc]
	zones     sync.Map // IANA name → *time.Location
}

// brand is a brand with its time zone loaded.
type brand struct {
	storeevent.Brand
	zone *time.Location
}

// place is a store as transactions see it.
type place struct {
	fact  storeevent.Store
	terms []placeTerms // by from; the first since ever
}

type placeTerms struct {
	from      when.Instant
	ownership string
	dealer    string
	zone      *time.Location
	dayStarts time.Duration
	brands    []string
}

func (p *place) at(t when.Instant) *placeTerms {
	i := len(p.terms) - 1
	for i > 0 && p.terms[i].from > t {
		i--
	}
	return &p.terms[i]
}

func newDirectory() *directory {
	d := &directory{}
	d.brands.Store(&map[string]*brand{})
	return d
}

// putBrands takes over brands that are newer than what is known.
func (d *directory) putBrands(changed []storeevent.Brand) error {
	d.brandsMu.Lock()
	defer d.brandsMu.Unlock()
	next := maps.Clone(*d.brands.Load())
	for _, b := range changed {
		if old := next[b.ID]; old != nil && old.Rev >= b.Rev {
			continue
		}
		zone, err := d.zone(b.Timezone)
		if err != nil {
			return fmt.Errorf("store: brand %s: %w", b.ID, err)
		}
		next[b.ID] = &brand{b, zone}
	}
	d.brands.Store(&next)
	return nil
}

// apply takes over a change; stores and terminals are read again when somebody asks for them.
func (d *directory) apply(c storeevent.Changed) error {
	for i := range c.Stores {
		d.stores.forget(c.Stores[i].ID)
	}
	for _, id := range c.Terminals {
		d.terminals.forget(id)
	}
	return d.putBrands(c.Brands)
}

// place is the directory's entry for a store.
func (d *directory) place(doc *storeDoc) (*place, error) {
	p := &place{fact: doc.fact(), terms: make([]placeTerms, len(doc.Terms))}
	for i, t := range doc.Terms {
		zone, err := d.zone(t.Timezone)
		if err != nil {
			return nil, fmt.Errorf("store: store %s: %w", doc.ID, err)
		}
		starts, err := storeevent.ParseDayStart(t.DayStarts)
		if err != nil {
			return nil, fmt.Errorf("store: store %s: %w", doc.ID, err)
		}
		p.terms[i] = placeTerms{t.From, t.Ownership, t.Dealer, zone, starts, t.Brands}
	}
	return p, nil
}

// zone is a time zone, loaded once: stores by the hundred thousand share a few.
func (d *directory) zone(name string) (*time.Location, error) {
	if known, ok := d.zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	shared, _ := d.zones.LoadOrStore(name, zone)
	return shared.(*time.Location), nil
}

// lazy keeps what was loaded once until it is forgotten.
type lazy[T any] struct {
	known sync.Map // id → T

	mu        sync.Mutex
	forgotten uint64 // how often something was forgotten
}

// get is the value of id, loaded if it is not known. Errors are not kept.
func (l *lazy[T]) get(ctx context.Context, id string, load func(ctx context.Context, id string) (T, error)) (T, error) {
	if v, ok := l.known.Load(id); ok {
		return v.(T), nil
	}
	before := l.generation()
	v, err := load(ctx, id)
	if err != nil {
		return v, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.forgotten == before { // else v may be what was forgotten meanwhile
		l.known.Store(id, v)
	}
	return v, nil
}

func (l *lazy[T]) generation() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.forgotten
}

func (l *lazy[T]) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgotten++
	l.known.Delete(id)
}

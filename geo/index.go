package geo

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Store is a shop as the index knows it.
type Store struct {
	ID        string
	Point     Point // WGS-84
	Brands    []string
	Ownership string // direct, franchise, dealer
	Open      bool
	Area      *Area // service area, nil: none
	Rev       int64 // grows with each change
}

// Query asks for the stores of a brand that are nearest to a point.
type Query struct {
	Brand     string
	From      Point   // WGS-84
	K         int     // how many at most; 0 means 1
	MaxM      float64 // greatest distance in metres; 0 means any
	Closed    bool    // closed stores too
	Ownership string  // only stores of this ownership; empty: all
	Serving   bool    // only stores whose service area, where they have one, holds From
}

// Hit is a store and its haversine distance.
type Hit struct {
	Store     string
	DistanceM float64
}

// Index finds nearest stores, exactly, while stores change. Readers take no lock: a change makes a new version beside the one
// they read. The zero Index is not usable; see NewIndex.
type Index struct {
	trees atomic.Pointer[map[string]*tree] // by brand; neither map nor trees are changed once stored

	writing sync.Mutex
	stores  map[string]*place
}

// place is a version of a store, never changed.
type place struct {
	id string
	spot
	code   code
	open   bool
	kind   kinds
	area   *Area
	brands []string
	rev    int64
}

// kinds is a set of combinations of ownership and being open.
type kinds uint8

const (
	direct kinds = 1 << iota
	franchise
	dealer
	otherOwner
	closedShift = iota

	openKinds = direct | franchise | dealer | otherOwner
	allKinds  = openKinds | openKinds<<closedShift
)

func ownerKind(ownership string) kinds {
	switch ownership {
	case "direct":
		return direct
	case "franchise":
		return franchise
	case "dealer":
		return dealer
	default:
		return otherOwner
	}
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	ix := &Index{stores: map[string]*place{}}
	ix.trees.Store(&map[string]*tree{})
	return ix
}

// Upsert adds and changes stores. A store whose Rev is lower than the one known is left as it is, so changes may arrive late or
// twice. When Upsert returns, every search sees them. Many at once are much cheaper than one by one.
func (ix *Index) Upsert(stores ...Store) {
	ix.writing.Lock()
	defer ix.writing.Unlock()
	var changes []change
	for i := range stores {
		old := ix.stores[stores[i].ID]
		if old != nil && old.rev > stores[i].Rev {
			continue
		}
		p := newPlace(&stores[i])
		ix.stores[p.id] = p
		changes = append(changes, change{old, p})
	}
	trees := maps.Clone(*ix.trees.Load())
	for brand, changes := range byBrand(changes) {
		trees[brand] = ix.changed(brand, trees[brand], changes)
	}
	ix.trees.Store(&trees)
}

func newPlace(s *Store) *place {
	p := &place{
		id: s.ID, spot: spotOf(s.Point), open: s.Open, kind: ownerKind(s.Ownership), area: s.Area, brands: slices.Clone(s.Brands), rev: s.Rev,
	}
	if !s.Open {
		p.kind <<= closedShift
	}
	p.code = gridOf(p.at).code()
	return p
}

// change is a store's old and new version in a brand, nil where it has none.
type change struct{ old, new *place }

func byBrand(changes []change) map[string][]change {
	out := map[string][]change{}
	for _, c := range changes {
		for _, b := range c.new.brands {
			in := change{new: c.new}
			if c.old != nil && slices.Contains(c.old.brands, b) {
				in.old = c.old
			}
			out[b] = append(out[b], in)
		}
		if c.old == nil {
			continue
		}
		for _, b := range c.old.brands {
			if !slices.Contains(c.new.brands, b) {
				out[b] = append(out[b], change{old: c.old})
			}
		}
	}
	return out
}

// rebuildShare is the part of a brand's stores from which on building its tree anew is cheaper than changing it.
const rebuildShare = 16

func (ix *Index) changed(brand string, t *tree, changes []change) *tree {
	if t == nil || len(changes) > 8 && len(changes)*rebuildShare > len(ix.stores) {
		places := make([]*place, 0, len(ix.stores))
		for _, p := range ix.stores {
			if slices.Contains(p.brands, brand) {
				places = append(places, p)
			}
		}
		return newTree(places)
	}
	for _, c := range changes {
		if c.old != nil {
			t = t.cut(c.old)
		}
		if c.new != nil {
			t = t.put(c.new)
		}
	}
	return t
}

// Nearest answers at most K stores, nearest first, ties by id. The answer is exact: what comparing the haversine distances of
// all stores gives.
func (ix *Index) Nearest(q Query) []Hit { return ix.AppendNearest(nil, q) }

// AppendNearest appends Nearest's answer to hits, for callers that look up many points.
func (ix *Index) AppendNearest(hits []Hit, q Query) []Hit {
	t := (*ix.trees.Load())[q.Brand]
	if t == nil {
		return hits
	}
	from := spotOf(q.From)
	if q.K <= 1 && !q.Closed && q.Ownership == "" {
		a := t.first(&from)
		if a.id == "" || q.MaxM > 0 && a.distance > q.MaxM {
			return hits
		}
		if !q.Serving || a.place().serves(q.From) {
			return append(hits, Hit{a.id, a.distance})
		}
	}
	for _, h := range t.search(from, q.wanted()) {
		hits = append(hits, Hit{h.who.id, h.distance})
	}
	return hits
}

func (q *Query) wanted() wanted {
	w := wanted{kinds: openKinds, k: max(q.K, 1), maxM: q.MaxM, from: q.From, areas: q.Serving}
	if q.Closed {
		w.kinds = allKinds
	}
	if q.Ownership != "" {
		k := ownerKind(q.Ownership)
		w.kinds &= k | k<<closedShift
	}
	if w.maxM == 0 {
		w.maxM = never
	}
	return w
}

// serves reports whether the store's service area, where it has one, holds a point.
func (p *place) serves(at Point) bool { return p.area == nil || p.area.Holds(at) }

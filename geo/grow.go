package geo

import (
	"cmp"
	"math"
	"slices"
)

// margin is what a dot product must be larger by to count as larger. It covers the rounding of dot products and of haversine
// distances (both some 1e-16), so that no store is dropped that could yet win by the formula as computed.
const margin = 1e-14

// rival is a store as stores are compared over a cell: by dot products, of which the greater is the nearer.
type rival struct {
	who     *place
	centre  float64    // dot product with the cell's centre …
	corners [4]float64 // … and with its corners
}

func (o *outline) rival(p *place) rival {
	return rival{p, o.centre.dot(p.at), [4]float64{o.corners[0].dot(p.at), o.corners[1].dot(p.at), o.corners[2].dot(p.at), o.corners[3].dot(p.at)}}
}

// beats reports whether a is nearer than b at every point of the cell, or at the same place and first by id. The difference of
// two dot products is linear, so the corners tell for the whole cell.
func (a *rival) beats(b *rival) bool {
	x, y := &a.corners, &b.corners
	if x[0]-y[0] > margin {
		return x[1]-y[1] > margin && x[2]-y[2] > margin && x[3]-y[3] > margin
	}
	return a.centre == b.centre && a.who.at == b.who.at && a.who.id < b.who.id
}

func beaten(by []rival, r *rival) bool {
	for i := range by {
		if by[i].beats(r) {
			return true
		}
	}
	return false
}

// unbeaten drops the rivals that another one beats and orders the rest by distance to the cell's centre. It gives up, answering
// false, when more than limit are left. What is left does not depend on order or history: to beat is transitive.
func unbeaten(all []rival, limit int) ([]rival, bool) {
	slices.SortFunc(all, func(a, b rival) int {
		if c := cmp.Compare(b.centre, a.centre); c != 0 {
			return c
		}
		return cmp.Compare(a.who.id, b.who.id)
	})
	kept := all[:0]
	for i := range all { // only one that is nearer to the centre can beat all[i]
		if beaten(kept, &all[i]) {
			continue
		}
		if len(kept) == limit {
			return nil, false
		}
		kept = append(kept, all[i])
	}
	return kept, true
}

// grower builds nodes.
type grower struct {
	places []*place
	marks  []mark  // lists of marks of the cells on the way down, one behind the other
	rivals []rival // reused
}

// mark is a store as it is sifted: a position, and which of the grower's places it is.
type mark struct {
	at  vec
	who int32
}

// newTree builds a tree at once.
func newTree(places []*place) *tree {
	places = slices.Clone(places)
	slices.SortFunc(places, func(a, b *place) int { return cmp.Compare(a.code, b.code) })
	g := grower{places: places}
	for i, p := range places {
		if p.open {
			g.marks = append(g.marks, mark{p.at, int32(i)})
		}
	}
	var t tree
	open := g.marks
	for f := range t.faces {
		c := faceCell(f)
		t.faces[f] = g.grow(c, open, within(places, c), patience)
	}
	return &t
}

// regrow builds a page's node anew, as a page or, if too many contend by now, a branch; near holds at least its contenders.
func regrow(c cell, near, own []*place, left int8) node {
	g := grower{places: near, marks: make([]mark, len(near))}
	for i, p := range near {
		g.marks[i] = mark{p.at, int32(i)}
	}
	return g.grow(c, g.marks, own, left)
}

// within is the part of places, which are in order of their codes, that lies in a cell.
func within(places []*place, c cell) []*place {
	byCode := func(p *place, k code) int { return cmp.Compare(p.code, k) }
	from, to := c.codes()
	i, _ := slices.BinarySearchFunc(places, from, byCode)
	n, _ := slices.BinarySearchFunc(places[i:], to, byCode)
	return slices.Clip(places[i : i+n])
}

const (
	// comparisons is how many stores are worth comparing with each other before the cell is quartered.
	comparisons = 5 * pageSize
	// deepest is the level, of cells half a metre wide, that is not quartered any more.
	deepest = 24
	// settled is the number of stores from which on a cell is worth quartering for their sake.
	settled = 4
	// patience is how often an emptier cell is quartered. Where stores stand in a row, the strips nearest to each reach
	// around the earth side by side, and no cells would be small enough; such places are left to search.
	patience = 4
)

// grow builds a cell's node; near holds at least the open stores that contend for it, own those that lie in it, in order of
// their codes; left is how often it may yet be quartered while it is emptier than settled.
func (g *grower) grow(c cell, near []mark, own []*place, left int8) node {
	o := c.outline()
	d := o.disc()
	base := len(g.marks)
	defer func() { g.marks = g.marks[:base] }()
	near = g.sift(&o, &d, near)
	if len(own) >= settled {
		left = patience
	}
	last := left == 0 || c.level == deepest
	if last || len(near) <= comparisons {
		g.rivals = g.rivals[:0]
		for i := range near {
			g.rivals = append(g.rivals, o.rival(g.places[near[i].who]))
		}
		if kept, ok := unbeaten(g.rivals, pageSize); ok {
			contenders := make([]*place, len(kept))
			for i := range kept {
				contenders[i] = kept[i].who
			}
			return newPage(d, contenders, own, left)
		}
	}
	if last {
		return newWilds(d, g.places[near[0].who], own)
	}
	var kids [4]node
	for k := range kids {
		kids[k] = g.grow(c.quarter(k), near, within(own, c.quarter(k)), left-1)
	}
	return newBranch(d, kids)
}

// sift drops, in one pass, most stores that do not contend for a cell: those that the one nearest to its centre beats. That
// one comes first.
func (g *grower) sift(o *outline, d *disc, near []mark) []mark {
	if len(near) == 0 {
		return nil
	}
	lead, best := 0, math.Inf(-1)
	for i := range near {
		x := o.centre.dot(near[i].at)
		if x > best || x == best && g.places[near[i].who].id < g.places[near[lead].who].id {
			lead, best = i, x
		}
	}
	from := len(g.marks)
	g.marks = append(g.marks, near[lead])
	first := o.rival(g.places[near[lead].who])
	reach := d.reach(best)
	for i := range near {
		at := near[i].at
		if i == lead || o.centre.dot(at) < reach {
			continue
		}
		if x := &first.corners; x[0]-o.corners[0].dot(at) > margin && x[1]-o.corners[1].dot(at) > margin &&
			x[2]-o.corners[2].dot(at) > margin && x[3]-o.corners[3].dot(at) > margin {
			continue
		}
		g.marks = append(g.marks, near[i])
	}
	return g.marks[from:]
}

// reach is the smallest dot product with the centre that a contender can have, where the largest is best: from nowhere in the
// disc is anything nearest that is farther from the centre than the store next to it by more than the disc's diameter.
func (d *disc) reach(best float64) float64 {
	angle := math.Acos(min(1, best)) + 2*math.Acos(min(1, d.cos))
	if angle >= math.Pi {
		return -2
	}
	return math.Cos(angle) - margin
}

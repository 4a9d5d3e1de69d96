package geo

import (
	"cmp"
	"slices"
)

// put is the tree with a store added. What changes are the pages where the store contends, the one it lies in, and the way
// down to them.
func (t *tree) put(p *place) *tree {
	next := *t
	for f := range next.faces {
		next.faces[f] = next.faces[f].put(t, faceCell(f), p)
	}
	return &next
}

func (b *branch) put(t *tree, c cell, p *place) node {
	if !c.holds(p.code) && !b.sum.contends(c, p) {
		return b
	}
	return b.with(func(k int) node { return b.kids[k].put(t, c.quarter(k), p) })
}

func (b *page) put(_ *tree, c cell, p *place) node {
	home, contends := c.holds(p.code), b.sum.contends(c, p)
	if !home && !contends {
		return b
	}
	own := b.own
	if home {
		own = with(own, p)
	}
	if !contends {
		return newPage(b.sum.disc, b.who, own, b.left)
	}
	return regrow(c, append(slices.Clip(b.who), p), own, b.left)
}

func (w *wilds) put(t *tree, c cell, p *place) node {
	next := *w
	if c.holds(p.code) {
		next.own = with(w.own, p)
		next.sum.kinds |= p.kind
	}
	if p.open && w.sum.nearer(p) {
		next.sum.lead = p
	}
	if len(next.own) >= settled && c.level < deepest {
		near := t.rivals(c, nil)
		if p.open {
			near = append(near, p)
		}
		return regrow(c, near, next.own, patience)
	}
	return &next
}

// with is a copy of own, in order of codes, with a store added.
func with(own []*place, p *place) []*place {
	at, _ := slices.BinarySearchFunc(own, p.code, func(x *place, k code) int { return cmp.Compare(x.code, k) })
	return slices.Insert(slices.Clone(own), at, p)
}

// cut is the tree without a store: first it no longer lies in its cell, then the pages where it contended look for who
// contends there in its stead.
func (t *tree) cut(p *place) *tree {
	rest := *t
	f := p.code >> (2 * digits)
	rest.faces[f] = rest.faces[f].evict(faceCell(int(f)), p)
	if !p.open {
		return &rest
	}
	next := rest
	for f := range next.faces {
		next.faces[f] = next.faces[f].cut(&rest, faceCell(f), p)
	}
	return &next
}

func (b *branch) evict(c cell, p *place) node {
	return b.with(func(k int) node {
		if q := c.quarter(k); q.holds(p.code) {
			return b.kids[k].evict(q, p)
		}
		return b.kids[k]
	})
}

func (b *page) evict(_ cell, p *place) node {
	return newPage(b.sum.disc, b.who, without(b.own, p), b.left)
}

func (w *wilds) evict(_ cell, p *place) node {
	return newWilds(w.sum.disc, w.sum.lead, without(w.own, p))
}

func without(places []*place, p *place) []*place {
	return slices.DeleteFunc(slices.Clone(places), func(x *place) bool { return x == p })
}

func (b *branch) cut(rest *tree, c cell, p *place) node {
	if !b.sum.contends(c, p) {
		return b
	}
	return b.with(func(k int) node { return b.kids[k].cut(rest, c.quarter(k), p) })
}

func (b *page) cut(rest *tree, c cell, p *place) node {
	if !slices.Contains(b.who, p) {
		return b
	}
	return regrow(c, rest.rivals(c, without(b.who, p)), b.own, b.left)
}

func (w *wilds) cut(rest *tree, c cell, p *place) node {
	if w.sum.lead != p {
		return w
	}
	next := *w
	next.sum.lead = rest.nearest(w.sum.disc.centre)
	return &next
}

// contends reports whether a store may be nearest somewhere in the node's cell, as far as its lead tells.
func (d *digest) contends(c cell, p *place) bool {
	if d.lead == nil || !p.open {
		return p.open
	}
	o := c.outline()
	lead, other := o.rival(d.lead), o.rival(p)
	return !lead.beats(&other)
}

// nearer reports whether an open store is nearer to the centre than the lead.
func (d *digest) nearer(p *place) bool {
	a, b := d.disc.centre.dot(p.at), d.disc.centre.dot(d.lead.at)
	return a > b || a == b && p.id < d.lead.id
}

// with is the branch with other kids, or the same one where none is another.
func (b *branch) with(kid func(k int) node) node {
	var kids [4]node
	for k := range kids {
		kids[k] = kid(k)
	}
	if kids == b.kids {
		return b
	}
	return newBranch(b.sum.disc, kids)
}

// nearest is the open store nearest to a point, nil if there is none.
func (t *tree) nearest(at vec) *place {
	for _, h := range t.search(at.spot(), wanted{kinds: openKinds, k: 1, maxM: never}) {
		return h.who
	}
	return nil
}

// rivals are the open stores that contend for a cell, and some that do not; known are some of them. It goes by where stores
// lie, not by what pages say of their contenders.
func (t *tree) rivals(c cell, known []*place) []*place {
	s := contest{outline: c.outline()}
	if len(known) == 0 { // something to measure the others by
		if p := t.nearest(s.centre); p != nil {
			known = append(known, p)
		}
	}
	for _, p := range known {
		s.found = append(s.found, s.rival(p))
	}
	for _, face := range t.faces {
		s.visit(face)
	}
	out := make([]*place, len(s.found))
	for i := range s.found {
		out[i] = s.found[i].who
	}
	return out
}

// contest is a search for the rivals in a cell.
type contest struct {
	outline
	found []rival
}

func (s *contest) visit(n node) {
	sum := n.digest()
	if sum.kinds&openKinds == 0 || s.outdone(&sum.disc) {
		return
	}
	if b, ok := n.(*branch); ok {
		kids := b.kids
		slices.SortFunc(kids[:], func(a, b node) int { // the nearest first, to be outdone by
			return cmp.Compare(b.digest().disc.nearest(s.centre), a.digest().disc.nearest(s.centre))
		})
		for _, kid := range kids {
			s.visit(kid)
		}
		return
	}
	for _, p := range n.stores() {
		if !p.open {
			continue
		}
		r := s.rival(p)
		if !slices.ContainsFunc(s.found, func(x rival) bool { return x.who == p }) && !beaten(s.found, &r) {
			s.found = append(s.found, r)
		}
	}
}

// outdone reports whether one of the stores found beats everything in a disc.
func (s *contest) outdone(d *disc) bool {
	best := rival{}
	for i, corner := range s.corners {
		best.corners[i] = d.nearest(corner)
	}
	best.centre = 2 // no store's
	return beaten(s.found, &best)
}

package geo

import (
	"math"
	"sync/atomic"
)

// tree holds one brand's stores in cells. It is never changed: put and cut make a new one that shares all but the nodes that
// differ, so readers need no lock.
type tree struct{ faces [6]node }

// node is a cell's part of a tree: a branch, a page or wilds.
type node interface {
	digest() *digest
	stores() []*place // that lie in the cell, of a page or wilds
	put(t *tree, c cell, p *place) node
	evict(c cell, p *place) node
	cut(rest *tree, c cell, p *place) node
}

// branch is a cell in quarters.
type branch struct {
	kids [4]node
	sum  digest
}

// page is a cell that at most pageSize open stores contend for: those that are nearest to some point of the cell, as far as
// comparing them two by two tells. Contenders usually lie in and around the cell, but over an ocean they may be far away. Of
// its 64 subcells each knows its own contenders, 3 on average.
type page struct {
	contenders []entry                 // in order of their distance to the cell's centre
	own        []*place                // all stores that lie in the cell, also closed ones, in order of their codes
	masks      [pageSize]atomic.Uint64 // per subcell: its contenders as bits; 0 until first asked for
	left       int8                    // how often the cell may be quartered, should more contend
	sum        digest
}

// wilds are a cell where more than pageSize stores contend and few lie: far from a row of stores, mostly. It keeps no list;
// who asks from here is answered by a search.
type wilds struct {
	own []*place
	sum digest // its lead is the open store nearest to the centre
}

// pageSize is how many stores a page compares: the bits of a word.
const pageSize = 64

// digest is what a node tells about what is below it.
type digest struct {
	disc  disc
	kinds kinds  // of the stores that lie in the cell
	lead  *place // contends in a page below, nil if none does; a store that lead beats everywhere in the cell contends in none
}

// entry is a contender, with what a search needs to know of it in one place.
type entry struct {
	spot
	id  string
	who *place
}

func (b *branch) digest() *digest { return &b.sum }
func (p *page) digest() *digest   { return &p.sum }
func (w *wilds) digest() *digest  { return &w.sum }

func (b *branch) stores() []*place { return nil }
func (p *page) stores() []*place   { return p.own }
func (w *wilds) stores() []*place  { return w.own }

func newBranch(d disc, kids [4]node) *branch {
	b := &branch{kids: kids, sum: digest{disc: d}}
	best := math.Inf(-1)
	for _, kid := range kids {
		sum := kid.digest()
		b.sum.kinds |= sum.kinds
		if sum.lead == nil {
			continue
		}
		if near := d.centre.dot(sum.lead.at); near > best {
			b.sum.lead, best = sum.lead, near
		}
	}
	return b
}

func newPage(d disc, contenders []entry, own []*place, left int8) *page {
	p := &page{contenders: contenders, own: own, left: left, sum: digest{disc: d, kinds: kindsOf(own)}}
	if len(contenders) > 0 {
		p.sum.lead = contenders[0].who
	}
	return p
}

func newWilds(d disc, lead *place, own []*place) *wilds {
	return &wilds{own: own, sum: digest{disc: d, lead: lead, kinds: kindsOf(own)}}
}

func kindsOf(places []*place) kinds {
	var k kinds
	for _, p := range places {
		k |= p.kind
	}
	return k
}

// mask is the contenders of one of a page's subcells.
func (p *page) mask(c cell, g grid) uint64 {
	s := digits - 3 - c.level
	u, w := g.u>>s, g.w>>s
	word := &p.masks[u&7<<3|w&7]
	if m := word.Load(); m != 0 {
		return m
	}
	o := cell{face: c.face, level: c.level + 3, u: u, w: w}.outline()
	all := make([]rival, len(p.contenders))
	for i := range p.contenders {
		all[i] = o.rival(p.contenders[i].who)
	}
	var m uint64
	for i := range all {
		if !beaten(all, &all[i]) {
			m |= 1 << i
		}
	}
	word.Store(m)
	return m
}

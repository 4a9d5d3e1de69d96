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
	masks      [subcells]atomic.Uint64 // per subcell: its contenders as bits; 0 until first asked for
	who        []*place                // the contenders
	own        []*place                // all stores that lie in the cell, also closed ones, in order of their codes
	left       int8                    // how often the cell may be quartered, should more contend
	sum        digest
}

// entry is what a look-up needs of a contender, in 64 bytes: one cache line.
type entry struct {
	spot
	id string
}

const (
	pageSize  = 64 // stores that a page compares: the bits of a word
	subLevels = 3  // how often a page's cell is quartered into subcells
	subcells  = 1 << (2 * subLevels)
)

// wilds are a cell where more than pageSize stores contend and few lie: far from a row of stores, mostly. It keeps no list;
// who asks from here is answered by a search.
type wilds struct {
	own []*place
	sum digest // its lead is the open store nearest to the centre
}

// digest is what a node tells about what is below it.
type digest struct {
	disc  disc
	kinds kinds  // of the stores that lie in the cell
	lead  *place // contends in a page below, nil if none does; a store that lead beats everywhere in the cell contends in none
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

func newPage(d disc, contenders, own []*place, left int8) *page {
	p := &page{who: contenders, own: own, left: left, sum: digest{disc: d, kinds: kindsOf(own)}}
	p.contenders = make([]entry, len(contenders))
	for i, c := range contenders {
		p.contenders[i] = entry{c.spot, c.id}
	}
	if len(contenders) > 0 {
		p.sum.lead = contenders[0]
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
	s := digits - subLevels - c.level
	u, w := g.u>>s, g.w>>s
	word := &p.masks[(u<<subLevels|w&(1<<subLevels-1))%subcells]
	if m := word.Load(); m != 0 {
		return m
	}
	o := cell{face: c.face, level: c.level + subLevels, u: u, w: w}.outline()
	all := make([]rival, len(p.who))
	for i, c := range p.who {
		all[i] = o.rival(c)
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

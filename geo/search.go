package geo

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// hit is a store that was found.
type hit struct {
	who      *place
	chord2   float64
	distance float64 // metres
}

func (a hit) compare(b hit) int {
	if c := cmp.Compare(a.distance, b.distance); c != 0 {
		return c
	}
	return cmp.Compare(a.who.id, b.who.id)
}

// answer is the store that was found, if any: who, or the i-th of a page's.
type answer struct {
	page     *page
	i        int
	who      *place
	id       string
	distance float64 // metres
}

// place is the store; getting to it costs more than its id.
func (a *answer) place() *place {
	if a.page == nil {
		return a.who
	}
	return a.page.who[a.i]
}

// first is the open store nearest to a point; without an id if there is none. But in the wilds, its cost does not depend on the
// number of stores, only for the way down to the page.
func (t *tree) first(from *spot) answer {
	g := gridOf(from.at)
	c := cell{face: g.face}
	n := t.faces[g.face]
	for {
		b, ok := n.(*branch)
		if !ok {
			break
		}
		n = b.kids[g.quarter(c.level)]
		c.level++
	}
	p, ok := n.(*page)
	if !ok || len(p.contenders) == 0 {
		return t.firstHit(*from)
	}
	m := p.mask(c, g)
	i := bits.TrailingZeros64(m)
	least, second := p.contenders[i].at.chord2(from.at), math.Inf(1)
	for rest := m & (m - 1); rest != 0; rest &= rest - 1 {
		k := bits.TrailingZeros64(rest)
		switch d := p.contenders[k].at.chord2(from.at); {
		case d < least:
			i, least, second = k, d, least
		case d < second:
			second = d
		}
	}
	if second <= tied(least) {
		return t.firstHit(*from)
	}
	e := &p.contenders[i]
	return answer{page: p, i: i, id: e.id, distance: haversine(from, &e.spot)}
}

func (t *tree) firstHit(from spot) answer {
	for _, h := range t.search(from, wanted{kinds: openKinds, k: 1, maxM: never}) {
		return answer{who: h.who, id: h.who.id, distance: h.distance}
	}
	return answer{}
}

// wanted is what a search looks for.
type wanted struct {
	kinds kinds
	k     int
	maxM  float64 // metres
	from  Point   // where service areas must hold it
	areas bool    // whether they matter
}

func (w *wanted) fits(p *place) bool { return w.kinds&p.kind != 0 && (!w.areas || p.serves(w.from)) }

// never is a distance that no store is beyond.
const never = math.MaxFloat64

// search finds the stores that are wanted, nearest first.
func (t *tree) search(from spot, want wanted) []hit {
	s := search{from: from, want: want, limit: math.Inf(1), least: make([]float64, 0, want.k+1), found: make([]hit, 0, 2*want.k)}
	if want.maxM < math.Pi*EarthRadiusM {
		half := math.Sin(want.maxM / EarthRadiusM / 2)
		s.limit = tied(4 * half * half)
	}
	s.descend(t.faces[:])
	hits := slices.DeleteFunc(s.found, func(h hit) bool { return h.chord2 > s.limit })
	for i := range hits {
		hits[i].distance = haversine(&s.from, &hits[i].who.spot)
	}
	hits = slices.DeleteFunc(hits, func(h hit) bool { return h.distance > want.maxM })
	slices.SortFunc(hits, hit.compare)
	return hits[:min(len(hits), want.k)]
}

// search is a descent into the nearest nodes first, which leaves out those that are too far away by then.
type search struct {
	from  spot
	want  wanted
	limit float64   // squared chord beyond which no store is among the hits
	least []float64 // the smallest squared chords so far, at most k, in order
	found []hit     // stores within the limit of their time; distances are not worked out yet
}

func (s *search) descend(nodes []node) {
	type near struct {
		n   node
		dot float64
	}
	var queue [6]near
	k := 0
	for _, n := range nodes {
		sum := n.digest()
		if sum.kinds&s.want.kinds == 0 {
			continue
		}
		queue[k] = near{n, sum.disc.nearest(s.from.at)}
		for i := k; i > 0 && queue[i].dot > queue[i-1].dot; i-- {
			queue[i], queue[i-1] = queue[i-1], queue[i]
		}
		k++
	}
	for _, q := range queue[:k] {
		if 2-2*q.dot > s.limit+4*margin {
			return
		}
		if b, ok := q.n.(*branch); ok {
			s.descend(b.kids[:])
		} else {
			s.scan(q.n.stores())
		}
	}
}

func (s *search) scan(own []*place) {
	for _, p := range own {
		chord2 := p.at.chord2(s.from.at)
		if chord2 > s.limit || !s.want.fits(p) {
			continue
		}
		s.found = append(s.found, hit{who: p, chord2: chord2})
		i := len(s.least)
		if i == s.want.k && chord2 >= s.least[i-1] {
			continue
		}
		if i < s.want.k {
			s.least = append(s.least, 0)
		} else {
			i--
		}
		for ; i > 0 && s.least[i-1] > chord2; i-- {
			s.least[i] = s.least[i-1]
		}
		s.least[i] = chord2
		if len(s.least) == s.want.k {
			s.limit = min(s.limit, tied(s.least[s.want.k-1]))
		}
	}
}

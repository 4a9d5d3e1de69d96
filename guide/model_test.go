package guide

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/geo"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// naive is the rule of assignment without batches, caches or counters: one member after the other, everything looked at.
type naive struct {
	brand  storeevent.Brand
	stores []storeevent.Store
	guides []naiveGuide
	served map[string]string // guide by member
	times  map[string]int64  // assignments so far, by guide
}

type naiveGuide struct {
	Hire
	left bool
}

func (n *naive) members(guide string) (count int64) {
	for _, g := range n.served {
		if g == guide {
			count++
		}
	}
	return count
}

// pick is the guide of a store who is next, "" if nobody has room.
func (n *naive) pick(store string, limited bool) string {
	var staff []naiveGuide
	for _, g := range n.guides {
		if g.Store == store && !g.left && slices.Contains(g.Brands, n.brand.ID) && (g.Role == Shopping || g.Capacity > 0) {
			staff = append(staff, g)
		}
	}
	if slices.ContainsFunc(staff, func(g naiveGuide) bool { return g.OnDuty }) {
		staff = slices.DeleteFunc(staff, func(g naiveGuide) bool { return !g.OnDuty })
	}
	if limited {
		staff = slices.DeleteFunc(staff, func(g naiveGuide) bool { return n.members(g.ID) >= g.Capacity })
	}
	if len(staff) == 0 {
		return ""
	}
	return slices.MinFunc(staff, func(a, b naiveGuide) int {
		return cmp.Or(
			cmp.Compare(float64(n.members(a.ID))/float64(max(1, a.Capacity)), float64(n.members(b.ID))/float64(max(1, b.Capacity))),
			cmp.Compare(n.times[a.ID], n.times[b.ID]), cmp.Compare(a.ID, b.ID),
		)
	}).ID
}

func (n *naive) assign(j memberevent.Joined) (store, guide, reason string) {
	defer func() {
		n.served[j.Member] = guide
		if guide != "" {
			n.times[guide]++
		}
	}()
	for _, g := range n.guides {
		if g.ID != j.RecruitingGuide || g.left || !slices.Contains(g.Brands, n.brand.ID) || g.Role == Manager && g.Capacity == 0 {
			continue
		}
		if n.members(g.ID) < g.Capacity {
			return g.Store, g.ID, ReasonRecruiting
		}
		if j.Store == "" && j.Lat == nil {
			j.Store = g.Store
		}
	}
	var from *geo.Point
	if j.Lat != nil {
		from = &geo.Point{Lat: *j.Lat, Lng: *j.Lng}
	}
	first := ""
	for _, s := range n.stores {
		if _, carried := s.Brands[n.brand.ID]; s.ID == j.Store && carried {
			if g := n.pick(s.ID, true); g != "" {
				return s.ID, g, ReasonNamed
			}
			first, from = s.ID, &geo.Point{Lat: s.Lat, Lng: s.Lng}
		}
	}
	if from != nil {
		near := slices.DeleteFunc(slices.Clone(n.stores), func(s storeevent.Store) bool {
			_, carried := s.Brands[n.brand.ID]
			return !s.Open || !carried || s.ID == j.Store || n.distance(*from, s) > float64(n.brand.MaxAssignM)
		})
		slices.SortFunc(near, func(a, b storeevent.Store) int {
			return cmp.Or(cmp.Compare(n.distance(*from, a), n.distance(*from, b)), cmp.Compare(a.ID, b.ID))
		})
		for i, s := range near {
			if first == "" {
				first = s.ID
			}
			if g := n.pick(s.ID, true); g != "" {
				if i == 0 && first == s.ID {
					return s.ID, g, ReasonNearest
				}
				return s.ID, g, ReasonNext
			}
		}
	}
	if first != "" {
		return first, "", ReasonPool
	}
	if n.brand.FallbackStore == "" {
		return "", "", ReasonNone
	}
	return n.brand.FallbackStore, n.pick(n.brand.FallbackStore, false), ReasonFallback
}

func (n *naive) distance(from geo.Point, s storeevent.Store) float64 {
	return geo.Distance(from, geo.Point{Lat: s.Lat, Lng: s.Lng})
}

// leave hands a guide's members over in the order of their bindings' ids.
func (n *naive) leave(id string) {
	i := slices.IndexFunc(n.guides, func(g naiveGuide) bool { return g.ID == id })
	n.guides[i].left = true
	var members []string
	for m, g := range n.served {
		if g == id {
			members = append(members, m)
		}
	}
	slices.Sort(members)
	for _, m := range members {
		n.assign(memberevent.Joined{Member: m, Brand: n.brand.ID, Store: n.guides[i].Store})
	}
}

// Batches of assignments, and guides who leave in between, do what the rule says for one member after the other.
func TestAssignModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := start(rt, docdbtest.SQLite(t), newWorld())
		n := &naive{brand: storeevent.Brand{ID: "aurora", MaxAssignM: 30_000}, served: map[string]string{}, times: map[string]int64{}}
		for i := range rapid.IntRange(1, 14).Draw(rt, "stores") {
			s := storeevent.Store{ID: fmt.Sprintf("s-%02d", i), Brands: map[string]string{"aurora": ""}, Open: rapid.IntRange(0, 5).Draw(rt, "open") > 0}
			s.Lat, s.Lng = 31+float64(rapid.IntRange(0, 60).Draw(rt, "lat"))/100, 121
			if rapid.IntRange(0, 6).Draw(rt, "brand") == 0 {
				s.Brands = map[string]string{"breeze": ""}
			}
			f.build(s)
			n.stores = append(n.stores, s)
		}
		store := func(label string) string { return rapid.SampledFrom(n.stores).Draw(rt, label).ID }
		if rapid.Bool().Draw(rt, "fallback") {
			n.brand.FallbackStore = store("fallback store")
			f.world.change("aurora", func(b *storeevent.Brand) { b.FallbackStore = n.brand.FallbackStore })
		}
		managed := map[string]bool{}
		for i := range rapid.IntRange(0, 20).Draw(rt, "guides") {
			h := Hire{
				ID: fmt.Sprintf("g-%02d", i), Name: "G", Store: store("works in"), Role: Shopping,
				Capacity: int64(rapid.IntRange(0, 6).Draw(rt, "capacity")), OnDuty: rapid.IntRange(0, 3).Draw(rt, "duty") > 0,
			}
			for b := range f.stores[h.Store].Brands {
				h.Brands = []string{b}
			}
			if rapid.IntRange(0, 4).Draw(rt, "manager") == 0 && !managed[h.Store] {
				h.Role, managed[h.Store] = Manager, true
			}
			if _, err := f.Hire(rt.Context(), h); err != nil {
				rt.Fatal(err)
			}
			n.guides = append(n.guides, naiveGuide{Hire: h})
		}
		made := 0
		join := rapid.Custom(func(rt *rapid.T) memberevent.Joined {
			j := memberevent.Joined{Brand: "aurora"}
			if rapid.Bool().Draw(rt, "located") {
				j.Lat, j.Lng = ptr(31+float64(rapid.IntRange(-5, 65).Draw(rt, "lat"))/100+0.001), ptr(121.001)
			}
			if rapid.IntRange(0, 2).Draw(rt, "named") == 0 {
				j.Store = store("named")
			}
			if rapid.IntRange(0, 3).Draw(rt, "recruited") == 0 {
				j.RecruitingGuide = fmt.Sprintf("g-%02d", rapid.IntRange(0, 21).Draw(rt, "recruiter"))
			}
			return j
		})
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			joins := rapid.SliceOfN(join, 0, 20).Draw(rt, "joins")
			want := make([]guideevent.Assignment, len(joins))
			for i := range joins {
				made++
				joins[i].Member = fmt.Sprintf("m%03d", made)
				want[i].Store, want[i].Guide, want[i].Reason = n.assign(joins[i])
			}
			got, err := f.Assign(rt.Context(), joins)
			if err != nil {
				rt.Fatal(err)
			}
			for i := range got {
				if g, w := got[i], want[i]; g.Store != w.Store || g.Guide != w.Guide || g.Reason != w.Reason {
					rt.Fatalf("%+v:\n got %s %s %s\nwant %s %s %s\n(%+v)", joins[i], g.Store, g.Guide, g.Reason, w.Store, w.Guide, w.Reason, g.Candidates)
				}
			}
			if len(n.guides) > 0 && rapid.IntRange(0, 2).Draw(rt, "leave") == 0 {
				leaver := rapid.SampledFrom(n.guides).Draw(rt, "leaver")
				if !leaver.left {
					n.leave(leaver.ID)
					if _, err := f.Leave(rt.Context(), leaver.ID, 0); err != nil {
						rt.Fatal(err)
					}
				}
			}
		}
		for _, g := range n.guides {
			if got, want := f.loadOf(g.ID, "aurora"), n.members(g.ID); got != want {
				rt.Errorf("%s has %d members, want %d", g.ID, got, want)
			}
		}
		f.sound()
	})
}

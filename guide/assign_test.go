package guide

import (
	"slices"
	"testing"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

func ptr[T any](v T) *T { return &v }

// The order of assignment, one step after the other.
func TestAssignOrder(t *testing.T) {
	t.Parallel()
	type want struct {
		store, guide, reason string
		distance             int64
	}
	recruited := func(guide string, j memberevent.Joined) memberevent.Joined {
		j.RecruitingGuide = guide
		return j
	}
	for name, c := range map[string]struct {
		world  func(f *fixture)
		joined memberevent.Joined
		want   want
	}{
		"the recruiting guide comes first": {
			func(f *fixture) { f.hire("far", "s-3", 10) }, recruited("far", in("s-1")), want{"s-3", "far", ReasonRecruiting, -1},
		},
		"off duty too": {
			func(f *fixture) { f.hire("far", "s-3", 10, offDuty) }, recruited("far", in("s-1")), want{"s-3", "far", ReasonRecruiting, -1},
		},
		"a full recruiting guide is passed over for the named store": {
			func(f *fixture) { f.hire("far", "s-3", 0) }, recruited("far", in("s-2")), want{"s-2", "g-2", ReasonNamed, -1},
		},
		"and for the location": {
			func(f *fixture) { f.hire("far", "s-3", 0) }, recruited("far", at(0.2)), want{"s-1", "g-1", ReasonNearest, 200},
		},
		"without either, her store is meant": {
			func(f *fixture) { f.hire("far", "s-3", 0); f.hire("g-3", "s-3", 1) }, recruited("far", memberevent.Joined{}), want{"s-3", "g-3", ReasonNamed, -1},
		},
		"nobody knows the recruiting guide": {
			nil, recruited("nobody", in("s-1")), want{"s-1", "g-1", ReasonNamed, -1},
		},
		"the recruiting guide is not authorised for the brand": {
			func(f *fixture) { f.hire("far", "s-3", 10, func(h *Hire) { h.Brands = []string{"breeze"} }) },
			recruited("far", in("s-1")), want{"s-1", "g-1", ReasonNamed, -1},
		},
		"the recruiting guide has left": {
			func(f *fixture) {
				f.hire("far", "s-3", 10)
				if _, err := f.Leave(f.t.Context(), "far", 0); err != nil {
					f.t.Fatal(err)
				}
			},
			recruited("far", in("s-1")), want{"s-1", "g-1", ReasonNamed, -1},
		},
		"the named store, also when another is nearer": {
			nil, func() memberevent.Joined { j := at(0); j.Store = "s-2"; return j }(), want{"s-2", "g-2", ReasonNamed, -1},
		},
		"an unknown store is as none": {
			nil, func() memberevent.Joined { j := at(0); j.Store = "s-9"; return j }(), want{"s-1", "g-1", ReasonNearest, 0},
		},
		"the nearest store": {nil, at(7), want{"s-2", "g-2", ReasonNearest, 3000}},
		"a closed store is not near": {
			func(f *fixture) {
				f.build(storeevent.Store{ID: "s-2", Brands: map[string]string{"aurora": ""}, Lat: 31 + 10/111.195, Lng: 121})
			},
			at(7), want{"s-1", "g-1", ReasonNearest, 7000},
		},
		"a store of another brand is not near": {
			func(f *fixture) {
				f.build(storeevent.Store{ID: "s-2", Brands: map[string]string{"breeze": ""}, Lat: 31 + 10/111.195, Lng: 121, Open: true})
			},
			at(7), want{"s-1", "g-1", ReasonNearest, 7000},
		},
		"no room in the named store: the next one from there": {
			func(f *fixture) { f.change("g-1", Change{Capacity: ptr(int64(0))}) }, in("s-1"), want{"s-2", "g-2", ReasonNext, 10_000},
		},
		"no room in the nearest store: the next one": {
			func(f *fixture) { f.change("g-2", Change{Capacity: ptr(int64(0))}) }, at(7), want{"s-1", "g-1", ReasonNext, 7000},
		},
		"no room anywhere in reach: the nearest store's pool": {
			func(f *fixture) {
				f.change("g-1", Change{Capacity: ptr(int64(0))})
				f.change("g-2", Change{Capacity: ptr(int64(0))})
			},
			at(7), want{"s-2", "", ReasonPool, 3000},
		},
		"nor around the named store: its pool": {
			func(f *fixture) {
				f.change("g-1", Change{Capacity: ptr(int64(0))})
				f.change("g-2", Change{Capacity: ptr(int64(0))})
			},
			in("s-1"), want{"s-1", "", ReasonPool, -1},
		},
		"no store in reach: the fallback store, whatever its capacity": {
			func(f *fixture) {
				f.hire("g-3", "s-3", 0)
				f.world.change("aurora", func(b *storeevent.Brand) { b.FallbackStore = "s-3" })
			},
			at(-200), want{"s-3", "g-3", ReasonFallback, -1},
		},
		"no location: the fallback store": {
			func(f *fixture) { f.world.change("aurora", func(b *storeevent.Brand) { b.FallbackStore = "s-3" }) },
			memberevent.Joined{}, want{"s-3", "", ReasonFallback, -1},
		},
		"no fallback store": {nil, memberevent.Joined{}, want{"", "", ReasonNone, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startSQLite(t)
			f.open("s-1", 0)
			f.open("s-2", 10)
			f.open("s-3", 100)
			f.hire("g-1", "s-1", 5)
			f.hire("g-2", "s-2", 5)
			if c.world != nil {
				c.world(f)
			}
			a := f.assignOne("m", c.joined)
			if got := (want{a.Store, a.Guide, a.Reason, a.DistanceM}); got != c.want {
				t.Errorf("got %+v, want %+v (%v)", got, c.want, a.Candidates)
			}
			f.sound()
		})
	}
}

// Within a store: who gets the next member, and what is said of the others.
func TestChoose(t *testing.T) {
	t.Parallel()
	who := func(id string, duty bool, members, assigned, capacity int64) colleague {
		g := &Guide{OnDuty: duty, Capacity: capacity}
		g.ID = id
		return colleague{Guide: g, load: &load{Members: members, Assigned: assigned}}
	}
	barred := who("x", true, 0, 0, 100)
	barred.why = whyAuthority
	for name, c := range map[string]struct {
		staff   []colleague
		free    bool // capacity does not count
		want    string
		remarks []string
	}{
		"the lowest ratio, not the lowest load": {
			[]colleague{who("a", true, 3, 3, 10), who("b", true, 5, 5, 20)}, false, "b", []string{noteLessApt, ""},
		},
		"ties by fewest assignments": {[]colleague{who("a", true, 1, 7, 10), who("b", true, 2, 6, 20)}, false, "b", []string{noteLessApt, ""}},
		"then by id":                 {[]colleague{who("b", true, 1, 1, 10), who("a", true, 1, 1, 10)}, false, "a", []string{noteLessApt, ""}},
		"on duty before off duty":    {[]colleague{who("a", false, 0, 0, 10), who("b", true, 9, 9, 10)}, false, "b", []string{noteOffDuty, ""}},
		"nobody on duty: all":        {[]colleague{who("a", false, 1, 1, 10), who("b", false, 2, 2, 10)}, false, "a", []string{"", noteLessApt}},
		"full on duty, room off duty: no room": {
			[]colleague{who("a", false, 0, 0, 10), who("b", true, 10, 10, 10)}, false, "", []string{noteOffDuty, noteNoRoom},
		},
		"who may not serve does not count as on duty": {[]colleague{barred, who("b", false, 0, 0, 10)}, false, "b", []string{whyAuthority, ""}},
		"nobody":               {nil, false, "", []string{noteNoGuide}},
		"without limit":        {[]colleague{who("a", true, 10, 10, 10), who("b", true, 30, 30, 20)}, true, "a", []string{"", noteLessApt}},
		"no capacity counts 1": {[]colleague{who("a", true, 1, 1, 0), who("b", true, 0, 0, 0)}, true, "b", []string{noteLessApt, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			best, seen := choose("s", -1, c.staff, !c.free)
			got := ""
			if best != nil {
				got = best.ID
			}
			remarks := make([]string, len(seen))
			for i := range seen {
				remarks[i] = seen[i].Note
			}
			if got != c.want || !slices.Equal(remarks, c.remarks) {
				t.Errorf("got %q %q, want %q %q", got, remarks, c.want, c.remarks)
			}
		})
	}
}

func TestAssignExplains(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.open("s-2", 10)
	f.hire("g-1", "s-1", 1)
	f.hire("g-2", "s-2", 4)
	f.hire("g-3", "s-2", 4, offDuty)
	f.hire("boss", "s-2", 0, asManager)
	f.assignOne("a", at(0))
	f.assignOne("b", at(10))
	got := f.assignOne("c", at(1)).Candidates
	want := []guideevent.Candidate{
		{Store: "s-1", DistanceM: 1000, Guide: "g-1", Load: 1, Capacity: 1, Note: noteNoRoom},
		{Store: "s-2", DistanceM: 9000, Guide: "g-2", Load: 1, Capacity: 4},
		{Store: "s-2", DistanceM: 9000, Guide: "g-3", Load: 0, Capacity: 4, Note: noteOffDuty},
		{Store: "s-2", DistanceM: 9000, Guide: "boss", Load: 0, Capacity: 0, Note: noteManager},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	kept, err := f.Bindings(t.Context(), "c0000")
	if err != nil || len(kept) != 1 || !slices.Equal(kept[0].Candidates, want) {
		t.Errorf("the explanation is not kept: %+v, %v", kept, err)
	}
}

// Assigning again answers the binding there is; the members of one batch see each other.
func TestAssignAgain(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.hire("g-1", "s-1", 100)
	f.hire("g-2", "s-1", 100)
	first := f.assign("m", 10, in("s-1"))
	f.pass(time.Hour)
	for i, a := range f.assign("m", 10, at(0)) {
		if a.Guide != first[i].Guide || a.From != first[i].From || a.Reason != ReasonNamed {
			t.Errorf("assigned again: %+v, was %+v", a, first[i])
		}
	}
	twice, err := f.Assign(t.Context(), []memberevent.Joined{{Member: "n", Brand: "aurora", Store: "s-1"}, {Member: "n", Brand: "aurora", Store: "s-1"}, {Member: "n", Brand: "breeze"}})
	if err != nil || twice[0].Guide != twice[1].Guide || twice[2].Reason != ReasonNone {
		t.Errorf("%+v, %v", twice, err)
	}
	if a, b := f.loadOf("g-1", "aurora"), f.loadOf("g-2", "aurora"); a != 6 || b != 5 {
		t.Errorf("loads %d and %d", a, b)
	}
	if _, err := f.Assign(t.Context(), []memberevent.Joined{{Member: "n", Brand: "none"}}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown brand: %v", err)
	}
	f.sound()
}

// Whom no store was in reach of is assigned again when they share a location, also within the batch; nobody else is.
func TestAssignLocated(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.hire("g-1", "s-1", 100)
	f.assignOne("a", memberevent.Joined{})
	far, near := at(500), at(1)
	far.Member, far.Brand = "a0000", "aurora"
	near.Member, near.Brand = "a0000", "aurora"
	f.pass(time.Minute)
	for i, want := range []string{ReasonNone, ReasonNearest, ReasonNearest} {
		got, err := f.Assign(t.Context(), [][]memberevent.Joined{{far}, {far, near}, {far}}[i])
		if err != nil || got[len(got)-1].Reason != want {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
	}
	got, err := f.Assign(t.Context(), []memberevent.Joined{{Member: "b", Brand: "aurora"}, {Member: "b", Brand: "aurora", Lat: near.Lat, Lng: near.Lng}})
	if err != nil || got[0].Reason != ReasonNone || got[1].Guide != "g-1" {
		t.Errorf("%+v, %v", got, err)
	}
	history, err := f.Bindings(t.Context(), "b")
	if err != nil || len(history) != 2 || history[0].To != history[1].From {
		t.Errorf("%+v, %v", history, err)
	}
	f.sound()
}

// A binding starts when it is made; one dated back starts with the card, or with the guide's employment if that is later.
func TestBindingStart(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	hired := f.hire("g-1", "s-1", 100).EmployedFrom()
	for name, c := range map[string]struct {
		card      when.Instant
		backdated bool
		want      when.Instant
	}{
		"made now":             {now.Add(-time.Hour), false, now},
		"with the card":        {now.Add(-time.Hour), true, now.Add(-time.Hour)},
		"with the employment":  {now.Add(-999 * time.Hour), true, hired},
		"the card starts now":  {now, true, now},
		"the same millisecond": {hired, true, hired},
	} {
		j := in("s-1")
		j.At, j.Backdated = c.card, c.backdated
		if got := f.assignOne(name, j).From; got != c.want {
			t.Errorf("%s: from %v, want %v", name, got, c.want)
		}
	}
	if j := (memberevent.Joined{At: 5000, Backdated: true}); f.assignOne("pool", j).From != 5000 {
		t.Error("without a guide the binding does not start with the card")
	}
}

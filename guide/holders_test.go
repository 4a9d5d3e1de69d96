package guide

import (
	"fmt"
	"testing"
	"time"

	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/store/storeevent"
)

// A guide's life: hired for the past, moved, made manager, gone; a member bound to her. Asked for each moment, everything is as it
// was then, also afterwards.
func TestHoldersAsOf(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.open("s-2", 10)
	hired := now.Add(-100 * time.Hour)
	f.hire("g-1", "s-1", 100, func(h *Hire) { h.Brands = []string{"aurora"}; h.EmployedFrom = hired })
	f.hire("boss", "s-2", 0, asManager, func(h *Hire) { h.EmployedFrom = hired })
	j := in("s-1")
	j.At, j.Backdated, j.RecruitingGuide = hired.Add(time.Hour), true, "g-1"
	f.assignOne("m", j)
	f.accept()

	moved := f.pass(time.Hour)
	f.change("g-1", Change{Store: ptr("s-2")})
	both := f.pass(time.Hour)
	f.change("g-1", Change{Brands: []string{"aurora", "breeze"}})
	retired := f.pass(time.Hour)
	if _, err := f.Leave(t.Context(), "boss", 0); err != nil {
		t.Fatal(err)
	}
	promoted := f.pass(time.Hour)
	f.change("g-1", Change{Role: ptr(Manager)})
	f.hire("g-2", "s-2", 100)
	left := f.pass(time.Hour)
	if _, err := f.Leave(t.Context(), "g-1", 0); err != nil {
		t.Fatal(err)
	}
	f.pass(time.Hour)

	selling := func(h guideevent.Holders) guideevent.Holder { return h.Selling }
	serving := func(h guideevent.Holders) guideevent.Holder { return h.Serving }
	recruiting := func(h guideevent.Holders) guideevent.Holder { return h.Recruiting }
	manager := func(h guideevent.Holders) guideevent.Holder { return h.Manager }
	type holder = guideevent.Holder
	for i, c := range []struct {
		role  func(guideevent.Holders) holder
		at    when.Instant
		store string
		brand string
		want  holder
	}{
		{selling, hired - 1, "s-1", "aurora", holder{Reason: whyEmployment}},
		{selling, hired, "s-1", "aurora", holder{Guide: "g-1", Since: hired}},
		{selling, hired, "s-1", "breeze", holder{Reason: whyAuthority}},
		{selling, hired, "s-2", "aurora", holder{Reason: whyStore}},
		{selling, hired, "", "aurora", holder{Reason: whyNoStore}},
		{selling, moved - 1, "s-1", "aurora", holder{Guide: "g-1", Since: hired}},
		{selling, moved + 1, "s-1", "aurora", holder{Reason: whyStore}},
		{selling, moved + 1, "s-2", "aurora", holder{Guide: "g-1", Since: moved}},
		{selling, both - 1, "s-2", "breeze", holder{Reason: whyAuthority}},
		{selling, both + 1, "s-2", "breeze", holder{Guide: "g-1", Since: both}},
		{selling, promoted + 1, "s-2", "aurora", holder{Guide: "g-1", Since: moved}},
		{selling, left - 1, "s-2", "aurora", holder{Guide: "g-1", Since: moved}},
		{selling, left + 1, "s-2", "aurora", holder{Reason: whyEmployment}},

		{serving, hired, "s-1", "aurora", holder{Reason: whyNoBinding}},
		{serving, j.At, "s-1", "aurora", holder{Guide: "g-1", Since: j.At}},
		{serving, j.At, "", "aurora", holder{Guide: "g-1", Since: j.At}},
		{serving, j.At, "s-1", "breeze", holder{Reason: whyNoBinding}},
		{serving, moved + 1, "s-1", "aurora", holder{Guide: "g-1", Since: j.At}},
		{serving, left - 1, "s-1", "aurora", holder{Guide: "g-1", Since: j.At}},
		{serving, left + 1, "s-1", "aurora", holder{Guide: "g-2", Since: left}},

		{recruiting, hired, "s-1", "aurora", holder{Reason: whyNoRecruit}},
		{recruiting, j.At, "s-1", "aurora", holder{Guide: "g-1", Since: j.At}},
		{recruiting, j.At, "s-1", "breeze", holder{Reason: whyNoRecruit}},
		{recruiting, left + 1, "s-1", "aurora", holder{Reason: whyEmployment}},

		{manager, hired - 1, "s-2", "aurora", holder{Reason: whyNoManager}},
		{manager, hired, "s-2", "aurora", holder{Guide: "boss", Since: hired}},
		{manager, retired - 1, "s-2", "aurora", holder{Guide: "boss", Since: hired}},
		{manager, retired + 1, "s-2", "aurora", holder{Reason: whyNoManager}},
		{manager, promoted + 1, "s-2", "aurora", holder{Guide: "g-1", Since: promoted}},
		{manager, left + 1, "s-2", "aurora", holder{Reason: whyNoManager}},
		{manager, hired, "s-1", "aurora", holder{Reason: whyNoManager}},
		{manager, hired, "", "aurora", holder{Reason: whyNoStore}},
	} {
		got, err := f.Holders(t.Context(), []guideevent.HolderQuery{{At: c.at, Store: c.store, Brand: c.brand, Member: "m0000", Guide: "g-1"}})
		if err != nil {
			t.Fatal(err)
		}
		if h := c.role(got[0]); h != c.want {
			t.Errorf("%d: %v in %q for %s: %+v, want %+v", i, c.at, c.store, c.brand, h, c.want)
		}
	}
	anonymous, err := f.Holders(t.Context(), []guideevent.HolderQuery{{At: moved, Store: "s-1", Brand: "aurora"}, {At: moved, Store: "s-1", Brand: "aurora", Guide: "nobody", Member: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if a := anonymous[0]; a.Selling.Reason != whyNotNamed || a.Serving.Reason != whyNoMember || a.Recruiting.Reason != whyNoMember {
		t.Errorf("%+v", a)
	}
	if a := anonymous[1]; a.Selling.Reason != whyUnknown || a.Serving.Reason != whyNoBinding {
		t.Errorf("%+v", a)
	}
}

// Who enrols and pays in the same second is served: a time in whole seconds is its second's end.
func TestHoldersWithinASecond(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.hire("g-1", "s-1", 100)
	f.pass(400 * time.Millisecond)
	f.assignOne("m", in("s-1"))
	for at, want := range map[when.Instant]string{now: "g-1", now + 399: "", now + 400: "g-1"} {
		got, err := f.Holders(t.Context(), []guideevent.HolderQuery{{At: at, Store: "s-1", Brand: "aurora", Member: "m0000"}})
		if err != nil || got[0].Serving.Guide != want {
			t.Errorf("%v: %+v, %v, want %q", at, got, err, want)
		}
	}
}

// What one process changes of guides, another one that remembers them sees.
func TestHoldersOfAnotherProcess(t *testing.T) {
	t.Parallel()
	w, db := newWorld(), docdbtest.SQLite(t)
	w.open("s-1", 0)
	w.open("s-2", 10)
	here, there := start(t, db, w), start(t, db, w)
	here.hire("g-1", "s-1", 100)
	sells := func(store string) string {
		t.Helper()
		got, err := there.Holders(t.Context(), []guideevent.HolderQuery{{At: w.Now(), Store: store, Brand: "aurora", Guide: "g-1"}})
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Selling.Guide
	}
	if sells("s-1") != "g-1" || sells("s-2") != "" {
		t.Error("hired in the first store, she sells elsewhere")
	}
	w.pass(time.Minute)
	here.change("g-1", Change{Store: ptr("s-2")})
	if sells("s-1") != "" || sells("s-2") != "g-1" {
		t.Error("moved to the second store, she sells in the first one")
	}
}

func TestHire(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.hire("boss", "s-1", 0, asManager)
	ok := Hire{ID: "g-9", Name: "G", Store: "s-1", Brands: []string{"aurora"}, Role: Shopping, Capacity: 3}
	for code, c := range map[string]struct {
		kind   fault.Kind
		change func(*Hire)
	}{
		"invalid_id":       {fault.Invalid, func(h *Hire) { h.ID = "g 9" }},
		"brands_missing":   {fault.Invalid, func(h *Hire) { h.Brands = nil }},
		"unknown_role":     {fault.Invalid, func(h *Hire) { h.Role = "boss" }},
		"invalid_capacity": {fault.Invalid, func(h *Hire) { h.Capacity = -1 }},
		"unknown_store":    {fault.NotFound, func(h *Hire) { h.Store = "s-9" }},
		"unknown_brand":    {fault.NotFound, func(h *Hire) { h.Brands = []string{"none"} }},
		"brand_not_carried": {fault.Conflict, func(h *Hire) {
			f.world.change("cedar", func(b *storeevent.Brand) { b.ID = "cedar" })
			h.Brands = []string{"cedar"}
		}},
		"store_has_manager": {fault.Conflict, asManager},
		"guide_exists":      {fault.Exists, func(h *Hire) { h.ID = "boss" }},
	} {
		h := ok
		c.change(&h)
		if _, err := f.Hire(t.Context(), h); fault.CodeOf(err) != code || !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", code, err)
		}
	}
	if g, err := f.Hire(t.Context(), ok); err != nil || g.EmployedFrom() != now {
		t.Errorf("%+v, %v", g, err)
	}
}

// Before its brands' first accepted transaction a guide may have been employed, and have left, at any moment; afterwards from now.
func TestDatedBack(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	past := now.Add(-1000 * time.Hour)
	since := func(h *Hire) { h.EmployedFrom = past }
	if g := f.hire("g-1", "s-1", 1, since); g.EmployedFrom() != past {
		t.Errorf("employed from %v", g.EmployedFrom())
	}
	if sum, err := f.Leave(t.Context(), "g-1", past+5); err != nil || sum.LeftAt != past+5 {
		t.Errorf("%+v, %v", sum, err)
	}
	f.accept()
	if g := f.hire("g-2", "s-1", 1, since); g.EmployedFrom() != now {
		t.Errorf("employed from %v", g.EmployedFrom())
	}
	f.pass(time.Hour)
	if sum, err := f.Leave(t.Context(), "g-2", past); err != nil || sum.LeftAt != f.Now() {
		t.Errorf("%+v, %v", sum, err)
	}
	f.hire("g-3", "s-1", 1)
	if sum, err := f.Leave(t.Context(), "g-3", f.Now().Add(time.Minute)); err != nil || sum.LeftAt != f.Now() {
		t.Errorf("by a clock that is ahead: %+v, %v", sum, err)
	}
	f.hire("g-4", "s-1", 1)
	if _, err := f.Leave(t.Context(), "g-4", f.Now().Add(time.Hour)); fault.CodeOf(err) != "leave_later" {
		t.Errorf("later: %v", err)
	}
	if _, err := f.Leave(t.Context(), "nobody", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := f.Change(t.Context(), "g-3", Change{OnDuty: ptr(true)}); fault.CodeOf(err) != "guide_has_left" {
		t.Errorf("a change of who left: %v", err)
	}
}

// A store has one manager at a time, however she comes and goes.
func TestOneManager(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.open("s-2", 10)
	f.hire("a", "s-1", 0, asManager)
	f.hire("b", "s-1", 0)
	f.hire("c", "s-2", 0, asManager)
	conflict := func(id string, c Change) {
		t.Helper()
		if _, err := f.Change(t.Context(), id, c); fault.CodeOf(err) != "store_has_manager" {
			t.Errorf("%s becomes a second manager: %v", id, err)
		}
	}
	f.pass(time.Minute)
	conflict("b", Change{Role: ptr(Manager)})
	conflict("c", Change{Store: ptr("s-1")})
	f.change("a", Change{Role: ptr(Shopping)})
	f.change("c", Change{Store: ptr("s-1")})
	conflict("a", Change{Role: ptr(Manager)})
	f.pass(time.Minute)
	f.change("a", Change{Store: ptr("s-2"), Role: ptr(Manager)})
	for i, want := range map[string]string{"s-1": "c", "s-2": "a"} {
		got, err := f.Holders(t.Context(), []guideevent.HolderQuery{{At: f.Now() + 1, Store: i, Brand: "aurora"}})
		if err != nil || got[0].Manager.Guide != want {
			t.Errorf("%s: %+v, %v", i, got, err)
		}
	}
}

// A pool's members are given out when somebody has room for them.
func TestPoolGivenOut(t *testing.T) {
	t.Parallel()
	f := startSQLite(t)
	f.open("s-1", 0)
	f.hire("g-1", "s-1", 2)
	f.assign("m", 10, in("s-1"))
	loads := func(want ...int64) {
		t.Helper()
		got := make([]int64, len(want))
		for i := range want {
			got[i] = f.loadOf(fmt.Sprintf("g-%d", i+1), "aurora")
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("loads %v, want %v", got, want)
		}
	}
	loads(2)
	f.change("g-1", Change{Capacity: ptr(int64(3))})
	loads(3)
	f.hire("g-2", "s-1", 4)
	loads(3, 4)
	f.change("g-2", Change{OnDuty: ptr(false), Capacity: ptr(int64(9))})
	loads(3, 4) // g-1 is on duty, so g-2 is none
	f.pass(time.Minute)
	f.change("g-2", Change{OnDuty: ptr(true)})
	loads(3, 7)
	b, err := f.Bindings(t.Context(), "m0009")
	if err != nil || len(b) != 2 || b[0].Reason != ReasonPool || b[0].To != b[1].From || b[1].Reason != ReasonFromPool || b[1].Guide != "g-2" {
		t.Errorf("%+v, %v", b, err)
	}
	f.sound()
}

package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"scrm/guide/guideevent"
	"scrm/member"
	"scrm/store/storeevent"
)

type memberView struct {
	ID          string           `json:"id"`
	PhoneMasked string           `json:"phone_masked"`
	Name        string           `json:"name,omitempty"`
	Memberships []membershipView `json:"memberships" nullable:"false"`
}

type membershipView struct {
	Brand    string     `json:"brand"`
	JoinedAt time.Time  `json:"joined_at"`
	Store    string     `json:"store" doc:"that serves the member; empty: none"`
	Guide    string     `json:"guide" doc:"who serves the member; empty: in the store's pool, or no store"`
	Cards    []CardView `json:"cards" nullable:"false"`
}

// CardView is a card as it stands today.
type CardView struct {
	Program    string     `json:"program"`
	Number     string     `json:"number"`
	Tier       string     `json:"tier" doc:"also one reached today, which earns from the next business date"`
	Points     pointsView `json:"points"`
	Growth     int64      `json:"growth"`
	ExternalID string     `json:"external_id,omitempty"`
}

type pointsView struct {
	Available int64 `json:"available" doc:"negative after returns of what was spent"`
	Pending   int64 `json:"pending"`
}

// cardOf is a card with its brand, as a till sees it.
type cardOf struct {
	Brand string `json:"brand"`
	CardView
	Guide string `json:"guide,omitempty"`
}

type assignmentView struct {
	Store      string          `json:"store"`
	Guide      string          `json:"guide"`
	DistanceM  *int64          `json:"distance_m,omitempty" doc:"absent where distance did not matter"`
	Reason     string          `json:"reason"`
	Candidates []candidateView `json:"candidates" nullable:"false"`
}

type entryView struct {
	ID           string          `json:"id"`
	EventID      string          `json:"event_id"`
	Cause        string          `json:"cause,omitempty" doc:"of a re-rating: the event whose lateness changed the tier of the date"`
	Kind         string          `json:"kind" enum:"opening_tier,opening_points,earned,reversed,rerated"`
	Points       int64           `json:"points"`
	Growth       int64           `json:"growth"`
	Balance      int64           `json:"balance" doc:"the card's points after this entry, pending ones included"`
	BusinessDate string          `json:"business_date"`
	At           time.Time       `json:"at" doc:"when it was booked"`
	Version      int64           `json:"version,omitempty" doc:"of the program, that gave it"`
	Tier         string          `json:"tier,omitempty" doc:"held at the start of the business date"`
	UsableOn     string          `json:"usable_on,omitempty"`
	ExpiresOn    string          `json:"expires_on,omitempty" doc:"the first date on which the points can no longer be used"`
	Lines        []entryLineView `json:"lines,omitempty"`
}

type entryLineView struct {
	Line       int    `json:"line"`
	Points     int64  `json:"points"`
	Growth     int64  `json:"growth"`
	Base       int64  `json:"base" doc:"minor units that counted: paid less what points paid (of a return: of the sale's line)"`
	Multiplier int64  `json:"multiplier" doc:"the category's"`
	Sale       string `json:"sale,omitempty" doc:"of a return: the entry whose points it takes back"`
}

// seen says whether the caller may see a membership: of which brand, and served by which store and guide.
type seen func(context.Context, Scope) (bool, error)

// viewMembers shows people with the memberships that may be seen; those without one are left out.
func (s *Server) viewMembers(ctx context.Context, people []member.Person, may seen) ([]memberView, error) {
	var who []guideevent.Serving
	for _, p := range people {
		for _, m := range p.Memberships {
			who = append(who, guideevent.Serving{Member: p.ID, Brand: m.Brand})
		}
	}
	serving, err := s.Services.Guide.Serving(ctx, who)
	if err != nil {
		return nil, err
	}
	views := make([]memberView, 0, len(people))
	for _, p := range people {
		view := memberView{ID: p.ID, PhoneMasked: p.PhoneMasked, Name: p.Name, Memberships: []membershipView{}}
		for _, m := range p.Memberships {
			by := serving[0]
			serving = serving[1:]
			ok, err := may(ctx, Scope{Brand: m.Brand, Store: by.Store, Guide: by.Guide})
			if err != nil {
				return nil, err
			}
			if ok {
				view.Memberships = append(view.Memberships, viewMembership(m, by))
			}
		}
		if len(view.Memberships) > 0 {
			views = append(views, view)
		}
	}
	return views, nil
}

func viewMembership(m member.PersonMembership, by guideevent.Serving) membershipView {
	view := membershipView{Brand: m.Brand, JoinedAt: m.JoinedAt.Time(), Store: by.Store, Guide: by.Guide, Cards: make([]CardView, len(m.Cards))}
	for i, c := range m.Cards {
		view.Cards[i] = CardView{Program: c.Program, Number: c.Number, Tier: c.Tier, Points: pointsView{c.Available, c.Pending}, Growth: c.Growth,
			ExternalID: c.ExternalID}
	}
	return view
}

// joined reports whether a member is one of the brand's, as far as may be seen.
func (v *memberView) joined(brand string) bool {
	return slices.ContainsFunc(v.Memberships, func(m membershipView) bool { return m.Brand == brand })
}

// within is the caller's Within for something that a store serves: dealer and regions are the store's.
func (s *Server) within(ctx context.Context, sc Scope) (bool, error) {
	p := caller(ctx)
	if sc.Store != "" && p.Is(RegionalManager, DealerAdmin) {
		stores, err := s.Services.Store.Stores(ctx, []string{sc.Store})
		if err != nil {
			return false, err
		}
		st := stores[sc.Store]
		sc.Dealer = st.Dealer
		if sc.Regions, err = s.Services.Store.RegionPath(ctx, sc.Brand, st.Brands[sc.Brand]); err != nil {
			return false, err
		}
	}
	return p.Within(sc), nil
}

func viewAssignment(a guideevent.Assignment) assignmentView {
	v := assignmentView{Store: a.Store, Guide: a.Guide, Reason: a.Reason, Candidates: viewCandidates(a.Candidates)}
	if a.DistanceM >= 0 {
		v.DistanceM = &a.DistanceM
	}
	return v
}

func viewEntry(e *member.Entry) entryView {
	v := entryView{ID: e.ID, EventID: e.Event(), Cause: e.Cause(), Kind: string(e.Kind), Points: e.Points, Growth: e.Growth, Balance: e.Balance,
		BusinessDate: string(e.Date), At: e.At.Time(), Version: e.Version, Tier: e.Tier, UsableOn: string(e.UsableOn), ExpiresOn: string(e.ExpiresOn),
		Lines: make([]entryLineView, len(e.Lines))}
	for i, l := range e.Lines {
		v.Lines[i] = entryLineView{Line: l.Line, Points: l.Points, Growth: l.Growth, Base: l.Base, Multiplier: l.Times}
		if l.Back != nil {
			v.Lines[i].Sale = l.Back.Entry
		}
	}
	return v
}

func viewIdentified(m memberView) identifyView {
	v := identifyView{Member: m.ID, PhoneMasked: m.PhoneMasked, BrandCards: []cardOf{}}
	slices.SortFunc(m.Memberships, func(a, b membershipView) int { return strings.Compare(a.Brand, b.Brand) })
	for _, s := range m.Memberships {
		if v.ServingGuide == "" {
			v.ServingGuide = s.Guide
		}
		for _, c := range s.Cards {
			v.BrandCards = append(v.BrandCards, cardOf{s.Brand, c, s.Guide})
		}
	}
	return v
}

// brandsOf are the brands that a store carries, in order of their ids.
func brandsOf(st storeevent.Store) []string {
	brands := make([]string, 0, len(st.Brands))
	for b := range st.Brands {
		brands = append(brands, b)
	}
	slices.Sort(brands)
	return brands
}

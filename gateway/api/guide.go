package api

import (
	"context"
	"net/http"
	"time"

	"scrm/gateway/kit/phone"
	"scrm/gateway/kit/when"
	"scrm/geo"
	"scrm/guide"
	"scrm/guide/guideevent"
)

const (
	tagGuides = "Guides"
)

func (s *Server) registerGuide() {
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/guides", ID: "create-guide", Tag: tagGuides, Summary: "Hire a shopping guide",
		Description: "employed_from may lie in the past until one of her brands has accepted a transaction; from then on an earlier one counts as now, as an absent one does.",
		Status:      http.StatusCreated, Creates: true,
	}, s.createGuide)
	register(s, operation{
		Method: http.MethodPatch, Path: "/v1/guides/{id}", ID: "change-guide", Tag: tagGuides, Summary: "Change a guide",
		Description: "Another store, other brands or another role take effect now. Her members stay hers.",
	}, s.changeGuide)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/guides/{id}", ID: "get-guide", Tag: tagGuides, Summary: "A guide",
	}, s.getGuide)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/guides/{id}/leave", ID: "guide-leaves", Tag: tagGuides, Summary: "A guide leaves",
		Description: "Her members are handed over by the rule of assignment, starting in her store; what she sold stays hers. Asking again goes on with a handover that was interrupted.",
		Timeout:     handoverTimeout,
	}, s.guideLeaves)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/bindings", ID: "list-bindings", Tag: tagGuides, Summary: "Who served a member when, and why",
	}, s.listBindings)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/geo/nearest", ID: "nearest-stores", Tag: tagGuides, Summary: "A brand's nearest open stores",
	}, s.nearestStores)
}

// handoverTimeout bounds the handover of a guide's members; a longer one goes on when it is asked for again.
const handoverTimeout = 10 * time.Minute

type guideInput struct {
	ID           string     `json:"id"`
	Name         string     `json:"name" minLength:"1" maxLength:"200"`
	Store        string     `json:"store"`
	Brands       []string   `json:"brands" minItems:"1" maxItems:"100" nullable:"false"`
	Role         string     `json:"role,omitempty" enum:"guide,manager" default:"guide"`
	Capacity     int64      `json:"capacity,omitempty" minimum:"0" maximum:"1000000" doc:"members of a brand that she can serve; a manager serves none unless it says so"`
	OnDuty       bool       `json:"on_duty,omitempty"`
	EmployedFrom *time.Time `json:"employed_from,omitempty"`
	Phone        string     `json:"phone,omitempty" maxLength:"40"`
}

type guideView struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Store        string     `json:"store"`
	Brands       []string   `json:"brands" nullable:"false"`
	Role         string     `json:"role"`
	Capacity     int64      `json:"capacity"`
	OnDuty       bool       `json:"on_duty"`
	EmployedFrom time.Time  `json:"employed_from"`
	LeftAt       *time.Time `json:"left_at,omitempty"`
}

func viewGuide(g *guide.Guide) guideView {
	last := g.Last()
	v := guideView{
		ID: g.ID, Name: g.Name, Store: last.Store, Brands: last.Brands, Role: string(last.Role), Capacity: g.Capacity, OnDuty: g.OnDuty,
		EmployedFrom: g.EmployedFrom().Time(),
	}
	if g.LeftAt != 0 {
		left := g.LeftAt.Time()
		v.LeftAt = &left
	}
	return v
}

func instant(t *time.Time) when.Instant {
	if t == nil {
		return 0
	}
	return when.Of(*t)
}

func (s *Server) createGuide(ctx context.Context, in *body[guideInput]) (*reply[guideView], error) {
	b := &in.Body
	if err := caller(ctx).MustSetUp(b.Brands...); err != nil {
		return nil, err
	}
	hire := guide.Hire{
		ID: b.ID, Name: b.Name, Store: b.Store, Brands: b.Brands, Role: guide.Role(b.Role), Capacity: b.Capacity, OnDuty: b.OnDuty,
		EmployedFrom: instant(b.EmployedFrom),
	}
	if b.Phone != "" {
		var err error
		if hire.Phone, err = phone.Parse(b.Phone); err != nil {
			return nil, at("phone", err)
		}
	}
	g, err := s.Services.Guide.Hire(ctx, hire)
	if err != nil {
		return nil, err
	}
	return answer(viewGuide(g)), nil
}

type guideChange struct {
	ID   string `path:"id"`
	Body struct {
		Name     *string  `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Store    *string  `json:"store,omitempty"`
		Brands   []string `json:"brands,omitempty" minItems:"1" maxItems:"100"`
		Role     *string  `json:"role,omitempty" enum:"guide,manager"`
		Capacity *int64   `json:"capacity,omitempty" minimum:"0" maximum:"1000000"`
		OnDuty   *bool    `json:"on_duty,omitempty"`
	}
}

// maySetUpGuide answers an error unless the caller may set up a guide: her brands are theirs.
func (s *Server) maySetUpGuide(ctx context.Context, id string) error {
	g, err := s.Services.Guide.Guide(ctx, id)
	if err != nil {
		return err
	}
	return caller(ctx).MustSetUp(g.Last().Brands...)
}

func (s *Server) changeGuide(ctx context.Context, in *guideChange) (*reply[guideView], error) {
	if err := s.maySetUpGuide(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := caller(ctx).MustSetUp(in.Body.Brands...); len(in.Body.Brands) > 0 && err != nil {
		return nil, err
	}
	g, err := s.Services.Guide.Change(ctx, in.ID, guide.Change{
		Name: in.Body.Name, Store: in.Body.Store, Brands: in.Body.Brands, Role: (*guide.Role)(in.Body.Role), Capacity: in.Body.Capacity, OnDuty: in.Body.OnDuty,
	})
	if err != nil {
		return nil, err
	}
	return answer(viewGuide(g)), nil
}

type oneGuide struct {
	ID string `path:"id"`
}

func (s *Server) getGuide(ctx context.Context, in *oneGuide) (*reply[guideView], error) {
	g, err := s.Services.Guide.Guide(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	last := g.Last()
	for _, brand := range last.Brands {
		if sees, err := s.within(ctx, Scope{Brand: brand, Store: last.Store, Guide: g.ID}); sees {
			return answer(viewGuide(g)), nil
		} else if err != nil {
			return nil, err
		}
	}
	return nil, errNotYours
}

type guideLeaving struct {
	ID   string `path:"id"`
	Body struct {
		At *time.Time `json:"at,omitempty" doc:"absent: now"`
	}
}

type handoverView struct {
	Guide   string           `json:"guide"`
	LeftAt  time.Time        `json:"left_at"`
	Members int64            `json:"members" doc:"handed over in all"`
	ToGuide map[string]int64 `json:"to_guide" doc:"how many each guide got"`
	ToPool  int64            `json:"to_pool" doc:"for whom nobody within reach had room"`
}

func (s *Server) guideLeaves(ctx context.Context, in *guideLeaving) (*reply[handoverView], error) {
	if err := s.maySetUpGuide(ctx, in.ID); err != nil {
		return nil, err
	}
	h, err := s.Services.Guide.Leave(ctx, in.ID, instant(in.Body.At))
	if err != nil {
		return nil, err
	}
	return answer(handoverView{Guide: h.ID, LeftAt: h.LeftAt.Time(), Members: h.Members, ToGuide: h.ToGuide, ToPool: h.ToPool}), nil
}

type bindingView struct {
	Brand           string          `json:"brand"`
	Guide           string          `json:"guide" doc:"empty in a store's pool"`
	Store           string          `json:"store"`
	From            time.Time       `json:"from"`
	To              *time.Time      `json:"to,omitempty"`
	Reason          string          `json:"reason"`
	RecruitingGuide string          `json:"recruiting_guide,omitempty"`
	Candidates      []candidateView `json:"candidates" nullable:"false"`
}

type candidateView struct {
	Store     string `json:"store"`
	DistanceM *int64 `json:"distance_m,omitempty" doc:"absent where distance did not matter"`
	Guide     string `json:"guide,omitempty"`
	Load      int64  `json:"load"`
	Capacity  int64  `json:"capacity"`
	Note      string `json:"note,omitempty" doc:"why not"`
}

func (s *Server) listBindings(ctx context.Context, in *oneGuide) (*reply[list[bindingView]], error) {
	all, err := s.Services.Guide.Bindings(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	mine := all[:0:0]
	for _, b := range all {
		sees, err := s.within(ctx, Scope{Brand: b.Brand, Store: b.Store, Guide: b.Guide})
		if err != nil {
			return nil, err
		}
		if sees {
			mine = append(mine, b)
		}
	}
	if len(mine) == 0 {
		return nil, errNotYours
	}
	return answer(listOf(mine, "", viewBinding)), nil
}

func viewBinding(b guide.BindingOf) bindingView {
	v := bindingView{
		Brand: b.Brand, Guide: b.Guide, Store: b.Store, From: b.From.Time(), Reason: b.Reason, RecruitingGuide: b.Recruiting,
		Candidates: viewCandidates(b.Candidates),
	}
	if b.To != 0 {
		to := b.To.Time()
		v.To = &to
	}
	return v
}

func viewCandidates(candidates []guideevent.Candidate) []candidateView {
	views := make([]candidateView, len(candidates))
	for i, c := range candidates {
		views[i] = candidateView{Store: c.Store, Guide: c.Guide, Load: c.Load, Capacity: c.Capacity, Note: c.Note}
		if c.DistanceM >= 0 {
			views[i].DistanceM = &c.DistanceM
		}
	}
	return views
}

type nearestQuery struct {
	Brand string  `query:"brand" required:"true"`
	Lat   float64 `query:"lat" required:"true" minimum:"-90" maximum:"90"`
	Lng   float64 `query:"lng" required:"true" minimum:"-180" maximum:"180"`
	Datum string  `query:"datum" enum:"wgs84,gcj02,bd09" default:"wgs84"`
	Limit int     `query:"limit" minimum:"1" maximum:"20" default:"1"`
}

type nearView struct {
	Store     string `json:"store"`
	Name      string `json:"name"`
	DistanceM int64  `json:"distance_m" doc:"great-circle distance, rounded to the metre"`
}

func (s *Server) nearestStores(ctx context.Context, in *nearestQuery) (*reply[list[nearView]], error) {
	if _, err := s.Services.Store.Brand(ctx, in.Brand); err != nil {
		return nil, err
	}
	from, err := geo.ToWGS84(in.Lat, in.Lng, in.Datum)
	if err != nil {
		return nil, err
	}
	hits := s.Nearest.Nearest(geo.Query{Brand: in.Brand, From: from, K: in.Limit})
	ids := make([]string, len(hits))
	for i, h := range hits {
		ids[i] = h.Store
	}
	stores, err := s.Services.Store.Stores(ctx, ids)
	if err != nil {
		return nil, err
	}
	return answer(listOf(hits, "", func(h geo.Hit) nearView {
		return nearView{h.Store, stores[h.Store].Name, int64(h.DistanceM + 0.5)}
	})), nil
}

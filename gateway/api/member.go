package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/phone"
	"scrm/gateway/kit/when"
	"scrm/geo"
	"scrm/member"
	"scrm/member/memberevent"
)

const tagMembers = "Members"

func (s *Server) registerMember() {
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/members", ID: "enrol-member", Tag: tagMembers, Summary: "Enrol a person, or add a card",
		Description: "201 where a member, a membership or a card was made, 200 where all was there. joined_at before the brand's first accepted transaction " +
			"dates the card back; later it is only shown. Terminals, guides and store managers enrol in their own store.",
		Status: http.StatusCreated, Access: signedInOrSigned, Creates: true,
	}, s.enrolMember)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/members/import", ID: "import-members", Tag: tagMembers, Summary: "Import a customer system's export",
		Description: "Columns external_id, phone, name, level, points, joined, store, brand. Rows are taken in order; importing again changes nothing.",
		CSV:         true, Timeout: importTimeout,
	}, s.importMembers)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/members", ID: "list-members", Tag: tagMembers, Summary: "A brand's members, or the one with a phone number",
	}, s.listMembers)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/members/{id}", ID: "get-member", Tag: tagMembers, Summary: "A member",
	}, s.getMember)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/points", ID: "list-points", Tag: tagMembers, Summary: "A card's points ledger, newest first",
	}, s.listPoints)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/pos/identify", ID: "identify", Tag: "POS", Summary: "Who stands at the till", Access: terminal,
		Description: "By phone number, card number or external id; the cards of this store's brands.",
	}, s.identifyMember)
}

// importTimeout bounds an import; one that is cut off is finished by repeating it.
const importTimeout = 4 * time.Hour

type enrolInput struct {
	Brand       string         `json:"brand"`
	Phone       string         `json:"phone" maxLength:"64"`
	Program     string         `json:"program"`
	Channel     string         `json:"channel"`
	ExternalID  string         `json:"external_id,omitempty"`
	Name        string         `json:"name,omitempty"`
	Location    *locationInput `json:"location,omitempty"`
	Store       string         `json:"store,omitempty" doc:"where the person enrols, or wants to be served"`
	RecruitedBy string         `json:"recruiting_guide,omitempty"`
	JoinedAt    *time.Time     `json:"joined_at,omitempty"`
	Consent     consentInput   `json:"consent"`
}

type consentInput struct {
	Version string    `json:"version" minLength:"1" doc:"of the brand's terms"`
	At      time.Time `json:"at"`
}

type enrolView struct {
	Member     memberView     `json:"member"`
	Assignment assignmentView `json:"assignment"`
}

func (s *Server) enrolMember(ctx context.Context, in *body[enrolInput]) (*reply[enrolView], error) {
	b := &in.Body
	if err := s.mayEnrol(ctx, b); err != nil {
		return nil, err
	}
	e := member.Enrolment{Brand: b.Brand, Program: b.Program, Channel: b.Channel, ExternalID: b.ExternalID, Name: b.Name, Store: b.Store,
		RecruitingGuide: b.RecruitedBy, JoinedAt: instant(b.JoinedAt), Consent: member.Consent{Version: b.Consent.Version, At: when.Of(b.Consent.At)}}
	var err error
	if e.Phone, err = phone.Parse(b.Phone); err != nil {
		return nil, at("phone", err)
	}
	if l := b.Location; l != nil {
		point, err := geo.ToWGS84(l.Lat, l.Lng, l.Datum)
		if err != nil {
			return nil, at("location", err)
		}
		e.Lat, e.Lng = &point.Lat, &point.Lng
	}
	result, err := s.Services.Member.EnrolOne(ctx, e)
	if err == nil {
		err = result.Err
	}
	if err != nil {
		return nil, err
	}
	person, err := s.Services.Member.Person(ctx, result.Member)
	if err != nil {
		return nil, err
	}
	// Who enrols sees the brand that it was for, whoever serves the member.
	views, err := s.viewMembers(ctx, []member.Person{person}, func(_ context.Context, sc Scope) (bool, error) { return sc.Brand == b.Brand, nil })
	if err != nil {
		return nil, err
	}
	status := http.StatusCreated
	if result.Status == member.Duplicate {
		status = http.StatusOK
	}
	return answerWith(status, enrolView{Member: views[0], Assignment: viewAssignment(result.Assignment)}), nil
}

// mayEnrol checks whether the caller may enrol for the brand and in the store; those bound to a store enrol in it.
func (s *Server) mayEnrol(ctx context.Context, b *enrolInput) error {
	p := caller(ctx)
	if err := p.MustRole(BrandHQ, RegionalManager, DealerAdmin, StoreManager, GuideRole, TerminalRole); err != nil {
		return err
	}
	if p.Brand != "" && p.Brand != b.Brand {
		return errForbidden
	}
	own := p.Is(StoreManager, GuideRole, TerminalRole)
	if own && b.Store == "" {
		b.Store = p.Store
	}
	if b.Store == "" {
		return p.MustRole(BrandHQ)
	}
	st, err := s.Services.Store.Store(ctx, b.Store)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Invalid, "unknown_store", "there is no such store").At("store")
	}
	if err != nil {
		return err
	}
	if own {
		if b.Store != p.Store {
			return errForbidden
		}
	} else if within, err := s.within(ctx, Scope{Brand: b.Brand, Store: b.Store}); err != nil || !within {
		return orForbidden(err)
	}
	if _, carried := st.Brands[b.Brand]; !carried {
		return fault.New(fault.Invalid, "brand_not_carried", "the store does not carry the brand").At("brand")
	}
	return nil
}

func orForbidden(err error) error {
	if err != nil {
		return err
	}
	return errForbidden
}

type importInput struct {
	Program string `query:"program" required:"true"`
	Rows    csvStream
}

func (s *Server) importMembers(ctx context.Context, in *importInput) (*reply[member.Report], error) {
	p := caller(ctx)
	if err := p.MustRole(BrandHQ); err != nil {
		return nil, err
	}
	report, err := s.Services.Member.Import(ctx, member.Import{Program: in.Program, Brand: p.Brand, Channel: "import", Rows: in.Rows})
	if err != nil {
		return nil, err
	}
	return answer(report), nil
}

type membersQuery struct {
	Brand string `query:"brand"`
	Phone string `query:"phone" maxLength:"64" doc:"the member whose number this is"`
	Page
}

func (s *Server) listMembers(ctx context.Context, in *membersQuery) (*reply[list[memberView]], error) {
	brand, err := caller(ctx).OneBrand(in.Brand)
	if err != nil {
		return nil, err
	}
	var people []member.Person
	var next string
	if in.Phone == "" {
		people, next, err = s.Services.Member.Members(ctx, brand, in.Limit, in.Cursor)
	} else {
		people, err = s.byPhone(ctx, in.Phone)
	}
	if err != nil {
		return nil, err
	}
	views, err := s.viewMembers(ctx, people, func(ctx context.Context, sc Scope) (bool, error) {
		if sc.Brand != brand {
			return false, nil
		}
		return s.within(ctx, sc)
	})
	if err != nil {
		return nil, err
	}
	return answer(list[memberView]{Items: views, NextCursor: next}), nil
}

// byPhone is the member with a number as somebody wrote it, or none.
func (s *Server) byPhone(ctx context.Context, raw string) ([]member.Person, error) {
	number, err := phone.Parse(raw)
	if err != nil {
		return nil, at("phone", err)
	}
	id, err := s.Services.Member.ByPhone(ctx, number)
	if err != nil || id == "" {
		return nil, err
	}
	person, err := s.Services.Member.Person(ctx, id)
	return []member.Person{person}, err
}

func (s *Server) getMember(ctx context.Context, in *ByID) (*reply[memberView], error) {
	person, err := s.Services.Member.Person(ctx, in.ID)
	if fault.Is(err, fault.NotFound) {
		return nil, errNotYours
	}
	if err != nil {
		return nil, err
	}
	views, err := s.viewMembers(ctx, []member.Person{person}, s.within)
	if err != nil {
		return nil, err
	}
	if len(views) == 0 {
		return nil, errNotYours
	}
	return answer(views[0]), nil
}

type pointsQuery struct {
	ID      string `path:"id"`
	Brand   string `query:"brand"`
	Program string `query:"program" required:"true"`
	Page
}

func (s *Server) listPoints(ctx context.Context, in *pointsQuery) (*reply[list[entryView]], error) {
	brand, err := caller(ctx).OneBrand(in.Brand)
	if err != nil {
		return nil, err
	}
	seen, err := s.getMember(ctx, &ByID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	if !seen.Body.joined(brand) {
		return nil, errNotYours
	}
	page, err := s.Services.Member.Ledger(ctx, in.ID, brand, in.Program, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return answer(listOf(page.Items, page.Next, viewEntry)), nil
}

type identifyInput struct {
	Phone string `json:"phone,omitempty" maxLength:"64"`
	Code  string `json:"code,omitempty" maxLength:"512"`
	Card  string `json:"card,omitempty" maxLength:"64" doc:"a card's number or an external id"`
}

type identifyView struct {
	Member       string   `json:"member"`
	PhoneMasked  string   `json:"phone_masked"`
	BrandCards   []cardOf `json:"brand_cards" nullable:"false"`
	ServingGuide string   `json:"serving_guide,omitempty" doc:"of the first of the store's brands in which the member has one"`
}

// bare takes away what a transaction has before the field: there it is member.phone, here phone.
func bare(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	return f.At(strings.TrimPrefix(strings.TrimPrefix(f.Field, "member"), "."))
}

func (s *Server) identifyMember(ctx context.Context, in *body[identifyInput]) (*reply[identifyView], error) {
	who := buyer{Phone: in.Body.Phone, Code: in.Body.Code, Card: in.Body.Card}
	if err := who.check(); err != nil {
		return nil, bare(err)
	}
	if who.Code != "" {
		return nil, bare(errCode)
	}
	st, err := s.Services.Store.Store(ctx, caller(ctx).Store)
	if err != nil {
		return nil, err
	}
	ref := memberevent.Ref{Card: who.Card, Brands: brandsOf(st), At: s.Clock.Now()}
	if who.Phone != "" {
		ref.Phone = s.Keys.BlindIndex(who.Phone)
	}
	found, err := s.Services.Member.Resolve(ctx, []memberevent.Ref{ref})
	if err != nil {
		return nil, err
	}
	people, err := s.Services.Member.People(ctx, found)
	if err != nil {
		return nil, err
	}
	person, known := people[found[0]]
	if !known {
		return nil, errNotYours
	}
	views, err := s.viewMembers(ctx, []member.Person{person}, func(_ context.Context, sc Scope) (bool, error) {
		_, carried := st.Brands[sc.Brand]
		return carried, nil
	})
	if err != nil {
		return nil, err
	}
	if len(views) == 0 { // a member of other brands only, which is not this store's to know
		return nil, errNotYours
	}
	return answer(viewIdentified(views[0])), nil
}

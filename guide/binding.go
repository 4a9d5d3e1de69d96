package guide

import (
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
)

// The reasons of an assignment.
const (
	ReasonRecruiting = "recruiting_guide"
	ReasonNamed      = "named_store"
	ReasonNearest    = "nearest_store"
	ReasonNext       = "next_store" // the first choice had no room
	ReasonPool       = "pool"       // no store within reach had room: the nearest one's pool
	ReasonFallback   = "fallback_store"
	ReasonNone       = "none"      // no store in reach, and the brand has no fallback store
	ReasonFromPool   = "from_pool" // room appeared in the store in whose pool the member was
)

// bindings are all bindings of a member for a brand: one document, so that there is one at a time.
type bindings struct {
	docdb.Doc       `json:",inline"` // member|brand
	Brand           string           `json:"brand"`
	Store           string           `json:"store"` // of the current one
	Guide           string           `json:"guide"` // of the current one, empty in a pool
	Recruiting      string           `json:"recruiting,omitempty"`
	RecruitingSince when.Instant     `json:"recruiting_since,omitempty"`
	History         []Binding        `json:"history"` // by From, the current one last
}

// Binding says who serves a member of a brand from a moment on, and why.
type Binding struct {
	From       when.Instant           `json:"from"`
	To         when.Instant           `json:"to,omitempty"` // 0: the current one
	Store      string                 `json:"store,omitempty"`
	Guide      string                 `json:"guide,omitempty"`
	DistanceM  int64                  `json:"distance_m"` // -1: not chosen by distance
	Reason     string                 `json:"reason"`
	Candidates []guideevent.Candidate `json:"candidates"`
}

func bindingsID(member, brand string) string { return member + "|" + brand }

func (b *bindings) owner() (member, brand string) {
	member, brand, _ = strings.Cut(b.ID, "|")
	return member, brand
}

func (b *bindings) current() *Binding { return &b.History[len(b.History)-1] }

// served is what bindings tell about who held a role when, without the reasons: that is most of them.
type served struct {
	Recruiting      string       `json:"recruiting,omitempty"`
	RecruitingSince when.Instant `json:"recruiting_since,omitempty"`
	History         []tenure     `json:"history"`
}

// tenure is from when a guide, or the pool, served a member.
type tenure struct {
	From  when.Instant `json:"from"`
	Guide string       `json:"guide,omitempty"`
}

// at is the tenure at a moment, nil before the first.
func (s *served) at(t when.Instant) *tenure {
	for i := len(s.History) - 1; i >= 0; i-- {
		if s.History[i].From <= t {
			return &s.History[i]
		}
	}
	return nil
}

// provisional reports whether the member is to be assigned again when they buy in a store: nothing was in reach.
func (b *Binding) provisional() bool { return b.Reason == ReasonFallback || b.Reason == ReasonNone }

// bind makes the first binding, or ends the current one and makes the next.
func (b *bindings) bind(next Binding) {
	if n := len(b.History); n > 0 {
		next.From = max(next.From, b.History[n-1].From+1)
		b.History[n-1].To = next.From
	}
	b.Store, b.Guide = next.Store, next.Guide
	b.History = append(b.History, next)
}

// assignment is the current binding as others see it.
func (b *bindings) assignment() guideevent.Assignment {
	c := b.current()
	member, brand := b.owner()
	candidates := c.Candidates
	if candidates == nil {
		candidates = []guideevent.Candidate{}
	}
	return guideevent.Assignment{
		Member: member, Brand: brand, Store: c.Store, Guide: c.Guide, DistanceM: c.DistanceM, Reason: c.Reason, From: c.From,
		Recruiting: b.Recruiting, Candidates: candidates,
	}
}

// starts is when a new member's binding takes effect: when it is made, or, for a card that was dated back, with the card, but not before
// the guide's employment.
func starts(j *memberevent.Joined, g *Guide, now when.Instant) when.Instant {
	if !j.Backdated {
		return now
	}
	if g == nil {
		return j.At
	}
	return max(j.At, g.EmployedFrom())
}

// Package guideevent is what the guide domain says to others: facts about guides and bindings (FACTS) and the plain values of
// its answers. Golden files under testdata pin the payloads.
package guideevent

import "scrm/gateway/kit/when"

// Candidate is a store or guide that an assignment looked at, and how it fared.
type Candidate struct {
	Store     string `json:"store"`
	DistanceM int64  `json:"distance_m"` // rounded to the metre; -1: no location known
	Guide     string `json:"guide,omitempty"`
	Load      int64  `json:"load"` // members of the brand bound to the guide before this assignment
	Capacity  int64  `json:"capacity"`
	Note      string `json:"note,omitempty"` // why not: closed, outside_service_area, off_duty, no_room …
}

// Assignment is the answer for one new member of a brand: which store, which guide, and why.
type Assignment struct {
	Member     string       `json:"member"`
	Brand      string       `json:"brand"`
	Store      string       `json:"store,omitempty"`
	Guide      string       `json:"guide,omitempty"` // empty: in the store's pool, or no store
	DistanceM  int64        `json:"distance_m"`      // -1: not by distance
	Reason     string       `json:"reason"`          // recruiting_guide, named_store, nearest_store, next_store, pool, fallback_store, none
	From       when.Instant `json:"from"`            // when the binding takes effect
	Recruiting string       `json:"recruiting,omitempty"`
	Candidates []Candidate  `json:"candidates"`
}

// HolderQuery asks who holds the guides' roles for one brand of one transaction, as of its business time.
type HolderQuery struct {
	At     when.Instant `json:"at"`
	Store  string       `json:"store,omitempty"`
	Brand  string       `json:"brand"`
	Member string       `json:"member,omitempty"`
	Guide  string       `json:"guide,omitempty"` // the selling guide that the transaction names
}

// Holder is who holds a role, or why nobody does.
type Holder struct {
	Guide  string       `json:"guide,omitempty"`
	Since  when.Instant `json:"since,omitempty"`  // since when she has held it (binding, employment)
	Reason string       `json:"reason,omitempty"` // if nobody: not_named, unknown_guide, not_employed, not_authorised, other_store, no_member, no_binding, no_manager …
}

// Holders are the holders of the guides' roles.
type Holders struct {
	Selling    Holder `json:"selling"`
	Serving    Holder `json:"serving"`
	Recruiting Holder `json:"recruiting"`
	Manager    Holder `json:"manager"`
}

// Serving asks for, and answers, who serves a member of a brand now.
type Serving struct {
	Member string `json:"member"`
	Brand  string `json:"brand"`
	Store  string `json:"store,omitempty"`
	Guide  string `json:"guide,omitempty"`
}

// Bound is the fact that a member was assigned: published with the binding that it tells of.
type Bound struct{ Assignment }

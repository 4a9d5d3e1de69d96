// Package memberevent is what the member domain says to others: facts about members (FACTS) and the plain values of its
// answers. Golden files under testdata pin the payloads.
package memberevent

import "scrm/gateway/kit/when"

// Ref names a member as a transaction does, as of a business time: one of Phone (blind index), Card (card number or external
// id, looked up in Brands in order) and ID is set.
type Ref struct {
	Phone  string       `json:"phone,omitempty"`
	Card   string       `json:"card,omitempty"`
	ID     string       `json:"id,omitempty"`
	Brands []string     `json:"brands,omitempty"`
	At     when.Instant `json:"at"`
}

// Joined is the fact that a membership was made: the first card of a member with a brand. The guide domain assigns a store and
// a guide on it where the enrolment has not had it done itself.
type Joined struct {
	Member          string       `json:"member"`
	Brand           string       `json:"brand"`
	At              when.Instant `json:"at"`        // when the card takes effect
	Backdated       bool         `json:"backdated"` // before the brand's first accepted transaction: the binding starts with the card
	Program         string       `json:"program"`
	Channel         string       `json:"channel,omitempty"`
	Store           string       `json:"store,omitempty"`            // that the enrolment named
	RecruitingGuide string       `json:"recruiting_guide,omitempty"` // whose code recruited them
	Lat             *float64     `json:"lat,omitempty"`              // WGS-84 degrees, where the enrolment gave a location
	Lng             *float64     `json:"lng,omitempty"`
}

// CardOpened is the fact that a member got a card (also the first one).
type CardOpened struct {
	Member  string       `json:"member"`
	Brand   string       `json:"brand"`
	Program string       `json:"program"`
	At      when.Instant `json:"at"`
	Dual    bool         `json:"dual"` // the member has both cards of the brand now
}

// TierChanged is the fact that a card's tier changed.
type TierChanged struct {
	Member  string    `json:"member"`
	Brand   string    `json:"brand"`
	Program string    `json:"program"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Date    when.Date `json:"date"` // the business date from which it earns
}

package member

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
	"scrm/member/memberevent"
)

// Member is one person. What is personal about them is sealed under a key of their own, so that destroying the key erases it.
type Member struct {
	docdb.Doc   `json:",inline"`
	Phone       string       `json:"phone"`   // blind index of the number they have now
	Key         []byte       `json:"key"`     // the member's key, wrapped by the master key
	Profile     []byte       `json:"profile"` // profile, sealed under the member's key
	Named       bool         `json:"named"`   // the profile has a name
	CreatedAt   when.Instant `json:"created_at"`
	Brands      []string     `json:"brands"` // of the memberships
	Memberships []Membership `json:"memberships"`
}

// profile is what is personal about a member.
type profile struct {
	Phone string `json:"phone"` // E.164
	Name  string `json:"name,omitempty"`
}

// Membership is a member's relation to one brand.
type Membership struct {
	Brand    string             `json:"brand"`
	JoinedAt when.Instant       `json:"joined_at"` // as the enrolment said it; only shown
	Joined   memberevent.Joined `json:"joined"`    // the fact that it was made, as guide is told it
	Consents []Consent          `json:"consents,omitempty"`
	Cards    []Held             `json:"cards"`
}

// Consent is a version of the brand's terms that the member agreed to.
type Consent struct {
	Version string       `json:"version"`
	At      when.Instant `json:"at"`
}

// Held is a card in its holder's document.
type Held struct {
	Program  string       `json:"program"`
	Number   string       `json:"number"`
	JoinedAt when.Instant `json:"joined_at"`
	At       when.Instant `json:"at"` // since when it counts
	External []string     `json:"external,omitempty"`
}

// membership finds the membership of a brand, nil if there is none.
func (m *Member) membership(brand string) *Membership {
	if i := slices.IndexFunc(m.Memberships, func(s Membership) bool { return s.Brand == brand }); i >= 0 {
		return &m.Memberships[i]
	}
	return nil
}

// card finds the card of a program, nil if there is none.
func (s *Membership) card(program string) *Held {
	if i := slices.IndexFunc(s.Cards, func(h Held) bool { return h.Program == program }); i >= 0 {
		return &s.Cards[i]
	}
	return nil
}

// dual reports whether the member has both cards that every brand has.
func (s *Membership) dual() bool { return s.card(ProgramOnline) != nil && s.card(ProgramStore) != nil }

// consent records a version of the terms once.
func (s *Membership) consent(c Consent) bool {
	if c.Version == "" || slices.ContainsFunc(s.Consents, func(o Consent) bool { return o.Version == c.Version }) {
		return false
	}
	s.Consents = append(s.Consents, c)
	return true
}

// claim says whose something unique is, and whose it was: a phone number, a card number or a brand's external id. Its id is
// the thing itself, so that it can have one holder at a time on every engine.
type claim struct {
	docdb.Doc `json:",inline"`
	Brand     string   `json:"brand,omitempty"` // of a card number
	Holders   []holder `json:"holders"`         // oldest first
}

// holder is a member who has or had something.
type holder struct {
	Member string       `json:"member"`
	From   when.Instant `json:"from"`
	To     when.Instant `json:"to,omitempty"` // 0: still theirs
}

func phoneClaim(index string) string            { return "p/" + index }
func numberClaim(number string) string          { return "n/" + number }
func externalClaim(brand, number string) string { return "x/" + brand + "/" + number }

// at is the member whose it was at a moment, empty if nobody's.
func (c *claim) at(t when.Instant) string {
	if c == nil {
		return ""
	}
	for i := len(c.Holders) - 1; i >= 0; i-- {
		if h := c.Holders[i]; h.From <= t {
			if h.To == 0 || t < h.To {
				return h.Member
			}
			return ""
		}
	}
	return ""
}

// current is the member whose it is, empty if nobody's.
func (c *claim) current() string {
	if c == nil {
		return ""
	}
	if n := len(c.Holders); n > 0 && c.Holders[n-1].To == 0 {
		return c.Holders[n-1].Member
	}
	return ""
}

// give makes it a member's from a moment on, not before it was somebody else's. A holder may find that it was theirs earlier. It reports
// whether that changed anything; the caller has seen to it that nobody else holds it.
func (c *claim) give(member string, from when.Instant) bool {
	n := len(c.Holders)
	if n > 1 || n == 1 && c.current() == "" {
		free := c.Holders[n-1].To
		if c.current() != "" {
			free = c.Holders[n-2].To
		}
		from = max(from, free)
	}
	if c.current() == "" {
		c.Holders = append(c.Holders, holder{Member: member, From: from})
		return true
	}
	if from >= c.Holders[n-1].From {
		return false
	}
	c.Holders[n-1].From = from
	return true
}

// validName reports whether a name given by a person or a system can be kept and shown.
func validName(s string) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxName {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

package guide

import (
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/when"
)

// Role is what a guide is in her store.
type Role string

// The roles.
const (
	Shopping Role = "guide"
	Manager  Role = "manager"
)

// Guide is a shopping guide with the history of where she worked.
type Guide struct {
	docdb.Doc   `json:",inline"`
	Name        string       `json:"name"`
	Capacity    int64        `json:"capacity"` // members of a brand that she can serve
	OnDuty      bool         `json:"on_duty"`
	PhoneIndex  string       `json:"phone_index,omitempty"` // keyed blind index of her own number
	PhoneSealed []byte       `json:"phone_sealed,omitempty"`
	Terms       []Term       `json:"terms"` // by From; each lasts until the next one or the guide's leaving
	LeftAt      when.Instant `json:"left_at,omitempty"`
	Leaving     bool         `json:"leaving"` // she has left, and not all of her members are handed over
}

// Term is where, for which brands and as what a guide works from a moment on.
type Term struct {
	From   when.Instant `json:"from"`
	Store  string       `json:"store"`
	Brands []string     `json:"brands"`
	Role   Role         `json:"role"`
}

// MaxCapacity bounds a guide's capacity.
const MaxCapacity = 1_000_000

// at is the term that a guide is in at a moment; nil before her first one and after she left.
func (g *Guide) at(t when.Instant) *Term {
	if g.LeftAt != 0 && t >= g.LeftAt {
		return nil
	}
	for i := len(g.Terms) - 1; i >= 0; i-- {
		if g.Terms[i].From <= t {
			return &g.Terms[i]
		}
	}
	return nil
}

// Last is the guide's newest term, whether it has begun or not.
func (g *Guide) Last() *Term { return &g.Terms[len(g.Terms)-1] }

// EmployedFrom is when her first term began.
func (g *Guide) EmployedFrom() when.Instant { return g.Terms[0].From }

// since is from when on, up to the moment t, the guide has worked without a break for the brand (and, where it is given, in the store).
func (g *Guide) since(t when.Instant, brand, store string) when.Instant {
	var since when.Instant
	for i := len(g.Terms) - 1; i >= 0; i-- {
		term := &g.Terms[i]
		if term.From > t {
			continue
		}
		if !term.covers(brand) || store != "" && term.Store != store {
			break
		}
		since = term.From
	}
	return since
}

// covers reports whether a guide in this term is authorised for a brand.
func (t *Term) covers(brand string) bool { return slices.Contains(t.Brands, brand) }

// serves reports whether the guide may be given members: managers serve none unless their capacity says so.
func (g *Guide) serves(role Role) bool { return role != Manager || g.Capacity > 0 }

// Hire is what is known of a guide when she starts.
type Hire struct {
	ID           string
	Name         string
	Store        string
	Brands       []string
	Role         Role
	Capacity     int64
	OnDuty       bool
	EmployedFrom when.Instant // 0: now
	Phone        string       // E.164, may be empty
}

func (h *Hire) check() error {
	if err := ident.Check("id", h.ID); err != nil {
		return err
	}
	return checkTerms(h.Store, h.Brands, h.Role, h.Capacity)
}

func checkTerms(store string, brands []string, role Role, capacity int64) error {
	if err := ident.Check("store", store); err != nil {
		return err
	}
	if len(brands) == 0 {
		return fault.New(fault.Invalid, "brands_missing", "a guide is authorised for at least one brand").At("brands")
	}
	if role != Shopping && role != Manager {
		return fault.New(fault.Invalid, "unknown_role", "a guide's role is guide or manager").At("role")
	}
	if capacity < 0 || capacity > MaxCapacity {
		return fault.New(fault.Invalid, "invalid_capacity", "a capacity is 0 to %d members", MaxCapacity).At("capacity")
	}
	return nil
}

// Change is what may be changed of a guide; nil leaves it as it is.
type Change struct {
	Name     *string
	Store    *string
	Brands   []string
	Role     *Role
	Capacity *int64
	OnDuty   *bool
}

// moves reports whether the change makes a new term.
func (c *Change) moves() bool { return c.Store != nil || c.Brands != nil || c.Role != nil }

// apply changes a guide; a new store, brands or role begin a term at now.
func (g *Guide) apply(c Change, now when.Instant) {
	if c.Name != nil {
		g.Name = *c.Name
	}
	if c.Capacity != nil {
		g.Capacity = *c.Capacity
	}
	if c.OnDuty != nil {
		g.OnDuty = *c.OnDuty
	}
	if !c.moves() {
		return
	}
	next := *g.Last()
	next.Brands = slices.Clone(next.Brands)
	if c.Store != nil {
		next.Store = *c.Store
	}
	if c.Brands != nil {
		next.Brands = slices.Clone(c.Brands)
	}
	if c.Role != nil {
		next.Role = *c.Role
	}
	next.From = max(now, g.Last().From)
	if next.From == g.Last().From {
		g.Terms[len(g.Terms)-1] = next
		return
	}
	g.Terms = append(g.Terms, next)
}

// post is a store as the guide domain sees it: who works there now, and who managed it when.
type post struct {
	docdb.Doc `json:",inline"` // the store's id
	Guides    []string         `json:"guides"` // employed there now, in the order of coming
	Managers  []managing       `json:"managers"`
}

// managing is a manager's time in a store.
type managing struct {
	Guide string       `json:"guide"`
	From  when.Instant `json:"from"`
	To    when.Instant `json:"to,omitempty"` // 0: still
}

// managerAt is who managed the store at a moment, nil if nobody did.
func (p *post) managerAt(t when.Instant) *managing {
	for i := range p.Managers {
		if m := &p.Managers[i]; m.From <= t && (m.To == 0 || t < m.To) {
			return m
		}
	}
	return nil
}

var errManaged = fault.New(fault.Conflict, "store_has_manager", "the store has another manager in that time: it has one at a time").At("role")

// enter notes that a guide works in the store from a moment on; fault.Conflict "store_has_manager" if she is to manage it in
// a time in which another one does.
func (p *post) enter(id string, role Role, from when.Instant) error {
	if !slices.Contains(p.Guides, id) {
		p.Guides = append(p.Guides, id)
	}
	if role != Manager {
		return nil
	}
	for _, m := range p.Managers {
		if m.To == 0 || m.To > from {
			return errManaged
		}
	}
	p.Managers = append(p.Managers, managing{Guide: id, From: from})
	return nil
}

// leave notes that a guide does not work in the store from a moment on.
func (p *post) leave(id string, at when.Instant) {
	p.Guides = slices.DeleteFunc(p.Guides, func(g string) bool { return g == id })
	p.stepDown(id, at)
}

// stepDown ends a guide's managing of the store, if she does.
func (p *post) stepDown(id string, at when.Instant) {
	for i := range p.Managers {
		if m := &p.Managers[i]; m.Guide == id && m.To == 0 {
			m.To = at
		}
	}
}

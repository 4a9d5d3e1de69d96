package member

import (
	"context"
	"fmt"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/phone"
	"scrm/gateway/kit/when"
)

// Person is a member as others may see one: the number masked.
type Person struct {
	ID          string
	PhoneMasked string
	Name        string
	Memberships []PersonMembership
}

// PersonMembership is a person's membership of one brand.
type PersonMembership struct {
	Brand    string
	JoinedAt when.Instant
	Cards    []PersonCard
}

// PersonCard is a person's card as it stands today.
type PersonCard struct {
	Program    string
	Number     string
	Tier       string // also one reached today, which earns from the next business date
	TierFrom   when.Date
	Available  int64 // points that can be spent; negative: owed
	Pending    int64 // points that become usable later
	Growth     int64
	ExternalID string // the first one given; others identify the member too
}

// errUnknownMember is also the answer about a member whom the caller may not see.
var errUnknownMember = fault.New(fault.NotFound, "unknown_member", "there is no such member")

// Person reads one member; fault.NotFound with code "unknown_member" if there is none.
func (s *Service) Person(ctx context.Context, id string) (Person, error) {
	found, err := s.People(ctx, []string{id})
	if err != nil {
		return Person{}, err
	}
	p, ok := found[id]
	if !ok {
		return Person{}, errUnknownMember
	}
	return p, nil
}

// People reads members; those that do not exist are absent.
func (s *Service) People(ctx context.Context, ids []string) (map[string]Person, error) {
	found, err := members.GetMany(ctx, s.DB, ids...)
	if err != nil {
		return nil, fmt.Errorf("member: people: %w", err)
	}
	return s.people(ctx, found)
}

// Members reads a page of a brand's members, in the order in which they became members of any. limit and cursor as in docdb.Query.
func (s *Service) Members(ctx context.Context, brand string, limit int, cursor string) ([]Person, string, error) {
	page, err := members.Find(ctx, s.DB, docdb.Query{Index: "brands", Eq: []any{brand}, Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", fmt.Errorf("member: members of a brand: %w", err)
	}
	found := make(map[string]*Member, len(page.Items))
	for _, m := range page.Items {
		found[m.ID] = m
	}
	people, err := s.people(ctx, found)
	if err != nil {
		return nil, "", err
	}
	list := make([]Person, len(page.Items))
	for i, m := range page.Items {
		list[i] = people[m.ID]
	}
	return list, page.Next, nil
}

// people adds to members what their cards hold.
func (s *Service) people(ctx context.Context, found map[string]*Member) (map[string]Person, error) {
	cardIDs, programIDs := set{}, set{}
	for _, m := range found {
		for i := range m.Memberships {
			for _, h := range m.Memberships[i].Cards {
				cardIDs[cardID(m.ID, m.Memberships[i].Brand, h.Program)] = true
				programIDs[programID(m.Memberships[i].Brand, h.Program)] = true
			}
		}
	}
	held, err := cards.GetMany(ctx, s.DB, docdb.IDs(cardIDs)...)
	if err != nil {
		return nil, fmt.Errorf("member: people: %w", err)
	}
	rules, err := programs.GetMany(ctx, s.DB, docdb.IDs(programIDs)...)
	if err != nil {
		return nil, fmt.Errorf("member: people: %w", err)
	}
	people := make(map[string]Person, len(found))
	for id, m := range found {
		if people[id], err = s.person(ctx, m, held, rules); err != nil {
			return nil, err
		}
	}
	return people, nil
}

func (s *Service) person(ctx context.Context, m *Member, held map[string]*Card, rules map[string]*Program) (Person, error) {
	own, err := s.keys.open(m)
	if err != nil {
		return Person{}, err
	}
	p := Person{ID: m.ID, PhoneMasked: phone.Mask(own.Phone), Name: own.Name}
	for i := range m.Memberships {
		ms := &m.Memberships[i]
		today, err := s.today(ctx, ms.Brand)
		if err != nil {
			return Person{}, err
		}
		shown := PersonMembership{Brand: ms.Brand, JoinedAt: ms.JoinedAt}
		for _, h := range ms.Cards {
			c := held[cardID(m.ID, ms.Brand, h.Program)]
			if c == nil {
				return Person{}, fmt.Errorf("member: card %s of member %s is missing", h.Number, m.ID)
			}
			tier := c.Steps[len(c.Steps)-1]
			if r := rules[programID(ms.Brand, h.Program)]; r != nil {
				tier = c.shown(r, today)
			}
			card := PersonCard{Program: h.Program, Number: h.Number, Tier: tier.Tier, TierFrom: tier.From, Growth: c.Growth}
			card.Available, card.Pending = c.usable(today)
			if len(h.External) > 0 {
				card.ExternalID = h.External[0]
			}
			shown.Cards = append(shown.Cards, card)
		}
		p.Memberships = append(p.Memberships, shown)
	}
	return p, nil
}

// today is the date in a brand's zone.
func (s *Service) today(ctx context.Context, brand string) (when.Date, error) {
	b, err := s.Brands.Brand(ctx, brand)
	if err != nil {
		return "", fmt.Errorf("member: %w", err)
	}
	zone, err := zoneOf(b)
	if err != nil {
		return "", err
	}
	return when.DateIn(s.Clock.Now(), zone, 0), nil
}

// ByPhone finds the member whose number it is now; "" if nobody's.
func (s *Service) ByPhone(ctx context.Context, e164 string) (string, error) {
	id := phoneClaim(s.Keys.BlindIndex(e164))
	found, err := claims.GetMany(ctx, s.DB, id)
	if err != nil {
		return "", fmt.Errorf("member: by phone: %w", err)
	}
	return found[id].current(), nil
}

// Ledger reads a page of a card's entries, newest first. fault.NotFound with code "unknown_card" if the member has no card of that
// program; limit and cursor as in docdb.Query.
func (s *Service) Ledger(ctx context.Context, member, brand, program string, limit int, cursor string) (docdb.Page[Entry], error) {
	id := cardID(member, brand, program)
	if _, err := cards.Get(ctx, s.DB, id); fault.Is(err, fault.NotFound) {
		return docdb.Page[Entry]{}, fault.New(fault.NotFound, "unknown_card", "the member has no such card")
	} else if err != nil {
		return docdb.Page[Entry]{}, fmt.Errorf("member: ledger: %w", err)
	}
	return entries.Find(ctx, s.DB, docdb.Query{Index: "card_seq", Eq: []any{id}, Desc: true, Limit: limit, Cursor: cursor})
}

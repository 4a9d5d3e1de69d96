package member

import (
	"errors"
	"slices"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// Enrolment asks for a card of a brand's program for the person with a phone number. Its texts are checked by Enrol.
type Enrolment struct {
	Brand           string
	Program         string
	Phone           string // E.164, as phone.Parse gives it
	Channel         string
	ExternalID      string // the system's own number of the customer
	Name            string
	Store           string // that the customer enrolled in or named
	RecruitingGuide string
	Lat, Lng        *float64     // WGS-84 degrees
	JoinedAt        when.Instant // 0: now
	Consent         Consent
	Level           string // an import's: id or name of the tier that the card opens with
	Points          int64  // an import's: balance that the card opens with
}

// EnrolStatus says what an enrolment did.
type EnrolStatus uint8

// The statuses; only the last made nothing.
const (
	Created   EnrolStatus = iota + 1 // a new member
	Joined                           // a member's first card of the brand
	Unified                          // another card of a member who had one of the brand
	Duplicate                        // the member had the card already
)

// EnrolResult is how one enrolment went.
type EnrolResult struct {
	Err        error // why it was refused; the rest is empty then
	Member     string
	Status     EnrolStatus
	Assignment guideevent.Assignment // of the membership, also of one that was there
}

// joinedAhead is how far joined_at may lie after now: clocks differ.
const joinedAhead = 5 * time.Minute

// The refusals of a single enrolment.
var (
	errUnknownBrand   = fault.New(fault.Invalid, "unknown_brand", "there is no such brand").At("brand")
	errUnknownProgram = fault.New(fault.Invalid, "unknown_program", "the brand has no such program").At("program")
	errUnknownLevel   = fault.New(fault.Invalid, "unknown_level", "the program has no tier of this id or name").At("level")
	errJoinedAhead    = fault.New(fault.Invalid, "joined_in_the_future", "nobody joins in the future").At("joined_at")
	errExternalTaken  = fault.New(fault.Conflict, "external_id_taken", "the brand knows another member by this external id").At("external_id")
)

// roll is the part of the members' register that a batch of enrolments touches: loaded, changed in order, and then stored.
type roll struct {
	now      when.Instant
	brands   map[string]storeevent.Brand
	programs map[string]*Program // by programID
	claims   map[string]*claim
	members  map[string]*Member
	mint     mint

	saveMembers, saveClaims map[string]bool
	cards                   []*Card
	entries                 []*Entry
	joined, opened          []any // facts for the outbox
}

// mint makes what has to be new or secret.
type mint interface {
	id() string
	seal(m *Member, p profile) error
	open(m *Member) (profile, error)
}

// applicant is one enrolment of a batch, prepared outside the transaction.
type applicant struct {
	*Enrolment
	index  string // blind index of the phone number
	number string // for the card, should it become one
}

// enrol carries out one enrolment. A refused one changes nothing; any other error spoils the batch.
func (r *roll) enrol(a applicant) (EnrolResult, error) {
	result, err := r.decide(a)
	if why := refusal(err); why != nil {
		result, err = EnrolResult{Err: why}, nil
	}
	return result, err
}

// refusal is why a single enrolment or row was refused; nil where the error is not its own fault.
func refusal(err error) *fault.Error {
	var why *fault.Error
	if !errors.As(err, &why) {
		return nil
	}
	switch why.Kind {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Forbidden:
		return why
	default:
		return nil
	}
}

func (r *roll) decide(a applicant) (EnrolResult, error) {
	brand := r.brands[a.Brand]
	start, err := startOf(a.JoinedAt, r.now, brand)
	if err != nil {
		return EnrolResult{}, err
	}
	program := r.programs[programID(a.Brand, a.Program)]
	if program == nil && a.Program != ProgramOnline && a.Program != ProgramStore {
		return EnrolResult{}, errUnknownProgram
	}
	opening, err := openingTier(program, start, a.Level)
	if err != nil {
		return EnrolResult{}, err
	}
	id := r.claims[phoneClaim(a.index)].current()
	if a.ExternalID != "" {
		if taken := r.claims[externalClaim(a.Brand, a.ExternalID)].current(); taken != "" && taken != id {
			return EnrolResult{}, errExternalTaken
		}
	}

	// From here on nothing refuses.
	m, err := r.person(id, a)
	if err != nil {
		return EnrolResult{}, err
	}
	status := Unified
	s := m.membership(a.Brand)
	if s == nil {
		status = Joined
		s = r.join(m, a, start, brand)
	}
	if id == "" {
		status = Created
	}
	held := s.card(a.Program)
	if held != nil {
		status = Duplicate
	} else {
		r.give(phoneClaim(a.index), m.ID, start)
		held = r.openCard(m, s, a, start, opening, program, brand)
	}
	if a.ExternalID != "" && !slices.Contains(held.External, a.ExternalID) {
		r.give(externalClaim(a.Brand, a.ExternalID), m.ID, start)
		held.External = append(held.External, a.ExternalID)
		r.saveMembers[m.ID] = true
	}
	if s.consent(a.Consent) {
		r.saveMembers[m.ID] = true
	}
	return EnrolResult{Member: m.ID, Status: status}, nil
}

// startOf is when what an enrolment makes takes effect: at any past moment before the brand's first accepted transaction,
// afterwards when it is made.
func startOf(joinedAt, now when.Instant, brand storeevent.Brand) (when.Instant, error) {
	switch {
	case joinedAt > now.Add(joinedAhead):
		return 0, errJoinedAhead
	case joinedAt == 0, joinedAt > now, brand.FirstAccepted != 0:
		return now, nil
	}
	return joinedAt, nil
}

// openingTier is the tier that a card opened at start begins with: the one of an imported level, else the lowest.
func openingTier(p *Program, start when.Instant, level string) (Tier, error) {
	var v *Version
	if p != nil {
		v = p.opening(start)
	}
	switch {
	case v == nil && level == "":
		return Tier{}, nil
	case v == nil:
		return Tier{}, errUnknownLevel
	case level == "":
		return v.Tiers[0], nil
	}
	tier, ok := v.tier(level)
	if !ok {
		return Tier{}, errUnknownLevel
	}
	return tier, nil
}

// person finds the member or, without an id, makes one. A name that is missing is filled in; one that is there stays.
func (r *roll) person(id string, a applicant) (*Member, error) {
	if id == "" {
		m := &Member{Doc: docdb.Doc{ID: r.mint.id()}, Phone: a.index, Named: a.Name != "", CreatedAt: r.now}
		if err := r.mint.seal(m, profile{Phone: a.Phone, Name: a.Name}); err != nil {
			return nil, err
		}
		r.members[m.ID] = m
		r.saveMembers[m.ID] = true
		return m, nil
	}
	m := r.members[id]
	if a.Name != "" && !m.Named {
		p, err := r.mint.open(m)
		if err != nil {
			return nil, err
		}
		p.Name, m.Named = a.Name, true
		if err := r.mint.seal(m, p); err != nil {
			return nil, err
		}
		r.saveMembers[id] = true
	}
	return m, nil
}

// join makes the membership of a brand.
func (r *roll) join(m *Member, a applicant, start when.Instant, brand storeevent.Brand) *Membership {
	fact := memberevent.Joined{Member: m.ID, Brand: a.Brand, At: start, Backdated: brand.FirstAccepted == 0, Program: a.Program,
		Channel: a.Channel, Store: a.Store, RecruitingGuide: a.RecruitingGuide, Lat: a.Lat, Lng: a.Lng}
	m.Memberships = append(m.Memberships, Membership{Brand: a.Brand, JoinedAt: a.shownJoin(start), Joined: fact})
	m.Brands = append(m.Brands, a.Brand)
	r.joined = append(r.joined, fact)
	return &m.Memberships[len(m.Memberships)-1]
}

// shownJoin is when the person says they joined.
func (a applicant) shownJoin(start when.Instant) when.Instant {
	if a.JoinedAt == 0 {
		return start
	}
	return min(a.JoinedAt, start)
}

// openCard makes a card with its opening tier and points, each an entry of its own.
func (r *roll) openCard(m *Member, s *Membership, a applicant, start when.Instant, opening Tier, p *Program, brand storeevent.Brand) *Held {
	zone, _ := zoneOf(brand) // checked when the brand was read
	c := &Card{Doc: docdb.Doc{ID: cardID(m.ID, a.Brand, a.Program)}, At: start, Pending: []Due{},
		Steps: []Step{{Tier: opening.ID, Growth: opening.Growth}}, Through: when.DateIn(start, zone, 0)}
	today := when.DateIn(r.now, zone, 0)
	event := "card/" + m.ID + "/" + a.Brand + "/" + a.Program
	book := func(position int, e *Entry) {
		c.Seq++
		c.Growth += e.Growth
		c.add(e.Points, e.UsableOn)
		e.ID, e.Card, e.Seq, e.Balance, e.Date, e.At = entryID(event, position), c.ID, c.Seq, c.Balance, today, r.now
		r.entries = append(r.entries, e)
	}
	if a.Level != "" {
		book(1, &Entry{Kind: KindOpeningTier, Growth: opening.Growth, Tier: opening.ID, Version: p.opening(start).Number})
	}
	if a.Points != 0 {
		e := &Entry{Kind: KindOpeningPoints, Points: a.Points}
		if p != nil {
			if v := p.opening(r.now); v != nil {
				e.Version, e.UsableOn, e.ExpiresOn = v.Number, v.usable(today), v.expires(today)
			}
		}
		book(2, e)
	}
	r.cards = append(r.cards, c)
	r.give(numberClaim(a.number), m.ID, start)
	r.claims[numberClaim(a.number)].Brand = a.Brand
	s.Cards = append(s.Cards, Held{Program: a.Program, Number: a.number, JoinedAt: a.shownJoin(start), At: start})
	r.saveMembers[m.ID] = true
	r.opened = append(r.opened, memberevent.CardOpened{Member: m.ID, Brand: a.Brand, Program: a.Program, At: start, Dual: s.dual()})
	return &s.Cards[len(s.Cards)-1]
}

// give makes a claim a member's.
func (r *roll) give(id, member string, from when.Instant) {
	c := r.claims[id]
	if c == nil {
		c = &claim{Doc: docdb.Doc{ID: id}}
		r.claims[id] = c
	}
	if c.give(member, from) {
		r.saveClaims[id] = true
	}
}

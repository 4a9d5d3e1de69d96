package member

import (
	"context"
	"fmt"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/stream"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// MaxEnrol is the most enrolments of one Enrol.
const MaxEnrol = 1000

// Enrol carries out enrolments in order, so that a number or an external id that occurs twice is known the second time, in one
// transaction, and has the memberships assigned. Each result has the assignment, or the reason why that one was refused: fault.Invalid
// (unknown_brand, unknown_program, unknown_level, joined_in_the_future …) or fault.Conflict (external_id_taken). If assigning fails the members are enrolled all the
// same and the error is fault.Unavailable or that of the assigner: the same call again, or the outbox, finishes it.
func (s *Service) Enrol(ctx context.Context, batch []Enrolment) ([]EnrolResult, error) {
	if len(batch) > MaxEnrol {
		return nil, fault.New(fault.TooLarge, "too_many_enrolments", "at most %d enrolments at a time", MaxEnrol)
	}
	results := make([]EnrolResult, len(batch))
	brands := map[string]storeevent.Brand{}
	var applicants []applicant
	var places []int // of the applicants in batch
	for i := range batch {
		e := &batch[i]
		if results[i].Err = e.check(); results[i].Err != nil {
			continue
		}
		if _, known := brands[e.Brand]; !known {
			b, err := s.Brands.Brand(ctx, e.Brand)
			if fault.Is(err, fault.NotFound) {
				results[i].Err = errUnknownBrand
				continue
			}
			if err == nil {
				_, err = zoneOf(b)
			}
			if err != nil {
				return nil, fmt.Errorf("member: enrol: %w", err)
			}
			brands[e.Brand] = b
		}
		applicants = append(applicants, applicant{Enrolment: e, index: s.Keys.BlindIndex(e.Phone), number: newNumber(s.Clock.Now())})
		places = append(places, i)
	}
	var joined []memberevent.Joined
	err := s.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		joined = make([]memberevent.Joined, 0, len(applicants))
		r, err := s.load(ctx, tx, applicants)
		if err != nil {
			return err
		}
		r.brands = brands
		for i, a := range applicants {
			result, err := r.enrol(a)
			if err != nil {
				return err
			}
			results[places[i]] = result
		}
		for _, at := range places {
			if m := results[at].Member; m != "" {
				j := r.members[m].membership(batch[at].Brand).Joined
				if e := batch[at]; e.Lat != nil { // also shared later, by somebody whom no store was in reach of
					j.Lat, j.Lng = e.Lat, e.Lng
				}
				joined = append(joined, j)
			}
		}
		return s.save(ctx, tx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("member: enrol: %w", err)
	}
	s.outbox.Wake()
	assigned, err := s.Assign.Assign(ctx, joined)
	if err != nil {
		return nil, fmt.Errorf("member: enrol: assign: %w", err)
	}
	for _, at := range places {
		if results[at].Member != "" {
			results[at].Assignment, assigned = assigned[0], assigned[1:]
		}
	}
	return results, nil
}

// check validates the form of what does not need the register.
func (e *Enrolment) check() error {
	if err := ident.Check("brand", e.Brand); err != nil {
		return err
	}
	if err := ident.Check("program", e.Program); err != nil {
		return err
	}
	for _, id := range []struct{ field, value string }{{"channel", e.Channel}, {"store", e.Store}, {"recruiting_guide", e.RecruitingGuide}} {
		if id.value != "" {
			if err := ident.Check(id.field, id.value); err != nil {
				return err
			}
		}
	}
	if e.ExternalID != "" {
		if err := ident.CheckNumber("external_id", e.ExternalID); err != nil {
			return err
		}
	}
	switch {
	case !validName(e.Name):
		return fault.New(fault.Invalid, "invalid_name", "a name is at most %d printable characters", maxName).At("name")
	case !validName(e.Consent.Version):
		return fault.New(fault.Invalid, "invalid_consent", "a version of the terms is at most %d printable characters", maxName).At("consent.version")
	case e.Points < 0 || e.Points > maxGrowth:
		return fault.New(fault.Invalid, "invalid_points", "opening points are from 0 to %d", int64(maxGrowth)).At("points")
	}
	return nil
}

// load reads what a batch touches.
func (s *Service) load(ctx context.Context, tx docdb.Session, batch []applicant) (*roll, error) {
	r := &roll{now: s.Clock.Now(), mint: s.keys, saveMembers: set{}, saveClaims: set{}}
	claimIDs, programIDs, memberIDs := make([]string, 0, 3*len(batch)), set{}, set{}
	for i := range batch {
		a := &batch[i]
		claimIDs = append(claimIDs, phoneClaim(a.index), numberClaim(a.number))
		if a.ExternalID != "" {
			claimIDs = append(claimIDs, externalClaim(a.Brand, a.ExternalID))
		}
		programIDs[programID(a.Brand, a.Program)] = true
	}
	var err error
	if r.claims, err = claims.GetMany(ctx, tx, claimIDs...); err != nil {
		return nil, err
	}
	if r.programs, err = programs.GetMany(ctx, tx, docdb.IDs(programIDs)...); err != nil {
		return nil, err
	}
	numbers := make(set, len(batch))
	for i := range batch {
		a := &batch[i]
		if m := r.claims[phoneClaim(a.index)].current(); m != "" {
			memberIDs[m] = true
		}
		for numbers[a.number] || r.claims[numberClaim(a.number)] != nil { // taken: one in a hundred million of a second's
			if a.number, err = s.freeNumber(ctx, tx); err != nil {
				return nil, err
			}
		}
		numbers[a.number] = true
	}
	r.members, err = members.GetMany(ctx, tx, docdb.IDs(memberIDs)...)
	return r, err
}

// freeNumber makes a card number that no card has.
func (s *Service) freeNumber(ctx context.Context, tx docdb.Session) (string, error) {
	for {
		number := newNumber(s.Clock.Now())
		taken, err := claims.GetMany(ctx, tx, numberClaim(number))
		if err != nil || len(taken) == 0 {
			return number, err
		}
	}
}

// save stores what a batch changed, with the facts that it made true.
func (s *Service) save(ctx context.Context, tx docdb.Session, r *roll) error {
	changed := make([]*Member, 0, len(r.saveMembers))
	for _, id := range docdb.IDs(r.saveMembers) {
		changed = append(changed, r.members[id])
	}
	if err := members.SaveMany(ctx, tx, changed); err != nil {
		return err
	}
	given := make([]*claim, 0, len(r.saveClaims))
	for _, id := range docdb.IDs(r.saveClaims) {
		given = append(given, r.claims[id])
	}
	if err := claims.SaveMany(ctx, tx, given); err != nil {
		return err
	}
	if err := cards.SaveMany(ctx, tx, r.cards); err != nil {
		return err
	}
	if err := entries.SaveMany(ctx, tx, r.entries); err != nil {
		return err
	}
	if err := s.outbox.Add(ctx, tx, stream.SubjectJoined, r.joined...); err != nil {
		return err
	}
	return s.outbox.Add(ctx, tx, stream.SubjectCardOpened, r.opened...)
}

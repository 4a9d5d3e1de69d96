package member

import (
	"context"
	"fmt"

	"scrm/gateway/kit/docdb"
	"scrm/member/memberevent"
)

// Resolve finds the member that each reference names, as of its business time (the end of its second, where it is a whole
// one); "" where nobody is known by it. It changes nothing.
func (s *Service) Resolve(ctx context.Context, refs []memberevent.Ref) ([]string, error) {
	found, err := resolve(ctx, s.DB, refs)
	if err != nil {
		return nil, fmt.Errorf("member: resolve: %w", err)
	}
	return found, nil
}

func resolve(ctx context.Context, session docdb.Session, refs []memberevent.Ref) ([]string, error) {
	claimIDs, memberIDs := make([]string, 0, len(refs)), set{}
	for i := range refs {
		switch r := &refs[i]; {
		case r.Phone != "":
			claimIDs = append(claimIDs, phoneClaim(r.Phone))
		case r.Card != "":
			claimIDs = append(claimIDs, numberClaim(r.Card))
			for _, brand := range r.Brands {
				claimIDs = append(claimIDs, externalClaim(brand, r.Card))
			}
		case r.ID != "":
			memberIDs[r.ID] = true
		}
	}
	held, err := claims.GetMany(ctx, session, claimIDs...)
	if err != nil {
		return nil, err
	}
	known, err := members.GetMany(ctx, session, docdb.IDs(memberIDs)...)
	if err != nil {
		return nil, err
	}
	found := make([]string, len(refs))
	for i := range refs {
		switch r := &refs[i]; {
		case r.Phone != "":
			found[i] = held[phoneClaim(r.Phone)].at(r.At.SecondEnd())
		case r.Card != "":
			found[i] = byCard(r, held)
		case known[r.ID] != nil:
			found[i] = r.ID
		}
	}
	return found, nil
}

// byCard looks a card number or external id up in the cards of the brands, in order.
func byCard(r *memberevent.Ref, held map[string]*claim) string {
	number := held[numberClaim(r.Card)]
	for _, brand := range r.Brands {
		if number != nil && number.Brand == brand {
			if m := number.at(r.At.SecondEnd()); m != "" {
				return m
			}
		}
		if m := held[externalClaim(brand, r.Card)].at(r.At.SecondEnd()); m != "" {
			return m
		}
	}
	return ""
}

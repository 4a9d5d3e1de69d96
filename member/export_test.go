package member

import (
	"context"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// Left is, by sale, what is left of a card's points that expire, for tests: the entry's points and what changed them since.
func (s *Service) Left(ctx context.Context, card string) (map[string]int64, error) {
	left := map[string]int64{}
	for e, err := range entries.Each(ctx, s.DB, docdb.Query{Index: "card_seq", Eq: []any{card}}) {
		if err != nil {
			return nil, err
		}
		if e.Kind != KindEarned || e.ExpiresOn == "" {
			continue
		}
		found, err := lots.GetMany(ctx, s.DB, e.ID)
		if err != nil {
			return nil, err
		}
		left[e.Event()] = e.Points
		if l := found[e.ID]; l != nil && l.ExpiresOn == e.ExpiresOn {
			left[e.Event()] += l.Changed
		}
	}
	return left, nil
}

// Strangers counts the kept numbers of people who are not members, by date.
func (s *Service) Strangers(ctx context.Context) (map[when.Date]int, error) {
	kept := map[when.Date]int{}
	for p, err := range strangers.Each(ctx, s.DB, docdb.Query{}) {
		if err != nil {
			return nil, err
		}
		kept[when.Date(p.ID[:10])]++
	}
	return kept, nil
}

// Tamper adds points to a card that no entry gave.
func (s *Service) Tamper(ctx context.Context, card string, points int64) error {
	return cards.Update(ctx, s.DB, card, docdb.Change{Inc: map[string]int64{"balance": points}})
}

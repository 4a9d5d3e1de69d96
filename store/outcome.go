package store

import (
	"bytes"
	"context"

	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// Outcome is what store decided about an event id.
type Outcome struct {
	EventID   string
	Status    string // storeevent.StatusApplied … StatusDead
	Code      string // of a rejected one or an anomaly
	Detail    string
	Terminal  string // empty for orders
	Brand     string // of an order
	Store     string
	IntakeSeq uint64 // of the message that brought it first

	content []byte
	arrived when.Instant
}

// For is the outcome of one delivery of the event, known by its content and its time of arrival: the event's own where it is the one
// that counted, else duplicate with the first one's facts or, where its content differs, an anomaly.
func (o Outcome) For(delivery *storeevent.Transaction) Outcome {
	switch {
	case !bytes.Equal(o.content, delivery.Content):
		o.Status, o.Code, o.Detail = storeevent.StatusAnomaly, codeContentDiffers, reason(codeContentDiffers)
	case o.arrived != delivery.ArrivedAt:
		o.Status = storeevent.StatusDuplicate
	}
	return o
}

// Outcomes tells what was decided about events; those that are not decided yet, or never came, are absent.
func (s *Service) Outcomes(ctx context.Context, eventIDs []string) (map[string]Outcome, error) {
	found, err := s.records.GetMany(ctx, s.db, eventIDs...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Outcome, len(found))
	for id, r := range found {
		if !r.decided() {
			continue // a sale that returns wait for
		}
		tx, err := r.transaction()
		if err != nil {
			return nil, err
		}
		out[id] = Outcome{
			EventID: id, Status: r.Status, Code: r.Code, Detail: reason(r.Code), Terminal: tx.Terminal, Brand: tx.Brand, Store: tx.Store,
			IntakeSeq: uint64(r.IntakeSeq), content: tx.Content, arrived: tx.ArrivedAt,
		}
	}
	return out, nil
}

package api

import (
	"context"
	"errors"
	"time"

	"scrm/commission"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/store"
	"scrm/store/storeevent"
)

// outcomeView is what became of a transaction.
type outcomeView struct {
	EventID    string        `json:"event_id,omitempty" doc:"absent where the transaction was refused before it had one"`
	Status     string        `json:"status" enum:"accepted,applied,duplicate,waiting,anomaly,rejected,dead"`
	Member     string        `json:"member,omitempty" doc:"the member, where it touched a card of theirs; absent until projected"`
	Points     *[]earnedView `json:"points,omitempty" doc:"absent until projected"`
	Commission *[]bookedView `json:"commission,omitempty" doc:"absent until projected"`
	Code       string        `json:"code,omitempty" doc:"why, of rejected and anomaly"`
	Detail     string        `json:"detail,omitempty" doc:"the same in words"`
	Field      string        `json:"field,omitempty" doc:"the field at fault, of an item that was refused"`
}

type earnedView struct {
	Brand   string `json:"brand"`
	Program string `json:"program"`
	Earned  int64  `json:"earned" doc:"negative for returns"`
}

type bookedView struct {
	Line   int        `json:"line"`
	Role   string     `json:"role"`
	Payee  *payeeView `json:"payee,omitempty" doc:"absent: nobody holds the role"`
	Amount int64      `json:"amount" doc:"minor units; negative for a clawback"`
}

type payeeView struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// outcomes tells what became of events, and which of these are settled: decided, and if applied (be it by an earlier delivery),
// projected by all three domains. Events that are not decided yet are absent.
func (s *Server) outcomes(ctx context.Context, events []string) (decided map[string]store.Outcome, views map[string]outcomeView, settled map[string]bool, err error) {
	if decided, err = s.Services.Store.Outcomes(ctx, events); err != nil {
		return nil, nil, nil, err
	}
	views, settled = make(map[string]outcomeView, len(decided)), make(map[string]bool, len(decided))
	var applied []string
	for id, o := range decided {
		views[id] = outcomeView{EventID: id, Status: o.Status, Code: o.Code, Detail: o.Detail}
		settled[id] = o.Status != storeevent.StatusApplied
		if o.Status == storeevent.StatusApplied {
			applied = append(applied, id)
		}
	}
	if len(applied) == 0 {
		return decided, views, settled, nil
	}
	return decided, views, settled, s.project(ctx, applied, views, settled)
}

// project adds to the views of applied events what the other domains made of them.
func (s *Server) project(ctx context.Context, applied []string, views map[string]outcomeView, settled map[string]bool) error {
	earning, err := s.Services.Member.Projected(ctx, applied)
	if err != nil {
		return err
	}
	earned, err := s.Services.Member.Earned(ctx, applied)
	if err != nil {
		return err
	}
	served, err := s.Services.Guide.Projected(ctx, applied)
	if err != nil {
		return err
	}
	booked, err := s.Services.Commission.Booked(ctx, applied)
	if err != nil {
		return err
	}
	for _, id := range applied {
		view := views[id]
		if earning[id] {
			points := make([]earnedView, len(earned[id]))
			for i, e := range earned[id] {
				points[i] = earnedView{e.Brand, e.Program, e.Earned}
				view.Member = e.Member
			}
			view.Points = &points
		}
		shares, ok := booked[id]
		if ok {
			commissions := make([]bookedView, len(shares))
			for i, share := range shares {
				commissions[i] = viewBooked(share)
			}
			view.Commission = &commissions
		}
		views[id] = view
		settled[id] = earning[id] && served[id] && ok
	}
	return nil
}

func viewBooked(s commission.Share) bookedView {
	return bookedView{Line: s.Line, Role: string(s.Role), Payee: viewPayee(s.Payee), Amount: s.Amount}
}

// viewPayee is nil for nobody.
func viewPayee(p commission.Payee) *payeeView {
	if p == commission.Nobody {
		return nil
	}
	kind, id := p.Split()
	return &payeeView{kind, id}
}

// How often outcomes are looked at while a client waits for them.
const (
	firstLook = 2 * time.Millisecond
	lastLook  = 50 * time.Millisecond
)

// await waits until everything that was accepted is settled, for at most wait, and puts what became of it into the views; it
// reports whether all of it is.
func (s *Server) await(ctx context.Context, wait time.Duration, seq uint64, items []taken, views []outcomeView) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := s.Bus.WaitDone(ctx, stream.Intake, store.Durable, seq)
	if err == nil && s.Projected != nil {
		err = s.Projected(ctx) // signals come before looking again and again
	}
	for pause := firstLook; err == nil; pause = min(2*pause, lastLook) {
		var all bool
		if all, err = s.look(ctx, items, views); all {
			return true, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || fault.Is(err, fault.Canceled) {
		return false, nil
	}
	return false, err
}

// look puts what is settled by now into the views, and reports whether everything is.
func (s *Server) look(ctx context.Context, items []taken, views []outcomeView) (bool, error) {
	var open []string
	for i := range items {
		if items[i].err == nil && views[i].Status == storeevent.StatusAccepted {
			open = append(open, items[i].transaction.EventID)
		}
	}
	decided, found, settled, err := s.outcomes(ctx, open)
	if err != nil {
		return false, err
	}
	all := true
	for i := range items {
		tx := items[i].transaction
		if items[i].err != nil || views[i].Status != storeevent.StatusAccepted {
			continue
		}
		if !settled[tx.EventID] {
			all = false
			continue
		}
		views[i] = found[tx.EventID]
		own := decided[tx.EventID].For(tx)
		views[i].Status, views[i].Code, views[i].Detail = own.Status, own.Code, own.Detail
		if own.Status == storeevent.StatusAnomaly {
			views[i].Member, views[i].Points, views[i].Commission = "", nil, nil
		}
	}
	return all, nil
}

package guide

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/wire"
	"scrm/guide/guideevent"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// The names of the domain's consumers.
const (
	Durable      = "guide"       // of SALES
	FactsDurable = "guide-facts" // of FACTS: memberevent.Joined
)

// ProjectFacts finishes the assignment of members whose enrolment did not come to it. It is the stream.Handler of
// stream.SubjectJoined.
func (s *Service) ProjectFacts(ctx context.Context, items []stream.Item) (later []int, err error) {
	joins := make([]memberevent.Joined, len(items))
	for i := range items {
		if err := wire.Unmarshal(items[i].Data, &joins[i]); err != nil {
			return nil, fault.New(fault.Invalid, "unreadable_event", "this is not the fact that a member joined").Because(err)
		}
	}
	_, err = s.Assign(ctx, joins)
	return nil, err
}

// ProjectSales counts applied transactions for the guides who sold, and assigns members again who are on a fallback and buy in a
// store. It is the stream.Handler of SALES.
func (s *Service) ProjectSales(ctx context.Context, items []stream.Item) (later []int, err error) {
	verdicts := make([]storeevent.Verdict, len(items))
	refs := make([]memberevent.Ref, 0, len(items))
	named := make([]int, 0, len(items)) // positions of refs
	for i := range items {
		v := &verdicts[i]
		if err := wire.Unmarshal(items[i].Data, v); err != nil {
			return nil, fault.New(fault.Invalid, "unreadable_event", "this is not a verdict on a transaction").Because(err)
		}
		if m := v.Member; m != nil {
			refs = append(refs, memberevent.Ref{Phone: m.Phone, Card: m.Card, ID: m.ID, Brands: m.Brands, At: v.BusinessTime})
			named = append(named, i)
		}
	}
	members := make([]string, len(items))
	if len(refs) > 0 {
		ids, err := s.deps.Members.Resolve(ctx, refs)
		if err != nil {
			return nil, fmt.Errorf("guide: members: %w", err)
		}
		for i, at := range named {
			members[at] = ids[i]
		}
	}
	sellers, err := s.sellers(ctx, verdicts)
	if err != nil {
		return nil, fmt.Errorf("guide: sellers: %w", err)
	}
	err = s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		return s.attribute(ctx, tx, verdicts, members, sellers)
	})
	if err != nil {
		return nil, fmt.Errorf("guide: project a batch: %w", err)
	}
	s.outbox.Wake()
	return nil, nil
}

// sellers are the guides whom transactions name.
func (s *Service) sellers(ctx context.Context, verdicts []storeevent.Verdict) (staffFacts, error) {
	named := map[string]bool{}
	for i := range verdicts {
		if g := verdicts[i].Guide; g != "" {
			named[g] = true
		}
	}
	return s.recall(ctx, named, nil)
}

// attribute writes what a batch of transactions counts, each once.
func (s *Service) attribute(ctx context.Context, tx docdb.Session, verdicts []storeevent.Verdict, members []string, sellers staffFacts) error {
	ids := make([]string, len(verdicts))
	for i := range verdicts {
		ids[i] = verdicts[i].EventID
	}
	done, err := s.repo.attributed.GetMany(ctx, tx, ids...)
	if err != nil {
		return err
	}
	rows := make([]*attributed, 0, len(verdicts))
	sold := map[string]*performance{}
	bought := map[string]string{} // store of the first purchase, by member and brand
	for i := range verdicts {
		v := &verdicts[i]
		if done[v.EventID] != nil {
			continue
		}
		row := &attributed{Doc: docdb.Doc{ID: v.EventID}, Guide: v.Guide, Member: members[i], At: v.BusinessTime}
		done[v.EventID] = row
		rows = append(rows, row)
		sellers.count(sold, v)
		noteBought(bought, v, members[i])
	}
	if _, err := s.repo.attributed.InsertMany(ctx, tx, rows); err != nil {
		return err
	}
	if err := s.repo.performance.IncrementMany(ctx, tx, increments(sold)); err != nil {
		return err
	}
	return s.settleBuyers(ctx, tx, bought)
}

// count adds a transaction to the performance of the guide whom it names, for the brands that she sold for at its business time.
func (f *staffFacts) count(sold map[string]*performance, v *storeevent.Verdict) {
	if v.Guide == "" {
		return
	}
	q := guideevent.HolderQuery{At: v.BusinessTime, Store: v.Store, Guide: v.Guide}
	for i := range v.Lines {
		l := &v.Lines[i]
		q.Brand = l.Brand
		if f.selling(&q, q.At.SecondEnd()).Guide == "" {
			continue
		}
		id := performanceID(v.Guide, v.BusinessDate, l.Brand)
		p := sold[id]
		if p == nil {
			p = &performance{Doc: docdb.Doc{ID: id}, Guide: v.Guide, Brand: l.Brand, Date: v.BusinessDate}
			sold[id] = p
		}
		if v.Kind == storeevent.Return {
			p.Returns += l.Paid
			continue
		}
		p.Sales += l.Paid
		if !slices.ContainsFunc(v.Lines[:i], func(x storeevent.Line) bool { return x.Brand == l.Brand }) {
			p.Orders++
		}
	}
}

func increments(sold map[string]*performance) []docdb.Increment[performance] {
	out := make([]docdb.Increment[performance], 0, len(sold))
	for _, id := range slices.Sorted(maps.Keys(sold)) {
		p := sold[id]
		inc := map[string]int64{"sales": p.Sales, "returns": p.Returns, "orders": p.Orders}
		p.Sales, p.Returns, p.Orders = 0, 0, 0
		out = append(out, docdb.Increment[performance]{New: p, Inc: inc})
	}
	return out
}

// noteBought notes the store of a member's first purchase at a till, for each brand.
func noteBought(bought map[string]string, v *storeevent.Verdict, member string) {
	if member == "" || v.Terminal == "" || v.Kind != storeevent.Sale {
		return
	}
	for i := range v.Lines {
		if id := bindingsID(member, v.Lines[i].Brand); bought[id] == "" {
			bought[id] = v.Store
		}
	}
}

// settleBuyers assigns members again whose binding is provisional and who bought in a store: starting in that store. It is the one
// fact that depends on when a transaction arrives; it takes effect when it is made.
func (s *Service) settleBuyers(ctx context.Context, tx docdb.Session, bought map[string]string) error {
	lost, err := s.repo.unplaced.GetMany(ctx, tx, slices.Sorted(maps.Keys(bought))...)
	if err != nil || len(lost) == 0 {
		return err
	}
	r := s.newRound(tx)
	ids := slices.Sorted(maps.Keys(lost))
	if r.bindings, err = s.repo.bindings.GetMany(ctx, tx, ids...); err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.settle(ctx, r.bindings[id], &memberevent.Joined{Store: bought[id]}); err != nil {
			return err
		}
	}
	return r.save(ctx)
}

// ProjectDead keeps an item of SALES that could not be worked off as a dead letter.
func (s *Service) ProjectDead(ctx context.Context, item stream.Item, reason error) error {
	return s.dead.Keep(Durable, func(item stream.Item) []string {
		var v storeevent.Verdict
		if wire.Unmarshal(item.Data, &v) != nil {
			return nil // unreadable: it can be found by its place in the stream only
		}
		return []string{v.EventID}
	})(ctx, item, reason)
}

// Replay works off a dead letter once more; see stream.DeadLetters.Replay.
func (s *Service) Replay(ctx context.Context, id string) error {
	letter, err := s.dead.Get(ctx, id)
	if err != nil {
		return err
	}
	if letter.Consumer == FactsDurable {
		return s.dead.Replay(ctx, id, s.ProjectFacts)
	}
	return s.dead.Replay(ctx, id, s.ProjectSales)
}

// Projected says which events have been counted here, or are dead letters here.
func (s *Service) Projected(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	rows, err := s.repo.attributed.GetMany(ctx, s.deps.DB, eventIDs...)
	if err != nil {
		return nil, fmt.Errorf("guide: projected: %w", err)
	}
	done := make(map[string]bool, len(eventIDs))
	var missing []string
	for _, id := range eventIDs {
		if done[id] = rows[id] != nil; !done[id] {
			missing = append(missing, id)
		}
	}
	held, err := s.dead.Held(ctx, s.deps.DB, missing...)
	for id := range held {
		done[id] = true
	}
	return done, err
}

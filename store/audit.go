package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// Audit checks the domain's part of the equations: E3 (every accepted item has one outcome) up to the last sequence of INTAKE that is
// decided when it starts, E2 for the totals, and E7. It reads everything, in constant memory but for two bits an item.
func (s *Service) Audit(ctx context.Context) ([]audit.Check, error) {
	through, err := s.waitIntake(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: audit: %w", err)
	}
	o := newOutcomes(int64(through))
	if err := s.auditOutcomes(ctx, o); err != nil {
		return nil, fmt.Errorf("store: audit: %w", err)
	}
	sums, err := s.auditTotals(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("store: audit: %w", err)
	}
	answers, err := s.auditAnswers(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: audit: %w", err)
	}
	return []audit.Check{*sums, *o.finish(), *answers}, nil
}

// outcomes collects what became of the items of INTAKE.
type outcomes struct {
	check   *audit.Check
	through int64 // the last sequence that is looked at

	promised *roaring64.Bitmap       // places of items that their messages hold, by what their neighbours say
	decided  *roaring64.Bitmap       // places of items that have an outcome
	sums     map[when.Date]*storeDay // of all stores together
	later    bool                    // something was decided after the audit began
}

func newOutcomes(through int64) *outcomes {
	return &outcomes{
		check:   audit.New("E3", "accepted transactions = applied + duplicate + waiting + anomaly + rejected + dead"),
		through: through, promised: roaring64.New(), decided: roaring64.New(), sums: map[when.Date]*storeDay{},
	}
}

// add counts one item's outcome.
func (o *outcomes) add(id, status string, seq, index, of int64) {
	if seq > o.through {
		o.later = true
		return
	}
	o.check.Figures["store_"+status]++
	first := uint64(seq) * stream.MaxItems
	if place := first + uint64(index); !o.decided.CheckedAdd(place) {
		o.check.Fail(fmt.Sprintf("%s: INTAKE %d.%d has two outcomes", id, seq, index))
	}
	o.promised.AddRange(first, first+uint64(of))
}

// finish compares the items that messages hold with those that have an outcome, and the messages with their sequences.
func (o *outcomes) finish() *audit.Check {
	c := o.check
	for _, status := range []string{
		storeevent.StatusApplied, storeevent.StatusDuplicate, storeevent.StatusWaiting, storeevent.StatusAnomaly,
		storeevent.StatusRejected, storeevent.StatusDead,
	} {
		n := c.Figures["store_"+status]
		c.Figures["store_"+status] = n // also where it is 0
		c.Figures["store_outcomes"] += n
	}
	c.Figures["store_accepted"] = int64(o.promised.GetCardinality())
	if c.Figures["store_accepted"] != c.Figures["store_outcomes"] {
		c.Fail("accepted transactions and outcomes differ in number")
	}
	without := roaring64.AndNot(o.promised, o.decided)
	for it := without.Iterator(); it.HasNext(); {
		place := it.Next()
		c.Fail(fmt.Sprintf("INTAKE %d.%d has no outcome", place/stream.MaxItems, place%stream.MaxItems))
	}
	if o.promised.IsEmpty() {
		return c
	}
	// A message none of whose items was decided: its sequence is missing between those before and after it.
	next := o.promised.Minimum() / stream.MaxItems
	c.Figures["store_intake_first"] = int64(next)
	for it := o.promised.Iterator(); it.HasNext(); it.AdvanceIfNeeded(next * stream.MaxItems) {
		seq := it.PeekNext() / stream.MaxItems
		for ; next < seq; next++ {
			c.Fail(fmt.Sprintf("INTAKE %d has no outcome", next))
		}
		next = seq + 1
	}
	c.Figures["store_intake_last"] = int64(next - 1)
	return c
}

// auditOutcomes reads all records and repeats.
func (s *Service) auditOutcomes(ctx context.Context, o *outcomes) error {
	for r, err := range s.records.Each(ctx, s.db, docdb.Query{}) {
		if err != nil {
			return err
		}
		if !r.decided() {
			o.check.Figures["store_sales_awaited"]++
			continue
		}
		o.add(r.ID, r.Status, r.IntakeSeq, r.Index, r.Of)
		if r.Status != storeevent.StatusApplied {
			continue
		}
		tx, err := r.transaction()
		if err != nil {
			return err
		}
		o.sum(tx)
	}
	for r, err := range s.repeats.Each(ctx, s.db, docdb.Query{}) {
		if err != nil {
			return err
		}
		o.add(r.ID, r.Status, r.IntakeSeq, r.Index, r.Of)
	}
	return nil
}

// sum adds an applied transaction to what the totals should be.
func (o *outcomes) sum(tx *storeevent.Transaction) {
	day := o.sums[tx.BusinessDate]
	if day == nil {
		day = newStoreDay("", "", tx.BusinessDate)
		o.sums[tx.BusinessDate] = day
	}
	day.add(tx)
}

// auditTotals compares the totals with the applied transactions, per brand and business date. While transactions come in the two
// cannot be compared, and the figures say so.
func (s *Service) auditTotals(ctx context.Context, o *outcomes) (*audit.Check, error) {
	c := audit.New("E2", "per brand and business date: the stores' totals = Σ applied transactions")
	kept := map[when.Date]*storeDay{}
	for d, err := range s.days.Each(ctx, s.db, docdb.Query{}) {
		if err != nil {
			return nil, err
		}
		if kept[d.Date] == nil {
			kept[d.Date] = newStoreDay("", "", d.Date)
		}
		if o.sums[d.Date] == nil {
			o.sums[d.Date] = newStoreDay("", "", d.Date)
		}
		for _, b := range d.Brands {
			sum := kept[d.Date].brand(b.Brand)
			sum.Sales, sum.Returns, sum.Orders = sum.Sales+b.Sales, sum.Returns+b.Returns, sum.Orders+b.Orders
			o.sums[d.Date].brand(b.Brand) // so that a total of nothing is seen
			c.Figures["store_totals_sales"] += b.Sales
			c.Figures["store_totals_returns"] += b.Returns
			c.Figures["store_totals_orders"] += b.Orders
		}
	}
	moving, err := s.moving(ctx, o)
	if err != nil {
		return nil, err
	}
	for date, day := range o.sums {
		for _, want := range day.Brands {
			c.Figures["store_applied_sales"] += want.Sales
			c.Figures["store_applied_returns"] += want.Returns
			c.Figures["store_applied_orders"] += want.Orders
			switch got := kept[date]; {
			case got != nil && *got.brand(want.Brand) == want:
			case moving:
				c.Figures["store_totals_moving"]++
			default:
				c.Fail(fmt.Sprintf("totals of %s on %s", want.Brand, date))
			}
		}
	}
	return c, nil
}

// moving reports whether anything was decided since the audit began.
func (s *Service) moving(ctx context.Context, o *outcomes) (bool, error) {
	now, err := s.waitIntake(ctx)
	return o.later || int64(now) > o.through, err
}

// auditAnswers recomputes every stored answer to a Z-report from the records, up to the position stored with it.
func (s *Service) auditAnswers(ctx context.Context) (*audit.Check, error) {
	c := audit.New("E7", "stored answers to Z-reports = what is recomputed up to the position stored with each")
	var till []*zAnswer // of one terminal
	flush := func() error {
		if len(till) == 0 {
			return nil
		}
		defer func() { till = till[:0] }()
		return s.recompute(ctx, c, till)
	}
	for a, err := range s.answers.Each(ctx, s.db, docdb.Query{}) {
		if err != nil {
			return nil, err
		}
		if len(till) > 0 && till[0].Terminal != a.Terminal {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		till = append(till, a)
	}
	return c, flush()
}

// recompute checks the answers of one terminal against its records.
func (s *Service) recompute(ctx context.Context, c *audit.Check, answers []*zAnswer) error {
	terminal := answers[0].Terminal
	wanted := make([]zAnswer, len(answers))
	byDate := map[when.Date][]int{}
	for i, a := range answers {
		byDate[a.Date] = append(byDate[a.Date], i)
	}
	for r, err := range s.records.Each(ctx, s.db, docdb.Query{From: "pos/" + terminal + "/", To: "pos/" + terminal + "0"}) {
		if err != nil {
			return err
		}
		if !r.decided() {
			continue
		}
		tx, err := r.transaction()
		if err != nil {
			return err
		}
		for _, i := range byDate[tx.BusinessDate] {
			wanted[i].count(r, tx, answers[i].Position)
		}
	}
	for i, a := range answers {
		c.Figures["z_answers"]++
		w := &wanted[i]
		if a.Claim == a.Counted {
			c.Figures["z_answers_matched"]++
		}
		if w.Counted != a.Counted || w.Open != a.Open || !slices.Equal(w.NotApplied, a.NotApplied) {
			c.Fail(strings.Join([]string{"Z-report", a.ID}, " "))
		}
	}
	return nil
}

// count adds a record to an answer that is recomputed, as it was at a position of its till day. Records come in the order of ids.
func (a *zAnswer) count(r *record, tx *storeevent.Transaction, position int64) {
	status, code, since := r.Status, r.Code, r.Since
	for i := len(r.Past) - 1; i >= 0 && since > position; i-- {
		status, code, since = r.Past[i].Status, r.Past[i].Code, r.Past[i].Since
	}
	if since > position {
		return
	}
	a.Counted.add(tx)
	if status == storeevent.StatusApplied {
		return
	}
	if a.Open++; len(a.NotApplied) < maxListed {
		a.NotApplied = append(a.NotApplied, NotApplied{r.ID, status, code})
	}
}

// EachApplied calls f with the event ids of the applied transactions, in batches that are f's during the call, until it answers an
// error.
func (s *Service) EachApplied(ctx context.Context, f func(batch []string) error) error {
	const size = 1000
	batch := make([]string, 0, size)
	for r, err := range s.records.Each(ctx, s.db, docdb.Query{Limit: size}) {
		if err != nil {
			return err
		}
		if r.Status != storeevent.StatusApplied {
			continue
		}
		if batch = append(batch, r.ID); len(batch) == size {
			if err := f(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return f(batch)
}

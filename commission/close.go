package commission

import (
	"context"
	"fmt"

	"scrm/commission/commissionevent"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
)

// Close is the closing of one day of a brand, and its result.
type Close struct {
	docdb.Doc  `json:",inline"` // <brand>.<date>
	Brand      string           `json:"brand"`
	Date       when.Date        `json:"date"`
	Status     string           `json:"status"`
	Step       string           `json:"step,omitempty"`       // what comes next while it runs
	Page       int              `json:"page,omitempty"`       // the first page of totals whose statements are not written
	MinPayout  int64            `json:"min_payout,omitempty"` // of the plan in force at the day's end
	Statements int64            `json:"statements"`
	Accrued    int64            `json:"accrued"` // Σ lines of the statements, minor units as all amounts
	Settled    int64            `json:"settled"` // Σ paid
	Carried    int64            `json:"carried"` // Σ carried out
	Entries    int64            `json:"entries"` // control totals: how many entries were booked on the day …
	Amount     int64            `json:"amount"`  // … and their sum
	FrozenAt   when.Instant     `json:"frozen_at,omitempty"`
	ClosedAt   when.Instant     `json:"closed_at,omitempty"`
}

// The states of a close.
const (
	Running = "running"
	Closed  = "closed"
)

// The steps of a close after freezing. Further ones, such as true-ups that book on the frozen day, go before the statements.
const (
	stepStatements = "statements" // of payees with a line
	stepCarries    = "carries"    // of payees without one whose carry can be paid
)

func closeID(brand string, date when.Date) string { return brand + "." + string(date) }

// RequestClose asks for every open day of the brand up to a date to be closed, and answers at once; the closing goes on behind
// it, also in the next process after a crash (see Resume). Asking again changes nothing. Errors: fault.NotFound "unknown_brand",
// fault.Conflict "day_not_past".
func (s *Service) RequestClose(ctx context.Context, brand string, date when.Date) (Close, error) {
	if err := s.askClose(ctx, brand, date); err != nil {
		return Close{}, err
	}
	s.closeBehind(brand)
	return s.CloseOf(ctx, brand, date)
}

// CloseThrough closes every open day of the brand up to a date and answers the close of that date. Errors as RequestClose; after
// any other error it can be called again and goes on where it was.
func (s *Service) CloseThrough(ctx context.Context, brand string, date when.Date) (Close, error) {
	if err := s.askClose(ctx, brand, date); err != nil {
		return Close{}, err
	}
	if err := s.closeAsked(ctx, brand); err != nil {
		return Close{}, err
	}
	return s.CloseOf(ctx, brand, date)
}

// Resume goes on with the closes that an earlier process was asked for and did not finish. Call it once what Barrier waits for
// is running.
func (s *Service) Resume(ctx context.Context) error {
	for l, err := range s.repo.ledgers.Each(ctx, s.deps.DB, docdb.Query{Index: "asked", From: "0"}) {
		if err != nil {
			return fmt.Errorf("commission: resume: %w", err)
		}
		s.closeBehind(l.ID)
	}
	return nil
}

// CloseOf is the close of a brand's day; fault.NotFound "unknown_close" for a day that nobody closed or asked to close.
func (s *Service) CloseOf(ctx context.Context, brand string, date when.Date) (Close, error) {
	// The ledger first: a day that it says is closed has its close stored, unless there was nothing to do on it.
	l, err := s.repo.ledger(ctx, s.deps.DB, brand)
	if err != nil {
		return Close{}, err
	}
	found, err := s.repo.closes.GetMany(ctx, s.deps.DB, closeID(brand, date))
	if err != nil {
		return Close{}, err
	}
	if c := found[closeID(brand, date)]; c != nil {
		return *c, nil
	}
	c := Close{Doc: docdb.Doc{ID: closeID(brand, date)}, Brand: brand, Date: date, Status: Closed}
	switch {
	case date <= l.Closed: // idle, or before the first booking
	case date <= l.Asked:
		c.Status = Running
	case date <= l.Empty: // open, but there was nothing to close
	default:
		return Close{}, fault.New(fault.NotFound, "unknown_close", "nobody has closed this day, or asked to")
	}
	return c, nil
}

// askClose notes in the brand's ledger how far to close.
func (s *Service) askClose(ctx context.Context, brand string, date when.Date) error {
	past, err := s.deps.Days.PastThrough(ctx, brand)
	if err != nil {
		return err
	}
	if date > past {
		return fault.New(fault.Conflict, "day_not_past", "the day has not ended in every store of the brand").At("date")
	}
	return s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		l, err := s.repo.ledger(ctx, tx, brand)
		if err != nil || date <= l.Closed || date <= l.Asked {
			return err
		}
		l.Asked = date
		return s.repo.ledgers.Replace(ctx, tx, l)
	})
}

// closeAsked closes what the brand's ledger asks for, a storage transaction a step. Every transaction starts from what is
// stored and writes it, so that it does not matter who took the step before, this process or another, nor whether it lives.
func (s *Service) closeAsked(ctx context.Context, brand string) error {
	turn := s.closer.turn(brand)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return fmt.Errorf("commission: close: %w", ctx.Err())
	}
	var awaited when.Date // everything accepted before somebody asked to close up to it is booked
	for {
		var next progress
		err := s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) (err error) {
			next, err = s.advance(ctx, tx, brand, awaited)
			return err
		})
		if err != nil && !fault.Is(err, fault.Conflict) { // a conflict means that another process took the step
			return fmt.Errorf("commission: close brand %s: %w", brand, err)
		}
		if next.fact {
			s.outbox.Wake()
		}
		switch {
		case err != nil:
		case next.done:
			return nil
		case next.await != "":
			if err := s.deps.Barrier.Wait(ctx, brand); err != nil {
				return fmt.Errorf("commission: close brand %s: %w", brand, err)
			}
			awaited = next.await
		}
	}
}

// progress is what a step of closing came to.
type progress struct {
	done  bool      // nothing is left to close
	await when.Date // set: wait for what was accepted before going on, then close up to this date
	fact  bool      // the outbox has something new
}

// advance takes the next step of closing a brand.
func (s *Service) advance(ctx context.Context, tx docdb.Session, brand string, awaited when.Date) (progress, error) {
	l, err := s.repo.ledger(ctx, tx, brand)
	if err != nil {
		return progress{}, err
	}
	switch {
	case l.Closed < l.Frozen:
		return s.writeStatements(ctx, tx, l)
	case l.Asked == "":
		return progress{done: true}, nil
	case awaited < l.Asked:
		return progress{await: l.Asked}, nil
	}
	from := l.First
	if l.Frozen != "" {
		from = l.Frozen.Add(1)
	}
	if from != "" && from <= l.Asked {
		return s.freeze(ctx, tx, l, from)
	}
	if l.Frozen == "" {
		l.Empty = when.Later(l.Empty, l.Asked)
	}
	l.Asked = ""
	return progress{done: true}, s.repo.ledgers.Replace(ctx, tx, l)
}

// freeze freezes the first open day on which there is something to do, and with it closes the idle days from the first open
// one to the day before. Idle days have no shards to freeze: whoever books on one makes its shards, and for that writes the
// ledger as this does.
func (s *Service) freeze(ctx context.Context, tx docdb.Session, l *ledger, from when.Date) (progress, error) {
	brand, last := l.ID, l.Asked
	minimum, err := s.minPayouts(ctx, tx, l)
	if err != nil {
		return progress{}, err
	}
	busy, err := s.busyDay(ctx, tx, brand, from, last, minimum)
	if err != nil {
		return progress{}, err
	}
	now := s.deps.Clock.Now()
	if busy == "" {
		l.Frozen, l.Closed = last, last
	} else {
		l.Frozen, l.Closed = busy, busy.Add(-1)
		if err := s.freezeDay(ctx, tx, &Close{
			Doc: docdb.Doc{ID: closeID(brand, busy)}, Brand: brand, Date: busy, Status: Running, Step: stepStatements,
			MinPayout: minimum.on(busy), FrozenAt: now,
		}); err != nil {
			return progress{}, err
		}
	}
	var next progress
	if from <= l.Closed {
		next.fact = true
		fact := commissionevent.DayClosed{Brand: brand, Since: from, Date: l.Closed, At: now}
		if err := s.outbox.Add(ctx, tx, stream.SubjectDayClosed, fact); err != nil {
			return progress{}, err
		}
	}
	return next, s.repo.ledgers.Replace(ctx, tx, l)
}

// freezeDay freezes a day's shards, makes those that are missing, and stores the day's close with their sums.
func (s *Service) freezeDay(ctx context.Context, tx docdb.Session, c *Close) error {
	all, err := s.allShards(ctx, tx, c.Brand, c.Date)
	if err != nil {
		return err
	}
	for _, control := range all {
		control.Frozen = true
		c.Entries += control.Entries
		c.Amount += control.Amount
	}
	if err := s.repo.shards.SaveMany(ctx, tx, all); err != nil {
		return err
	}
	return s.repo.closes.Insert(ctx, tx, c)
}

// busyDay is the first day from one to another on which something is booked, settles or can be paid, "" if there is none.
func (s *Service) busyDay(ctx context.Context, tx docdb.Session, brand string, from, last when.Date, minimum minPayouts) (when.Date, error) {
	busy := last.Add(1)
	booked, err := firstID(ctx, tx, s.repo.shards, dayKey(brand, from), dayKey(brand, busy), func(c *shard) string { return c.ID })
	if err != nil {
		return "", err
	}
	if booked != "" {
		_, busy = parseDay(booked)
	}
	settles, err := firstID(ctx, tx, s.repo.totals, dayKey(brand, from), dayKey(brand, busy), func(t *total) string { return t.ID })
	if err != nil {
		return "", err
	}
	if settles != "" {
		_, busy = parseDay(settles)
	}
	largest, err := s.repo.carries.Find(ctx, tx, docdb.Query{Index: "brand_amount", Eq: []any{brand}, Desc: true, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(largest.Items) > 0 {
		if d := minimum.firstPayable(largest.Items[0].Amount, from); d != "" && d < busy {
			busy = d
		}
	}
	if busy > last {
		return "", nil
	}
	return busy, nil
}

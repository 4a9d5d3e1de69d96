package store

import (
	"context"
	"fmt"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

const (
	patience  = 2 * time.Second // how long a Z-report, or gaps, wait for INTAKE to be decided
	maxListed = 100             // events that an answer lists as not applied
)

// ZReport is the answer to a terminal's Z-report: what it claims beside what was counted.
type ZReport struct {
	Date       when.Date
	Claim      Tally
	Counted    Tally
	Open       int64        // how many of the counted events are not applied …
	NotApplied []NotApplied // … and the first of them, by event id
	Sequence   uint64       // INTAKE is counted up to here at least
	At         when.Instant
}

// Matched reports whether the till's figures are those counted.
func (z *ZReport) Matched() bool { return z.Claim == z.Counted }

// NotApplied is an event that was accepted and is not applied.
type NotApplied struct {
	EventID string `json:"event_id"`
	Status  string `json:"status"`
	Code    string `json:"code,omitempty"`
}

// zAnswer is an answer as it was given. It stays; what comes later appends another one.
type zAnswer struct {
	docdb.Doc  `json:",inline"`
	Store      string       `json:"store"`
	Terminal   string       `json:"terminal"`
	Date       when.Date    `json:"date"`
	Sequence   int64        `json:"sequence"` // of INTAKE: decided when the answer was made
	Position   int64        `json:"position"` // of the till's day: exactly the decisions that the answer counts
	At         when.Instant `json:"at"`
	Claim      Tally        `json:"claim"`
	Counted    Tally        `json:"counted"`
	Open       int64        `json:"open"`
	NotApplied []NotApplied `json:"not_applied"`
}

func (a *zAnswer) report() ZReport {
	return ZReport{
		Date: a.Date, Claim: a.Claim, Counted: a.Counted, Open: a.Open, NotApplied: a.NotApplied, Sequence: uint64(a.Sequence), At: a.At,
	}
}

// zAnswerID is the id of the nth answer on a terminal's date, from 1.
func zAnswerID(terminal string, date when.Date, n int64) string {
	return fmt.Sprintf("%s/%s/%06d", terminal, date, n)
}

// ZReport compares what a terminal says it accepted on a date with what was counted, once everything that INTAKE holds now is decided;
// decided is false where that takes too long, and then nothing is stored. Repeating a report answers the latest: later transactions of
// the date append answers.
func (s *Service) ZReport(ctx context.Context, terminal *Terminal, date when.Date, claim Tally) (z ZReport, decided bool, err error) {
	if err := checkClaim(date, claim); err != nil {
		return ZReport{}, false, err
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	seq, err := s.waitIntake(waiting)
	late := waiting.Err() != nil && ctx.Err() == nil
	cancel()
	if err != nil && late {
		return ZReport{}, false, nil
	}
	if err != nil {
		return ZReport{}, false, err
	}
	id := storeDayID(terminal.Store, date, 0)
	err = s.db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		found, err := s.days.GetMany(ctx, tx, id)
		if err != nil {
			return err
		}
		day := found[id]
		if day == nil {
			day = newStoreDay(id, terminal.Store, date)
		}
		till := day.till(terminal.ID)
		last, err := s.lastAnswer(ctx, tx, date, till)
		if err != nil {
			return err
		}
		if last != nil && last.Claim == claim && last.Position == till.Position {
			z = last.report()
			return nil
		}
		till.Claim = &claim
		a, err := s.appendAnswer(ctx, tx, day, till, int64(seq))
		if err != nil {
			return err
		}
		z = a.report()
		return s.days.SaveMany(ctx, tx, []*storeDay{day})
	})
	s.cache.forget(id)
	return z, err == nil, err
}

func checkClaim(date when.Date, claim Tally) error {
	if _, err := when.ParseDate(string(date)); err != nil {
		return fault.New(fault.Invalid, "invalid_date", "a date is YYYY-MM-DD").At("business_date")
	}
	const most = MaxAmount * 1000
	for _, f := range [...]struct {
		name  string
		value int64
		most  int64
	}{
		{"count", claim.Count, most}, {"sales", claim.Sales, most}, {"returns", claim.Returns, most},
		{"first_seq", claim.FirstSeq, MaxSeq}, {"last_seq", claim.LastSeq, MaxSeq},
	} {
		if f.value < 0 || f.value > f.most {
			return fault.New(fault.Invalid, "figure_out_of_range", "a figure of a Z-report is 0 to %d", f.most).At(f.name)
		}
	}
	return nil
}

// lastAnswer is the latest answer on a terminal's date, nil if there is none.
func (s *Service) lastAnswer(ctx context.Context, tx docdb.Session, date when.Date, till *tillDay) (*zAnswer, error) {
	if till.Answers == 0 {
		return nil, nil
	}
	return s.answers.Get(ctx, tx, zAnswerID(till.Terminal, date, till.Answers))
}

// appendAnswer makes and stores the next answer to a till's claim; the day is for the caller to save. The records that it counts must
// be saved already.
func (s *Service) appendAnswer(ctx context.Context, tx docdb.Session, day *storeDay, till *tillDay, seq int64) (*zAnswer, error) {
	till.Answers++
	a := &zAnswer{
		Doc: docdb.Doc{ID: zAnswerID(till.Terminal, day.Date, till.Answers)}, Store: day.Store, Terminal: till.Terminal, Date: day.Date,
		Sequence: seq, Position: till.Position, At: s.clock.Now(), Claim: *till.Claim, Counted: till.Counted, Open: till.Open,
		NotApplied: []NotApplied{},
	}
	if till.Open > 0 {
		page, err := s.records.Find(ctx, tx, docdb.Query{Index: "open", Eq: []any{tillDayID(till.Terminal, day.Date)}, Limit: maxListed})
		if err != nil {
			return nil, err
		}
		for _, r := range page.Items {
			a.NotApplied = append(a.NotApplied, NotApplied{r.ID, r.Status, r.Code})
		}
	}
	return a, s.answers.Insert(ctx, tx, a)
}

// answerAgain appends answers for the tills of a day that were given one and have something new to be counted.
func (s *Service) answerAgain(ctx context.Context, tx docdb.Session, day *storeDay, seq int64) error {
	for i := range day.Tills {
		till := &day.Tills[i]
		last, err := s.lastAnswer(ctx, tx, day.Date, till)
		if err != nil {
			return err
		}
		if last == nil || last.Position == till.Position {
			continue
		}
		if _, err := s.appendAnswer(ctx, tx, day, till, seq); err != nil {
			return err
		}
	}
	return nil
}

// Gaps are the sequences, from 1 on, that have not come from a terminal though later ones have, or a Z-report named them; last is the
// last that has come or was named. It waits a while for what INTAKE holds.
func (s *Service) Gaps(ctx context.Context, terminal *Terminal) (gaps []Range, last int64, err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := s.waitIntake(waiting); err != nil && waiting.Err() == nil {
		return nil, 0, err
	}
	var ranges []Range
	for day, err := range s.days.Each(ctx, s.db, docdb.Query{From: terminal.Store + "/", To: terminal.Store + "0"}) {
		if err != nil {
			return nil, 0, err
		}
		till := day.till(terminal.ID)
		for i := 0; i < len(till.Seqs); i += 2 {
			ranges = append(ranges, Range{till.Seqs[i], till.Seqs[i+1]})
			last = max(last, till.Seqs[i+1])
		}
		if till.Claim != nil {
			last = max(last, till.Claim.LastSeq)
		}
	}
	return missing(ranges, last), last, nil
}

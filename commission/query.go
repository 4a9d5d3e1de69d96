package commission

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
)

// Share is one entry as it is shown: what a payee gets, or gives back, for a role in one line of an event.
type Share struct {
	ID           string // of the entry, see Explain
	EventID      string
	Line         int
	Role         Role
	Payee        Payee
	Brand        string
	Plan         string
	Rule         string
	Base         int64  // minor units; of a clawback: of the sale's line, as are rule and pool
	RateBps      *int64 // one of the two, as the rule has it
	FixedPerUnit *int64
	Pool         int64     // minor units
	Amount       int64     // minor units, negative for a clawback; 0 for Nobody
	Booked       when.Date // booking day
	Original     when.Date // the event's business date where it is not the booking day, else empty
	Settles      when.Date // settlement day
}

// shareID makes an entry's id: the event's with the separators that URLs cannot carry replaced, the line and the role.
func shareID(event string, line int, role Role) string {
	return urlSafe.Replace(event) + ":" + strconv.Itoa(line) + ":" + string(role)
}

// Event ids contain neither : nor ~.
var (
	urlSafe = strings.NewReplacer("/", ":", "#", "~")
	fromURL = strings.NewReplacer(":", "/", "~", "#")
)

// parseShareID takes an entry's id apart; not ok if it is not one.
func parseShareID(id string) (event string, line int, role Role, ok bool) {
	rest, last, ok := cutLast(id, ":")
	if !ok {
		return "", 0, "", false
	}
	rest, number, ok := cutLast(rest, ":")
	line, err := strconv.Atoi(number)
	return fromURL.Replace(rest), line, Role(last), ok && err == nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Booked answers what events have booked, by event id, also the entries for nobody. Events that are not booked (yet) are
// absent, those that booked nothing have an empty list.
func (s *Service) Booked(ctx context.Context, eventIDs []string) (map[string][]Share, error) {
	bookings, err := s.repo.bookings.GetMany(ctx, s.deps.DB, eventIDs...)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]Share, len(bookings))
	for id, b := range bookings {
		out[id] = []Share{}
		for i := range b.Parts {
			shares, err := s.shares(ctx, b, &b.Parts[i], func(Payee) bool { return true })
			if err != nil {
				return nil, err
			}
			out[id] = append(out[id], shares...)
		}
	}
	return out, nil
}

// Projected says which events have been worked off here: they have their permanent row.
func (s *Service) Projected(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	bookings, err := s.repo.bookings.GetMany(ctx, s.deps.DB, eventIDs...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(bookings))
	for id := range bookings {
		out[id] = true
	}
	return out, nil
}

// Statements reads a page of a brand's statements of a day, by payee; of the payees named only, if any are (these all come on
// one page). limit and cursor as in docdb.Query.
func (s *Service) Statements(ctx context.Context, brand string, date when.Date, payees []Payee, limit int, cursor string) (docdb.Page[Statement], error) {
	if len(payees) == 0 {
		prefix := brand + "." + string(date) + "."
		return s.repo.statements.Find(ctx, s.deps.DB, docdb.Query{From: prefix, To: after(prefix), Limit: limit, Cursor: cursor})
	}
	ids := make([]string, len(payees))
	for i, p := range payees {
		ids[i] = statementID(brand, date, p)
	}
	found, err := s.repo.statements.GetMany(ctx, s.deps.DB, ids...)
	var page docdb.Page[Statement]
	for _, id := range ids {
		if st := found[id]; st != nil {
			page.Items = append(page.Items, st)
		}
	}
	return page, err
}

// Statement reads one statement; fault.NotFound "unknown_statement".
func (s *Service) Statement(ctx context.Context, id string) (*Statement, error) {
	st, err := s.repo.statements.Get(ctx, s.deps.DB, id)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "unknown_statement", "there is no such statement")
	}
	return st, err
}

// slipsFetched is how many slips a page of lines is cut from.
const slipsFetched = 500

// linesCursor is a position in a statement's lines: behind skip lines of a page of slips.
type linesCursor struct {
	Page string `json:"page"`
	Skip int    `json:"skip"`
}

// Lines reads a page of a statement's lines, in the order in which they were booked by each process. next is the cursor of the page behind it, empty on the last.
func (s *Service) Lines(ctx context.Context, st *Statement, limit int, cursor string) (lines []Share, next string, err error) {
	var at linesCursor
	if cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err == nil {
			err = wire.Unmarshal(raw, &at)
		}
		if err != nil || at.Skip < 0 {
			return nil, "", fault.New(fault.Invalid, "invalid_cursor", "the cursor is not one that this list gave").At("cursor")
		}
	}
	for {
		key := pageKey(st.Brand, st.Date, pageOf(st.Payee))
		page, err := s.repo.slips.Find(ctx, s.deps.DB, docdb.Query{From: key, To: after(key), Limit: slipsFetched, Cursor: at.Page})
		if err != nil {
			return nil, "", err
		}
		fetched, err := s.linesOn(ctx, st, page.Items)
		if err != nil {
			return nil, "", err
		}
		fetched = fetched[min(at.Skip, len(fetched)):]
		taken := min(limit-len(lines), len(fetched))
		lines = append(lines, fetched[:taken]...)
		switch {
		case taken < len(fetched):
			at.Skip += taken
			next, err = at.encode()
			return lines, next, err
		case page.Next == "":
			return lines, "", nil
		}
		if at = (linesCursor{Page: page.Next}); len(lines) == limit {
			next, err = at.encode()
			return lines, next, err
		}
	}
}

func (c linesCursor) encode() (string, error) {
	raw, err := wire.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// linesOn are a statement's lines that slips name.
func (s *Service) linesOn(ctx context.Context, st *Statement, slips []*slip) ([]Share, error) {
	var events []string
	for _, slip := range slips {
		events = append(events, slip.events(st.Payee)...)
	}
	bookings, err := s.repo.bookings.GetMany(ctx, s.deps.DB, events...)
	if err != nil {
		return nil, err
	}
	var lines []Share
	for _, slip := range slips {
		for _, event := range slip.events(st.Payee) {
			b := bookings[event]
			if b == nil {
				return nil, fmt.Errorf("commission: a slip names %s, which is not booked", event)
			}
			for i := range b.Parts {
				p := &b.Parts[i]
				if p.Brand != st.Brand || p.Settles != st.Date {
					continue
				}
				shares, err := s.shares(ctx, b, p, func(to Payee) bool { return to == st.Payee })
				if err != nil {
					return nil, err
				}
				lines = append(lines, shares...)
			}
		}
	}
	return lines, nil
}

// shares are a part's entries for the payees that are wanted.
func (s *Service) shares(ctx context.Context, b *Booking, part *Part, wanted func(Payee) bool) ([]Share, error) {
	plan, err := s.plan(ctx, part.Plan)
	if err != nil {
		return nil, err
	}
	var out []Share
	for i := range part.Lines {
		l := &part.Lines[i]
		rule := plan.byID[l.Rule]
		for _, rs := range l.Shares {
			to := part.payee(rs.Role)
			if !wanted(to) {
				continue
			}
			share := Share{
				ID: shareID(b.ID, l.Line, rs.Role), EventID: b.ID, Line: l.Line, Role: rs.Role, Payee: to, Brand: part.Brand,
				Plan: part.Plan, Rule: l.Rule, Base: l.Base(), RateBps: rule.RateBps, FixedPerUnit: rule.FixedPerUnit, Pool: l.Pool,
				Amount: part.amount(rs), Booked: part.Day, Settles: part.Settles,
			}
			if b.Date != part.Day {
				share.Original = b.Date
			}
			out = append(out, share)
		}
	}
	return out, nil
}

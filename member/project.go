package member

import (
	"context"
	"fmt"
	"slices"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// ProjectSales is the handler of SALES: it books points and growth for applied transactions, in one storage transaction for the
// batch. A return whose sale has not taken effect here yet is put off; if the sale is a dead letter here, the error is
// fault.Invalid with code "sale_is_dead", so that the return becomes one too and is replayed after it.
func (s *Service) ProjectSales(ctx context.Context, items []stream.Item) (later []int, err error) {
	verdicts := make([]*storeevent.Verdict, len(items))
	for i, item := range items {
		verdicts[i] = new(storeevent.Verdict)
		if err := wire.Unmarshal(item.Data, verdicts[i]); err != nil {
			return nil, fault.New(fault.Invalid, "bad_payload", "the item is not a verdict").Because(err)
		}
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		b, members, err := s.open(ctx, tx, verdicts)
		if err != nil {
			return err
		}
		later, err = s.writeAll(ctx, tx, b, verdicts, members)
		if err != nil {
			return err
		}
		return s.store(ctx, tx, b)
	})
	if err != nil {
		return nil, fmt.Errorf("member: project sales: %w", err)
	}
	s.outbox.Wake()
	return later, nil
}

// writeAll books the batch in order and answers what has to wait.
func (s *Service) writeAll(ctx context.Context, tx docdb.Session, b *book, verdicts []*storeevent.Verdict, members []string) (later []int, err error) {
	for i, v := range verdicts {
		if b.knows(v.EventID) {
			continue
		}
		if sale := b.missing(v); sale != "" {
			dead, err := s.dead.Held(ctx, tx, sale)
			if err != nil {
				return nil, err
			}
			if dead[sale] {
				return nil, fault.New(fault.Invalid, "sale_is_dead", "the sale that this return takes back is a dead letter")
			}
			later = append(later, i)
			continue
		}
		if err := b.write(v, members[i]); err != nil {
			return nil, err
		}
	}
	return later, nil
}

// open loads what a batch touches: which events have taken effect, who the members are as of the business times, the entries of the
// sales that returns take back, the cards and their programs.
func (s *Service) open(ctx context.Context, tx docdb.Session, verdicts []*storeevent.Verdict) (*book, []string, error) {
	b := &book{now: s.Clock.Now(), accounts: map[string]*account{}, lots: map[string]*lotChange{}, rerated: map[string][]string{},
		earlier: func(card string, d when.Date) ([]*Entry, error) { return since(ctx, tx, card, d) }}
	var err error
	if b.events, err = events.GetMany(ctx, tx, eventsOf(verdicts)...); err != nil {
		return nil, nil, err
	}
	members, err := s.identify(ctx, tx, b, verdicts)
	if err != nil {
		return nil, nil, err
	}
	var sales []string
	for _, v := range verdicts {
		for i := range v.Lines {
			if o := v.Lines[i].Original; o != nil && b.events[o.EventID] != nil {
				for n := range b.events[o.EventID].Entries {
					sales = append(sales, entryID(o.EventID, n+1))
				}
			}
		}
	}
	slices.Sort(sales)
	if b.entries, err = entries.GetMany(ctx, tx, slices.Compact(sales)...); err != nil {
		return nil, nil, err
	}
	cardIDs, programIDs := set{}, set{}
	for i, v := range verdicts {
		program := programOf(v.Channel)
		for j := range v.Lines {
			if members[i] != "" && (j == 0 || v.Lines[j].Brand != v.Lines[j-1].Brand) {
				cardIDs[cardID(members[i], v.Lines[j].Brand, program)] = true
				programIDs[programID(v.Lines[j].Brand, program)] = true
			}
		}
	}
	for _, e := range b.entries {
		_, brand, program := owner(e.Card)
		cardIDs[e.Card] = true
		programIDs[programID(brand, program)] = true
	}
	if b.programs, err = programs.GetMany(ctx, tx, docdb.IDs(programIDs)...); err != nil {
		return nil, nil, err
	}
	found, err := cards.GetMany(ctx, tx, docdb.IDs(cardIDs)...)
	if err != nil {
		return nil, nil, err
	}
	for id, c := range found {
		b.accounts[id] = &account{Card: c, before: c.Steps[len(c.Steps)-1]}
	}
	return b, members, nil
}

// eventsOf are the ids of the events of a batch and of the sales that they take back.
func eventsOf(verdicts []*storeevent.Verdict) []string {
	ids := make([]string, 0, len(verdicts))
	for _, v := range verdicts {
		ids = append(ids, v.EventID)
		for i := range v.Lines {
			if o := v.Lines[i].Original; o != nil {
				ids = append(ids, o.EventID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// identify finds the members, and keeps the sealed numbers of those who are none until their day's key is destroyed.
func (s *Service) identify(ctx context.Context, tx docdb.Session, b *book, verdicts []*storeevent.Verdict) ([]string, error) {
	found := make([]string, len(verdicts))
	refs := make([]memberevent.Ref, 0, len(verdicts))
	places := make([]int, 0, len(verdicts))
	for i, v := range verdicts {
		if m := v.Member; m != nil && !b.knows(v.EventID) {
			refs = append(refs, memberevent.Ref{Phone: m.Phone, Card: m.Card, ID: m.ID, Brands: m.Brands, At: v.BusinessTime})
			places = append(places, i)
		}
	}
	ids, err := resolve(ctx, tx, refs)
	if err != nil {
		return nil, err
	}
	passing := map[string]*stranger{}
	for i, id := range ids {
		v := verdicts[places[i]]
		found[places[i]] = id
		if id == "" && len(v.Member.Sealed) > 0 {
			day := when.DateIn(v.ArrivedAt, time.UTC, 0)
			key := string(day) + "/" + v.Member.Phone
			passing[key] = &stranger{Doc: docdb.Doc{ID: key}, Sealed: v.Member.Sealed}
		}
	}
	return found, keepStrangers(ctx, tx, passing)
}

func keepStrangers(ctx context.Context, tx docdb.Session, passing map[string]*stranger) error {
	ids := make([]string, 0, len(passing))
	for id := range passing {
		ids = append(ids, id)
	}
	known, err := strangers.GetMany(ctx, tx, ids...)
	if err != nil {
		return err
	}
	fresh := make([]*stranger, 0, len(passing))
	for id, p := range passing {
		if known[id] == nil {
			fresh = append(fresh, p)
		}
	}
	return strangers.SaveMany(ctx, tx, fresh)
}

// store saves what the batch wrote.
func (s *Service) store(ctx context.Context, tx docdb.Session, b *book) error {
	past := string(when.DateIn(b.now.Add(-24*time.Hour), time.UTC, 0)) // past in every time zone
	written := b.sorted()
	changed := make([]*Card, len(written))
	for i, a := range written {
		a.prune(when.Date(past))
		changed[i] = a.Card
	}
	if err := cards.SaveMany(ctx, tx, changed); err != nil {
		return err
	}
	if err := s.noteRerated(ctx, tx, b); err != nil {
		return err
	}
	if err := events.SaveMany(ctx, tx, b.newEvents); err != nil {
		return err
	}
	if err := entries.SaveMany(ctx, tx, b.newEntries); err != nil {
		return err
	}
	adds := make([]docdb.Increment[lot], 0, len(b.lots))
	for _, c := range b.lots {
		adds = append(adds, docdb.Increment[lot]{New: &c.lot, Inc: map[string]int64{"changed": c.points}})
	}
	if err := lots.IncrementMany(ctx, tx, adds); err != nil {
		return err
	}
	return s.outbox.Add(ctx, tx, stream.SubjectTierChanged, b.changes()...)
}

// noteRerated writes into the events' rows that entries of theirs were rated again.
func (s *Service) noteRerated(ctx context.Context, tx docdb.Session, b *book) error {
	if len(b.rerated) == 0 {
		return nil
	}
	ids := set{}
	for id := range b.rerated {
		if b.events[id] == nil {
			ids[id] = true
		}
	}
	found, err := events.GetMany(ctx, tx, docdb.IDs(ids)...)
	if err != nil {
		return err
	}
	var stored []*eventRow
	for id, again := range b.rerated {
		row := b.events[id]
		if row == nil {
			row = found[id]
		}
		row.Rerated = append(row.Rerated, again...)
		if row.Rev > 0 {
			stored = append(stored, row)
		}
	}
	return events.SaveMany(ctx, tx, stored)
}

// Projected says which of the events have taken effect here.
func (s *Service) Projected(ctx context.Context, eventIDs []string) (map[string]bool, error) {
	rows, err := events.GetMany(ctx, s.DB, eventIDs...)
	if err != nil {
		return nil, fmt.Errorf("member: projected: %w", err)
	}
	done := make(map[string]bool, len(rows))
	for id := range rows {
		done[id] = true
	}
	return done, nil
}

// Earned is what an event earned on one card; negative for returns.
type Earned struct {
	Member  string
	Brand   string
	Program string
	Earned  int64
}

// Earned says what each event has earned, re-ratings included, in the order of its cards. Events that touched no card, or have not
// taken effect yet, are absent.
func (s *Service) Earned(ctx context.Context, eventIDs []string) (map[string][]Earned, error) {
	rows, err := events.GetMany(ctx, s.DB, eventIDs...)
	if err != nil {
		return nil, fmt.Errorf("member: earned: %w", err)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.entryIDs()...)
	}
	found, err := entries.GetMany(ctx, s.DB, ids...)
	if err != nil {
		return nil, fmt.Errorf("member: earned: %w", err)
	}
	earned := make(map[string][]Earned, len(rows))
	for id, row := range rows {
		var sums []Earned
		for _, entry := range row.entryIDs() {
			e := found[entry]
			if e == nil {
				return nil, fmt.Errorf("member: earned: entry %s is missing", entry)
			}
			member, brand, program := owner(e.Card)
			at := slices.IndexFunc(sums, func(p Earned) bool { return p.Brand == brand && p.Program == program })
			if at < 0 {
				at = len(sums)
				sums = append(sums, Earned{Member: member, Brand: brand, Program: program})
			}
			sums[at].Earned += e.Points
		}
		if len(sums) > 0 {
			earned[id] = sums
		}
	}
	return earned, nil
}

// ProjectDead is the consumer's last resort for an item that could not be projected: it becomes a dead letter, to be found by its
// event id.
func (s *Service) ProjectDead(ctx context.Context, item stream.Item, reason error) error {
	return s.dead.Keep(Durable, eventKey)(ctx, item, reason)
}

func eventKey(item stream.Item) []string {
	var v storeevent.Verdict
	if err := wire.Unmarshal(item.Data, &v); err != nil || v.EventID == "" {
		return nil // undecodable: found by its place in the stream only
	}
	return []string{v.EventID}
}

// Replay projects a dead letter once more.
func (s *Service) Replay(ctx context.Context, deadLetter string) error {
	return s.dead.Replay(ctx, deadLetter, s.ProjectSales)
}

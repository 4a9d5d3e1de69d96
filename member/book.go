package member

import (
	"slices"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/member/memberevent"
	"scrm/store/storeevent"
)

// book is the part of the points ledger that a batch of transactions touches: loaded, written in order, then stored.
type book struct {
	now      when.Instant
	programs map[string]*Program  // by programID
	accounts map[string]*account  // by cardID
	events   map[string]*eventRow // by event id: those of the batch that took effect already, and the sales that returns name
	entries  map[string]*Entry    // of those sales, by id

	// earlier reads the ratable entries of a card that may depend on a date or a later one; only late events need them.
	earlier func(card string, since when.Date) ([]*Entry, error)

	newEvents  []*eventRow
	newEntries []*Entry
	lots       map[string]*lotChange
	rerated    map[string][]string // event id → what follows # in the ids of its new re-ratings
}

// account is a card that the batch may write.
type account struct {
	*Card
	before  Step // the last tier step before the batch
	dirty   bool
	past    []*Entry // stored entries since pastOf, loaded when an event is late
	pastOf  when.Date
	written []*Entry // ratable entries of this batch
}

type lotChange struct {
	lot
	points int64
}

// errBadVerdict is a verdict that cannot have come from the store domain.
var errBadVerdict = fault.New(fault.Invalid, "bad_verdict", "the verdict contradicts itself")

// knows reports whether an event has taken effect, before the batch or in it.
func (b *book) knows(event string) bool { return b.events[event] != nil }

// missing is the first sale that a return takes back and that has not taken effect here yet.
func (b *book) missing(v *storeevent.Verdict) string {
	for i := range v.Lines {
		if o := v.Lines[i].Original; v.Kind == storeevent.Return && o != nil && !b.knows(o.EventID) {
			return o.EventID
		}
	}
	return ""
}

// write books an applied transaction of a member ("" if anonymous). The caller has seen to it that it has not taken effect yet and
// that the sales it takes back have.
func (b *book) write(v *storeevent.Verdict, member string) error {
	drafts, err := b.rate(v, member)
	if err != nil {
		return err
	}
	row := &eventRow{Doc: docdb.Doc{ID: v.EventID}, Entries: len(drafts)}
	b.events[row.ID] = row
	b.newEvents = append(b.newEvents, row)
	for i, d := range drafts {
		d.ID = entryID(v.EventID, i+1)
		b.entries[d.ID] = d.Entry
		if err := b.post(d.account, d.program, d.Entry); err != nil {
			return err
		}
	}
	return nil
}

// draft is an entry that is not posted yet: its points wait for the tiers to be settled.
type draft struct {
	*Entry
	account *account
	program *Program
}

// rate drafts one entry for each card that a transaction touches, in the order of its lines.
func (b *book) rate(v *storeevent.Verdict, member string) ([]draft, error) {
	var drafts []draft
	kind := KindEarned
	if v.Kind == storeevent.Return {
		kind = KindReversed
	}
	on := func(card string, version int64) *draft {
		i := slices.IndexFunc(drafts, func(d draft) bool { return d.Card == card })
		if i < 0 {
			i = len(drafts)
			_, brand, program := owner(card)
			drafts = append(drafts, draft{account: b.accounts[card], program: b.programs[programID(brand, program)],
				Entry: &Entry{Card: card, Kind: kind, Date: v.BusinessDate, At: b.now, Lines: make([]Rated, 0, len(v.Lines))}})
		}
		if version != 0 {
			drafts[i].Version = version
		}
		return &drafts[i]
	}
	at := v.BusinessTime.SecondEnd()
	for i := range v.Lines {
		l := &v.Lines[i]
		if l.Paid < 0 || l.PointsPaid < 0 || l.PointsPaid > l.Paid {
			return nil, errBadVerdict
		}
		if v.Kind == storeevent.Return && l.Original != nil {
			rated, card, err := b.takeBack(l)
			if err != nil {
				return nil, err
			}
			if card != "" {
				d := on(card, 0)
				d.Lines = append(d.Lines, rated)
			}
			continue
		}
		card, version := b.cardFor(member, l.Brand, programOf(v.Channel), at)
		if version == nil {
			continue
		}
		d := on(card, version.Number)
		rated := Rated{Line: l.Line, Base: l.Paid - l.PointsPaid, Times: version.times(l.Category)}
		rated.Growth = version.growth(rated.Base)
		if kind == KindReversed {
			rated.Growth = -rated.Growth
		} else {
			d.UsableOn, d.ExpiresOn = version.usable(v.BusinessDate), version.expires(v.BusinessDate)
		}
		d.Lines = append(d.Lines, rated)
	}
	return drafts, nil
}

// cardFor is the card on which a line of a brand counts at a moment and the version of its program; nil if there is none.
func (b *book) cardFor(member, brand, program string, at when.Instant) (string, *Version) {
	if member == "" {
		return "", nil
	}
	p := b.programs[programID(brand, program)]
	if p == nil {
		return "", nil
	}
	card := cardID(member, brand, program)
	if a := b.accounts[card]; a == nil || a.At > at {
		return "", nil
	}
	return card, p.at(at)
}

// takeBack is what a return's line takes back of the sale's line, and the card it came from; no card if it gave nothing.
func (b *book) takeBack(l *storeevent.Line) (Rated, string, error) {
	o := l.Original
	sale := b.events[o.EventID]
	for i := range sale.Entries {
		e := b.entries[entryID(sale.ID, i+1)]
		at := slices.IndexFunc(e.Lines, func(r Rated) bool { return r.Line == o.Line })
		if at < 0 {
			continue
		}
		sold := &e.Lines[at]
		if o.SoldPaid == 0 { // nothing was paid, so nothing was earned
			return Rated{}, "", nil
		}
		from, to := o.PaidBefore, o.PaidBefore+l.Paid
		if e.Kind != KindEarned || from < 0 || to > o.SoldPaid {
			return Rated{}, "", errBadVerdict
		}
		back := &Takeback{Entry: e.ID, Line: o.Line, Date: e.Date, Version: e.Version, UsableOn: e.UsableOn, ExpiresOn: e.ExpiresOn,
			From: from, To: to, Paid: o.SoldPaid}
		return Rated{Line: l.Line, Base: sold.Base, Times: sold.Times, Back: back, Growth: -back.of(sold.Growth)}, e.Card, nil
	}
	return Rated{}, "", nil
}

// post works out a drafted entry's points, writes it, and rates again what its growth changes if it is late.
func (b *book) post(a *account, p *Program, e *Entry) error {
	late := e.Date < a.Last
	if late {
		if err := b.recall(a, e.Date); err != nil {
			return err
		}
	}
	a.settle(p, e.Date)
	e.Tier = a.tierOn(e.Date).Tier
	for i := range e.Lines {
		l := &e.Lines[i]
		l.Points = e.worth(l, p, a.Card)
		e.Growth += l.Growth
	}
	a.Growth += e.Growth
	a.Last = max(a.Last, e.latest())
	b.enter(a, e)
	a.written = append(a.written, e)
	if e.Growth == 0 {
		return nil
	}
	if !late {
		a.retier(p, e.Date, nil)
		return nil
	}
	before := Card{Steps: slices.Clone(a.Steps)}
	history := a.history(e.Date)
	a.retier(p, e.Date, growthAfter(history, e.Date))
	if !slices.Equal(before.Steps, a.Steps) {
		b.rerate(a, p, &before, history, e.Event())
	}
	return nil
}

// enter puts an entry into the card's ledger; its lines say how much, and from which lots.
func (b *book) enter(a *account, e *Entry) {
	for i := range e.Lines {
		l := &e.Lines[i]
		e.Points += l.Points
		if l.Back == nil {
			a.add(l.Points, e.UsableOn)
			continue
		}
		a.add(l.Points, l.Back.UsableOn)
		b.change(l.Back.Entry, a.ID, l.Back.ExpiresOn, l.Points)
	}
	if e.Kind == KindRerated {
		b.change(e.original(), a.ID, e.ExpiresOn, e.Points)
	}
	a.Seq++
	a.dirty = true
	e.Seq, e.Balance, e.Through = a.Seq, a.Balance, a.Last
	b.newEntries = append(b.newEntries, e)
}

// change notes that points were added to or taken from the lot of an entry.
func (b *book) change(entry, card string, expires when.Date, points int64) {
	if expires == "" || points == 0 {
		return
	}
	c := b.lots[entry]
	if c == nil {
		c = &lotChange{lot: lot{Doc: docdb.Doc{ID: entry}, Card: card, ExpiresOn: expires}}
		b.lots[entry] = c
	}
	c.points += points
}

// recall makes sure that the account's history reaches back to a date.
func (b *book) recall(a *account, d when.Date) error {
	if a.pastOf != "" && a.pastOf <= d {
		return nil
	}
	past, err := b.earlier(a.ID, d)
	if err != nil {
		return err
	}
	a.past, a.pastOf = past, d
	return nil
}

// history is the account's ratable entries that may depend on a date after d, oldest first.
func (a *account) history(d when.Date) []*Entry {
	var all []*Entry
	for _, part := range [][]*Entry{a.past, a.written} {
		for _, e := range part {
			if e.latest() > d {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(x, y *Entry) int {
		if c := strings.Compare(string(x.Date), string(y.Date)); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return all
}

// growthAfter is the growth of entries by date, for dates after d.
func growthAfter(history []*Entry, d when.Date) []grown {
	var days []grown
	for _, e := range history {
		if e.Date <= d || e.Growth == 0 {
			continue
		}
		if n := len(days); n > 0 && days[n-1].date == e.Date {
			days[n-1].growth += e.Growth
		} else {
			days = append(days, grown{e.Date, e.Growth})
		}
	}
	return days
}

// rerate writes, for each entry whose lines are worth something else with the new tiers, the difference as an entry under its own
// event's id with the causing event in its position.
func (b *book) rerate(a *account, p *Program, before *Card, history []*Entry, cause string) {
	for _, e := range history {
		again := &Entry{Doc: docdb.Doc{ID: e.ID + "|" + cause}, Card: e.Card, Kind: KindRerated, Date: e.Date, At: b.now, Version: e.Version,
			Tier: a.tierOn(e.Date).Tier, UsableOn: e.UsableOn, ExpiresOn: e.ExpiresOn}
		for i := range e.Lines {
			l := &e.Lines[i]
			if diff := e.worth(l, p, a.Card) - e.worth(l, p, before); diff != 0 {
				again.Lines = append(again.Lines, Rated{Line: l.Line, Points: diff, Back: l.Back})
			}
		}
		if len(again.Lines) == 0 {
			continue
		}
		b.enter(a, again)
		event := e.Event()
		b.rerated[event] = append(b.rerated[event], strings.TrimPrefix(again.ID, event+"#"))
	}
}

// changes are the facts that the batch made true about tiers.
func (b *book) changes() []any {
	var facts []any
	for _, a := range b.sorted() {
		after := a.Steps[len(a.Steps)-1]
		if after.Tier == a.before.Tier {
			continue
		}
		member, brand, program := owner(a.ID)
		facts = append(facts, memberevent.TierChanged{Member: member, Brand: brand, Program: program, From: a.before.Tier, To: after.Tier, Date: after.From})
	}
	return facts
}

// sorted are the accounts that were written, by id.
func (b *book) sorted() []*account {
	var out []*account
	for _, a := range b.accounts {
		if a.dirty {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(x, y *account) int { return strings.Compare(x.ID, y.ID) })
	return out
}

package commission

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// posting gathers what a batch adds to the payees' totals. A batch of a thousand sales pays thousands of payees; one document
// and one index entry for each of them and each sale would be most of the work of booking. So totals and lines are kept by
// pages: a batch writes a page's totals once, and one slip with all its lines on the page.
type posting struct {
	lane  int
	slips map[slipKey]map[Payee]*posted
}

// slipKey is a page of a settlement day, and the booking day from which something settles on it.
type slipKey struct {
	brand   string
	settles when.Date
	page    int
	booked  when.Date
}

// posted is what a batch adds to one payee's total.
type posted struct {
	nth    int64 // of its first entry, in the control totals
	sum    int64
	count  int64
	events []string
}

func newPosting(lane int) *posting {
	return &posting{lane: lane, slips: map[slipKey]map[Payee]*posted{}}
}

// add takes up the entries of a part of an event's booking.
func (p *posting) add(event string, part *Part) {
	for _, h := range part.Holders {
		if h.Payee == Nobody {
			continue
		}
		key := slipKey{part.Brand, part.Settles, pageOf(h.Payee), part.Day}
		lines := p.slips[key]
		if lines == nil {
			lines = map[Payee]*posted{}
			p.slips[key] = lines
		}
		to := lines[h.Payee]
		if to == nil {
			to = &posted{nth: part.Nth}
			lines[h.Payee] = to
		}
		count, sum := part.of(h)
		to.count += count
		to.sum += sum
		if n := len(to.events); n == 0 || to.events[n-1] != event {
			to.events = append(to.events, event)
		}
	}
}

// save writes the slips and raises the totals.
func (p *posting) save(ctx context.Context, tx docdb.Session, r *repo) error {
	slips := make([]*slip, 0, len(p.slips))
	pages := map[string][]*slip{}
	for key, lines := range p.slips {
		page := pageKey(key.brand, key.settles, key.page)
		s, nth := newSlip(lines)
		s.ID = slipID(page, key.booked, p.lane, nth)
		slips = append(slips, s)
		pages[totalID(page, p.lane)] = append(pages[totalID(page, p.lane)], s)
	}
	slices.SortFunc(slips, func(a, b *slip) int { return cmp.Compare(a.ID, b.ID) })
	if err := insertNew(ctx, tx, r.slips, slips); err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(pages))
	found, err := r.totals.GetMany(ctx, tx, ids...)
	if err != nil {
		return err
	}
	totals := make([]*total, len(ids))
	for i, id := range ids {
		if totals[i] = found[id]; totals[i] == nil {
			totals[i] = &total{Doc: docdb.Doc{ID: id}}
		}
		for _, s := range pages[id] {
			totals[i].Sheet = totals[i].Sheet.merged(&s.Sheet)
		}
	}
	return r.totals.SaveMany(ctx, tx, totals)
}

// newSlip makes a slip of its lines; nth is the number of its first entry.
func newSlip(lines map[Payee]*posted) (s *slip, nth int64) {
	n := len(lines)
	on := sheet{Payees: make([]Payee, 0, n), Sums: make([]int64, 0, n), Counts: make([]int64, 0, n)}
	events := make([][]string, 0, n)
	nth = -1
	for _, payee := range slices.Sorted(maps.Keys(lines)) {
		l := lines[payee]
		on.Payees, on.Sums, on.Counts = append(on.Payees, payee), append(on.Sums, l.sum), append(on.Counts, l.count)
		events = append(events, l.events)
		if nth < 0 || l.nth < nth {
			nth = l.nth
		}
	}
	return &slip{Sheet: on, Events: events}, nth
}

// merged is the sum of two sheets.
func (s *sheet) merged(other *sheet) sheet {
	n := len(s.Payees) + len(other.Payees)
	out := sheet{Payees: make([]Payee, 0, n), Sums: make([]int64, 0, n), Counts: make([]int64, 0, n)}
	for i, j := 0, 0; i < len(s.Payees) || j < len(other.Payees); {
		var sum, count int64
		var payee Payee
		if j == len(other.Payees) || i < len(s.Payees) && s.Payees[i] < other.Payees[j] {
			payee = s.Payees[i]
		} else {
			payee = other.Payees[j]
		}
		if i < len(s.Payees) && s.Payees[i] == payee {
			sum, count = s.Sums[i], s.Counts[i]
			i++
		}
		if j < len(other.Payees) && other.Payees[j] == payee {
			sum, count = sum+other.Sums[j], count+other.Counts[j]
			j++
		}
		out.Payees, out.Sums, out.Counts = append(out.Payees, payee), append(out.Sums, sum), append(out.Counts, count)
	}
	return out
}

func (s *sheet) equal(other *sheet) bool {
	return slices.Equal(s.Payees, other.Payees) && slices.Equal(s.Sums, other.Sums) && slices.Equal(s.Counts, other.Counts)
}

// events are those of one payee.
func (s *slip) events(p Payee) []string {
	if i, ok := slices.BinarySearch(s.Sheet.Payees, p); ok {
		return s.Events[i]
	}
	return nil
}

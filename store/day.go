package store

import (
	"slices"
	"sort"
	"strconv"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// storeDay is what a store did on a business date: the totals of each brand, and of each till the sequences received and the
// tally that a Z-report is compared with. It is one document because every batch changes all of it together.
type storeDay struct {
	docdb.Doc `json:",inline"`
	Store     string     `json:"store,omitempty"` // empty: orders that no store serves
	Date      when.Date  `json:"date"`
	Brands    []brandDay `json:"brands"`
	Tills     []tillDay  `json:"tills,omitempty"`
}

// brandDay is what a brand sold in a store on a business date, by applied transactions. Amounts are in minor units; returns
// count on their own date.
type brandDay struct {
	Brand   string `json:"brand"`
	Sales   int64  `json:"sales"`
	Returns int64  `json:"returns"`
	Orders  int64  `json:"orders"` // sale receipts with a line of the brand
}

// tillDay is what a terminal sent for a business date.
type tillDay struct {
	Terminal string  `json:"terminal"`
	Position int64   `json:"position"` // how many decisions are counted here: each event's first, and each that changed one
	Counted  Tally   `json:"counted"`
	Open     int64   `json:"open,omitempty"` // events that are not applied
	Seqs     []int64 `json:"seqs"`           // sequences received, as ranges: from, to, from, to …
	Claim    *Tally  `json:"claim,omitempty"`
	Answers  int64   `json:"answers,omitempty"`
}

// Tally is what a terminal accepted on a business date: how many events, whatever their outcome, and their amounts in minor
// units.
type Tally struct {
	Count    int64 `json:"count"`
	Sales    int64 `json:"sales"`
	Returns  int64 `json:"returns"`
	FirstSeq int64 `json:"first_seq"` // 0 where Count is 0
	LastSeq  int64 `json:"last_seq"`
}

// tillDayID names a terminal's business date.
func tillDayID(terminal string, date when.Date) string { return terminal + "/" + string(date) }

// storelessShards is over how many documents the orders without a store are spread: every batch touches them.
const storelessShards = 8

// storeDayID is the id of a store's day, so that a store's days are a range of ids. seq spreads orders without a store.
func storeDayID(store string, date when.Date, seq int64) string {
	if store == "" {
		store = "#" + strconv.FormatInt(seq%storelessShards, 10)
	}
	return store + "/" + string(date)
}

func newStoreDay(id, store string, date when.Date) *storeDay {
	return &storeDay{Doc: docdb.Doc{ID: id}, Store: store, Date: date, Brands: []brandDay{}}
}

// till is a terminal's part of the day, made if it is missing; valid until the next call.
func (d *storeDay) till(terminal string) *tillDay {
	for i := range d.Tills {
		if d.Tills[i].Terminal == terminal {
			return &d.Tills[i]
		}
	}
	d.Tills = append(d.Tills, tillDay{Terminal: terminal, Seqs: []int64{}})
	return &d.Tills[len(d.Tills)-1]
}

// brand is a brand's part of the day, made if it is missing; valid until the next call.
func (d *storeDay) brand(id string) *brandDay {
	for i := range d.Brands {
		if d.Brands[i].Brand == id {
			return &d.Brands[i]
		}
	}
	d.Brands = append(d.Brands, brandDay{Brand: id})
	return &d.Brands[len(d.Brands)-1]
}

// add counts an applied transaction.
func (d *storeDay) add(tx *storeevent.Transaction) {
	counted := make([]string, 0, 4) // brands whose order this is already
	for i := range tx.Lines {
		l := &tx.Lines[i]
		b := d.brand(l.Brand)
		if tx.Kind == storeevent.Return {
			b.Returns += l.Paid
			continue
		}
		b.Sales += l.Paid
		if !slices.Contains(counted, l.Brand) {
			counted = append(counted, l.Brand)
			b.Orders++
		}
	}
}

// add counts an event.
func (t *Tally) add(tx *storeevent.Transaction) {
	t.Count++
	if paid := paid(tx); tx.Kind == storeevent.Sale {
		t.Sales += paid
	} else {
		t.Returns += paid
	}
	if t.FirstSeq == 0 || tx.Seq < t.FirstSeq {
		t.FirstSeq = tx.Seq
	}
	t.LastSeq = max(t.LastSeq, tx.Seq)
}

func paid(tx *storeevent.Transaction) int64 {
	var sum int64
	for i := range tx.Lines {
		sum += tx.Lines[i].Paid
	}
	return sum
}

// Range is a run of sequences, both ends in it.
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// receive notes a sequence.
func (t *tillDay) receive(seq int64) { t.Seqs = addSeq(t.Seqs, seq) }

// addSeq puts a sequence into ranges.
func addSeq(ranges []int64, seq int64) []int64 {
	n := len(ranges)
	if n > 0 && ranges[n-1] == seq-1 { // the usual next one
		ranges[n-1] = seq
		return ranges
	}
	// i is the first range that ends at or after seq−1: it takes seq in or lies behind it.
	i := 2 * sort.Search(n/2, func(k int) bool { return ranges[2*k+1] >= seq-1 })
	switch {
	case i == n || seq < ranges[i]-1:
		ranges = append(ranges, 0, 0)
		copy(ranges[i+2:], ranges[i:])
		ranges[i], ranges[i+1] = seq, seq
	case seq == ranges[i]-1:
		ranges[i] = seq
	case seq == ranges[i+1]+1: // it may close the gap to the next
		ranges[i+1] = seq
		if i+2 < n && ranges[i+2] == seq+1 {
			ranges[i+1] = ranges[i+3]
			ranges = append(ranges[:i+2], ranges[i+4:]...)
		}
	}
	return ranges
}

// missing are the runs between 1 and last that no range covers. ranges may overlap and come in any order.
func missing(ranges []Range, last int64) []Range {
	sort.Slice(ranges, func(i, j int) bool { return ranges[i].From < ranges[j].From })
	gaps, next := []Range{}, int64(1)
	for _, r := range ranges {
		if r.From > next {
			gaps = append(gaps, Range{next, min(r.From-1, last)})
		}
		if next = max(next, r.To+1); next > last {
			return gaps
		}
	}
	if next <= last {
		gaps = append(gaps, Range{next, last})
	}
	return gaps
}

// Package dataset is the demo's input: a chain's stores, the member exports of its two old systems, and its receipts. Load reads
// them from files, Generate makes them up from a seed; both go the same way from there. Nothing in it talks to the server.
//
// A set is what the outside world holds before the software comes: numbers that two systems wrote in their own ways, returns
// whose slip names no sale, customers whom no export knows.
package dataset

import (
	"slices"
	"time"
)

// Set is everything that the demo plays.
type Set struct {
	StoresCSV []byte // as it is uploaded
	Stores    []Store
	Online    Export
	InStore   Export
	Receipts  []*Receipt // in the order of time, then number
	Lines     int        // of all receipts
}

// Store is what the demo has to know of a row of the store list.
type Store struct {
	ID     string
	Region string
	Dealer string // empty: none, or the list does not say
	Brands []string
}

// Export is one old system's member list.
type Export struct {
	CSV         []byte   // as it is uploaded, unchanged: judging its rows is the server's work
	ExternalIDs []string // by row, from the first after the header; empty where the row has none
	Since       string   // the earliest day on which somebody joined, 2006-01-02; empty if no row has one
}

// Receipt is a sale or return of a till, or an online order or its refund.
type Receipt struct {
	Number   string // of the receipt or order
	Refund   string // number of an order's refund; empty for all others
	Return   bool
	Time     time.Time
	Store    string // the till's; the one that serves an order
	Channel  string // of an order; empty for a till
	Brand    string // of an order; a till's lines may be of several
	Customer string // as the exports' external ids carry it behind their letter; empty: anonymous
	Phone    string // that the customer gave instead of a card; empty: none
	Lines    []Line
}

// Line is a line of a receipt. Amounts are in minor units.
type Line struct {
	Line      int
	SKU       string
	Category  string
	Brand     string
	Qty       int64 // 0 in a refund without goods
	UnitPrice int64
	Paid      int64     // Qty × UnitPrice, or the amount of a refund without goods
	Original  *Original // the sale line that a return's line takes back; nil: a return without a receipt
}

// Original names a line of a sale.
type Original struct {
	Sale *Receipt
	Line int
}

// Date is the receipt's calendar day where it was printed.
func (r *Receipt) Date() string { return r.Time.Format(time.DateOnly) }

// Brands are the brands that the stores carry, each once, in the order in which they are met.
func (s *Set) Brands() []string {
	var brands []string
	for _, store := range s.Stores {
		for _, b := range store.Brands {
			if !slices.Contains(brands, b) {
				brands = append(brands, b)
			}
		}
	}
	return brands
}

// Dealers are the dealers that the store list names, each once, in the order in which they are met.
func (s *Set) Dealers() []string {
	var dealers []string
	for _, store := range s.Stores {
		if store.Dealer != "" && !slices.Contains(dealers, store.Dealer) {
			dealers = append(dealers, store.Dealer)
		}
	}
	return dealers
}

// Selling are the stores that have receipts, in the order of the list.
func (s *Set) Selling() []Store {
	sells := map[string]bool{}
	for _, r := range s.Receipts {
		sells[r.Store] = true
	}
	var selling []Store
	for _, store := range s.Stores {
		if sells[store.ID] {
			selling = append(selling, store)
		}
	}
	return selling
}

// ReturnLines counts the lines of returns: those that name a sale's line, and those that name none.
func (s *Set) ReturnLines() (matched, unmatched int) {
	for _, r := range s.Receipts {
		if !r.Return {
			continue
		}
		for _, l := range r.Lines {
			if l.Original != nil {
				matched++
			} else {
				unmatched++
			}
		}
	}
	return matched, unmatched
}

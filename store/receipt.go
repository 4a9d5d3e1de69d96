package store

import (
	"context"
	"slices"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// Receipt is a sale as a till sees it that wants to take something back.
type Receipt struct {
	EventID      string
	Terminal     string
	Store        string
	Receipt      string
	Status       string
	BusinessTime when.Instant
	BusinessDate when.Date
	Currency     string
	Lines        []ReceiptLine
}

// ReceiptLine is a line of a sale and what of it has come back. Nothing can be returned of a sale that is not applied.
type ReceiptLine struct {
	storeevent.Line
	ReturnedQty  int64
	ReturnedPaid int64
}

// Receipt looks up a sale of a terminal for a till. A till sees the receipts of its own store; of another shop's it sees
// the lines of brands that its store carries. fault.NotFound with code "unknown_receipt" otherwise.
func (s *Service) Receipt(ctx context.Context, till *Terminal, terminal, receipt string) (Receipt, error) {
	here, err := s.place(ctx, till.Store)
	if err != nil {
		return Receipt{}, err
	}
	r, err := need(ctx, s.db, s.records, POSEventID(terminal, storeevent.Sale, receipt), errNoReceipt)
	if err != nil {
		return Receipt{}, err
	}
	if !r.decided() {
		return Receipt{}, errNoReceipt
	}
	tx, err := r.transaction()
	if err != nil {
		return Receipt{}, err
	}
	out := Receipt{
		EventID: r.ID, Terminal: terminal, Store: tx.Store, Receipt: receipt, Status: r.Status, BusinessTime: tx.BusinessTime,
		BusinessDate: tx.BusinessDate, Currency: tx.Currency,
	}
	for _, l := range tx.Lines {
		if _, carried := here.fact.Brands[l.Brand]; carried || tx.Store == till.Store {
			back := r.back(l.Line)
			out.Lines = append(out.Lines, ReceiptLine{l, back.Qty, back.Paid})
		}
	}
	if len(out.Lines) == 0 {
		return Receipt{}, errNoReceipt
	}
	slices.SortFunc(out.Lines, func(a, b ReceiptLine) int { return a.Line.Line - b.Line.Line })
	return out, nil
}

var errNoReceipt = fault.New(fault.NotFound, "unknown_receipt", "there is no such receipt, or it is none of this store's brands")

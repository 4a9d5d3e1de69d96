package store

import (
	"errors"

	"scrm/gateway/kit/fault"
	"scrm/store/storeevent"
)

// The codes of verdicts that are not applied; a rejected transaction has the code of the check that it fails.
const (
	codeContentDiffers   = "content_differs"
	codeAhead            = "business_time_ahead"
	codeExceedsSale      = "return_exceeds_sale"
	codeLineUnknown      = "original_line_unknown"
	codeLineOfOther      = "original_brand_differs"
	codeSaleNotApplied   = "original_not_applied"
	codeSaleAwaited      = "original_awaited"
	codeUndecidable      = "undecidable"
	codeInvalidStructure = "invalid_transaction"
)

// reasons say the codes in words. They stand here and not in the records, and name no input.
var reasons = map[string]string{
	codeContentDiffers:   "another transaction was accepted under this id; this one is kept to be looked at",
	codeAhead:            "the business time lies more than 300 s after the arrival",
	codeExceedsSale:      "more would come back of a line than was sold",
	codeLineUnknown:      "the sale has no such line",
	codeLineOfOther:      "the sale's line is of another brand",
	codeSaleNotApplied:   "the sale was not applied",
	codeSaleAwaited:      "the sale has not come yet",
	codeUndecidable:      "deciding failed again and again; the transaction is kept and can be replayed",
	codeInvalidStructure: "the transaction is not one that could be applied",
}

// reason is a code in words, empty without one.
func reason(code string) string {
	if text, ok := reasons[code]; ok || code == "" {
		return text
	}
	return reasons[codeInvalidStructure]
}

// event is a record with its transaction decoded; a placeholder has none.
type event struct {
	*record
	tx      *storeevent.Transaction
	changed bool
	recode  bool // tx says more, or less, than the record's Data
}

// ruling is the verdict on one transaction, worked out without changing anything.
type ruling struct {
	status string
	code   string
	awaits []string              // a waiting return's sales that have not come
	lines  []storeevent.Original // an applied return's originals by position, with what was sold and returned before
}

// judge decides a transaction. sale finds a sale's event, nil where there is none.
//
// What contradicts a sale that is known is an anomaly at once, even while other sales have not come: neither a sale nor what has been
// returned of it ever becomes less, so the order of arrival does not matter. A dead sale may be replayed, so its returns wait.
func judge(tx *storeevent.Transaction, sale func(eventID string) *event) ruling {
	if code := flaw(tx); code != "" {
		return ruling{status: storeevent.StatusRejected, code: code}
	}
	if tx.AheadMillis > AheadTolerance {
		return ruling{status: storeevent.StatusAnomaly, code: codeAhead}
	}
	if tx.Kind == storeevent.Sale {
		return ruling{status: storeevent.StatusApplied}
	}
	return judgeReturn(tx, sale)
}

// flaw is the code of what makes a transaction impossible whatever else arrives. The edge lets none of these in; an item that came
// another way must not be booked all the same.
func flaw(tx *storeevent.Transaction) string {
	if tx.Kind != storeevent.Sale && tx.Kind != storeevent.Return || len(tx.Lines) == 0 || tx.BusinessDate == "" {
		return codeInvalidStructure
	}
	err := checkLines(tx.Kind, tx.Lines)
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func judgeReturn(tx *storeevent.Transaction, sale func(eventID string) *event) ruling {
	r := ruling{status: storeevent.StatusApplied, lines: make([]storeevent.Original, len(tx.Lines))}
	for i := range tx.Lines {
		line := &tx.Lines[i]
		if line.Original == nil {
			continue // a return without a receipt
		}
		s := sale(line.Original.EventID)
		if s == nil || !s.decided() || s.Status == storeevent.StatusDead {
			r.awaits = append(r.awaits, line.Original.EventID)
			continue
		}
		original, code := match(line, s)
		if code == "" {
			// This return's earlier lines may take back of the same sale line.
			for j := range i {
				if o := tx.Lines[j].Original; o != nil && o.EventID == original.EventID && o.Line == original.Line {
					original.QtyBefore += tx.Lines[j].Qty
					original.PaidBefore += tx.Lines[j].Paid
				}
			}
			if original.QtyBefore+line.Qty > original.SoldQty || original.PaidBefore+line.Paid > original.SoldPaid {
				code = codeExceedsSale
			}
		}
		if code != "" {
			return ruling{status: storeevent.StatusAnomaly, code: code}
		}
		r.lines[i] = original
	}
	if len(r.awaits) > 0 {
		return ruling{status: storeevent.StatusWaiting, code: codeSaleAwaited, awaits: r.awaits}
	}
	return r
}

// match is what a return's line takes back of a decided sale, or the code of why it cannot.
func match(line *storeevent.Line, s *event) (storeevent.Original, string) {
	if s.Status != storeevent.StatusApplied {
		return storeevent.Original{}, codeSaleNotApplied
	}
	for i := range s.tx.Lines {
		sold := &s.tx.Lines[i]
		if sold.Line != line.Original.Line {
			continue
		}
		if sold.Brand != line.Brand {
			return storeevent.Original{}, codeLineOfOther
		}
		back := s.back(sold.Line)
		return storeevent.Original{
			EventID: s.ID, Line: sold.Line, SoldQty: sold.Qty, SoldPaid: sold.Paid, QtyBefore: back.Qty, PaidBefore: back.Paid,
		}, ""
	}
	return storeevent.Original{}, codeLineUnknown
}

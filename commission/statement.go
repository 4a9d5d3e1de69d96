package commission

import (
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// Statement is what a payee gets of a brand for one settlement day:
//
//	CarriedIn + LinesTotal = Amount + CarriedOut
//
// It is final once written. Its lines are the payee's entries of that settlement day.
type Statement struct {
	docdb.Doc  `json:",inline"` // <brand>.<date>.<payee type>.<payee id>
	Brand      string           `json:"brand"`
	Date       when.Date        `json:"date"`
	Payee      Payee            `json:"payee"`
	CarriedIn  int64            `json:"carried_in"` // minor units, as all amounts
	LinesTotal int64            `json:"lines_total"`
	LinesCount int64            `json:"lines_count"`
	Amount     int64            `json:"amount"`      // what is paid, never negative
	CarriedOut int64            `json:"carried_out"` // taken into account by the next statement; negative: owed
}

func statementID(brand string, day when.Date, p Payee) string {
	kind, id := p.Split()
	return strings.Join([]string{brand, string(day), kind, id}, ".")
}

// due is what a payee's lines of a settlement day sum to.
type due struct {
	payee Payee
	sum   int64
	count int64
}

// settle writes a payee's statement: it pays the lines and what earlier days carried, unless that is negative or under the
// minimum; then all of it is carried on.
func settle(brand string, day when.Date, d due, carriedIn, minPayout int64) *Statement {
	s := &Statement{
		Doc: docdb.Doc{ID: statementID(brand, day, d.payee)}, Brand: brand, Date: day, Payee: d.payee,
		CarriedIn: carriedIn, LinesTotal: d.sum, LinesCount: d.count,
	}
	if balance := carriedIn + d.sum; balance < 0 || balance < minPayout {
		s.CarriedOut = balance
	} else {
		s.Amount = balance
	}
	return s
}

// payable reports whether a carry would be paid under a minimum payout, so that it gets a statement without a line.
func payable(amount, minPayout int64) bool { return amount > 0 && amount >= minPayout }

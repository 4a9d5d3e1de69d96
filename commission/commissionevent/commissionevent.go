// Package commissionevent is what the commission domain says to others. Golden files under testdata pin the payloads.
package commissionevent

import "scrm/gateway/kit/when"

// DayClosed is the fact that a brand's day was closed and its statements are final. A run of idle days is closed at once, and
// told of at once: Since is its first day, Date its last, and there are no statements.
type DayClosed struct {
	Brand      string       `json:"brand"`
	Since      when.Date    `json:"since"` // equal to Date but for a run of idle days
	Date       when.Date    `json:"date"`
	Statements int64        `json:"statements"`
	Settled    int64        `json:"settled"` // Σ amounts paid, minor units
	Carried    int64        `json:"carried"` // Σ carried out, minor units
	At         when.Instant `json:"at"`
}

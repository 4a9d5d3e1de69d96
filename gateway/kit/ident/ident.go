// Package ident makes and checks ids.
package ident

import (
	"regexp"

	"github.com/google/uuid"

	"scrm/gateway/kit/fault"
)

var chosen = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
var number = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.#-]{0,63}$`)

// New makes a UUIDv7: unique everywhere and ordered by time.
func New() string { return uuid.Must(uuid.NewV7()).String() }

// Check validates an id that a client chose (brand, store, guide, terminal …): 1 to 64 of A–Z a–z 0–9 _ -, starting with a
// letter or digit, so that ids can be parts of readable keys and URLs. field names it in the error.
func Check(field, id string) error {
	if !chosen.MatchString(id) {
		return fault.New(fault.Invalid, "invalid_id", "an id is 1 to 64 letters, digits, _ or -, starting with a letter or digit").At(field)
	}
	return nil
}

// CheckNumber validates a document number that a client's system chose (receipt, order or refund number, external id); it
// may also contain . and #.
func CheckNumber(field, n string) error {
	if !number.MatchString(n) {
		return fault.New(fault.Invalid, "invalid_number", "a number is 1 to 64 letters, digits, _ . # or -, starting with a letter or digit").At(field)
	}
	return nil
}

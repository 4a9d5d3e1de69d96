package member

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"scrm/gateway/kit/when"
)

// newNumber makes a card number of 19 digits: the second it is made in, so that numbers are stored near each other, eight random
// digits, so that a neighbour's cannot be guessed, and Luhn's check digit (ISO/IEC 7812-1), so that a slip of the hand is noticed.
func newNumber(now when.Instant) string {
	var random [8]byte
	rand.Read(random[:]) //nolint:errcheck // crypto/rand.Read never fails
	digits := fmt.Appendf(nil, "%010d%08d", int64(now)/1000, binary.LittleEndian.Uint64(random[:])%100_000_000)
	return string(append(digits, luhn(digits)))
}

// luhn is the check digit to be put behind digits.
func luhn(digits []byte) byte {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return '0' + byte((10-sum%10)%10)
}

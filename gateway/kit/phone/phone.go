// Package phone reads mobile numbers as people and exports write them, and hides them where they are shown.
package phone

import (
	"github.com/nyaruka/phonenumbers"

	"scrm/gateway/kit/fault"
)

// defaultRegion is where a number without a country code belongs.
const defaultRegion = "CN"

// maxDigits is more than any number has with every prefix that may stand before it (an international number has 15).
const maxDigits = 24

// The refusals. None of them repeats the number.
var (
	errMissing   = fault.New(fault.Invalid, "phone_missing", "a phone number is needed")
	errMalformed = fault.New(fault.Invalid, "phone_malformed", "this is not a complete phone number")
	errNotMobile = fault.New(fault.Invalid, "phone_not_mobile", "this is a landline or service number, not a mobile one")
)

// Parse reads a mobile number and gives it in E.164 form (+8613812345678). It accepts full-width digits, spaces and the
// usual separators, and +86, 0086, 86 or nothing before a mainland number; other countries need + or 00. The errors are
// fault.Invalid with code phone_missing (nothing there), phone_malformed (letters, cut short, a prefix nobody has) or
// phone_not_mobile.
func Parse(raw string) (e164 string, err error) {
	n, err := read(raw)
	if err != nil {
		return "", err
	}
	if e164, ok := n.plainMobile(); ok {
		return e164, nil
	}
	return n.anyMobile()
}

// numeral is a number as written, without its separators.
type numeral struct {
	text [1 + maxDigits]byte // digits, with + before them where international
	len  int
}

func (n *numeral) String() string { return string(n.text[:n.len]) }

// read drops separators and folds full-width forms. Anything else than digits and one leading + is malformed: the library
// below would read letters as a dial's keys and skip words.
func read(raw string) (numeral, error) {
	var n numeral
	blank := true
	for _, r := range raw {
		r = narrow(r)
		switch {
		case r == ' ':
			continue
		case r == '-':
		case r >= '0' && r <= '9', r == '+' && n.len == 0:
			if n.len == len(n.text) {
				return n, errMalformed
			}
			n.text[n.len] = byte(r)
			n.len++
		default:
			return n, errMalformed
		}
		blank = false
	}
	switch {
	case blank:
		return n, errMissing
	case n.len == 0:
		return n, errMalformed
	}
	return n, nil
}

// narrow folds a rune to the ASCII digit or + that it stands for, white space and invisible marks to a space, and what
// people put between digits to a hyphen.
func narrow(r rune) rune {
	switch {
	case r >= '0' && r <= '9', r == '+', r == '-', r == ' ':
		return r
	case r >= '０' && r <= '９':
		return r - '０' + '0'
	case r == '＋':
		return '+'
	case r == '(' || r == ')' || r == '.' || r == '/' || r == '（' || r == '）' || r == '．' || r == '－',
		r >= '\u2010' && r <= '\u2015', r == '\u2212':
		return '-'
	case r == '\t' || r == '\r' || r == '\n' || r == '\u00a0' || r == '\u3000' || r == '\ufeff',
		r >= '\u2000' && r <= '\u200f', r >= '\u202a' && r <= '\u202f', r == '\u2060':
		return ' '
	}
	return r
}

// plainMobile recognises a mainland mobile number with +86, 0086, 86 or nothing before it without the library, which takes
// fifty microseconds. It may miss a number, but never differs from the library on one that it takes; a test tries every
// prefix, and a fuzz test the rest.
func (n *numeral) plainMobile() (string, bool) {
	const national = 11
	i := n.len - national
	if i < 0 {
		return "", false
	}
	switch string(n.text[:i]) {
	case "", "86", "+86", "0086":
	default:
		return "", false
	}
	d := n.text[i:n.len]
	if d[0] != '1' || !mobilePrefix(d[1], d[2]) {
		return "", false
	}
	var e164 [3 + national]byte
	copy(e164[:], "+86")
	copy(e164[3:], d)
	return string(e164[:]), true
}

// mobilePrefix knows the networks' prefixes 1ab of 11-digit numbers (satellite's 1740 is left to the library).
func mobilePrefix(a, b byte) bool {
	switch a {
	case '3', '8':
		return true
	case '4':
		return b == '5' || b == '7'
	case '5', '9':
		return b != '4'
	case '6':
		return b == '2' || b >= '5' && b <= '7'
	case '7':
		return b != '4' && b != '9'
	}
	return false
}

// anyMobile asks the library.
func (n *numeral) anyMobile() (string, error) {
	number, err := phonenumbers.Parse(n.String(), defaultRegion)
	if err != nil {
		return "", errMalformed // its text is not passed on: it may repeat the number
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return phonenumbers.Format(number, phonenumbers.E164), nil
	case phonenumbers.UNKNOWN: // which is what a number that is not valid has
		if n.landline() {
			return "", errNotMobile
		}
		return "", errMalformed
	default:
		return "", errNotMobile
	}
}

// landline recognises what is written as a mainland landline, 0 and area code and seven or eight digits, also where the library
// knows no such subscriber: that it is not a mobile number is the better reason.
func (n *numeral) landline() bool {
	return n.len >= 10 && n.len <= 12 && n.text[0] == '0' && n.text[1] >= '1' && n.text[1] <= '9'
}

// Mask hides the middle of an E.164 number: 138****5678 for mainland numbers, else the first three digits and at most the last
// four. At least four digits are hidden, and the stars do not tell how many.
func Mask(e164 string) string {
	digits := e164
	if len(digits) > 0 && digits[0] == '+' {
		digits = digits[1:]
	}
	prefix := "+"
	if len(digits) == 13 && digits[:3] == "861" {
		digits, prefix = digits[2:], ""
	}
	tail := min(4, len(digits)-7)
	if tail < 0 {
		return "****"
	}
	return prefix + digits[:3] + "****" + digits[len(digits)-tail:]
}

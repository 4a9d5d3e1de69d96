package logging

import (
	"regexp"
	"strings"
)

// secrets find tokens and secrets in free text.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`),
	regexp.MustCompile(`(?i)bearer\s+[A-Za-z0-9._~+/=-]+`),
	regexp.MustCompile(`v1=[0-9a-fA-F]{16,}`),
	regexp.MustCompile(`(?i)(password|secret|token)["']?\s*[:=]\s*["']?[^\s"',;}]+`),
}

var (
	date   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?`)
	mobile = regexp.MustCompile(`^(0?0?86)?1[3-9]\d{9}$`) // a number of the Chinese mainland
)

// Text is s with phone-like numbers, tokens and secrets replaced by Redacted.
func Text(s string) string {
	if !suspicious(s) {
		return s
	}
	for _, p := range secrets {
		s = p.ReplaceAllString(s, Redacted)
	}
	return phones(s)
}

// suspicious is a cheap look that spares most texts the patterns.
func suspicious(s string) bool {
	digits := 0
	for _, r := range s {
		if isDigit(r) {
			if digits++; digits >= minInternational {
				return true
			}
		}
	}
	lower := strings.ToLower(s)
	for _, word := range []string{"eyj", "bearer", "v1=", "password", "secret", "token"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// How many digits make a number a phone number: fewer with a leading plus.
const (
	minInternational = 8
	minNational      = 10
)

func isDigit(r rune) bool { return r >= '0' && r <= '9' || r >= '０' && r <= '９' }

func isPlus(r rune) bool { return r == '+' || r == '＋' }

func isSeparator(r rune) bool { return strings.ContainsRune(" -.()（）－　", r) }

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '/'
}

// phones replaces runs of digits and separators that may be phone numbers. Dates stay, and so do runs that touch a word or a
// slash (ids and event ids), unless they have the form of a mainland mobile number.
func phones(s string) string {
	runes := []rune(s)
	var out strings.Builder
	for i := 0; i < len(runes); {
		if !isDigit(runes[i]) && !isPlus(runes[i]) {
			out.WriteRune(runes[i])
			i++
			continue
		}
		if d := date.FindString(string(runes[i:min(i+32, len(runes))])); d != "" {
			out.WriteString(d)
			i += len(d)
			continue
		}
		end, digits := run(runes, i)
		least := minNational
		if isPlus(runes[i]) {
			least = minInternational
		}
		touches := i > 0 && isWord(runes[i-1]) || end < len(runes) && isWord(runes[end])
		if mobile.MatchString(digits) || len(digits) >= least && !touches {
			out.WriteString(Redacted)
		} else {
			out.WriteString(string(runes[i:end]))
		}
		i = end
	}
	return out.String()
}

// run is the end of the run of digits and separators that starts at i (without separators at its end), and its digits in ASCII.
func run(runes []rune, i int) (end int, digits string) {
	var d []byte
	end = i + 1
	for j := i; j < len(runes); j++ {
		switch r := runes[j]; {
		case isDigit(r):
			if r >= '０' {
				r -= '０' - '0'
			}
			d = append(d, byte(r))
			end = j + 1
		case isPlus(r) && j == i, isSeparator(r):
		default:
			return end, string(d)
		}
	}
	return end, string(d)
}

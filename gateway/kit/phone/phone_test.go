package phone

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"scrm/gateway/kit/fault"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const mobile = "+8613812345678"
	for raw, want := range map[string]string{
		"13812345678":       mobile,
		" 13812345678 ":     mobile,
		"138-1234-5678":     mobile,
		"+86 138 1234 5678": mobile,
		"+8613812345678":    mobile,
		"008613812345678":   mobile,
		"86-13812345678":    mobile,
		"8613812345678":     mobile,
		"１３８１２３４５６７８":       mobile,
		"＋８６　１３８（１２３４）５６７８": mobile,
		"(+86)138.1234.5678":        mobile,
		"\ufeff\u202d138‑1234–5678": mobile,
		"013812345678":              mobile,
		"0086013812345678":          mobile,
		"17400012345":               "+8617400012345",
		"+85291234567":              "+85291234567",
		"0085291234567":             "+85291234567",
		"+1 (415) 555-2671":         "+14155552671", // there a number does not tell which it is

		"":                            "phone_missing",
		" \t\u3000":                   "phone_missing",
		"-":                           "phone_malformed",
		"+":                           "phone_malformed",
		"1381234567":                  "phone_malformed",
		"138123456789":                "phone_malformed",
		"14112345678":                 "phone_malformed",
		"10086":                       "phone_malformed",
		"++8613812345678":             "phone_malformed",
		"138A2345678":                 "phone_malformed",
		"13812345678 ext 5":           "phone_malformed",
		"tel:13812345678":             "phone_malformed",
		"13812345678,13912345678":     "phone_malformed",
		strings.Repeat("1", 300):      "phone_malformed",
		"\xff13812345678":             "phone_malformed",
		"010-82345678":                "phone_not_mobile",
		"0755-12345678":               "phone_not_mobile",
		"+86 21 1234 5678":            "phone_not_mobile",
		"400-800-1234":                "phone_not_mobile",
		"+44 20 7946 0958":            "phone_not_mobile",
		"０１０－８２３４５６７８":                "phone_not_mobile",
		"0086 0755 12345678":          "phone_not_mobile",
		"138 1234 567８ 1234 56789 11": "phone_malformed",
	} {
		got, err := Parse(raw)
		if err != nil {
			got = fault.CodeOf(err)
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: the error is of kind %v", raw, fault.KindOf(err))
			}
			if n, _ := read(raw); n.len > 3 && strings.Contains(err.Error(), n.String()) {
				t.Errorf("%q: the error repeats the number", raw)
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
}

// The library's rules look at no more than the first five digits of an 11-digit mobile number, so this is all of them.
func TestFastPathEqualsLibraryOnEveryPrefix(t *testing.T) {
	t.Parallel()
	taken := 0
	for p := range 10_000 {
		n, err := read(fmt.Sprintf("1%04d234567", p)[:11])
		if err != nil {
			t.Fatal(err)
		}
		fast, ok := n.plainMobile()
		slow, err := n.anyMobile()
		if ok && (err != nil || fast != slow) {
			t.Fatalf("prefix 1%04d: fast %s, library %s %v", p, fast, slow, err)
		}
		if ok {
			taken++
		}
		if !ok && err == nil && !strings.HasPrefix(slow, "+861740") {
			t.Errorf("prefix 1%04d is mobile and not plain", p)
		}
	}
	if taken < 3000 {
		t.Fatalf("only %d prefixes are plain", taken)
	}
}

// The property is stated on the text as written, so that it covers how read drops separators too: where the fast path takes
// a number, the library makes the same of the same text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"13812345678", "+86 138-1234-5678", "0086１３８１２３４５６７８", "8617951138123", "012381112345678", "+1 415 555 2671", "１", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := Parse(raw)
		if err != nil {
			if code := fault.CodeOf(err); code != "phone_missing" && code != "phone_malformed" && code != "phone_not_mobile" {
				t.Fatalf("code %s", code)
			}
			return
		}
		if again, err := Parse(got); err != nil || again != got {
			t.Fatalf("%q reads as %q, and that as %q, %v", raw, got, again, err)
		}
		n, err := read(raw)
		if err != nil {
			t.Fatal(err)
		}
		if fast, ok := n.plainMobile(); ok {
			slow, err := n.anyMobile()
			if err != nil || slow != fast {
				t.Fatalf("%q: fast %s, library %s %v", raw, fast, slow, err)
			}
			number, err := phonenumbers.Parse(strings.Map(visible, raw), defaultRegion)
			if err != nil || phonenumbers.Format(number, phonenumbers.E164) != fast || !phonenumbers.IsValidNumber(number) {
				t.Fatalf("%q: fast %s, library on the text itself %v %v", raw, fast, number, err)
			}
		}
	})
}

// visible drops the marks that the library does not know as separators.
func visible(r rune) rune {
	if narrow(r) == ' ' {
		return -1
	}
	return r
}

func TestMask(t *testing.T) {
	t.Parallel()
	for e164, want := range map[string]string{
		"+8613812345678": "138****5678",
		"+85291234567":   "+852****4567",
		"+14155552671":   "+141****2671",
		"+4798765432":    "+479****432",
		"+6831234":       "+683****",
		"+123":           "****",
		"":               "****",
	} {
		if got := Mask(e164); got != want {
			t.Errorf("%s: %s, want %s", e164, got, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("+86 138 1234 5678"); err != nil {
			b.Fatal(err)
		}
	}
}

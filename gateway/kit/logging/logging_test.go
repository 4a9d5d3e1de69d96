package logging_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"scrm/gateway/kit/logging"
)

func TestText(t *testing.T) {
	t.Parallel()
	const gone = logging.Redacted
	for _, c := range []struct{ name, in, want string }{
		{"plain words", "store opened", "store opened"},
		{"mobile", "member 13812345678 joined", "member " + gone + " joined"},
		{"mobile behind a colon", `{"phone":"13812345678"}`, `{"phone":"` + gone + `"}`},
		{"mobile in a path", "GET /v1/members/13812345678", "GET /v1/members/" + gone},
		{"mobile glued to a word", "tel13812345678", "tel" + gone},
		{"international", "call +86 138-1234-5678 now", "call " + gone + " now"},
		{"with 0086", "008613812345678", gone},
		{"full width", "１３８１２３４５６７８", gone},
		{"separated", "138 1234 5678", gone},
		{"landline", "(010) 6552 9988", "(" + gone},
		{"date stays", "day 2026-11-20 closed", "day 2026-11-20 closed"},
		{"time stays", "at 2026-11-20T10:31:05.000Z", "at 2026-11-20T10:31:05.000Z"},
		{"uuid stays", "0192f0c1-2345-7890-8123-456789abcdef", "0192f0c1-2345-7890-8123-456789abcdef"},
		{"event id stays", "pos/t-1/sale/R000123456789", "pos/t-1/sale/R000123456789"},
		{"order number stays", "order/aurora/tmall/sale/2026112022001", "order/aurora/tmall/sale/2026112022001"},
		{"count stays", "104795 rows in 1203 ms", "104795 rows in 1203 ms"},
		{"bearer", "Authorization: Bearer abc.def-ghi", "Authorization: " + gone},
		{"json web token", "got eyJhbGciOi.eyJzdWIi.c2lnbmF0", "got " + gone},
		{"signature", "v1=0123456789abcdef0123456789abcdef", gone},
		{"password in text", "password=hunter2 refused", gone + " refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := logging.Text(c.in); got != c.want {
				t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

type person struct{ Phone string }

// TestHandler logs a number and a secret in every place that a record has.
func TestHandler(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logging.New(&out, slog.LevelInfo).With("caller", "13812345678", "password", "hunter2").WithGroup("g").With("phone", 42)
	log.LogAttrs(context.Background(), slog.LevelError, "member 13812345678",
		slog.Any("err", errors.New("cannot enrol 13812345678")), slog.Any("who", person{"13812345678"}),
		slog.Group("in", "secret", "hunter2", "note", "13812345678"), slog.Int("items", 3), slog.Any("lazy", lazy{}))
	for _, leak := range []string{"13812345678", "hunter2", `"phone":42`} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the log contains %s: %s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), `"items":3`) {
		t.Errorf("the log lost a number: %s", out.String())
	}
}

type lazy struct{}

func (lazy) LogValue() slog.Value { return slog.StringValue("13812345678") }

func FuzzTextKeepsNoMobile(f *testing.F) {
	f.Add("before ", " after")
	f.Add("a/", "/b")
	f.Fuzz(func(t *testing.T, before, after string) {
		// Digits next to the number make it another number.
		if strings.ContainsAny(before+after, "0123456789０１２３４５６７８９") {
			t.Skip()
		}
		if got := logging.Text(before + "13812345678" + after); strings.Contains(got, "13812345678") {
			t.Errorf("Text kept the number: %q", got)
		}
	})
}

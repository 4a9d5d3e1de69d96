package api

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"scrm/gateway/kit/when"
)

// TestSignatureVector pins the format by a signature that openssl made:
//
//	body=$(printf '{"receipt":"R1"}' | openssl dgst -sha256 -hex | cut -d' ' -f2)
//	printf 'POST\n/v1/pos/transactions?x=1\n1795142465\n%s' "$body" | openssl dgst -sha256 -hmac 's3cret-ü' -hex
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	timestamp, signature := Sign("s3cret-ü", "POST", "/v1/pos/transactions?x=1", time.Unix(1795142465, 0), []byte(`{"receipt":"R1"}`))
	if timestamp != "1795142465" || signature != "v1=eba0ede3576f88f9fd104275b60df1c7a815880c7930bbd4fae5d81c1c0a3e63" {
		t.Errorf("%s %s", timestamp, signature)
	}
}

func TestSignatureCheck(t *testing.T) {
	t.Parallel()
	const secret, at = "secret", 1795142465
	now := when.Instant(at * 1000)
	right := signed{method: "POST", path: "/v1/x?a=1", timestamp: strconv.Itoa(at), body: []byte("{}")}
	_, signature := Sign(secret, right.method, right.path, time.Unix(at, 0), right.body)
	at2 := func(seconds int) (signed, string) {
		r := right
		var s string
		r.timestamp, s = Sign(secret, r.method, r.path, time.Unix(int64(seconds), 0), r.body)
		return r, s
	}
	early, earlySignature := at2(at - 300)
	tooEarly, tooEarlySignature := at2(at - 301)
	late, lateSignature := at2(at + 300)
	tooLate, tooLateSignature := at2(at + 301)
	text := func(timestamp string) (signed, string) {
		r := right
		r.timestamp = timestamp
		return r, "v1=" + hex.EncodeToString(r.mac(secret))
	}
	signWord, signWordSignature := text("now")
	negative, negativeSignature := text("-1")
	huge, hugeSignature := text("99999999999999999999")
	padded, paddedSignature := text(" 1795142465")
	for _, c := range []struct {
		name      string
		request   signed
		signature string
		secret    string
		offset    int64
		err       error
	}{
		{name: "right", request: right, signature: signature},
		{name: "upper case digits", request: right, signature: "v1=" + strings.ToUpper(signature[3:])},
		{name: "at the window's start", request: early, signature: earlySignature, offset: 300_000},
		{name: "at its end", request: late, signature: lateSignature, offset: -300_000},
		{name: "before it", request: tooEarly, signature: tooEarlySignature, err: errTimestamp},
		{name: "after it", request: tooLate, signature: tooLateSignature, err: errTimestamp},
		{name: "no number", request: signWord, signature: signWordSignature, err: errTimestamp},
		{name: "negative", request: negative, signature: negativeSignature, err: errTimestamp},
		{name: "overflowing", request: huge, signature: hugeSignature, err: errTimestamp},
		{name: "padded", request: padded, signature: paddedSignature, err: errTimestamp},
		{name: "other secret", request: right, signature: signature, secret: "Secret", err: errSignature},
		{name: "other method", request: signed{"PUT", right.path, right.timestamp, right.body}, signature: signature, err: errSignature},
		{name: "other query", request: signed{"POST", "/v1/x?a=2", right.timestamp, right.body}, signature: signature, err: errSignature},
		{name: "other time", request: signed{"POST", right.path, strconv.Itoa(at + 1), right.body}, signature: signature, err: errSignature},
		{name: "other body", request: signed{"POST", right.path, right.timestamp, []byte("{} ")}, signature: signature, err: errSignature},
		{name: "other version", request: right, signature: "v2" + signature[2:], err: errSignature},
		{name: "no version", request: right, signature: signature[3:], err: errSignature},
		{name: "cut short", request: right, signature: signature[:len(signature)-2], err: errSignature},
		{name: "too long", request: right, signature: signature + "00", err: errSignature},
		{name: "empty", request: right, signature: "", err: errSignature},
		{name: "only the version", request: right, signature: "v1=", err: errSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key := secret
			if c.secret != "" {
				key = c.secret
			}
			offset, err := c.request.check(key, c.signature, now)
			if !errors.Is(err, c.err) || offset != c.offset {
				t.Errorf("offset %d, error %v; want %d, %v", offset, err, c.offset, c.err)
			}
		})
	}
}

// FuzzSignature shows that no header makes the check panic or pass, but the one signature.
func FuzzSignature(f *testing.F) {
	const secret, at = "secret", 1795142465
	right := signed{method: "POST", path: "/v1/x", timestamp: strconv.Itoa(at), body: []byte("{}")}
	signature := "v1=" + hex.EncodeToString(right.mac(secret))
	f.Add(right.timestamp, signature)
	f.Add("0", "v1=")
	f.Add("18446744073709551615", "v1=zz")
	f.Add(right.timestamp, fmt.Sprintf("v1=%064d", 0))
	f.Fuzz(func(t *testing.T, timestamp, given string) {
		r := right
		r.timestamp = timestamp
		_, err := r.check(secret, given, when.Instant(at*1000))
		if same := timestamp == right.timestamp && strings.EqualFold(given, signature) && given[:3] == "v1="; (err == nil) != same {
			t.Errorf("check(%q, %q): %v", timestamp, given, err)
		}
	})
}

package api

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"scrm/gateway/kit/fault"
)

// humaCodes gives huma's messages stable codes, by what they begin with. Messages that end in the text of a parser's error, which
// may repeat the input, are cut there; a message that is not listed says only that the value is not valid.
var humaCodes = []struct {
	begins, code string
	cut          bool
}{
	{begins: "unexpected property", code: "unknown_field"},
	{begins: "unknown query parameter", code: "unknown_parameter"},
	{begins: "required ", code: "required"},
	{begins: "expected value to be one of", code: "not_one_of"},
	{begins: "expected value to be ", code: "not_one_of"},
	{begins: "expected number >", code: "too_small"},
	{begins: "expected number <", code: "too_large"},
	{begins: "expected length >=", code: "too_short"},
	{begins: "expected length <=", code: "too_long"},
	{begins: "expected array length >=", code: "too_few"},
	{begins: "expected array length <=", code: "too_many"},
	{begins: "expected object with at least", code: "too_few"},
	{begins: "expected object with at most", code: "too_many"},
	{begins: "expected array items to be unique", code: "not_unique"},
	{begins: "expected string to be RFC 3339", code: "wrong_format"},
	{begins: "expected string to match", code: "wrong_format"},
	{begins: "expected string to be ", code: "wrong_format", cut: true},
	{begins: "expected duration", code: "wrong_format", cut: true},
	{begins: "expected value to match", code: "wrong_type"},
	{begins: "expected ", code: "wrong_type"},
	{begins: "invalid integer", code: "wrong_type"},
	{begins: "invalid float", code: "wrong_type"},
	{begins: "invalid boolean", code: "wrong_type"},
	{begins: "invalid date/time", code: "wrong_format"},
}

var missing = regexp.MustCompile(`^expected required property (\S+) to be present$`)

// fieldError turns huma's detail into ours.
func fieldError(d *huma.ErrorDetail) FieldError {
	field := fieldPath(d.Location)
	if m := missing.FindStringSubmatch(d.Message); m != nil {
		return FieldError{Field: join(field, m[1]), Code: "required", Detail: "this field is required"}
	}
	if f, ok := ownError(d.Message); ok {
		return f
	}
	for _, h := range humaCodes {
		if strings.HasPrefix(d.Message, h.begins) {
			detail := d.Message
			if h.cut {
				detail, _, _ = strings.Cut(detail, ":")
			}
			return FieldError{Field: field, Code: h.code, Detail: detail}
		}
	}
	return FieldError{Field: field, Code: "invalid", Detail: "the value is not valid"}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

var (
	place   = regexp.MustCompile(`^(body|path|query|header)\.?`)
	segment = regexp.MustCompile(`^[A-Za-z_][A-Za-z_-]*[0-9]{0,3}(\[\d+\])*$`)
)

// fieldPath is huma's location without its first part (body, path, query, header).
func fieldPath(location string) string {
	path := place.ReplaceAllString(location, "")
	if path == "" {
		return ""
	}
	parts := strings.Split(path, ".")
	for i, p := range parts {
		parts[i] = fieldName(p)
	}
	return strings.Join(parts, ".")
}

// fieldName is a part of a path if it looks like the name of a field of ours; anything else comes from the client's input, and
// is not repeated.
func fieldName(part string) string {
	if len(part) > 64 || !segment.MatchString(part) {
		return "?"
	}
	return part
}

// jsonFormat is JSON as huma reads and writes it.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		body, err := encodeJSON(v)
		if err == nil {
			_, err = w.Write(body)
		}
		return err
	},
	Unmarshal: func(data []byte, v any) error {
		var f *fault.Error
		if err := decodeJSON(data, v); errors.As(err, &f) {
			return errors.New(strings.Join([]string{ownMark, f.Code, f.Field, f.Detail}, "|"))
		}
		return nil
	},
}

// ownMark begins what our JSON format says to huma, which hands on the text of an error only.
const ownMark = "scrm"

// ownError reads what our JSON format said.
func ownError(message string) (FieldError, bool) {
	parts := strings.SplitN(message, "|", 4)
	if len(parts) != 4 || parts[0] != ownMark {
		return FieldError{}, false
	}
	return FieldError{Code: parts[1], Field: parts[2], Detail: parts[3]}, true
}

func encodeJSON(v any) ([]byte, error) {
	var buf strings.Builder
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(buf.String()), nil
}

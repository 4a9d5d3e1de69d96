package api

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
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
	if known, ok := strings.CutPrefix(d.Message, malformed); ok {
		return FieldError{Field: field, Code: "malformed_json", Detail: "the body is not JSON" + known}
	}
	if known, ok := strings.CutPrefix(d.Message, unfitting); ok {
		return FieldError{Field: fieldPath(known), Code: "wrong_type", Detail: "the value does not fit this field"}
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

// fieldPath is huma's location without its first part (body, path, query, header). Segments that do not look like the name of a
// field come from the client's input, and are not repeated.
func fieldPath(location string) string {
	path := place.ReplaceAllString(location, "")
	if path == "" {
		return ""
	}
	parts := strings.Split(path, ".")
	for i, p := range parts {
		if len(p) > 64 || !segment.MatchString(p) {
			parts[i] = "?"
		}
	}
	return strings.Join(parts, ".")
}

// What our JSON format says to huma, for fieldError to recognise.
const (
	malformed = "malformed JSON"
	unfitting = "unfitting value: "
)

// jsonFormat is JSON as huma reads and writes it; its errors repeat nothing of the input.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		body, err := encodeJSON(v)
		if err == nil {
			_, err = w.Write(body)
		}
		return err
	},
	Unmarshal: func(data []byte, v any) error {
		err := json.Unmarshal(data, v)
		var unfit *json.UnmarshalTypeError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &unfit):
			return errors.New(unfitting + unfit.Field)
		default:
			return errors.New(malformed)
		}
	},
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

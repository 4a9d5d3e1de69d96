package api

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"scrm/gateway/kit/fault"
)

// Why a JSON text was not taken. Each comes with the field at fault where there is one, and never with a value.
var (
	errMalformed = fault.New(fault.Invalid, "malformed_json", "the body is not JSON")
	errTwice     = fault.New(fault.Invalid, "duplicate_field", "this field is there twice")
	errUnknown   = fault.New(fault.Invalid, "unknown_field", "there is no such field here")
	errUnfitting = fault.New(fault.Invalid, "wrong_type", "the value does not fit this field")
)

// decodeJSON reads one JSON value into v by the rules of encoding/json/v2: names match exactly and stand there once, strings are
// UTF-8. Its errors are *fault.Error with the path of the field at fault.
func decodeJSON(data []byte, v any, options ...json.Options) error {
	err := json.Unmarshal(data, v, options...)
	if err == nil {
		return nil
	}
	var syntax *jsontext.SyntacticError
	var meaning *json.SemanticError
	switch {
	case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return errTwice.At(pointerPath(syntax.JSONPointer))
	case errors.As(err, &meaning) && errors.Is(meaning.Err, json.ErrUnknownName):
		return errUnknown.At(pointerPath(meaning.JSONPointer))
	case errors.As(err, &meaning):
		return errUnfitting.At(pointerPath(meaning.JSONPointer))
	default:
		return errMalformed
	}
}

// strict refuses names that the struct does not have. huma's operations need it not: their schemas say so.
var strict = json.RejectUnknownMembers(true)

// pointerPath writes a JSON pointer (RFC 6901) as paths are written here: /lines/2/paid is lines[2].paid. Names that do not look like a
// field's come from the client's input, and are not repeated.
func pointerPath(p jsontext.Pointer) string {
	var path strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil && path.Len() > 0 {
			path.WriteString("[" + token + "]")
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(fieldName(token))
	}
	return path.String()
}

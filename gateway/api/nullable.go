package api

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// nullable is a field of a body that may be absent, null or a value, where null means something else than absence.
type nullable[T any] struct {
	Sent  bool
	Null  bool
	Value T
}

// UnmarshalJSON is called for fields that are there.
func (n *nullable[T]) UnmarshalJSON(data []byte) error {
	n.Sent = true
	if n.Null = bytes.Equal(data, []byte("null")); n.Null {
		return nil
	}
	return json.Unmarshal(data, &n.Value)
}

// MarshalJSON is the value, or null.
func (n nullable[T]) MarshalJSON() ([]byte, error) {
	if n.Null || !n.Sent {
		return []byte("null"), nil
	}
	return json.Marshal(n.Value)
}

// Schema is the value's, with null allowed.
func (n nullable[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), true, "")
	s.Nullable = true
	return &s
}

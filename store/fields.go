package store

import (
	"errors"
	"strconv"

	"scrm/gateway/kit/fault"
)

// indexed is a path into a list: lines[2].paid.
func indexed(list string, i int, field string) string {
	path := list + "[" + strconv.Itoa(i) + "]"
	if field != "" {
		path += "." + field
	}
	return path
}

// within puts a fault's field under a path: location.datum.
func within(path string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if f.Field != "" {
		path += "." + f.Field
	}
	return f.At(path)
}

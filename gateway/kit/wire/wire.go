// Package wire is the one binary encoding of what the program stores and sends to itself: CBOR (RFC 8949), by the structs'
// json tags, or by numbers where a struct has cbor tags as well. Documents in SQLite, items in the streams and cursors use it; golden files show the same structs as JSON.
package wire

import "github.com/fxamacker/cbor/v2"

var enc, dec = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	e, err := cbor.EncOptions{Sort: cbor.SortNone, NilContainers: cbor.NilContainerAsNull}.EncMode()
	if err != nil {
		panic(err)
	}
	d, err := cbor.DecOptions{
		MaxArrayElements: 1 << 24,
		MaxMapPairs:      1 << 24,
		UTF8:             cbor.UTF8DecodeInvalid, // what was stored can always be read; the edge refuses invalid text
		IntDec:           cbor.IntDecConvertSignedOrBigInt,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return e, d
}

// Raw is a value that is encoded already.
type Raw = cbor.RawMessage

// Marshal encodes v.
func Marshal(v any) ([]byte, error) { return enc.Marshal(v) }

// Unmarshal decodes data into v; fields that v does not know are ignored, so that an older reader takes a newer payload.
// Into an interface, integers come as int64.
func Unmarshal(data []byte, v any) error { return dec.Unmarshal(data, v) }

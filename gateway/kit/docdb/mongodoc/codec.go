package mongodoc

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsoncodec"
	"go.mongodb.org/mongo-driver/bson/bsonoptions"
	"go.mongodb.org/mongo-driver/bson/bsonrw"
	"go.mongodb.org/mongo-driver/bson/primitive"
	"go.mongodb.org/mongo-driver/x/bsonx/bsoncore"

	"scrm/gateway/kit/docdb"
)

// registry encodes by the json tags, embedded structs of unexported types too; a uint64 that an int64 does not hold is kept as
// the int64 with the same bits.
var registry = func() *bsoncodec.Registry {
	r := bson.NewRegistry()
	structs, err := bsoncodec.NewStructCodec(bsoncodec.JSONFallbackStructTagParser, bsonoptions.StructCodec().SetAllowUnexportedFields(true)) //nolint:staticcheck // nothing else does
	if err != nil {
		panic(err)
	}
	r.RegisterKindEncoder(reflect.Struct, structs)
	r.RegisterKindDecoder(reflect.Struct, structs)
	r.RegisterKindEncoder(reflect.Uint64, bsoncodec.ValueEncoderFunc(func(_ bsoncodec.EncodeContext, w bsonrw.ValueWriter, v reflect.Value) error {
		return w.WriteInt64(int64(v.Uint())) //nolint:gosec // the same bits are meant
	}))
	r.RegisterKindDecoder(reflect.Uint64, bsoncodec.ValueDecoderFunc(func(_ bsoncodec.DecodeContext, r bsonrw.ValueReader, v reflect.Value) error {
		i, err := r.ReadInt64()
		v.SetUint(uint64(i)) //nolint:gosec // the same bits are meant
		return err
	}))
	return r
}()

var writers = bsonrw.NewBSONValueWriterPool() //nolint:staticcheck // deprecated for the driver's v2, which has another package for it; this is v1

// encode is a document as it is stored. Indexed fields are there even where omitempty leaves them out: a missing field has
// its own place in MongoDB's order, and no query for the zero value finds it.
func encode(s *docdb.Schema, doc docdb.Document) (bson.Raw, error) {
	data, err := marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("mongodoc: document of %s: %w", s.Name, err)
	}
	for _, name := range indexedScalars(s) {
		if _, err := data.LookupErr(name); err == nil {
			continue
		}
		data = appendZero(data[:len(data)-1], name, s.Zero(name))
		data = append(data, 0)
		bsoncore.UpdateLength(data, 0, int32(len(data))) //nolint:gosec // a document is at most 16 MiB
	}
	return data, nil
}

func appendZero(data []byte, name string, zero any) []byte {
	switch v := zero.(type) {
	case string:
		return bsoncore.AppendStringElement(data, name, v)
	case bool:
		return bsoncore.AppendBooleanElement(data, name, v)
	default:
		return bsoncore.AppendInt64Element(data, name, 0)
	}
}

// indexedScalars are the fields of a collection's indexes but slices.
func indexedScalars(s *docdb.Schema) []string {
	var out []string
	for _, ix := range s.Indexes {
		for _, f := range ix.Fields {
			if !s.Multi(f) && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

func marshal(v any) (bson.Raw, error) {
	var buf bytes.Buffer
	w := writers.Get(&buf) //nolint:staticcheck // as above
	defer writers.Put(w)   //nolint:staticcheck // as above
	enc, err := bson.NewEncoder(w)
	if err != nil {
		return nil, err
	}
	if err := enc.SetRegistry(registry); err != nil {
		return nil, err
	}
	enc.UseJSONStructTags()
	err = enc.Encode(v)
	return buf.Bytes(), err
}

func unmarshal(data bson.Raw, into any) error {
	dec, err := bson.NewDecoder(bsonrw.NewBSONDocumentReader(data))
	if err != nil {
		return err
	}
	if err := dec.SetRegistry(registry); err != nil {
		return err
	}
	dec.UseJSONStructTags()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("mongodoc: %w", err)
	}
	return nil
}

// plain gives what migrations see the types that they have in the other engine too.
func plain(v any) any {
	switch v := v.(type) {
	case bson.M:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case bson.A:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case primitive.Binary:
		return v.Data
	case int32:
		return int64(v)
	default:
		return v
	}
}

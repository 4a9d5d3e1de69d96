package docdb

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Schema is a collection's declaration as engines see it.
type Schema struct {
	Name       string
	Indexes    []Index
	Migrations []Migration
	ShardKey   string // the top-level field a sharded MongoDB distributes by; empty: the id, hashed
	fields     map[string]field
	newDoc     func() Document
}

// field is a top-level field of a collection's documents.
type field struct {
	path  []int
	typ   reflect.Type
	multi bool         // a slice
	kind  reflect.Kind // of a string, integer or boolean, or of a slice's elements; Invalid for all others
}

// New makes an empty document of the schema's type.
func (s *Schema) New() Document { return s.newDoc() }

// Value is a document's value of a top-level field as string, int64 or bool.
func (s *Schema) Value(doc Document, name string) any {
	return scalar(s.at(doc, name))
}

// Values are the distinct elements of a slice field, in order.
func (s *Schema) Values(doc Document, name string) []any {
	v := s.at(doc, name)
	out := make([]any, 0, v.Len())
	for i := range v.Len() {
		if e := scalar(v.Index(i)); !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// Multi reports whether a field is a slice.
func (s *Schema) Multi(name string) bool { return s.mustField(name).multi }

// Zero is the value (string, int64 or bool) that a document has in a scalar field that nobody set.
func (s *Schema) Zero(name string) any {
	return scalar(reflect.Zero(s.mustScalar(name).typ))
}

// Holds reports whether a document satisfies every condition.
func (s *Schema) Holds(doc Document, conds []Cond) bool {
	for _, c := range conds {
		if !c.Holds(s.Value(doc, c.Field)) {
			return false
		}
	}
	return true
}

// Apply makes op's changes in doc, which engines have read or are about to store: Set, then Inc. The revision is the
// engine's business.
func (s *Schema) Apply(doc Document, op *Op) error {
	for name, value := range op.Set {
		v := s.at(doc, name)
		if value == nil {
			v.SetZero()
			continue
		}
		v.Set(reflect.ValueOf(value))
	}
	for name, by := range op.Inc {
		v := s.at(doc, name)
		old := v.Int()
		if sum := old + by; (sum > old) == (by > 0) || by == 0 {
			v.SetInt(sum)
			continue
		}
		return fmt.Errorf("docdb: counter %s.%s overflows", s.Name, name)
	}
	return nil
}

// Clone is a copy of a document that shares what its fields refer to.
func (s *Schema) Clone(doc Document) Document {
	c := s.New()
	reflect.ValueOf(c).Elem().Set(reflect.ValueOf(doc).Elem())
	return c
}

// index finds a declared index; it panics if there is none, which is a defect in the program.
func (s *Schema) index(name string) *Index {
	i := slices.IndexFunc(s.Indexes, func(ix Index) bool { return ix.Name == name })
	if i < 0 {
		panic(fmt.Sprintf("docdb: collection %s has no index %q", s.Name, name))
	}
	return &s.Indexes[i]
}

func (s *Schema) at(doc Document, name string) reflect.Value {
	return reflect.ValueOf(doc).Elem().FieldByIndex(s.mustField(name).path)
}

func (s *Schema) mustField(name string) field {
	f, ok := s.fields[name]
	if !ok {
		panic(fmt.Sprintf("docdb: collection %s has no top-level field %q", s.Name, name))
	}
	return f
}

// mustScalar is a field that a condition or an index (but for its first place) may name.
func (s *Schema) mustScalar(name string) field {
	f := s.mustField(name)
	if f.multi || f.kind == reflect.Invalid {
		panic(fmt.Sprintf("docdb: field %s.%s is not a string, integer or boolean", s.Name, name))
	}
	return f
}

// fits reports whether an index field (or an element of it) can have the value, a string, int64 or bool.
func (s *Schema) fits(name string, value any) bool {
	return value != nil && class(reflect.TypeOf(value).Kind()) == class(s.mustField(name).kind)
}

func (s *Schema) mustFit(name string, value any) {
	if value != nil && !s.fits(name, value) {
		panic(fmt.Sprintf("docdb: field %s.%s is never a %T", s.Name, name, value))
	}
}

// settable checks the fields of an update and gives its values their fields' types.
func (s *Schema) settable(set map[string]any) map[string]any {
	out := make(map[string]any, len(set))
	for name, value := range set {
		f := s.mustField(name)
		v := reflect.ValueOf(value)
		switch {
		case name == "_id" || name == "rev":
			panic(fmt.Sprintf("docdb: %s.%s is not for updates to set", s.Name, name))
		case value == nil:
			out[name] = nil
		case v.Type().AssignableTo(f.typ), f.kind != reflect.Invalid && class(v.Kind()) == class(f.typ.Kind()):
			out[name] = v.Convert(f.typ).Interface()
		default:
			panic(fmt.Sprintf("docdb: %s.%s is a %v, not a %T", s.Name, name, f.typ, value))
		}
	}
	return out
}

// countable checks the fields of an increment.
func (s *Schema) countable(inc map[string]int64) {
	for name := range inc {
		if f := s.mustScalar(name); f.kind != reflect.Int64 || name == "rev" {
			panic(fmt.Sprintf("docdb: %s.%s is not an int64 counter", s.Name, name))
		}
	}
}

// plainConds gives the values of conditions the types that engines see.
func (s *Schema) plainConds(conds []Cond) []Cond {
	out := make([]Cond, len(conds))
	for i, c := range conds {
		s.mustScalar(c.Field)
		out[i] = Cond{Field: c.Field, Is: c.Is, Value: plain(c.Value)}
		s.mustFit(c.Field, out[i].Value)
	}
	return out
}

// Holds reports whether a field's value (string, int64 or bool, of the condition's type) satisfies the condition.
func (c Cond) Holds(value any) bool {
	var order int
	switch v := value.(type) {
	case string:
		order = cmp.Compare(v, c.Value.(string))
	case int64:
		order = cmp.Compare(v, c.Value.(int64))
	case bool:
		order = cmp.Compare(bit(v), bit(c.Value.(bool)))
	}
	switch c.Is {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	case AtMost:
		return order <= 0
	case More:
		return order > 0
	default:
		return order >= 0
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// class puts the kinds together that are stored alike: strings, integers, booleans.
func class(k reflect.Kind) reflect.Kind {
	switch k {
	case reflect.String, reflect.Bool:
		return k
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return reflect.Int64
	default:
		return reflect.Invalid
	}
}

func scalar(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint())
	default:
		return v.Int()
	}
}

// plain turns a value of a named type (a date, an instant, an enumeration) into string, int64 or bool.
func plain(v any) any {
	if v == nil {
		return nil
	}
	return scalar(reflect.ValueOf(v))
}

// Option is a part of a collection's declaration.
type Option func(*Schema)

// By declares an index over top-level fields, named by them.
func By(fields ...string) Option {
	return func(s *Schema) { s.Indexes = append(s.Indexes, Index{Name: strings.Join(fields, "_"), Fields: fields}) }
}

// Migrate declares a migration; they run in order of version.
func Migrate(version int, apply func(doc map[string]any) error) Option {
	return func(s *Schema) { s.Migrations = append(s.Migrations, Migration{Version: version, Apply: apply}) }
}

// ShardedBy names the string field that a sharded MongoDB distributes the collection by. Ids are unique per shard only, so the field
// must follow from the id (a brand that the id begins with) and never change.
func ShardedBy(name string) Option { return func(s *Schema) { s.ShardKey = name } }

// fieldsOf finds the top-level fields of documents: the struct's own, and those of the structs that it embeds inline.
func fieldsOf(t reflect.Type) map[string]field {
	out := map[string]field{}
	var nested [][]int // embedded structs that are fields of their own in MongoDB
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && options != "inline" {
			nested = append(nested, f.Index)
		}
		within := slices.ContainsFunc(nested, func(path []int) bool {
			return len(f.Index) > len(path) && slices.Equal(f.Index[:len(path)], path)
		})
		if f.Anonymous || within || name == "" || name == "-" || !f.IsExported() {
			continue
		}
		of, multi := f.Type, false
		if of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8 {
			of, multi = of.Elem(), true
		}
		kind := of.Kind()
		if class(kind) == reflect.Invalid {
			kind = reflect.Invalid
		}
		out[name] = field{path: f.Index, typ: f.Type, multi: multi, kind: kind}
	}
	return out
}

// MigrateDoc brings a document from an older schema version to the newest, as the engines keep it in maps, and raises its
// revision.
func (s *Schema) MigrateDoc(doc map[string]any, version int) error {
	for _, m := range s.Migrations {
		if m.Version <= version {
			continue
		}
		if err := m.Apply(doc); err != nil {
			return fmt.Errorf("docdb: migration of %s to version %d: %w", s.Name, m.Version, err)
		}
	}
	rev, ok := doc["rev"].(int64)
	if !ok {
		return fmt.Errorf("docdb: migration of %s: a document has no revision", s.Name)
	}
	doc["rev"] = rev + 1
	return nil
}

package docdb

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/wire"
)

// MaxPage is the largest page that Find gives.
const MaxPage = 10_000

// Schema is a collection's declaration as engines see it.
type Schema struct {
	Name       string
	Indexes    []Index
	Migrations []Migration
	ShardKey   string // the top-level field a sharded MongoDB distributes by; empty: the id, hashed
	fields     map[string]field
	newDoc     func() Document
}

// field is a top-level field that an index or a condition may name.
type field struct {
	path  []int
	multi bool
	kind  reflect.Kind // of the value, or of a slice's elements
}

// New makes an empty document of the schema's type.
func (s *Schema) New() Document { return s.newDoc() }

// Value is a document's value of a top-level field as string, int64 or bool.
func (s *Schema) Value(doc Document, name string) any {
	f := s.mustField(name)
	return scalar(reflect.ValueOf(doc).Elem().FieldByIndex(f.path))
}

// Values are the distinct elements of a slice field, in order.
func (s *Schema) Values(doc Document, name string) []any {
	v := reflect.ValueOf(doc).Elem().FieldByIndex(s.mustField(name).path)
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

// Integer reports whether a field's values are integers or booleans (false: strings).
func (s *Schema) Integer(name string) bool { return s.mustField(name).kind != reflect.String }

func (s *Schema) mustField(name string) field {
	f, ok := s.fields[name]
	if !ok {
		panic(fmt.Sprintf("docdb: collection %s has no scalar top-level field %q", s.Name, name))
	}
	return f
}

func scalar(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint())
	default:
		return v.Int()
	}
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

// ShardedBy names the field that a sharded MongoDB distributes the collection by.
func ShardedBy(name string) Option { return func(s *Schema) { s.ShardKey = name } }

// Collection is typed access to one collection of documents T (a struct that embeds Doc).
type Collection[T any] struct{ schema *Schema }

// Define declares a collection. It panics if T does not embed Doc or an option names a field that T lacks: both are defects
// in the program, found at its first start.
func Define[T any](name string, options ...Option) Collection[T] {
	if _, ok := any(new(T)).(Document); !ok {
		panic(fmt.Sprintf("docdb: %T does not embed docdb.Doc", *new(T)))
	}
	s := &Schema{Name: name, fields: fieldsOf(reflect.TypeFor[T]()), newDoc: func() Document { return any(new(T)).(Document) }}
	for _, o := range options {
		o(s)
	}
	for _, ix := range s.Indexes {
		for i, f := range ix.Fields {
			if s.mustField(f).multi && i > 0 {
				panic(fmt.Sprintf("docdb: index %s.%s: only the first field may be a slice", name, ix.Name))
			}
		}
	}
	return Collection[T]{s}
}

func fieldsOf(t reflect.Type) map[string]field {
	out := map[string]field{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || name == "-" || !f.IsExported() {
			continue
		}
		ft, multi := f.Type, false
		if ft.Kind() == reflect.Slice {
			ft, multi = ft.Elem(), true
		}
		switch ft.Kind() {
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint16, reflect.Uint32:
			out[name] = field{path: f.Index, multi: multi, kind: ft.Kind()}
		default:
		}
	}
	return out
}

// Schema is the declaration, to be passed to DB.Ensure.
func (c Collection[T]) Schema() *Schema { return c.schema }

func meta[T any](doc *T) *Doc { return any(doc).(Document).Meta() }

// Get reads one document; fault.NotFound if it does not exist.
func (c Collection[T]) Get(ctx context.Context, s Session, id string) (*T, error) {
	found, err := c.GetMany(ctx, s, id)
	if err != nil {
		return nil, err
	}
	if doc, ok := found[id]; ok {
		return doc, nil
	}
	return nil, fault.New(fault.NotFound, "not_found", "no such document in %s", c.schema.Name)
}

// GetMany reads documents by id; those that do not exist are absent from the answer. Ids may repeat.
func (c Collection[T]) GetMany(ctx context.Context, s Session, ids ...string) (map[string]*T, error) {
	found := make(map[string]*T, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	err := s.Fetch(ctx, c.schema, ids, func(i int, decode Decode) error {
		doc := new(T)
		if err := decode(doc); err != nil {
			return err
		}
		found[ids[i]] = doc
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("docdb: get %s: %w", c.schema.Name, err)
	}
	return found, nil
}

// Insert stores a new document; fault.Exists if its id is taken.
func (c Collection[T]) Insert(ctx context.Context, s Session, doc *T) error {
	duplicates, err := c.InsertMany(ctx, s, []*T{doc})
	if err == nil && len(duplicates) > 0 {
		err = fault.New(fault.Exists, "already_exists", "this id is taken in %s", c.schema.Name)
	}
	return err
}

// InsertMany stores new documents and answers the positions of those whose id was taken already (also by an earlier one of
// the same call); these are not stored, the others are.
func (c Collection[T]) InsertMany(ctx context.Context, s Session, docs []*T) (duplicates []int, err error) {
	ops := make([]Op, len(docs))
	for i, doc := range docs {
		m := meta(doc)
		m.Rev = 1
		ops[i] = Op{Kind: OpInsert, ID: m.ID, Doc: any(doc).(Document)}
	}
	outcomes, err := c.write(ctx, s, ops)
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		if o == Duplicate {
			meta(docs[i]).Rev = 0
			duplicates = append(duplicates, i)
		}
	}
	return duplicates, nil
}

// Replace stores a changed document if it still has the revision it was read with, and raises doc's revision;
// fault.Conflict if somebody changed or deleted it meanwhile.
func (c Collection[T]) Replace(ctx context.Context, s Session, doc *T) error {
	return c.SaveMany(ctx, s, []*T{doc})
}

// SaveMany stores documents as they were worked out from a read: those with revision 0 are inserted, the others replaced if
// their revision still stands. It fails with fault.Conflict if one of them was inserted, changed or deleted by somebody else;
// outside a transaction the others may have been saved.
func (c Collection[T]) SaveMany(ctx context.Context, s Session, docs []*T) error {
	ops := make([]Op, len(docs))
	for i, doc := range docs {
		m := meta(doc)
		ops[i] = Op{Kind: OpReplace, ID: m.ID, Doc: any(doc).(Document), Rev: m.Rev}
		if m.Rev == 0 {
			ops[i].Kind = OpInsert
		}
		m.Rev++
	}
	outcomes, err := c.write(ctx, s, ops)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		if o != Done {
			meta(docs[i]).Rev--
			err = fault.New(fault.Conflict, "changed_meanwhile", "a document of %s was changed by somebody else", c.schema.Name)
		}
	}
	return err
}

// Change is a guarded update of top-level fields.
type Change struct {
	If  []Cond
	Set map[string]any
	Inc map[string]int64
}

// Update changes fields of a document in place if every condition holds: fault.NotFound if there is none,
// fault.Conflict with code "condition_failed" if a condition does not hold.
func (c Collection[T]) Update(ctx context.Context, s Session, id string, change Change) error {
	outcomes, err := c.write(ctx, s, []Op{{Kind: OpUpdate, ID: id, If: change.If, Set: change.Set, Inc: change.Inc}})
	switch {
	case err != nil:
		return err
	case outcomes[0] == Missing:
		return fault.New(fault.NotFound, "not_found", "no such document in %s", c.schema.Name)
	case outcomes[0] == Refused:
		return fault.New(fault.Conflict, "condition_failed", "the document of %s is not in the state that this change needs", c.schema.Name)
	}
	return nil
}

// Increment adds to counters of a document; New is stored, with Inc added to its fields, where it does not exist.
type Increment[T any] struct {
	New *T
	Inc map[string]int64
}

// IncrementMany adds to counters of many documents.
func (c Collection[T]) IncrementMany(ctx context.Context, s Session, increments []Increment[T]) error {
	ops := make([]Op, len(increments))
	for i, in := range increments {
		m := meta(in.New)
		m.Rev = 1
		ops[i] = Op{Kind: OpIncrement, ID: m.ID, Doc: any(in.New).(Document), Inc: in.Inc}
	}
	_, err := c.write(ctx, s, ops)
	return err
}

// Delete deletes documents; those that do not exist are no error.
func (c Collection[T]) Delete(ctx context.Context, s Session, ids ...string) error {
	ops := make([]Op, len(ids))
	for i, id := range ids {
		ops[i] = Op{Kind: OpDelete, ID: id}
	}
	_, err := c.write(ctx, s, ops)
	return err
}

// DeleteRange deletes the documents with from ≤ id < to and says how many there were.
func (c Collection[T]) DeleteRange(ctx context.Context, s Session, from, to string) (int64, error) {
	n, err := s.DeleteRange(ctx, c.schema, from, to)
	if err != nil {
		return n, fmt.Errorf("docdb: delete range of %s: %w", c.schema.Name, err)
	}
	return n, nil
}

func (c Collection[T]) write(ctx context.Context, s Session, ops []Op) ([]Outcome, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	outcomes, err := s.Write(ctx, c.schema, ops)
	if err != nil {
		return nil, fmt.Errorf("docdb: write %s: %w", c.schema.Name, err)
	}
	return outcomes, nil
}

// Query asks for documents in the order of an index (By's name: its fields joined by _), or of ids where Index is empty.
type Query struct {
	Index    string
	Eq       []any // values of the index's first fields, all documents if empty
	From, To any   // half-open range on the next field (on the id where Index is empty), nil where unbounded
	Desc     bool
	Limit    int    // 1 to MaxPage; 0 means 100
	Cursor   string // the Next of the page before, opaque
}

// Page is one page of an answer; Next is empty on the last.
type Page[T any] struct {
	Items []*T
	Next  string
}

// Find reads one page. A document that is inserted, changed or deleted while a client pages is seen or not, but never makes
// another one be skipped or seen twice. fault.Invalid with code "invalid_cursor" for a cursor that is not of this query.
func (c Collection[T]) Find(ctx context.Context, s Session, q Query) (Page[T], error) {
	scan, err := c.scan(q)
	if err != nil {
		return Page[T]{}, err
	}
	limit := scan.Limit
	scan.Limit++ // one more tells whether there is a next page
	var page Page[T]
	err = s.Scan(ctx, c.schema, scan, func(decode Decode) error {
		doc := new(T)
		if err := decode(doc); err != nil {
			return err
		}
		page.Items = append(page.Items, doc)
		return nil
	})
	if err != nil {
		return Page[T]{}, fmt.Errorf("docdb: find %s: %w", c.schema.Name, err)
	}
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next, err = c.cursor(scan, page.Items[limit-1])
	}
	return page, err
}

// Each reads every document that matches q (its Limit is the size of the pages it reads) in order, in constant memory.
func (c Collection[T]) Each(ctx context.Context, s Session, q Query) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if q.Limit == 0 {
			q.Limit = 1000
		}
		for {
			page, err := c.Find(ctx, s, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, doc := range page.Items {
				if !yield(doc, nil) {
					return
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return
			}
		}
	}
}

func (c Collection[T]) scan(q Query) (Scan, error) {
	scan := Scan{Eq: q.Eq, From: q.From, To: q.To, Desc: q.Desc, Limit: q.Limit}
	if scan.Limit == 0 {
		scan.Limit = 100
	}
	if scan.Limit < 1 || scan.Limit > MaxPage {
		panic(fmt.Sprintf("docdb: a page has 1 to %d documents", MaxPage))
	}
	after := 1
	if q.Index != "" {
		i := slices.IndexFunc(c.schema.Indexes, func(ix Index) bool { return ix.Name == q.Index })
		if i < 0 {
			panic(fmt.Sprintf("docdb: collection %s has no index %q", c.schema.Name, q.Index))
		}
		scan.Index = &c.schema.Indexes[i]
		after += len(scan.Index.Fields) - len(q.Eq)
	}
	scan.Eq = slices.Clone(scan.Eq)
	for i, v := range scan.Eq {
		scan.Eq[i] = plain(v)
	}
	scan.From, scan.To = plain(scan.From), plain(scan.To)
	if q.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if err == nil {
			err = wire.Unmarshal(raw, &scan.After)
		}
		if err != nil || len(scan.After) != after {
			return Scan{}, fault.New(fault.Invalid, "invalid_cursor", "the cursor is not one that this list gave").At("cursor")
		}
		for i, v := range scan.After {
			if u, ok := v.(uint64); ok {
				scan.After[i] = int64(u)
			}
		}
	}
	return scan, nil
}

// plain turns a value of a named type (a date, an instant, an enumeration) into string, int64 or bool.
func plain(v any) any {
	if v == nil {
		return nil
	}
	return scalar(reflect.ValueOf(v))
}

func (c Collection[T]) cursor(scan Scan, last *T) (string, error) {
	var at []any
	if scan.Index != nil {
		for _, f := range scan.Index.Fields[len(scan.Eq):] {
			at = append(at, c.schema.Value(any(last).(Document), f))
		}
	}
	raw, err := wire.Marshal(append(at, meta(last).ID))
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// Ids are a batch's distinct ids in a stable order, for GetMany.
func Ids[K ~string](set map[K]bool) []string {
	out := make([]string, 0, len(set))
	for k := range maps.Keys(set) {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

package docdb

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"

	"scrm/gateway/kit/fault"
)

// Collection is typed access to one collection of documents T (a struct that embeds Doc).
type Collection[T any] struct{ schema *Schema }

var collectionName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

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
	if _, ok := s.fields["_id"]; !ok {
		panic(fmt.Sprintf("docdb: %T does not embed docdb.Doc `json:\",inline\"`", *new(T)))
	}
	if !collectionName.MatchString(name) {
		panic(fmt.Sprintf("docdb: %q is no name for a collection", name))
	}
	if s.ShardKey != "" && s.mustField(s.ShardKey).typ.Kind() != reflect.String {
		panic(fmt.Sprintf("docdb: %s.%s is no string to shard by", name, s.ShardKey))
	}
	slices.SortStableFunc(s.Migrations, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	names := map[string]bool{}
	for _, ix := range s.Indexes {
		if names[ix.Name] {
			panic(fmt.Sprintf("docdb: collection %s has two indexes %s", name, ix.Name))
		}
		names[ix.Name] = true
		for i, f := range ix.Fields {
			if first := s.mustField(f); i > 0 || !first.multi || first.kind == reflect.Invalid {
				s.mustScalar(f) // only the first field may be a slice
			}
		}
	}
	return Collection[T]{s}
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
	return GetParts[T](ctx, s, c, ids...)
}

// GetParts reads parts of documents as GetMany reads the whole: V is a struct with those fields of T, by their json names, that
// are wanted; the others are not decoded. It cannot be stored.
func GetParts[V, T any](ctx context.Context, s Session, c Collection[T], ids ...string) (map[string]*V, error) {
	found := make(map[string]*V, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	err := s.Fetch(ctx, c.schema, ids, func(i int, decode Decode) error {
		part := new(V)
		if err := decode(part); err != nil {
			return err
		}
		found[ids[i]] = part
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
	for i, doc := range docs {
		switch {
		case outcomes == nil:
			meta(doc).Rev--
		case outcomes[i] != Done:
			meta(doc).Rev--
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
	c.schema.countable(change.Inc)
	outcomes, err := c.write(ctx, s, []Op{{Kind: OpUpdate, ID: id, If: c.schema.plainConds(change.If), Set: c.schema.settable(change.Set), Inc: change.Inc}})
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

// Increment adds to counters of a document; New is stored, with Inc added to its fields, where it does not exist. Counters that
// are zero in New are faster.
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
		c.schema.countable(in.Inc)
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

// IDs are a batch's distinct ids in a stable order, for GetMany.
func IDs[K ~string](set map[K]bool) []string {
	out := make([]string, 0, len(set))
	for k := range maps.Keys(set) {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

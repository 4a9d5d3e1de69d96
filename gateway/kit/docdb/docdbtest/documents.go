package docdbtest

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

// everything has a field of each type that documents may have.
type everything struct {
	docdb.Doc `json:",inline"`
	String    string            `json:"string"`
	Omitted   string            `json:"omitted,omitempty"`
	Bool      bool              `json:"bool"`
	Int       int               `json:"int"`
	Int8      int8              `json:"int8"`
	Int16     int16             `json:"int16"`
	Int32     int32             `json:"int32"`
	Int64     int64             `json:"int64"`
	Uint8     uint8             `json:"uint8"`
	Uint16    uint16            `json:"uint16"`
	Uint32    uint32            `json:"uint32"`
	Uint64    uint64            `json:"uint64"`
	Float     float64           `json:"float"`
	At        when.Instant      `json:"at,omitempty"`
	Date      when.Date         `json:"date,omitempty"`
	Bytes     []byte            `json:"bytes"`
	Sealed    sealed            `json:"sealed,omitempty"`
	Key       [4]byte           `json:"key"`
	Strings   []string          `json:"strings"`
	Ints      []int64           `json:"ints,omitempty"`
	Map       map[string]int64  `json:"map"`
	Dates     map[when.Date]int `json:"dates,omitempty"`
	Part      part              `json:"part"`
	Parts     []part            `json:"parts"`
	Pointer   *part             `json:"pointer,omitempty"`
	embedded  `json:",inline"`
}

// embedded is a struct that several documents share.
type embedded struct {
	Shared string `json:"shared"`
	Common int64  `json:"common,omitempty"`
}

type sealed []byte

type part struct {
	Name  string   `json:"name,omitempty"`
	Lines []int    `json:"lines"`
	Inner []*part  `json:"inner,omitempty"`
	Cells []uint64 `json:"cells,omitempty"`
}

var everythings = docdb.Define[everything]("everythings")

func testDocuments(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema(), everythings.Schema())
	t.Run("roundtrip", func(t *testing.T) {
		t.Parallel()
		testRoundtrip(t, db)
	})
	t.Run("life", func(t *testing.T) {
		t.Parallel()
		testLife(t, db)
	})
}

func testRoundtrip(t *testing.T, db docdb.DB) {
	ctx := t.Context()
	for _, doc := range []*everything{
		{Doc: withID("zero")},
		{Doc: withID("empty"), Bytes: []byte{}, Strings: []string{}, Map: map[string]int64{}, Parts: []part{}, Part: part{Lines: []int{}}},
		{Doc: withID("least"), Int: math.MinInt64, Int8: math.MinInt8, Int16: math.MinInt16, Int32: math.MinInt32, Int64: math.MinInt64, Float: -0.1, At: -1},
		{Doc: withID("most"), Int: math.MaxInt64, Int8: math.MaxInt8, Int16: math.MaxInt16, Int32: math.MaxInt32, Int64: math.MaxInt64,
			Uint8: math.MaxUint8, Uint16: math.MaxUint16, Uint32: math.MaxUint32, Uint64: math.MaxUint64, Float: math.MaxFloat64},
		{Doc: withID("unusual/é 会员|.:#$"), String: "a\x00b\u2028\U0001F600", Strings: []string{"", "$x.y", "会员"}, Map: map[string]int64{"$inc": 1, "a.b": 2, "": 3}},
		{Doc: withID("full"), String: "s", Omitted: "o", Bool: true, Int: 1, Int64: 1 << 40, At: 1_700_000_000_123, Date: "2026-11-20",
			Bytes: []byte{0, 255}, Sealed: sealed{1, 2}, Key: [4]byte{1, 2, 3, 4}, Strings: []string{"a", "a"}, Ints: []int64{3, -1}, Map: map[string]int64{"x": -5},
			Dates: map[when.Date]int{"2026-11-20": 3}, Part: part{Name: "p", Lines: []int{1, 2}, Cells: []uint64{1 << 63, 1}},
			Parts: []part{{Name: "q", Inner: []*part{{Name: "r"}}}, {}}, Pointer: &part{Name: "s"}, embedded: embedded{"shared", 7}},
	} {
		if err := everythings.Insert(ctx, db, doc); err != nil {
			t.Fatal(err)
		}
		got, err := everythings.Get(ctx, db, doc.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, doc) {
			t.Errorf("stored %+v\n   got %+v", doc, got)
		}
		stale := *got
		got.String += "changed"
		if err := everythings.SaveMany(ctx, db, []*everything{got, {Doc: withID(doc.ID + "2")}}); err != nil {
			t.Fatal(err)
		}
		if err := everythings.Replace(ctx, db, got); err != nil || got.Rev != 3 {
			t.Errorf("revision %d, error %v", got.Rev, err)
		}
		wantKind(t, everythings.Replace(ctx, db, &stale), fault.Conflict)
		if again, err := everythings.Get(ctx, db, doc.ID); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("replaced %+v\n     got %+v, error %v", got, again, err)
		}
	}
	got, err := everythings.GetMany(ctx, db, "zero", "most", "zero", "none")
	if err != nil || len(got) != 2 {
		t.Errorf("GetMany found %d documents, error %v", len(got), err)
	}
	type part struct {
		String string `json:"string"`
		Added  int64  `json:"not_there"`
	}
	parts, err := docdb.GetParts[part](ctx, db, everythings, "zero", "most", "none")
	if err != nil || len(parts) != 2 || *parts["most"] != (part{String: got["most"].String}) {
		t.Errorf("GetParts found %+v, error %v", parts, err)
	}
}

func testLife(t *testing.T, db docdb.DB) {
	ctx := t.Context()
	_, err := items.Get(ctx, db, "a")
	wantKind(t, err, fault.NotFound)
	doc := &item{Doc: withID("a"), Brand: "b"}
	mustInsert(t, db, doc)
	if doc.Rev != 1 {
		t.Errorf("an inserted document has revision %d", doc.Rev)
	}
	wantKind(t, items.Insert(ctx, db, &item{Doc: withID("a")}), fault.Exists)

	stale := mustGet(t, db, "a")
	doc.Count = 7
	if err := items.Replace(ctx, db, doc); err != nil {
		t.Fatal(err)
	}
	if got := mustGet(t, db, "a"); got.Rev != 2 || doc.Rev != 2 || got.Count != 7 {
		t.Errorf("after Replace: %+v and %+v", got, doc)
	}
	wantKind(t, items.Replace(ctx, db, stale), fault.Conflict)
	if stale.Rev != 1 {
		t.Errorf("a refused Replace made the revision %d", stale.Rev)
	}
	wantKind(t, items.Replace(ctx, db, &item{Doc: docdb.Doc{ID: "none", Rev: 1}}), fault.Conflict)

	fresh := &item{Doc: withID("b"), Brand: "c"}
	doc.Tags = []string{"x"}
	if err := items.SaveMany(ctx, db, []*item{fresh, doc}); err != nil {
		t.Fatal(err)
	}
	stale.Rev = 2
	err = items.SaveMany(ctx, db, []*item{{Doc: withID("c")}, stale, {Doc: withID("b")}})
	wantKind(t, err, fault.Conflict)
	if got := mustGet(t, db, "a"); got.Rev != 3 || len(got.Tags) != 1 {
		t.Errorf("after SaveMany: %+v", got)
	}
	if got := mustGet(t, db, "b"); got.Rev != 1 || got.Brand != "c" {
		t.Errorf("after SaveMany: %+v", got)
	}

	if err := items.Delete(ctx, db, "a", "none", "b", "a"); err != nil {
		t.Fatal(err)
	}
	found, err := items.GetMany(ctx, db, "a", "b")
	if err != nil || len(found) != 0 {
		t.Errorf("after Delete: %v, error %v", found, err)
	}
	mustInsert(t, db, &item{Doc: withID("a")}) // an id is free again
}

func testDuplicates(t *testing.T, engine Engine) {
	for name, within := range sessions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := ready(t, engine, items.Schema())
			mustInsert(t, db, &item{Doc: withID("taken"), Count: 1})
			within(t, db, func(s docdb.Session) error {
				docs := []*item{
					{Doc: withID("x"), Count: 1, Tags: []string{"t"}},
					{Doc: withID("taken"), Count: 2, Tags: []string{"t"}},
					{Doc: withID("x"), Count: 2, Tags: []string{"t"}},
					{Doc: withID("y"), Count: 1, Tags: []string{"t"}},
					{Doc: withID("taken"), Count: 3},
				}
				duplicates, err := items.InsertMany(t.Context(), s, docs)
				if err != nil || !slices.Equal(duplicates, []int{1, 2, 4}) || docs[0].Rev != 1 || docs[1].Rev != 0 {
					return fmt.Errorf("duplicates %v, revisions %d and %d, error %w", duplicates, docs[0].Rev, docs[1].Rev, err)
				}
				duplicates, err = items.InsertMany(t.Context(), s, docs[:2])
				if err != nil || len(duplicates) != 2 {
					return fmt.Errorf("again: duplicates %v, error %w", duplicates, err)
				}
				return nil
			})
			for _, id := range []string{"taken", "x", "y"} {
				if got := mustGet(t, db, id); got.Count != 1 || got.Rev != 1 {
					t.Errorf("%s: %+v", id, got)
				}
			}
			wantIDs(t, all(t, t.Context(), db, docdb.Query{Index: "tags_count", Eq: []any{"t"}}), "x", "y")
		})
	}
}

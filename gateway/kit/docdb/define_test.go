package docdb_test

import (
	"math"
	"strings"
	"testing"

	"scrm/gateway/kit/docdb"
)

type shelf struct {
	docdb.Doc `json:",inline"`
	Room      string            `json:"room"`
	Books     int64             `json:"books"`
	Small     int32             `json:"small"`
	Open      bool              `json:"open"`
	Labels    []string          `json:"labels"`
	Parts     []struct{ N int } `json:"parts"`
	Seal      []byte            `json:"seal"`
	Ratio     float64           `json:"ratio"`
}

var shelves = docdb.Define[shelf]("shelves", docdb.By("room", "books"), docdb.By("labels"))

// TestDefects makes the mistakes that only a program's author can make: they panic where they are made.
func TestDefects(t *testing.T) {
	t.Parallel()
	update := func(change docdb.Change) func() {
		return func() { _ = shelves.Update(t.Context(), nil, "x", change) }
	}
	find := func(q docdb.Query) func() {
		return func() { _, _ = shelves.Find(t.Context(), nil, q) }
	}
	for name, mistake := range map[string]func(){
		"no document":         func() { docdb.Define[struct{ N int }]("x") },
		"document not inline": func() { docdb.Define[struct{ docdb.Doc }]("x") },
		"index over what is nested": func() {
			type box struct {
				docdb.Doc `json:",inline"`
				shelf     `json:"shelf"`
			}
			docdb.Define[box]("x", docdb.By("room"))
		},
		"no name":                      func() { docdb.Define[shelf]("") },
		"name with a dot":              func() { docdb.Define[shelf]("a.b") },
		"index over no field":          func() { docdb.Define[shelf]("x", docdb.By("none")) },
		"index over a structure":       func() { docdb.Define[shelf]("x", docdb.By("parts")) },
		"index over bytes":             func() { docdb.Define[shelf]("x", docdb.By("seal")) },
		"index over a float":           func() { docdb.Define[shelf]("x", docdb.By("ratio")) },
		"slice in an index's middle":   func() { docdb.Define[shelf]("x", docdb.By("room", "labels")) },
		"two indexes of one name":      func() { docdb.Define[shelf]("x", docdb.By("room"), docdb.By("room")) },
		"sharded by a number":          func() { docdb.Define[shelf]("x", docdb.ShardedBy("books")) },
		"query by no index":            find(docdb.Query{Index: "books"}),
		"query with too many values":   find(docdb.Query{Index: "room_books", Eq: []any{"r", 1, "x"}}),
		"query with values of no kind": find(docdb.Query{Index: "room_books", Eq: []any{1}}),
		"query with a range of ints":   find(docdb.Query{From: 1}),
		"query of all of a slice":      find(docdb.Query{Index: "labels"}),
		"page too large":               find(docdb.Query{Limit: docdb.MaxPage + 1}),
		"set of no field":              update(docdb.Change{Set: map[string]any{"none": 1}}),
		"set of another type":          update(docdb.Change{Set: map[string]any{"room": 1}}),
		"set of a slice's element":     update(docdb.Change{Set: map[string]any{"labels": "x"}}),
		"set of the revision":          update(docdb.Change{Set: map[string]any{"rev": 1}}),
		"count of a string":            update(docdb.Change{Inc: map[string]int64{"room": 1}}),
		"count of an int32":            update(docdb.Change{Inc: map[string]int64{"small": 1}}),
		"condition on a slice":         update(docdb.Change{If: []docdb.Cond{{Field: "labels", Value: "x"}}}),
		"condition of another type":    update(docdb.Change{If: []docdb.Cond{{Field: "room", Value: 1}}}),
	} {
		func() {
			defer func() {
				if r, ok := recover().(string); !ok || !strings.HasPrefix(r, "docdb: ") {
					t.Errorf("%s: recovered %v", name, r)
				}
			}()
			mistake()
		}()
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	s := shelves.Schema()
	doc := &shelf{Room: "r", Books: math.MaxInt64 - 1, Labels: []string{"a", "b", "a"}}
	if err := s.Apply(doc, &docdb.Op{Set: map[string]any{"room": "q", "labels": nil}, Inc: map[string]int64{"books": 1}}); err != nil {
		t.Fatal(err)
	}
	if doc.Room != "q" || doc.Books != math.MaxInt64 || doc.Labels != nil {
		t.Errorf("%+v", doc)
	}
	if err := s.Apply(doc, &docdb.Op{Inc: map[string]int64{"books": 1}}); err == nil || doc.Books != math.MaxInt64 {
		t.Errorf("a counter overflowed to %d, error %v", doc.Books, err)
	}
}

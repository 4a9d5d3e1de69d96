package sqldoc_test

import (
	"path/filepath"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/docdb/sqldoc"
)

type thing struct {
	docdb.Doc `json:",inline"`
	Brand     string   `json:"brand"`
	N         int64    `json:"n,omitempty"`
	Tags      []string `json:"tags,omitempty"`
}

var things = docdb.Define[thing]("things", docdb.By("brand", "n"), docdb.By("tags", "n"))

func TestBasics(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "a", "x.db")
	db, err := sqldoc.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Ensure(ctx, things.Schema()); err != nil {
		t.Fatal(err)
	}
	_ = docdbtest.SQLite
	dup, err := things.InsertMany(ctx, db, []*thing{
		{Doc: docdb.Doc{ID: "1"}, Brand: "b", N: 5, Tags: []string{"x", "y", "x"}},
		{Doc: docdb.Doc{ID: "1"}, Brand: "b", N: 6},
		{Doc: docdb.Doc{ID: "2"}, Brand: "b", N: -6, Tags: []string{"x"}},
		{Doc: docdb.Doc{ID: "3"}, Brand: "b"},
		{Doc: docdb.Doc{ID: "4"}, Brand: "b"},
	})
	if err != nil || len(dup) != 1 || dup[0] != 1 {
		t.Fatal(dup, err)
	}
	for _, q := range []docdb.Query{{Index: "brand_n", Eq: []any{"b"}}, {Index: "tags_n", Eq: []any{"x"}}, {Index: "brand_n", Desc: true}, {Index: "brand_n", Eq: []any{"b"}, From: 0, To: 6}} {
		q.Limit = 1
		var got []string
		for d, err := range things.Each(ctx, db, q) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, d.ID)
		}
		t.Log(got)
	}
	if err := things.IncrementMany(ctx, db, []docdb.Increment[thing]{{New: &thing{Doc: docdb.Doc{ID: "1"}}, Inc: map[string]int64{"n": 3}}, {New: &thing{Doc: docdb.Doc{ID: "9"}}, Inc: map[string]int64{"n": 3}}}); err != nil {
		t.Fatal(err)
	}
	if err := things.Update(ctx, db, "9", docdb.Change{If: []docdb.Cond{{Field: "n", Is: docdb.Equal, Value: 3}}, Set: map[string]any{"tags": []string{"x"}, "brand": "c"}}); err != nil {
		t.Fatal(err)
	}
	d, err := things.Get(ctx, db, "9")
	t.Log(d, err)
	p, err := things.Find(ctx, db, docdb.Query{Index: "tags_n", Eq: []any{"x"}})
	t.Log(len(p.Items), err)
	n, err := things.DeleteRange(ctx, db, "2", "4")
	t.Log(n, err)
	if err := things.Delete(ctx, db, "9", "77"); err != nil {
		t.Fatal(err)
	}
}

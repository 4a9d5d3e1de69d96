package docdbtest

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

// within runs calls on a session and fails the test where do answers an error. Do may run several times.
type within func(t *testing.T, db docdb.DB, do func(s docdb.Session) error)

// sessions are the two ways to run the same calls: each by itself, and in a transaction.
var sessions = map[string]within{
	"alone": func(t *testing.T, db docdb.DB, do func(s docdb.Session) error) {
		t.Helper()
		if err := do(db); err != nil {
			t.Error(err)
		}
	},
	"transaction": func(t *testing.T, db docdb.DB, do func(s docdb.Session) error) {
		t.Helper()
		if err := db.Tx(t.Context(), func(_ context.Context, tx docdb.Session) error { return do(tx) }); err != nil {
			t.Error(err)
		}
	},
}

func testUpdates(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	ctx := t.Context()
	mustInsert(t, db, &item{Doc: withID("a"), Brand: "b", Total: 5}) // stage, count and open are left out where it is stored
	cond := func(field string, is docdb.Comparison, value any) docdb.Cond {
		return docdb.Cond{Field: field, Is: is, Value: value}
	}
	for _, c := range []struct {
		cond  docdb.Cond
		holds bool
	}{
		{cond("brand", docdb.Equal, "b"), true}, {cond("brand", docdb.Equal, ""), false}, {cond("brand", docdb.NotEqual, "b"), false},
		{cond("brand", docdb.Less, "c"), true}, {cond("brand", docdb.More, "b"), false}, {cond("brand", docdb.AtLeast, "b"), true},
		{cond("total", docdb.AtMost, 5), true}, {cond("total", docdb.Less, 5), false}, {cond("total", docdb.NotEqual, 4), true},
		{cond("stage", docdb.Equal, ""), true}, {cond("stage", docdb.NotEqual, ""), false}, {cond("stage", docdb.NotEqual, "x"), true},
		{cond("stage", docdb.Less, "x"), true}, {cond("stage", docdb.More, ""), false}, {cond("stage", docdb.AtLeast, ""), true},
		{cond("count", docdb.Equal, int64(0)), true}, {cond("count", docdb.NotEqual, 0), false}, {cond("count", docdb.More, -1), true},
		{cond("count", docdb.Less, 0), false}, {cond("count", docdb.AtMost, 0), true}, {cond("count", docdb.AtLeast, 1), false},
		{cond("open", docdb.Equal, false), true}, {cond("open", docdb.NotEqual, false), false}, {cond("open", docdb.Equal, true), false},
	} {
		for name, within := range sessions {
			within(t, db, func(s docdb.Session) error {
				err := items.Update(ctx, s, "a", docdb.Change{If: []docdb.Cond{cond("total", docdb.Equal, 5), c.cond}})
				if c.holds != (err == nil) || err != nil && fault.CodeOf(err) != "condition_failed" {
					return fmt.Errorf("%s: %+v: got error %w", name, c.cond, err)
				}
				return nil
			})
		}
	}
	rev := mustGet(t, db, "a").Rev
	type stage string // a value of a named type
	for name, within := range sessions {
		within(t, db, func(s docdb.Session) error {
			err := items.Update(ctx, s, "none", docdb.Change{Inc: map[string]int64{"count": 1}})
			if !fault.Is(err, fault.NotFound) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return items.Update(ctx, s, "a", docdb.Change{
				If:  []docdb.Cond{cond("brand", docdb.Equal, stage("b"))},
				Set: map[string]any{"stage": stage("s"), "open": true, "tags": []string{"x", "y"}, "days": nil},
				Inc: map[string]int64{"count": 2, "total": -1},
			})
		})
	}
	want := &item{Doc: docdb.Doc{ID: "a", Rev: rev + 2}, Brand: "b", Stage: "s", Count: 4, Total: 3, Open: true, Tags: []string{"x", "y"}}
	if got := mustGet(t, db, "a"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	wantIDs(t, all(t, ctx, db, docdb.Query{Index: "tags_count", Eq: []any{"y", 4}}), "a")
	wantIDs(t, all(t, ctx, db, docdb.Query{Index: "open_stage_total", Eq: []any{true, "s", 3}}), "a")
	wantIDs(t, all(t, ctx, db, docdb.Query{Index: "open_stage_total", Eq: []any{false}}))
}

func testIncrements(t *testing.T, engine Engine) {
	for name, within := range sessions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := ready(t, engine, items.Schema())
			mustInsert(t, db, &item{Doc: withID("old"), Brand: "kept", Count: 10})
			within(t, db, func(s docdb.Session) error {
				for range 2 {
					err := items.IncrementMany(t.Context(), s, []docdb.Increment[item]{
						{New: &item{Doc: withID("old"), Brand: "ignored", Count: 99}, Inc: map[string]int64{"count": 1, "total": -2}},
						{New: &item{Doc: withID("new"), Brand: "fresh", Tags: []string{"x"}}, Inc: map[string]int64{"count": 5}},
						{New: &item{Doc: withID("new"), Brand: "ignored"}, Inc: map[string]int64{"count": 5}},
						{New: &item{Doc: withID("started"), Total: 3, Count: 100, Tags: []string{"$x"}}, Inc: map[string]int64{"count": 1}},
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			for _, want := range []*item{
				{Doc: docdb.Doc{ID: "old", Rev: 3}, Brand: "kept", Count: 12, Total: -4},
				{Doc: docdb.Doc{ID: "new", Rev: 4}, Brand: "fresh", Count: 20, Tags: []string{"x"}},
				{Doc: docdb.Doc{ID: "started", Rev: 2}, Count: 102, Total: 3, Tags: []string{"$x"}},
			} {
				if got := mustGet(t, db, want.ID); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
			wantIDs(t, all(t, t.Context(), db, docdb.Query{Index: "tags_count", Eq: []any{"x", 20}}), "new")
		})
	}
}

// testBatches carries out 10,000 of each in one transaction.
func testBatches(t *testing.T, engine Engine) {
	const n = 10_000
	db := ready(t, engine, items.Schema())
	var ids []string
	for _, doc := range numbered(n) {
		ids = append(ids, doc.ID)
	}
	step := func(name string, do func(ctx context.Context, tx docdb.Session) error) {
		t.Helper()
		if err := db.Tx(t.Context(), do); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	step("insert", func(ctx context.Context, tx docdb.Session) error {
		docs := numbered(n)
		for _, doc := range docs {
			doc.Tags = []string{"all", doc.Brand}
		}
		duplicates, err := items.InsertMany(ctx, tx, docs)
		if len(duplicates) > 0 {
			err = fmt.Errorf("%d duplicates", len(duplicates))
		}
		return err
	})
	step("save", func(ctx context.Context, tx docdb.Session) error {
		found, err := items.GetMany(ctx, tx, ids...)
		if err != nil || len(found) != n {
			return fmt.Errorf("found %d: %w", len(found), err)
		}
		save := make([]*item, n)
		for i, id := range ids {
			save[i] = found[id]
			save[i].Count++
		}
		return items.SaveMany(ctx, tx, save)
	})
	step("increment", func(ctx context.Context, tx docdb.Session) error {
		increments := make([]docdb.Increment[item], n)
		for i := range increments {
			increments[i] = docdb.Increment[item]{New: &item{Doc: withID(ids[i])}, Inc: map[string]int64{"count": 1}}
		}
		return items.IncrementMany(ctx, tx, increments)
	})
	page, err := items.Find(t.Context(), db, docdb.Query{Index: "tags_count", Eq: []any{"all"}, Limit: docdb.MaxPage})
	if err != nil || len(page.Items) != n || page.Next != "" {
		t.Fatalf("found %d, next %q, error %v", len(page.Items), page.Next, err)
	}
	for i, doc := range page.Items {
		if doc.Count != int64(i)+2 || doc.Rev != 3 {
			t.Fatalf("document %d is %+v", i, doc)
		}
	}
	step("delete", func(ctx context.Context, tx docdb.Session) error { return items.Delete(ctx, tx, ids[:n/2]...) })
	step("delete range", func(ctx context.Context, tx docdb.Session) error {
		deleted, err := items.DeleteRange(ctx, tx, ids[n/4], ids[n-1])
		if deleted != n/2-1 {
			err = fmt.Errorf("%d deleted: %w", deleted, err)
		}
		return err
	})
	wantIDs(t, all(t, t.Context(), db, docdb.Query{}), ids[n-1])
	wantIDs(t, all(t, t.Context(), db, docdb.Query{Index: "tags_count", Eq: []any{"all"}}), ids[n-1])
}

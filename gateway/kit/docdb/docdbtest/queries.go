package docdbtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

func testQueries(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	mustInsert(t, db,
		&item{Doc: withID("1"), Brand: "a", Count: 3, Tags: []string{"x", "y", "x"}, Days: []int32{-1, 7}},
		&item{Doc: withID("2"), Brand: "a", Count: -2, Tags: []string{"x"}, Stage: "s", Days: []int32{7}},
		&item{Doc: withID("3"), Brand: "a", Tags: []string{}, Days: []int32{}},
		&item{Doc: withID("4"), Brand: "a", Count: 3, Tags: []string{"x"}, Open: true},
		&item{Doc: withID("5"), Brand: "b", Count: 1, Stage: "s", Open: true},
		&item{Doc: withID("6"), Count: 1, Stage: "r", Total: 9, Open: true},
		&item{Doc: withID("7"), Brand: "会员", Count: 1, Tags: []string{""}},
	)
	for _, c := range []struct {
		query docdb.Query
		want  []string
	}{
		{docdb.Query{}, []string{"1", "2", "3", "4", "5", "6", "7"}},
		{docdb.Query{Desc: true}, []string{"7", "6", "5", "4", "3", "2", "1"}},
		{docdb.Query{From: "3", To: "5"}, []string{"3", "4"}},
		{docdb.Query{From: "6", Desc: true}, []string{"7", "6"}},
		{docdb.Query{Index: "brand_count"}, []string{"6", "2", "3", "1", "4", "5", "7"}},
		{docdb.Query{Index: "brand_count", Desc: true}, []string{"7", "5", "4", "1", "3", "2", "6"}},
		{docdb.Query{Index: "brand_count", From: "a", To: "b"}, []string{"2", "3", "1", "4"}},
		{docdb.Query{Index: "brand_count", Eq: []any{"a"}}, []string{"2", "3", "1", "4"}},
		{docdb.Query{Index: "brand_count", Eq: []any{"a"}, Desc: true}, []string{"4", "1", "3", "2"}},
		{docdb.Query{Index: "brand_count", Eq: []any{"a"}, From: -2, To: 3}, []string{"2", "3"}},
		{docdb.Query{Index: "brand_count", Eq: []any{"a"}, From: when.Instant(0), Desc: true}, []string{"4", "1", "3"}},
		{docdb.Query{Index: "brand_count", Eq: []any{"a", 3}}, []string{"1", "4"}},
		{docdb.Query{Index: "brand_count", Eq: []any{"a", 3}, From: "2"}, []string{"4"}},
		{docdb.Query{Index: "brand_count", Eq: []any{"none"}}, nil},
		{docdb.Query{Index: "open_stage_total", Eq: []any{false}}, []string{"1", "3", "7", "2"}},
		{docdb.Query{Index: "open_stage_total", Eq: []any{false, ""}}, []string{"1", "3", "7"}},
		{docdb.Query{Index: "open_stage_total", Eq: []any{true}}, []string{"4", "6", "5"}},
		{docdb.Query{Index: "open_stage_total", Eq: []any{true}, From: "r", To: "s"}, []string{"6"}},
		{docdb.Query{Index: "open_stage_total", From: true, Desc: true}, []string{"5", "6", "4"}},
		{docdb.Query{Index: "tags_count", Eq: []any{"x"}}, []string{"2", "1", "4"}},
		{docdb.Query{Index: "tags_count", Eq: []any{"x"}, Desc: true, To: 3}, []string{"2"}},
		{docdb.Query{Index: "tags_count", Eq: []any{"y"}}, []string{"1"}},
		{docdb.Query{Index: "tags_count", Eq: []any{""}}, []string{"7"}},
		{docdb.Query{Index: "days", Eq: []any{7}}, []string{"1", "2"}},
		{docdb.Query{Index: "days", Eq: []any{-1}, From: "2"}, nil},
	} {
		for _, limit := range []int{0, 1, 2} {
			c.query.Limit = limit
			if got := all(t, t.Context(), db, c.query); !slices.Equal(got, c.want) {
				t.Errorf("%+v: got %q, want %q", c.query, got, c.want)
			}
		}
	}
}

func testCursors(t *testing.T, engine Engine) {
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		testForeignCursors(t, engine)
	})
	t.Run("while others write", func(t *testing.T) {
		t.Parallel()
		testCursorsUnderWrites(t, engine)
	})
}

// testForeignCursors hands cursors to queries that did not give them.
func testForeignCursors(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	ctx := t.Context()
	mustInsert(t, db, numbered(9)...)
	page, err := items.Find(ctx, db, docdb.Query{Index: "brand_count", Eq: []any{"b1"}, Limit: 1})
	if err != nil || page.Next == "" {
		t.Fatal(page, err)
	}
	for _, q := range []docdb.Query{
		{Cursor: "?"}, {Cursor: "abc"}, {Cursor: page.Next}, {Index: "brand_count", Cursor: page.Next},
		{Index: "open_stage_total", Eq: []any{true}, Cursor: page.Next}, {Index: "open_stage_total", Eq: []any{true, ""}, Cursor: page.Next + "A"},
		{Index: "brand_count", Eq: []any{"b1"}, From: 2, Cursor: page.Next}, {Index: "brand_count", Eq: []any{"b1"}, To: 1, Cursor: page.Next},
	} {
		if _, err := items.Find(ctx, db, q); fault.CodeOf(err) != "invalid_cursor" || !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: error %v", q, err)
		}
	}
}

// testCursorsUnderWrites reads page by page while others insert, change and delete: what nobody touches is seen once, in order.
func testCursorsUnderWrites(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var steady []string
	for start := 0; start < 600; start += 100 {
		var docs []*item
		for i := start; i < start+100; i++ {
			docs = append(docs, &item{Doc: withID(fmt.Sprintf("s%03d", i)), Brand: "b", Count: int64(i / 3), Tags: []string{"steady", "x"}})
			steady = append(steady, docs[len(docs)-1].ID)
		}
		mustInsert(t, db, docs...)
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				churn(t, ctx, db, w, round)
			}
		})
	}
	for _, q := range []docdb.Query{
		{Limit: 7}, {Limit: 7, Desc: true},
		{Index: "brand_count", Eq: []any{"b"}, Limit: 7}, {Index: "brand_count", Limit: 7, Desc: true},
		{Index: "tags_count", Eq: []any{"x"}, Limit: 7}, {Index: "tags_count", Eq: []any{"x"}, Limit: 7, Desc: true},
	} {
		want := slices.Clone(steady)
		if q.Desc {
			slices.Reverse(want)
		}
		got := slices.DeleteFunc(all(t, ctx, db, q), func(id string) bool { return len(id) > len("s000") })
		if !slices.Equal(got, want) {
			t.Errorf("%+v: saw %d steady documents of %d, or out of order", q, len(got), len(want))
		}
	}
	stop()
	writers.Wait()
}

// churn inserts documents between the steady ones, moves and deletes them. Its context ends under it.
func churn(t *testing.T, ctx context.Context, db docdb.DB, writer, round int) {
	t.Helper()
	ids := make([]string, 5)
	docs := make([]*item, len(ids))
	for i := range ids {
		at := (round*131 + i*97) % 600
		ids[i] = fmt.Sprintf("s%03d.%d.%d", at, writer, i)
		docs[i] = &item{Doc: withID(ids[i]), Brand: "b", Count: int64(at / 3), Tags: []string{"x"}}
	}
	_, err := items.InsertMany(ctx, db, docs)
	for _, id := range ids {
		if err == nil {
			err = items.Update(ctx, db, id, docdb.Change{Set: map[string]any{"count": int64(round % 200)}})
		}
	}
	if err == nil {
		err = items.Delete(ctx, db, ids...)
	}
	if err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

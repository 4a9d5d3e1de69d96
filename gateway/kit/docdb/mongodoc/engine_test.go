package mongodoc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/mongodoc/mongodtest"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
)

type thing struct {
	docdb.Doc `json:",inline"`
	Brand     string   `json:"brand"`
	N         int64    `json:"n,omitempty"`
	Tags      []string `json:"tags,omitempty"`
}

var things = docdb.Define[thing]("things", docdb.By("brand", "n"), docdb.By("n"), docdb.By("tags", "n"), docdb.ShardedBy("brand"))

func openThings(t *testing.T) *DB {
	t.Helper()
	client, err := Connect(t.Context(), mongodtest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ReplaceAll(ident.New(), "-", "")
	t.Cleanup(func() {
		if err := errors.Join(client.Drop(context.Background(), name), client.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	db := client.DB(name)
	if err := db.Ensure(t.Context(), things.Schema()); err != nil {
		t.Fatal(err)
	}
	return db.(*DB)
}

// TestPlans looks at how the server carries scans out: by the index, never by reading a whole collection or by sorting.
func TestPlans(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	var docs []*thing
	for i := range 300 {
		docs = append(docs, &thing{Doc: docdb.Doc{ID: fmt.Sprintf("%03d", i)}, Brand: fmt.Sprint(i % 3), N: int64(i % 10), Tags: []string{"t", fmt.Sprint(i)}})
	}
	if _, err := things.InsertMany(t.Context(), db, docs); err != nil {
		t.Fatal(err)
	}
	ix := things.Schema().Indexes
	for i, q := range []docdb.Scan{
		{}, {From: "0", To: "1"}, {After: []any{"1"}, Desc: true},
		{Index: &ix[0]}, {Index: &ix[0], Desc: true}, {Index: &ix[0], Eq: []any{"1"}}, {Index: &ix[0], Eq: []any{"1"}, From: int64(1), To: int64(5), Desc: true},
		{Index: &ix[0], After: []any{"1", int64(1), "x"}}, {Index: &ix[0], Eq: []any{"1"}, After: []any{int64(1), "x"}, Desc: true}, {Index: &ix[0], Eq: []any{"1", int64(1)}, After: []any{"0"}},
		{Index: &ix[1], Eq: []any{int64(1)}}, {Index: &ix[1], From: int64(1), After: []any{int64(1), "x"}},
		{Index: &ix[2], Eq: []any{"t"}}, {Index: &ix[2], Eq: []any{"t"}, Desc: true}, {Index: &ix[2], Eq: []any{"t"}, From: int64(2), After: []any{int64(3), "x"}},
	} {
		q.Limit = 10
		filter, opts := selection(q)
		find := bson.D{{Key: "find", Value: "things"}, {Key: "filter", Value: filter}, {Key: "sort", Value: opts.Sort}, {Key: "hint", Value: opts.Hint}, {Key: "limit", Value: q.Limit}}
		var answer bson.Raw
		err := db.db.RunCommand(t.Context(), bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "executionStats"}}).Decode(&answer)
		if err != nil {
			t.Fatal(err)
		}
		plan := answer.Lookup("queryPlanner", "winningPlan").String()
		if strings.Contains(plan, `"COLLSCAN"`) || strings.Contains(plan, `"SORT"`) {
			t.Errorf("query %d, %v, is carried out by %s", i, filter, plan)
		}
		if read := answer.Lookup("executionStats", "totalKeysExamined").AsInt64(); read > 40 {
			t.Errorf("query %d, %v, reads %d keys for 10 documents", i, filter, read)
		}
	}
}

// TestConflict makes another writer change, under a transaction, what it has read.
func TestConflict(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	if err := things.Insert(t.Context(), db, &thing{Doc: docdb.Doc{ID: "x"}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		others int // how many runs another writer disturbs
		runs   int
		kind   fault.Kind
	}{
		"three times": {3, 4, fault.Internal},
		"always":      {attempts + 1, attempts, fault.Unavailable},
	} {
		runs := 0
		err := db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error {
			runs++
			doc, err := things.Get(ctx, tx, "x")
			if err != nil {
				return err
			}
			if runs <= c.others {
				if err := things.Update(t.Context(), db, "x", docdb.Change{Inc: map[string]int64{"n": 1}}); err != nil {
					return err
				}
			}
			doc.N += 100
			return things.Replace(ctx, tx, doc)
		})
		if runs != c.runs || err != nil && !fault.Is(err, c.kind) || err == nil && c.kind != fault.Internal {
			t.Errorf("%s: %d runs, error %v", name, runs, err)
		}
	}
	if doc, err := things.Get(t.Context(), db, "x"); err != nil || doc.N != 100+3+attempts {
		t.Errorf("%+v, error %v", doc, err)
	}
}

// TestLooksFirstOnce counts the runs of a transaction that meets a duplicate: one to meet it, one to say which it was.
func TestLooksFirstOnce(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	if err := things.Insert(t.Context(), db, &thing{Doc: docdb.Doc{ID: "x"}}); err != nil {
		t.Fatal(err)
	}
	runs := 0
	err := db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error {
		runs++
		duplicates, err := things.InsertMany(ctx, tx, []*thing{{Doc: docdb.Doc{ID: "w"}}, {Doc: docdb.Doc{ID: "x"}}})
		if err == nil && !slices.Equal(duplicates, []int{1}) {
			err = fmt.Errorf("duplicates %v", duplicates)
		}
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, error %v", runs, err)
	}
}

func TestShardKeys(t *testing.T) {
	t.Parallel()
	plain := docdb.Define[thing]("plain")
	if got, want := fmt.Sprint(shardKey(plain.Schema())), "[{_id hashed}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(shardKey(things.Schema())), "[{brand 1} {_id 1}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// An upsert must name the shard key, and must not set it a second time.
	doc := &thing{Doc: docdb.Doc{ID: "b/1"}, Brand: "b", Tags: []string{"t"}}
	model, err := collection{schema: things.Schema()}.upsert(docdb.Op{ID: "b/1", Doc: doc, Inc: map[string]int64{"n": 1}})
	if err != nil {
		t.Fatal(err)
	}
	upsert := model.(*mongo.UpdateOneModel)
	if got := fmt.Sprint(upsert.Filter); got != `{"_id": "b/1","brand": "b"}` {
		t.Errorf("filter %s", got)
	}
	if got := fmt.Sprint(upsert.Update); strings.Contains(got, "brand") || !strings.Contains(got, "tags") {
		t.Errorf("update %s", got)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	_, err := Connect(t.Context(), "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100")
	if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "storage_unavailable" {
		t.Errorf("error %v", err)
	}
	if _, err := Connect(t.Context(), "not a uri"); err == nil {
		t.Error("connected to nothing")
	}
}

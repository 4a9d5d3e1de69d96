package docdbtest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

// Engine makes a fresh, empty database for a test and answers a function that opens it, again and again: what one opening
// wrote and closed, the next one finds.
type Engine func(t testing.TB) (open func() docdb.DB)

// Run is the contract suite: what every engine of the document store must do.
func Run(t *testing.T, engine Engine) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, engine Engine)
	}{
		{"Documents", testDocuments},
		{"Duplicates", testDuplicates},
		{"Updates", testUpdates},
		{"Increments", testIncrements},
		{"Batches", testBatches},
		{"Queries", testQueries},
		{"Cursors", testCursors},
		{"Transactions", testTransactions},
		{"Cancellation", testCancellation},
		{"LostUpdates", testLostUpdates},
		{"WriteSkew", testWriteSkew},
		{"Races", testRaces},
		{"Indexes", testIndexes},
		{"Migrations", testMigrations},
		{"Model", testModel},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t, engine)
		})
	}
}

// item is the document that most tests use.
type item struct {
	docdb.Doc `json:",inline"`
	Brand     string   `json:"brand"`
	Stage     string   `json:"stage,omitempty"`
	Count     int64    `json:"count,omitempty"`
	Total     int64    `json:"total"`
	Open      bool     `json:"open,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	Days      []int32  `json:"days"`
}

var items = docdb.Define[item]("items",
	docdb.By("brand", "count"), docdb.By("open", "stage", "total"), docdb.By("tags", "count"), docdb.By("days"))

// ready opens an engine's fresh database with collections, until the test ends.
func ready(t testing.TB, engine Engine, schemas ...*docdb.Schema) docdb.DB {
	t.Helper()
	return start(t, engine(t), schemas...)
}

func start(t testing.TB, open func() docdb.DB, schemas ...*docdb.Schema) docdb.DB {
	t.Helper()
	db := open()
	if err := db.Ensure(t.Context(), schemas...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func withID(id string) docdb.Doc { return docdb.Doc{ID: id} }

// numbered makes n items with readable sequential ids.
func numbered(n int) []*item {
	out := make([]*item, n)
	for i := range out {
		out[i] = &item{Doc: withID(fmt.Sprintf("item/%05d", i)), Brand: fmt.Sprintf("b%d", i%3), Count: int64(i)}
	}
	return out
}

func mustInsert(t testing.TB, s docdb.Session, docs ...*item) {
	t.Helper()
	duplicates, err := items.InsertMany(t.Context(), s, docs)
	if err != nil || len(duplicates) > 0 {
		t.Fatalf("InsertMany: duplicates %v, error %v", duplicates, err)
	}
}

func mustGet(t testing.TB, s docdb.Session, id string) *item {
	t.Helper()
	doc, err := items.Get(t.Context(), s, id)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// all reads the ids that a query finds, in order.
func all(t testing.TB, ctx context.Context, s docdb.Session, q docdb.Query) []string {
	t.Helper()
	var ids []string
	for doc, err := range items.Each(ctx, s, q) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, doc.ID)
	}
	return ids
}

func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("got error %v, want one of kind %v", err, kind)
	}
}

func wantIDs(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

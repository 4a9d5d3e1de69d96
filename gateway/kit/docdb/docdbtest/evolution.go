package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"scrm/gateway/kit/docdb"
)

// The same collection as three versions of the program declare it.
type (
	shopV1 struct {
		docdb.Doc `json:",inline"`
		City      string   `json:"city"`
		Brands    []string `json:"brands"`
		Hours     []hours  `json:"hours"`
	}
	shopV2 struct {
		docdb.Doc `json:",inline"`
		City      string   `json:"city"`
		Brands    []string `json:"brands"`
		Rank      int64    `json:"rank"`
		Hours     []hours  `json:"hours"`
		Closed    bool     `json:"closed,omitempty"`
	}
	shopV3 struct {
		docdb.Doc `json:",inline"`
		Place     string   `json:"place"`
		Brands    []string `json:"brands"`
		Rank      int64    `json:"rank"`
		Hours     []hours  `json:"hours"`
	}

	// hours is a part whose fields are numbered where they are stored in CBOR.
	hours struct {
		From  int64            `json:"from" cbor:"1,keyasint"`
		Notes map[string]int64 `json:"notes" cbor:"2,keyasint"`
	}
)

const shopCount = 2500 // more than the engines migrate in one transaction

// reopen closes a database and opens it with other declarations.
func reopen(t *testing.T, db docdb.DB, open func() docdb.DB, schemas ...*docdb.Schema) docdb.DB {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open()
	if err := db.Ensure(t.Context(), schemas...); err != nil {
		t.Fatal(err)
	}
	return db
}

func shops() []*shopV1 {
	out := make([]*shopV1, shopCount)
	for i := range out {
		out[i] = &shopV1{Doc: withID(fmt.Sprintf("s%04d", i)), City: fmt.Sprintf("c%d", i%10), Brands: []string{"all", fmt.Sprintf("b%d", i%7)},
			Hours: []hours{{From: int64(i), Notes: map[string]int64{"n": int64(-i)}}}}
	}
	return out
}

// count says how many documents a query finds, and fails the test where they are not distinct.
func count[T any](t *testing.T, db docdb.DB, c docdb.Collection[T], q docdb.Query) int {
	t.Helper()
	seen := map[string]bool{}
	n := 0
	for doc, err := range c.Each(t.Context(), db, q) {
		if err != nil {
			t.Fatal(err)
		}
		seen[any(doc).(docdb.Document).Meta().ID] = true
		n++
	}
	if n != len(seen) {
		t.Errorf("%+v found documents twice", q)
	}
	return n
}

func testIndexes(t *testing.T, engine Engine) {
	ctx := t.Context()
	v1 := docdb.Define[shopV1]("shops", docdb.By("city"))
	bare := docdb.Define[shopV2]("shops")
	v2 := docdb.Define[shopV2]("shops", docdb.By("city"), docdb.By("brands", "city"), docdb.By("closed", "rank"))
	open := engine(t)
	db := open()
	if err := db.Ensure(ctx, v1.Schema()); err != nil {
		t.Fatal(err)
	}
	if _, err := v1.InsertMany(ctx, db, shops()); err != nil {
		t.Fatal(err)
	}

	// An index over a field that the stored documents lack, and one over a slice.
	db = reopen(t, db, open, v2.Schema())
	if got := count(t, db, v2, docdb.Query{Index: "city", Eq: []any{"c3"}}); got != shopCount/10 {
		t.Errorf("%d in a city", got)
	}
	if got := count(t, db, v2, docdb.Query{Index: "brands_city", Eq: []any{"all", "c3"}}); got != shopCount/10 {
		t.Errorf("%d of a brand in a city", got)
	}
	if err := v2.Update(ctx, db, "s0007", docdb.Change{Inc: map[string]int64{"rank": -1}, Set: map[string]any{"brands": []string{"none"}}}); err != nil {
		t.Fatal(err)
	}
	page, err := v2.Find(ctx, db, docdb.Query{Index: "closed_rank", Eq: []any{false}, Limit: 2})
	if err != nil || len(page.Items) != 2 || page.Items[0].ID != "s0007" || page.Items[1].ID != "s0000" {
		t.Errorf("first by rank: %+v, error %v", page.Items, err)
	}

	// While the indexes are not declared, documents change; declared again, they tell the truth.
	db = reopen(t, db, open, bare.Schema())
	if err := bare.Update(ctx, db, "s0007", docdb.Change{Set: map[string]any{"city": "moved", "closed": true, "rank": 9, "brands": []string{"b0", "b0"}}}); err != nil {
		t.Fatal(err)
	}
	if err := bare.Delete(ctx, db, "s0000"); err != nil {
		t.Fatal(err)
	}
	if err := bare.Insert(ctx, db, &shopV2{Doc: withID("t"), City: "moved", Brands: []string{"b0"}}); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, open, v2.Schema())
	for _, c := range []struct {
		q    docdb.Query
		want int
	}{
		{docdb.Query{Index: "city", Eq: []any{"moved"}}, 2},
		{docdb.Query{Index: "closed_rank", Eq: []any{true, 9}}, 1},
		{docdb.Query{Index: "closed_rank"}, shopCount},
		{docdb.Query{Index: "brands_city", Eq: []any{"b0", "moved"}}, 2},
		{docdb.Query{Index: "brands_city", Eq: []any{"none"}}, 0},
		{docdb.Query{Index: "brands_city", Eq: []any{"all"}}, shopCount - 2},
	} {
		if got := count(t, db, v2, c.q); got != c.want {
			t.Errorf("%+v found %d, want %d", c.q, got, c.want)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func testMigrations(t *testing.T, engine Engine) {
	ctx := t.Context()
	v1 := docdb.Define[shopV1]("shops", docdb.By("city"))
	rank := func(doc map[string]any) error {
		if _, ok := doc["rank"]; !ok {
			doc["rank"] = int64(len(doc["brands"].([]any)))
		}
		return nil
	}
	left := shopCount - 300
	failing := docdb.Define[shopV2]("shops", docdb.By("rank"), docdb.Migrate(1, func(doc map[string]any) error {
		if left--; left < 0 {
			return errWanted
		}
		return rank(doc)
	}))
	v2 := docdb.Define[shopV2]("shops", docdb.By("rank"), docdb.By("city"), docdb.Migrate(1, rank))
	v3 := docdb.Define[shopV3]("shops", docdb.By("rank", "place"), docdb.By("brands"),
		docdb.Migrate(2, func(doc map[string]any) error {
			if city, ok := doc["city"]; ok {
				doc["place"] = "in " + city.(string)
				delete(doc, "city")
			}
			doc["brands"] = append(doc["brands"].([]any), "v3")
			return nil
		}),
		docdb.Migrate(1, rank))
	open := engine(t)
	db := open()
	if err := db.Ensure(ctx, v1.Schema()); err != nil {
		t.Fatal(err)
	}
	if _, err := v1.InsertMany(ctx, db, shops()); err != nil {
		t.Fatal(err)
	}

	// Interrupted on its way, a migration goes on at the next start.
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open()
	if err := db.Ensure(ctx, failing.Schema()); !errors.Is(err, errWanted) {
		t.Fatalf("a failing migration: error %v", err)
	}
	db = reopen(t, db, open, v2.Schema())
	if got := count(t, db, v2, docdb.Query{Index: "rank", Eq: []any{2}}); got != shopCount {
		t.Errorf("%d have a rank", got)
	}
	// A document of the newest version is not migrated, and each is migrated once.
	if err := v2.Insert(ctx, db, &shopV2{Doc: withID("t"), City: "c", Rank: 5}); err != nil {
		t.Fatal(err)
	}
	for doc, err := range v2.Each(ctx, db, docdb.Query{To: "t"}) {
		if err != nil || doc.Rev != 2 {
			t.Fatalf("%+v, error %v", doc, err)
		}
	}
	db = reopen(t, db, open, v2.Schema())
	if doc, err := v2.Get(ctx, db, "t"); err != nil || doc.Rev != 1 || doc.Rank != 5 {
		t.Errorf("%+v, error %v", doc, err)
	}

	// Two versions at once on a database that skipped one, with other indexes.
	if err := v2.Update(ctx, db, "t", docdb.Change{Set: map[string]any{"brands": []string{"x"}}}); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, open, v3.Schema())
	if got := count(t, db, v3, docdb.Query{Index: "brands", Eq: []any{"v3"}}); got != shopCount+1 {
		t.Errorf("%d have the new brand", got)
	}
	if got := count(t, db, v3, docdb.Query{Index: "rank_place", Eq: []any{2, "in c4"}}); got != shopCount/10 {
		t.Errorf("%d are in the place", got)
	}
	err := db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		doc, err := v3.Get(ctx, tx, "s0004")
		if err != nil {
			return err
		}
		if want := []hours{{From: 4, Notes: map[string]int64{"n": -4}}}; !reflect.DeepEqual(doc.Hours, want) {
			return fmt.Errorf("hours %+v", doc.Hours)
		}
		doc.Place = "elsewhere"
		return v3.Replace(ctx, tx, doc)
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

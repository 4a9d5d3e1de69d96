package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

const writers = 16

// race runs do in 16 goroutines at once.
func race(t *testing.T, do func(writer int) error) {
	t.Helper()
	errs := make([]error, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() { errs[w] = do(w) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// testLostUpdates lets 16 writers change one document in each way there is; every change must count.
func testLostUpdates(t *testing.T, engine Engine) {
	const rounds = 20
	bump := map[string]func(ctx context.Context, db docdb.DB, id string) error{
		"increment": func(ctx context.Context, db docdb.DB, id string) error {
			return items.IncrementMany(ctx, db, []docdb.Increment[item]{{New: &item{Doc: withID(id)}, Inc: map[string]int64{"count": 1}}})
		},
		"increment in a transaction": func(ctx context.Context, db docdb.DB, id string) error {
			return db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
				return items.IncrementMany(ctx, tx, []docdb.Increment[item]{{New: &item{Doc: withID(id)}, Inc: map[string]int64{"count": 1}}})
			})
		},
		"update": func(ctx context.Context, db docdb.DB, id string) error {
			return items.Update(ctx, db, id, docdb.Change{Inc: map[string]int64{"count": 1}})
		},
		"replace": func(ctx context.Context, db docdb.DB, id string) error {
			for {
				doc, err := items.Get(ctx, db, id)
				if err != nil {
					return err
				}
				doc.Count++
				if err := items.Replace(ctx, db, doc); !fault.Is(err, fault.Conflict) {
					return err
				}
			}
		},
		"read and write in a transaction": func(ctx context.Context, db docdb.DB, id string) error {
			return db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
				doc, err := items.Get(ctx, tx, id)
				if err != nil {
					return err
				}
				doc.Count++
				return items.Replace(ctx, tx, doc)
			})
		},
		"read and set in a transaction": func(ctx context.Context, db docdb.DB, id string) error {
			return db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
				doc, err := items.Get(ctx, tx, id)
				if err != nil {
					return err
				}
				return items.Update(ctx, tx, id, docdb.Change{Set: map[string]any{"count": doc.Count + 1}})
			})
		},
	}
	db := ready(t, engine, items.Schema())
	for name, do := range bump {
		t.Run(name, func(t *testing.T) {
			mustInsert(t, db, &item{Doc: withID(name)})
			race(t, func(int) error {
				for range rounds {
					if err := do(t.Context(), db, name); err != nil {
						return err
					}
				}
				return nil
			})
			if got := mustGet(t, db, name); got.Count != writers*rounds || got.Rev != 1+writers*rounds {
				t.Errorf("%d changes left count %d and revision %d", writers*rounds, got.Count, got.Rev)
			}
		})
	}
}

// testWriteSkew lets 16 transactions each look at all of a team and then leave it unless they would be the last: what each
// reads, the others write. Writing one common document as well keeps them from passing each other.
func testWriteSkew(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	mustInsert(t, db, &item{Doc: withID("guard")})
	team := numbered(writers)
	for _, doc := range team {
		doc.Brand, doc.Open = "team", true
	}
	mustInsert(t, db, team...)
	stay := errors.New("the last one stays")
	race(t, func(writer int) error {
		err := db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error {
			if err := items.Update(ctx, tx, "guard", docdb.Change{Inc: map[string]int64{"count": 1}}); err != nil {
				return err
			}
			page, err := items.Find(ctx, tx, docdb.Query{Index: "open_stage_total", Eq: []any{true}})
			if err != nil {
				return err
			}
			if len(page.Items) == 1 {
				return stay
			}
			return items.Update(ctx, tx, team[writer].ID, docdb.Change{Set: map[string]any{"open": false}})
		})
		if errors.Is(err, stay) {
			return nil
		}
		return err
	})
	if got := all(t, t.Context(), db, docdb.Query{Index: "open_stage_total", Eq: []any{true}}); len(got) != 1 {
		t.Errorf("%d stayed", len(got))
	}
}

// testRaces lets 16 writers do what only one of them may succeed with.
func testRaces(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	ctx := t.Context()
	t.Run("insertions of one id", func(t *testing.T) {
		for name, within := range sessions {
			var mu sync.Mutex
			inserted := map[string]int{}
			race(t, func(writer int) error {
				for i := range 20 {
					docs := []*item{{Doc: withID(fmt.Sprintf("%s/%d", name, i)), Count: int64(writer)}, {Doc: withID(fmt.Sprintf("%s/%d/%d", name, i, writer))}}
					var duplicates []int
					within(t, db, func(s docdb.Session) (err error) {
						duplicates, err = items.InsertMany(ctx, s, docs)
						return err
					})
					if len(duplicates) == 0 {
						mu.Lock()
						inserted[docs[0].ID]++
						mu.Unlock()
					}
				}
				return nil
			})
			for id, n := range inserted {
				if n != 1 {
					t.Errorf("%s was inserted %d times", id, n)
				}
			}
			if len(inserted) != 20 {
				t.Errorf("%s: %d of 20 were inserted", name, len(inserted))
			}
		}
	})
	t.Run("guarded updates", func(t *testing.T) {
		for name, within := range sessions {
			mustInsert(t, db, &item{Doc: withID("room " + name), Total: 50})
			var mu sync.Mutex
			var taken int
			race(t, func(int) error {
				for range 5 {
					var got bool
					within(t, db, func(s docdb.Session) error {
						err := items.Update(ctx, s, "room "+name, docdb.Change{If: []docdb.Cond{{Field: "total", Is: docdb.More, Value: 0}}, Inc: map[string]int64{"total": -1}})
						if got = err == nil; fault.CodeOf(err) == "condition_failed" {
							return nil
						}
						return err
					})
					if got {
						mu.Lock()
						taken++
						mu.Unlock()
					}
				}
				return nil
			})
			if left := mustGet(t, db, "room "+name).Total; left != 0 || taken != 50 {
				t.Errorf("%s: %d taken of 50, %d left", name, taken, left)
			}
		}
	})
	t.Run("first increments", func(t *testing.T) {
		for name, within := range sessions {
			race(t, func(int) error {
				for i := range 20 {
					within(t, db, func(s docdb.Session) error {
						return items.IncrementMany(ctx, s, []docdb.Increment[item]{
							{New: &item{Doc: withID(fmt.Sprintf("count %s/%d", name, i)), Brand: "fresh"}, Inc: map[string]int64{"count": 2}},
							{New: &item{Doc: withID(fmt.Sprintf("count %s/%d", name, i+1)), Brand: "fresh"}, Inc: map[string]int64{"count": 1}},
						})
					})
				}
				return nil
			})
			for i := 1; i < 20; i++ {
				if got := mustGet(t, db, fmt.Sprintf("count %s/%d", name, i)); got.Count != 3*writers || got.Brand != "fresh" {
					t.Errorf("%s: %+v", name, got)
				}
			}
		}
	})
	t.Run("many documents in any order", func(t *testing.T) {
		docs := numbered(40)
		mustInsert(t, db, docs...)
		race(t, func(writer int) error {
			return db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
				for i := range docs {
					id := docs[(i*7+writer*11)%len(docs)].ID
					if err := items.Update(ctx, tx, id, docdb.Change{Inc: map[string]int64{"total": 1}}); err != nil {
						return err
					}
				}
				return nil
			})
		})
		for _, doc := range docs {
			if got := mustGet(t, db, doc.ID); got.Total != writers {
				t.Errorf("%s has %d of %d", doc.ID, got.Total, writers)
			}
		}
	})
}

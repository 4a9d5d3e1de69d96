package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

// note is a second collection, so that transactions span two.
type note struct {
	docdb.Doc `json:",inline"`
	Text      string `json:"text"`
}

var notes = docdb.Define[note]("notes", docdb.By("text"))

var errWanted = errors.New("wanted")

func testTransactions(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema(), notes.Schema())
	ctx := t.Context()
	mustInsert(t, db, &item{Doc: withID("kept"), Brand: "b", Count: 1, Tags: []string{"x"}})

	// write does one of everything; look is what it leaves behind.
	write := func(ctx context.Context, tx docdb.Session) error {
		_, err := items.InsertMany(ctx, tx, []*item{{Doc: withID("new"), Brand: "b", Tags: []string{"x"}}, {Doc: withID("gone"), Tags: []string{"x"}}})
		if err != nil {
			return err
		}
		if err := items.Update(ctx, tx, "kept", docdb.Change{Inc: map[string]int64{"count": 5}}); err != nil {
			return err
		}
		if err := items.Delete(ctx, tx, "gone"); err != nil {
			return err
		}
		return notes.Insert(ctx, tx, &note{Doc: withID("n"), Text: "t"})
	}
	look := func(s docdb.Session) string {
		return fmt.Sprint(all(t, ctx, s, docdb.Query{}), all(t, ctx, s, docdb.Query{Index: "tags_count", Eq: []any{"x"}}),
			all(t, ctx, s, docdb.Query{Index: "brand_count", Eq: []any{"b"}, From: 2}), mustGet(t, s, "kept").Count, noteIDs(t, s))
	}
	const before, after = "[kept] [kept] [] 1 []", "[kept new] [new kept] [kept] 6 [n]"

	t.Run("rolls back", func(t *testing.T) {
		err := db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
			if err := write(ctx, tx); err != nil {
				return err
			}
			if got := look(tx); got != after {
				return fmt.Errorf("inside: %s", got)
			}
			if got := look(db); got != before {
				return fmt.Errorf("outside: %s", got)
			}
			return errWanted
		})
		if !errors.Is(err, errWanted) {
			t.Error(err)
		}
		if got := look(db); got != before {
			t.Errorf("afterwards: %s", got)
		}
	})
	t.Run("rolls back on panic", func(t *testing.T) {
		func() {
			defer func() {
				if r := recover(); r != "wanted" {
					t.Errorf("recovered %v", r)
				}
			}()
			_ = db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
				if err := write(ctx, tx); err != nil {
					return err
				}
				panic("wanted")
			})
		}()
		if got := look(db); got != before {
			t.Errorf("afterwards: %s", got)
		}
	})
	t.Run("refuses to write beside itself", func(t *testing.T) {
		for name, beside := range map[string]func(ctx context.Context) error{
			"call":        func(ctx context.Context) error { return items.Delete(ctx, db, "kept") },
			"transaction": func(ctx context.Context) error { return db.Tx(ctx, write) },
		} {
			err := db.Tx(ctx, func(ctx context.Context, _ docdb.Session) error { return beside(ctx) })
			if fault.CodeOf(err) != "nested_transaction" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("commits", func(t *testing.T) {
		if err := db.Tx(ctx, write); err != nil {
			t.Error(err)
		}
		if got := look(db); got != after {
			t.Errorf("afterwards: %s", got)
		}
	})
	t.Run("keeps what was not refused", func(t *testing.T) {
		err := db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
			if err := items.Insert(ctx, tx, &item{Doc: withID("kept")}); !fault.Is(err, fault.Exists) {
				return fmt.Errorf("insert: %w", err)
			}
			if err := items.Replace(ctx, tx, &item{Doc: docdb.Doc{ID: "kept", Rev: 77}}); !fault.Is(err, fault.Conflict) {
				return fmt.Errorf("replace: %w", err)
			}
			return notes.Insert(ctx, tx, &note{Doc: withID("m"), Text: "t"})
		})
		if err != nil {
			t.Error(err)
		}
		if got := noteIDs(t, db); !slices.Equal(got, []string{"m", "n"}) {
			t.Errorf("got notes %q", got)
		}
	})
}

func noteIDs(t *testing.T, s docdb.Session) []string {
	t.Helper()
	var ids []string
	for doc, err := range notes.Each(t.Context(), s, docdb.Query{Index: "text", Eq: []any{"t"}}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, doc.ID)
	}
	return ids
}

func testCancellation(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	mustInsert(t, db, numbered(500)...)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, errGet := items.Get(gone, db, "item/00001")
	_, errFind := items.Find(gone, db, docdb.Query{})
	_, errRange := items.DeleteRange(gone, db, "", "z")
	for name, err := range map[string]error{
		"Get": errGet, "Find": errFind, "DeleteRange": errRange,
		"Insert": items.Insert(gone, db, &item{Doc: withID("x")}),
		"Update": items.Update(gone, db, "item/00001", docdb.Change{Inc: map[string]int64{"count": 1}}),
		"Tx":     db.Tx(gone, func(context.Context, docdb.Session) error { return nil }),
	} {
		if !fault.Is(err, fault.Canceled) {
			t.Errorf("%s with a canceled context: error %v", name, err)
		}
	}
	t.Run("during a transaction", func(t *testing.T) {
		for name, end := range map[string]func(ctx context.Context, tx docdb.Session) error{
			"then stop":   func(context.Context, docdb.Session) error { return nil },
			"then ignore": func(ctx context.Context, tx docdb.Session) error { _ = items.Delete(ctx, tx, "item/00002"); return nil },
			"then read": func(ctx context.Context, tx docdb.Session) error {
				_, err := items.Get(ctx, tx, "item/00002")
				return err
			},
			"then write": func(ctx context.Context, tx docdb.Session) error {
				return items.Insert(ctx, tx, &item{Doc: withID("y")})
			},
			"then write lot": func(ctx context.Context, tx docdb.Session) error {
				_, err := items.InsertMany(ctx, tx, numbered(2000))
				return err
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			err := db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
				if err := items.Insert(ctx, tx, &item{Doc: withID("x")}); err != nil {
					return err
				}
				cancel()
				return end(ctx, tx)
			})
			if !fault.Is(err, fault.Canceled) {
				t.Errorf("%s: error %v", name, err)
			}
			if got := len(all(t, t.Context(), db, docdb.Query{})); got != 500 {
				t.Errorf("%s: %d documents", name, got)
			}
		}
	})
	// The engine is as good as before.
	err := db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error {
		return items.Insert(ctx, tx, &item{Doc: withID("x")})
	})
	if err != nil {
		t.Error(err)
	}
	mustGet(t, db, "x")
}

package sqldoc

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

type thing struct {
	docdb.Doc `json:",inline"`
	Brand     string   `json:"brand"`
	N         int64    `json:"n,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	Filler    []byte   `json:"filler"`
}

var things = docdb.Define[thing]("things", docdb.By("brand", "n"), docdb.By("n"), docdb.By("tags", "n"))

func openThings(t *testing.T) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "deep", "things.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-db.(*DB).closed:
		default:
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	if err := db.Ensure(t.Context(), things.Schema()); err != nil {
		t.Fatal(err)
	}
	return db.(*DB)
}

func insertOne(ctx context.Context, db docdb.DB, id string, size int) error {
	return db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		return things.Insert(ctx, tx, &thing{Doc: docdb.Doc{ID: id}, Filler: make([]byte, size)})
	})
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	for path, want := range map[string]os.FileMode{filepath.Dir(db.path): 0o700, db.path: 0o600, db.path + "-wal": 0o600, db.path + "-shm": 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
		}
	}
}

// TestPlans looks at how SQLite carries scans out: by the index, never by reading a whole table or by sorting.
func TestPlans(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	ix := things.Schema().Indexes
	for i, q := range []docdb.Scan{
		{}, {From: "a", To: "b"}, {After: []any{"a"}, Desc: true},
		{Index: &ix[0]}, {Index: &ix[0], Desc: true}, {Index: &ix[0], Eq: []any{"b"}}, {Index: &ix[0], Eq: []any{"b"}, From: int64(1), To: int64(5), Desc: true},
		{Index: &ix[0], After: []any{"b", int64(1), "x"}}, {Index: &ix[0], Eq: []any{"b"}, After: []any{int64(1), "x"}, Desc: true}, {Index: &ix[0], Eq: []any{"b", int64(1)}, After: []any{"x"}},
		{Index: &ix[1], Eq: []any{int64(1)}}, {Index: &ix[1], From: int64(1), After: []any{int64(1), "x"}},
		{Index: &ix[2], Eq: []any{"t"}}, {Index: &ix[2], Eq: []any{"t"}, Desc: true}, {Index: &ix[2], Eq: []any{"t"}, From: int64(2), After: []any{int64(3), "x"}},
	} {
		q.Limit = 10
		sql, args := db.table(things.Schema()).selection(q)
		plan, err := db.plan(t, sql, args)
		if err != nil {
			t.Fatal(err)
		}
		whole := strings.Contains(plan, "SCAN") && len(q.Eq) > 0
		if whole || strings.Contains(plan, "TEMP B-TREE") || !strings.Contains(plan, "INDEX") {
			t.Errorf("query %d: %s\nis carried out by %s", i, sql, plan)
		}
	}
}

func (db *DB) plan(t *testing.T, sql string, args []driver.Value) (plan string, err error) {
	t.Helper()
	return plan, db.read(t.Context(), func(c *conn) error {
		return c.query(t.Context(), "EXPLAIN QUERY PLAN "+sql, args, func(row []driver.Value) error {
			plan += fmt.Sprint(row[3], "; ")
			return nil
		})
	})
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	limit := func(pages int) {
		if _, err := db.writer.exec(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(50)
	if err := insertOne(t.Context(), db, "big", 1<<20); !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "storage_full" {
		t.Errorf("on a full disk: error %v", err)
	}
	if err := insertOne(t.Context(), db, "small", 100); err != nil {
		t.Errorf("a write that fits: %v", err)
	}
	limit(10_000)
	if err := insertOne(t.Context(), db, "big", 1<<20); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestForeignLock(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	other, err := open(db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.close() }()
	if _, err := other.exec(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.writer.exec(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	if err := insertOne(t.Context(), db, "x", 1); fault.CodeOf(err) != "storage_busy" {
		t.Errorf("while another process writes: error %v", err)
	}
	if _, err := other.exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := insertOne(t.Context(), db, "x", 1); err != nil {
		t.Error(err)
	}
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); fault.CodeOf(err) != "storage_corrupt" {
		t.Errorf("error %v", err)
	}
}

// TestBrokenConnection takes the writer's connection away under a transaction: the next one gets another.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	err := db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error {
		if err := things.Insert(ctx, tx, &thing{Doc: docdb.Doc{ID: "lost"}}); err != nil {
			return err
		}
		_, err := db.writer.exec(ctx, "ROLLBACK") // as SQLite does by itself after some errors
		return err
	})
	if err == nil {
		t.Error("a transaction that was rolled back under it committed")
	}
	if err := insertOne(t.Context(), db, "x", 1); err != nil {
		t.Error(err)
	}
	if found, err := things.GetMany(t.Context(), db, "lost", "x"); err != nil || len(found) != 1 {
		t.Errorf("found %v, error %v", found, err)
	}
}

func TestWaitingWriterGivesUp(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	err := db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error {
		waiting, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- insertOne(waiting, db, "never", 1) }()
		cancel()
		if err := <-done; !fault.Is(err, fault.Canceled) {
			return fmt.Errorf("the waiting writer: %w", err)
		}
		_, err := things.Get(ctx, db, "never") // readers do not wait
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		return things.Insert(ctx, tx, &thing{Doc: docdb.Doc{ID: "x"}})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLogIsTruncated(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	if err := insertOne(t.Context(), db, "x", 1<<16); err != nil {
		t.Fatal(err)
	}
	if _, err := things.Get(t.Context(), db, "x"); err != nil {
		t.Fatal(err)
	}
	db.turn <- struct{}{}
	db.truncateLog(1 << 10)
	<-db.turn
	info, err := os.Stat(db.path + "-wal")
	if err != nil || info.Size() != 0 {
		t.Errorf("the log has %d bytes, error %v", info.Size(), err)
	}
	if _, err := things.Get(t.Context(), db, "x"); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	db := openThings(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := things.Get(t.Context(), db, "x")
	for _, err := range []error{err, insertOne(t.Context(), db, "x", 1)} {
		if fault.CodeOf(err) != "storage_closed" {
			t.Errorf("error %v", err)
		}
	}
}

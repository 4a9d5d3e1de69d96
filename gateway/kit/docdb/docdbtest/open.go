// Package docdbtest opens databases for tests, and holds the contract suite that every engine of the document store passes.
package docdbtest

import (
	"path/filepath"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/sqldoc"
)

// SQLite is a fresh database in a directory of the test's own, closed when the test ends.
func SQLite(t testing.TB) docdb.DB {
	t.Helper()
	db, err := sqldoc.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

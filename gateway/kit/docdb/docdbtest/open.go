// Package docdbtest opens databases for tests, and holds the contract suite that every engine of the document store passes.
package docdbtest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/mongodoc"
	"scrm/gateway/kit/docdb/mongodoc/mongodtest"
	"scrm/gateway/kit/docdb/sqldoc"
	"scrm/gateway/kit/ident"
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

// Mongo is a fresh database on a real MongoDB server, dropped when the test ends. Where there is no server to be had (see
// MongoURI) the test is skipped.
func Mongo(t testing.TB) docdb.DB {
	t.Helper()
	return MongoAgain(t)()
}

// MongoAgain is a fresh database that can be opened again and again.
func MongoAgain(t testing.TB) func() docdb.DB {
	t.Helper()
	client, err := mongodoc.Connect(t.Context(), MongoURI(t))
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ReplaceAll(ident.New(), "-", "")
	t.Cleanup(func() {
		ctx := context.Background()
		if err := client.Drop(ctx, name); err != nil {
			t.Error(err)
		}
		if err := client.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return func() docdb.DB { return client.DB(name) }
}

// MongoURI is the URI of a MongoDB server that serves this test binary and ends with it: the executable that SCRM_TEST_MONGOD
// names, else mongod on the PATH. Without one the test is skipped, but where CI is set it fails.
func MongoURI(t testing.TB) string {
	t.Helper()
	return mongodtest.URI(t)
}

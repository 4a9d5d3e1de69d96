package sqldoc_test

import (
	"path/filepath"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/docdb/sqldoc"
)

func TestContract(t *testing.T) {
	t.Parallel()
	docdbtest.Run(t, engine)
}

func BenchmarkEngine(b *testing.B) { docdbtest.Benchmark(b, engine) }

func engine(t testing.TB) func() docdb.DB {
	path := filepath.Join(t.TempDir(), "test.db")
	return func() docdb.DB {
		db, err := sqldoc.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
}

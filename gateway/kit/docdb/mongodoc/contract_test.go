package mongodoc_test

import (
	"testing"

	"scrm/gateway/kit/docdb/docdbtest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	docdbtest.Run(t, docdbtest.MongoAgain)
}

func BenchmarkEngine(b *testing.B) { docdbtest.Benchmark(b, docdbtest.MongoAgain) }

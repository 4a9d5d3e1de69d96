package docdbtest

import (
	"context"
	"fmt"
	"testing"

	"scrm/gateway/kit/docdb"
)

// Benchmark measures an engine with documents like a ledger's entries, in transactions of 1, 100 and 1,000.
func Benchmark(b *testing.B, engine Engine) {
	b.Run("Insert", func(b *testing.B) { benchInsert(b, engine) })
	b.Run("Increment", func(b *testing.B) { benchIncrement(b, engine) })
	b.Run("Save", func(b *testing.B) { benchSave(b, engine) })
	b.Run("GetMany", func(b *testing.B) { benchGetMany(b, engine) })
}

// entry is like a ledger entry: what a projection writes for every event.
type entry struct {
	docdb.Doc `json:",inline"`
	Card      string `json:"card"`
	At        int64  `json:"at"`
	Points    int64  `json:"points"`
	Balance   int64  `json:"balance"`
	Rule      string `json:"rule"`
}

var (
	plainEntries   = docdb.Define[entry]("plain")
	indexedEntries = docdb.Define[entry]("indexed", docdb.By("card", "at"))
)

func bench(b *testing.B, engine Engine, c docdb.Collection[entry], size int, do func(ctx context.Context, tx docdb.Session, docs []*entry) error) {
	db := ready(b, engine, c.Schema())
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		docs := make([]*entry, size)
		for i := range docs {
			docs[i] = &entry{Doc: docdb.Doc{ID: fmt.Sprintf("pos/t%04d/sale/R%09d.1", n/1_000_000, n)}, Card: fmt.Sprintf("card-%06d", n*7919%100_000),
				At: int64(1_700_000_000_000 + n), Points: int64(n % 500), Balance: int64(n), Rule: "store"}
			n++
		}
		if err := db.Tx(b.Context(), func(ctx context.Context, tx docdb.Session) error { return do(ctx, tx, docs) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "docs/s")
}

func benchInsert(b *testing.B, engine Engine) {
	for _, c := range []docdb.Collection[entry]{plainEntries, indexedEntries} {
		for _, size := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", c.Schema().Name, size), func(b *testing.B) {
				bench(b, engine, c, size, func(ctx context.Context, tx docdb.Session, docs []*entry) error {
					_, err := c.InsertMany(ctx, tx, docs)
					return err
				})
			})
		}
	}
}

func benchIncrement(b *testing.B, engine Engine) {
	bench(b, engine, indexedEntries, 1000, func(ctx context.Context, tx docdb.Session, docs []*entry) error {
		in := make([]docdb.Increment[entry], len(docs))
		for i, d := range docs {
			d.ID, d.Points = fmt.Sprintf("card/%06d", d.Balance*7919%50_000), 0
			in[i] = docdb.Increment[entry]{New: d, Inc: map[string]int64{"points": 3}}
		}
		return indexedEntries.IncrementMany(ctx, tx, in)
	})
}

func benchSave(b *testing.B, engine Engine) {
	bench(b, engine, indexedEntries, 1000, func(ctx context.Context, tx docdb.Session, docs []*entry) error {
		ids := make([]string, len(docs))
		for i, d := range docs {
			ids[i] = fmt.Sprintf("card/%06d", d.Balance*7919%50_000)
		}
		found, err := indexedEntries.GetMany(ctx, tx, ids...)
		if err != nil {
			return err
		}
		save := make([]*entry, len(docs))
		for i, d := range docs {
			d.ID = ids[i]
			if save[i] = found[d.ID]; save[i] == nil {
				save[i] = d
			}
			save[i].Points++
		}
		return indexedEntries.SaveMany(ctx, tx, save)
	})
}

func benchGetMany(b *testing.B, engine Engine) {
	db := ready(b, engine, plainEntries.Schema())
	docs := make([]*entry, 100_000)
	for i := range docs {
		docs[i] = &entry{Doc: docdb.Doc{ID: fmt.Sprintf("card/%06d", i)}, Card: "c", Rule: "store"}
	}
	if _, err := plainEntries.InsertMany(b.Context(), db, docs); err != nil {
		b.Fatal(err)
	}
	ids, n := make([]string, 1000), 0
	for b.Loop() {
		for i := range ids {
			ids[i] = fmt.Sprintf("card/%06d", n*7919%100_000)
			n++
		}
		found, err := plainEntries.GetMany(b.Context(), db, ids...)
		if err != nil || len(found) != 1000 {
			b.Fatal(len(found), err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "docs/s")
}

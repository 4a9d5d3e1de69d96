package sqldoc

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/wire"
)

// table is a collection's shape in SQL:
//
//	c(id UNIQUE, rev, doc, f_a, f_b, …)     doc in CBOR; one f_ column for each scalar field of an index
//	"c.a_b" on c(f_a, f_b, id)              an index
//	"c.tags_b"(value, f_b, id) PRIMARY KEY  an index over a slice: a table with one row for each distinct element
type table struct {
	schema  *docdb.Schema
	name    string   // quoted
	columns []string // the indexed scalar fields, as declared
	multis  []multi
}

func newTable(s *docdb.Schema) *table {
	t := &table{schema: s, name: quote(s.Name)}
	for i := range s.Indexes {
		ix := &s.Indexes[i]
		if s.Multi(ix.Fields[0]) {
			t.multis = append(t.multis, multi{ix, indexName(s, ix)})
			continue
		}
		for _, f := range ix.Fields {
			if !slices.Contains(t.columns, f) {
				t.columns = append(t.columns, f)
			}
		}
	}
	return t
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func indexName(s *docdb.Schema, ix *docdb.Index) string { return quote(s.Name + "." + ix.Name) }

func column(field string) string { return quote("f_" + field) }

// values appends the column values of a document.
func (t *table) values(args []driver.Value, doc docdb.Document) []driver.Value {
	for _, f := range t.columns {
		args = append(args, t.schema.Value(doc, f))
	}
	return args
}

func (t *table) decode(data []byte) (docdb.Document, error) {
	doc := t.schema.New()
	if err := wire.Unmarshal(data, doc); err != nil {
		return nil, fmt.Errorf("sqldoc: document of %s: %w", t.schema.Name, err)
	}
	return doc, nil
}

func encode(doc docdb.Document) ([]byte, error) {
	data, err := wire.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("sqldoc: %w", err)
	}
	return data, nil
}

// tuples is n times a row of placeholders: (?,?),(?,?)
func tuples(n, width int) string {
	row := "(" + strings.Repeat("?,", width-1) + "?)"
	return strings.Repeat(row+",", n-1) + row
}

// chunk is how many of n rows the next bulk statement takes. There are few sizes, so that each shape is prepared a few times
// only.
func chunk(n int) int {
	for _, size := range [...]int{256, 64, 16, 4} {
		if n >= size {
			return size
		}
	}
	return 1
}

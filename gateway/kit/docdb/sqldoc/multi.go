package sqldoc

import (
	"context"
	"database/sql/driver"
	"strings"

	"scrm/gateway/kit/docdb"
)

// multi is an index over a slice.
type multi struct {
	index *docdb.Index
	name  string // quoted
}

func (m multi) creation() string {
	var columns strings.Builder
	for _, f := range m.index.Fields {
		columns.WriteString(column(f) + ", ")
	}
	return "CREATE TABLE IF NOT EXISTS " + m.name + "(" + columns.String() + "id, PRIMARY KEY(" + columns.String() + "id)) WITHOUT ROWID"
}

// entries are a document's rows in the table of an index over a slice.
func (m multi) entries(s *docdb.Schema, doc docdb.Document) [][]driver.Value {
	elements := s.Values(doc, m.index.Fields[0])
	out := make([][]driver.Value, len(elements))
	for i, e := range elements {
		row := []driver.Value{e}
		for _, f := range m.index.Fields[1:] {
			row = append(row, s.Value(doc, f))
		}
		out[i] = append(row, doc.Meta().ID)
	}
	return out
}

// index puts newly stored documents into an index over a slice.
func (t *table) index(ctx context.Context, c *conn, m multi, ops []docdb.Op, outcomes []docdb.Outcome) error {
	var rows [][]driver.Value
	for i := range ops {
		if outcomes[i] == docdb.Done {
			rows = append(rows, m.entries(t.schema, ops[i].Doc)...)
		}
	}
	return m.add(ctx, c, rows)
}

func (m multi) add(ctx context.Context, c *conn, rows [][]driver.Value) error {
	var args []driver.Value
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := chunk(len(rows))
		args = args[:0]
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := c.exec(context.Background(), "INSERT INTO "+m.name+" VALUES "+tuples(n, len(rows[0])), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (m multi) remove(ctx context.Context, c *conn, rows [][]driver.Value) error {
	if len(rows) == 0 {
		return nil
	}
	conditions := make([]string, len(m.index.Fields))
	for i, f := range m.index.Fields {
		conditions[i] = column(f) + " = ? AND "
	}
	query := "DELETE FROM " + m.name + " WHERE " + strings.Join(conditions, "") + "id = ?"
	for _, r := range rows {
		if _, err := c.exec(context.Background(), query, r...); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// reindex brings an index over a slice up to date; after is nil for a deleted document.
func (t *table) reindex(ctx context.Context, c *conn, m multi, before, after docdb.Document) error {
	gone := m.entries(t.schema, before)
	var fresh [][]driver.Value
	if after != nil {
		fresh = m.entries(t.schema, after)
	}
	if err := m.remove(ctx, c, without(gone, fresh)); err != nil {
		return err
	}
	return m.add(ctx, c, without(fresh, gone))
}

// without is a less the rows that b has too.
func without(a, b [][]driver.Value) [][]driver.Value {
	var out [][]driver.Value
	for _, row := range a {
		if !contains(b, row) {
			out = append(out, row)
		}
	}
	return out
}

func contains(rows [][]driver.Value, row []driver.Value) bool {
next:
	for _, r := range rows {
		for i := range r {
			if r[i] != row[i] {
				continue next
			}
		}
		return true
	}
	return false
}

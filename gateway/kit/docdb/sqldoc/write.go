package sqldoc

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"scrm/gateway/kit/docdb"
)

// write carries out ops in order. It works on runs of ops that do not depend on each other: what a run changes is loaded by a
// few statements, changed here, and stored.
func (t *table) write(ctx context.Context, c *conn, ops []docdb.Op) ([]docdb.Outcome, error) {
	outcomes := make([]docdb.Outcome, len(ops))
	for start := 0; start < len(ops); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := start + independent(ops[start:])
		var err error
		if run := ops[start:end]; allInserts(run) {
			err = t.insert(ctx, c, run, outcomes[start:end])
		} else {
			err = t.change(ctx, c, run, outcomes[start:end])
		}
		if err != nil {
			return nil, err
		}
		start = end
	}
	return outcomes, nil
}

// independent is the length of the first run: inserts (which look after repeated ids themselves), or ops of distinct ids.
func independent(ops []docdb.Op) int {
	n := 0
	for n < len(ops) && ops[n].Kind == docdb.OpInsert {
		n++
	}
	if n == len(ops) || n > 1 {
		return n
	}
	seen := make(map[string]bool, len(ops))
	for n = 0; n < len(ops) && !seen[ops[n].ID]; n++ {
		seen[ops[n].ID] = true
	}
	return n
}

func allInserts(ops []docdb.Op) bool {
	for i := range ops {
		if ops[i].Kind != docdb.OpInsert {
			return false
		}
	}
	return true
}

// insert stores new documents by statements of many rows, which leave out those whose id is taken.
func (t *table) insert(ctx context.Context, c *conn, ops []docdb.Op, outcomes []docdb.Outcome) error {
	width := 2 + len(t.columns)
	args := make([]driver.Value, 0, min(len(ops), 256)*width)
	for start := 0; start < len(ops); {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := chunk(len(ops) - start)
		args = args[:0]
		for _, op := range ops[start : start+n] {
			data, err := encode(op.Doc)
			if err != nil {
				return err
			}
			args = t.values(append(args, op.ID, data), op.Doc)
		}
		done, err := c.exec(context.Background(), t.insertion(n), args...)
		if err != nil {
			return err
		}
		if done.rows < int64(n) {
			if err := t.duplicates(ctx, c, ops[start:start+n], outcomes[start:start+n], done); err != nil {
				return err
			}
		}
		start += n
	}
	for _, m := range t.multis {
		if err := t.index(ctx, c, m, ops, outcomes); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) insertion(rows int) string {
	var columns strings.Builder
	for _, f := range t.columns {
		columns.WriteString("," + column(f))
	}
	values := strings.ReplaceAll(tuples(rows, 2+len(t.columns)), "(", "(1,")
	return "INSERT INTO " + t.name + "(rev,id,doc" + columns.String() + ") VALUES " + values + " ON CONFLICT(id) DO NOTHING"
}

// duplicates finds out which rows an insertion left out: those that it stored have the last rowids.
func (t *table) duplicates(ctx context.Context, c *conn, ops []docdb.Op, outcomes []docdb.Outcome, done changed) error {
	stored := make(map[string]bool, done.rows)
	if done.rows > 0 {
		err := c.query(ctx, "SELECT id FROM "+t.name+" WHERE rowid > ? AND rowid <= ?",
			[]driver.Value{done.lastRowID - done.rows, done.lastRowID},
			func(row []driver.Value) error { stored[row[0].(string)] = true; return nil })
		if err != nil {
			return err
		}
	}
	for i := range ops {
		if !stored[ops[i].ID] {
			outcomes[i] = docdb.Duplicate
		}
		delete(stored, ops[i].ID) // the next one of the same id was left out
	}
	return nil
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

// stored is a document as it is in the table.
type stored struct {
	rowID   int64
	rev     int64
	doc     []byte
	columns []driver.Value
}

// load reads the documents that ops are about.
func (t *table) load(ctx context.Context, c *conn, ops []docdb.Op) (map[string]stored, error) {
	ids := make([]string, len(ops))
	for i := range ops {
		ids[i] = ops[i].ID
	}
	columns := "id, rowid, rev, doc"
	for _, f := range t.columns {
		columns += ", " + column(f)
	}
	out := make(map[string]stored, len(ops))
	return out, t.lookUp(ctx, c, columns, ids, func(row []driver.Value) error {
		out[row[0].(string)] = stored{row[1].(int64), row[2].(int64), row[3].([]byte), append([]driver.Value(nil), row[4:]...)}
		return nil
	})
}

// change carries out ops of distinct ids and any kind.
func (t *table) change(ctx context.Context, c *conn, ops []docdb.Op, outcomes []docdb.Outcome) error {
	before, err := t.load(ctx, c, ops)
	if err != nil {
		return err
	}
	var fresh []docdb.Op
	for i := range ops {
		old, exists := before[ops[i].ID]
		op := &ops[i]
		switch {
		case op.Kind == docdb.OpInsert && exists:
			outcomes[i] = docdb.Duplicate
		case op.Kind == docdb.OpInsert:
			fresh = append(fresh, *op)
		case op.Kind == docdb.OpIncrement && !exists:
			doc := t.schema.Clone(op.Doc)
			if err := t.schema.Apply(doc, op); err != nil {
				return err
			}
			fresh = append(fresh, docdb.Op{ID: op.ID, Doc: doc})
		case op.Kind == docdb.OpReplace && (!exists || old.rev != op.Rev):
			outcomes[i] = docdb.Stale
		case op.Kind == docdb.OpDelete && !exists:
		case !exists:
			outcomes[i] = docdb.Missing
		default:
			if outcomes[i], err = t.apply(ctx, c, op, old); err != nil {
				return err
			}
		}
	}
	return t.insert(ctx, c, fresh, make([]docdb.Outcome, len(fresh)))
}

// apply carries out an op on a document that exists.
func (t *table) apply(ctx context.Context, c *conn, op *docdb.Op, old stored) (docdb.Outcome, error) {
	var before docdb.Document
	var err error
	if len(t.multis) > 0 || op.Kind == docdb.OpUpdate || op.Kind == docdb.OpIncrement {
		if before, err = t.decode(old.doc); err != nil {
			return 0, err
		}
	}
	after := op.Doc
	switch op.Kind {
	case docdb.OpUpdate, docdb.OpIncrement:
		if !t.schema.Holds(before, op.If) {
			return docdb.Refused, nil
		}
		after = t.schema.Clone(before)
		after.Meta().Rev++
		err = t.schema.Apply(after, op)
	case docdb.OpDelete:
		after = nil
		_, err = c.exec(context.Background(), "DELETE FROM "+t.name+" WHERE rowid = ?", old.rowID)
	default:
	}
	if err == nil && after != nil {
		err = t.store(c, old, after)
	}
	for i := 0; err == nil && i < len(t.multis); i++ {
		err = t.reindex(ctx, c, t.multis[i], before, after)
	}
	return docdb.Done, err
}

// store puts a document in its former version's place. It names only the columns that differ: SQLite rewrites the entries of
// every index that a statement names a column of.
func (t *table) store(c *conn, old stored, doc docdb.Document) error {
	data, err := encode(doc)
	if err != nil {
		return err
	}
	set, args := "rev = ?, doc = ?", []driver.Value{doc.Meta().Rev, data}
	for i, f := range t.columns {
		if v := t.schema.Value(doc, f); column64(v) != old.columns[i] {
			set += ", " + column(f) + " = ?"
			args = append(args, v)
		}
	}
	done, err := c.exec(context.Background(), "UPDATE "+t.name+" SET "+set+" WHERE rowid = ?", append(args, old.rowID)...)
	if err == nil && done.rows != 1 {
		err = fmt.Errorf("sqldoc: a row of %s went away in its own transaction", t.schema.Name)
	}
	return err
}

// column64 is a value as SQLite gives it back: booleans are integers.
func column64(v any) any {
	if b, ok := v.(bool); ok {
		if b {
			return int64(1)
		}
		return int64(0)
	}
	return v
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

// deleteRange deletes documents by a range of ids.
func (t *table) deleteRange(ctx context.Context, c *conn, from, to string) (int64, error) {
	if len(t.multis) == 0 {
		done, err := c.exec(ctx, "DELETE FROM "+t.name+" WHERE id >= ? AND id < ?", from, to)
		return done.rows, err
	}
	var n int64
	for {
		var ops []docdb.Op
		err := c.query(ctx, "SELECT id FROM "+t.name+" WHERE id >= ? AND id < ? ORDER BY id LIMIT 256", []driver.Value{from, to},
			func(row []driver.Value) error {
				ops = append(ops, docdb.Op{Kind: docdb.OpDelete, ID: row[0].(string)})
				return nil
			})
		if err != nil || len(ops) == 0 {
			return n, err
		}
		if err := t.change(ctx, c, ops, make([]docdb.Outcome, len(ops))); err != nil {
			return n, err
		}
		n += int64(len(ops))
	}
}

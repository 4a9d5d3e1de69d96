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
		switch run := ops[start:end]; {
		case all(run, docdb.OpInsert):
			err = t.insert(ctx, c, run, outcomes[start:end])
		case all(run, docdb.OpReplace) && len(t.columns)+len(t.multis) == 0:
			err = t.replaceByRevision(ctx, c, run, outcomes[start:end])
		default:
			err = t.change(ctx, c, run, outcomes[start:end])
		}
		if err != nil {
			return nil, err
		}
		start = end
	}
	return outcomes, nil
}

// independent is the length of the first run: insertions only (which look after repeated ids themselves), or ops of distinct
// ids, whose order does not matter.
func independent(ops []docdb.Op) int {
	if all(ops, docdb.OpInsert) {
		return len(ops)
	}
	seen := make(map[string]bool, len(ops))
	n := 0
	for n < len(ops) && !seen[ops[n].ID] {
		seen[ops[n].ID] = true
		n++
	}
	return n
}

func all(ops []docdb.Op, kind docdb.OpKind) bool {
	for i := range ops {
		if ops[i].Kind != kind {
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

// stored is a document as it is in the table.
type stored struct {
	rowID   int64
	rev     int64
	doc     []byte // nil where nobody needs it
	columns []driver.Value
}

// load reads the documents that ops are about, but for insertions, which find out by themselves.
func (t *table) load(ctx context.Context, c *conn, ops []docdb.Op) (map[string]stored, error) {
	ids := make([]string, 0, len(ops))
	doc := "NULL"
	for i := range ops {
		switch ops[i].Kind {
		case docdb.OpInsert:
			continue
		case docdb.OpUpdate, docdb.OpIncrement:
			doc = "doc"
		default:
		}
		ids = append(ids, ops[i].ID)
	}
	if len(t.multis) > 0 {
		doc = "doc"
	}
	columns := "id, rowid, rev, " + doc
	for _, f := range t.columns {
		columns += ", " + column(f)
	}
	out := make(map[string]stored, len(ids))
	return out, t.lookUp(ctx, c, columns, ids, func(row []driver.Value) error {
		data, _ := row[3].([]byte)
		out[row[0].(string)] = stored{row[1].(int64), row[2].(int64), data, append([]driver.Value(nil), row[4:]...)}
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
	var positions []int // of fresh among ops
	for i := range ops {
		old, exists := before[ops[i].ID]
		op := &ops[i]
		switch {
		case op.Kind == docdb.OpInsert:
			fresh, positions = append(fresh, *op), append(positions, i)
		case op.Kind == docdb.OpIncrement && !exists:
			doc := t.schema.Clone(op.Doc)
			if err := t.schema.Apply(doc, op); err != nil {
				return err
			}
			fresh, positions = append(fresh, docdb.Op{ID: op.ID, Doc: doc}), append(positions, i)
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
	inserted := make([]docdb.Outcome, len(fresh))
	err = t.insert(ctx, c, fresh, inserted)
	for i, p := range positions {
		outcomes[p] = inserted[i]
	}
	return err
}

// replaceByRevision replaces documents that no index is over, without reading them first.
func (t *table) replaceByRevision(ctx context.Context, c *conn, ops []docdb.Op, outcomes []docdb.Outcome) error {
	for i := range ops {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := encode(ops[i].Doc)
		if err != nil {
			return err
		}
		done, err := c.exec(context.Background(), "UPDATE "+t.name+" SET rev = ?, doc = ? WHERE id = ? AND rev = ?", ops[i].Doc.Meta().Rev, data, ops[i].ID, ops[i].Rev)
		if err != nil {
			return err
		}
		if done.rows == 0 {
			outcomes[i] = docdb.Stale
		}
	}
	return nil
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

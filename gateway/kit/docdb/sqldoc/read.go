package sqldoc

import (
	"context"
	"database/sql/driver"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/wire"
)

func decoder(data driver.Value) docdb.Decode {
	return func(into any) error { return wire.Unmarshal(data.([]byte), into) }
}

func (t *table) fetch(ctx context.Context, c *conn, ids []string, found func(i int, decode docdb.Decode) error) error {
	// Where an id repeats, next leads from its first position to the others.
	first := make(map[string]int, len(ids))
	var next map[int]int
	for i := len(ids) - 1; i >= 0; i-- {
		if j, ok := first[ids[i]]; ok {
			if next == nil {
				next = map[int]int{}
			}
			next[i] = j
		}
		first[ids[i]] = i
	}
	return t.lookUp(ctx, c, "id, doc", ids, func(row []driver.Value) error {
		for i, more := first[row[0].(string)], true; more; i, more = next[i] {
			if err := found(i, decoder(row[1])); err != nil {
				return err
			}
		}
		return nil
	})
}

// lookUp selects columns of the documents with these ids.
func (t *table) lookUp(ctx context.Context, c *conn, columns string, ids []string, row func([]driver.Value) error) error {
	var args []driver.Value
	for len(ids) > 0 {
		n := chunk(len(ids))
		args = args[:0]
		for _, id := range ids[:n] {
			args = append(args, id)
		}
		if err := c.query(ctx, "SELECT "+columns+" FROM "+t.name+" WHERE id IN "+tuples(1, n), args, row); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (t *table) scan(ctx context.Context, c *conn, q docdb.Scan, row func(decode docdb.Decode) error) error {
	query, args := t.selection(q)
	return c.query(ctx, query, args, func(values []driver.Value) error { return row(decoder(values[0])) })
}

// selection is the SELECT of a scan. It walks the index from the cursor's position on, never over rows that it leaves out.
func (t *table) selection(q docdb.Scan) (string, []driver.Value) {
	from, order := t.name+" d", []string{"d.id"}
	if q.Index != nil {
		order = t.order(q.Index)
		if t.schema.Multi(q.Index.Fields[0]) {
			from = indexName(t.schema, q.Index) + " m CROSS JOIN " + t.name + " d ON d.id = m.id"
		} else {
			from += " INDEXED BY " + indexName(t.schema, q.Index)
		}
	}
	var where []string
	var args []driver.Value
	condition := func(sql string, values ...any) {
		where = append(where, sql)
		for _, v := range values {
			args = append(args, v)
		}
	}
	for i, v := range q.Eq {
		condition(order[i]+" = ?", v)
	}
	order = order[len(q.Eq):]
	if q.From != nil {
		condition(order[0]+" >= ?", q.From)
	}
	if q.To != nil {
		condition(order[0]+" < ?", q.To)
	}
	beyond, direction := " > ", ""
	if q.Desc {
		beyond, direction = " < ", " DESC"
	}
	if len(q.After) > 0 {
		condition("("+strings.Join(order, ", ")+")"+beyond+tuples(1, len(order)), q.After...)
	}
	query := "SELECT d.doc FROM " + from
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY " + strings.Join(order, direction+", ") + direction + " LIMIT ?"
	return query, append(args, int64(q.Limit))
}

// order names the columns that an index puts documents in order by.
func (t *table) order(ix *docdb.Index) []string {
	prefix, columns := "d.", make([]string, len(ix.Fields), len(ix.Fields)+1)
	if t.schema.Multi(ix.Fields[0]) {
		prefix = "m."
	}
	for i, f := range ix.Fields {
		columns[i] = prefix + column(f)
	}
	return append(columns, prefix+"id")
}

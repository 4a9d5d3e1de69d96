package sqldoc

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"

	"modernc.org/sqlite"
)

// conn is one SQLite connection with its prepared statements. It is used by one goroutine at a time. The driver is called
// directly: database/sql would convert and lock each of the thousands of arguments of a bulk statement.
type conn struct {
	driver   driver.Conn
	prepared map[string]statement
	args     []driver.NamedValue // reused by every call
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// maxPrepared bounds the statements kept per connection; a domain has a few dozen shapes.
const maxPrepared = 1000

// open connects to a database file. pragmas are carried out in order.
func open(path string, pragmas ...string) (*conn, error) {
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	c, err := new(sqlite.Driver).Open(dsn.String())
	if err != nil {
		return nil, translate(err)
	}
	return &conn{driver: c, prepared: map[string]statement{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

func (c *conn) prepare(query string) (statement, error) {
	if s, ok := c.prepared[query]; ok {
		return s, nil
	}
	if len(c.prepared) >= maxPrepared {
		for q, s := range c.prepared {
			if err := s.Close(); err != nil {
				return nil, translate(err)
			}
			delete(c.prepared, q)
		}
	}
	s, err := c.driver.Prepare(query)
	if err != nil {
		return nil, translate(err)
	}
	c.prepared[query] = s.(statement)
	return c.prepared[query], nil
}

func (c *conn) bind(args []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// changed is what a statement did: how many rows it changed, and the rowid of the last one it inserted.
type changed struct{ rows, lastRowID int64 }

// exec carries out a statement. A context that can end costs a goroutine, so bulk writers pass context.Background() and look
// at theirs between statements.
func (c *conn) exec(ctx context.Context, query string, args ...driver.Value) (changed, error) {
	s, err := c.prepare(query)
	if err != nil {
		return changed{}, err
	}
	r, err := s.ExecContext(ctx, c.bind(args))
	if err != nil {
		return changed{}, translate(err)
	}
	var ch changed
	ch.rows, _ = r.RowsAffected()
	ch.lastRowID, _ = r.LastInsertId()
	return ch, nil
}

// query calls row for every row of an answer; the values are row's only during the call, but for strings and bytes.
func (c *conn) query(ctx context.Context, query string, args []driver.Value, row func(values []driver.Value) error) (err error) {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), c.bind(args))
	if err != nil {
		return translate(err)
	}
	defer func() {
		if e := rows.Close(); err == nil && e != nil {
			err = translate(e)
		}
	}()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch err := rows.Next(values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return translate(err)
		}
		if err := row(values); err != nil {
			return err
		}
	}
}

// strings answers the first column of a query over small things.
func (c *conn) strings(ctx context.Context, query string, args ...driver.Value) (out []string, err error) {
	err = c.query(ctx, query, args, func(row []driver.Value) error {
		out = append(out, row[0].(string))
		return nil
	})
	return out, err
}

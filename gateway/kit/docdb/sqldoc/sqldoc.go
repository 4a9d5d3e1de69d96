// Package sqldoc is the embedded engine of the document store: one SQLite file per domain, by modernc.org/sqlite.
//
// The file is in WAL mode with synchronous=FULL: a transaction that has committed survives a power cut. Writers queue for one
// connection, so that there are no conflicts between them and transaction closures run once; readers have connections of
// their own and never wait for writers. A collection is a table of documents in CBOR with one column for each indexed field,
// and a table more for each index over a slice.
package sqldoc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

// readers is how many reads go on at a time; more wait.
const readers = 4

// DB is a domain's database file.
type DB struct {
	path    string
	turn    chan struct{} // held by whoever writes
	writer  *conn         // nil after it broke, until somebody needs it; guarded by turn
	readers chan *conn    // idle connections; nil stands for one that is not open yet
	closed  chan struct{} // closed by Close

	mu     sync.RWMutex
	tables map[*docdb.Schema]*table
}

// Open opens a database file; it creates it with its directory (modes 0600 and 0700) where there is none.
func Open(path string) (docdb.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqldoc: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("sqldoc: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite gives its other files the same mode
	if err != nil {
		return nil, fmt.Errorf("sqldoc: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("sqldoc: %w", err)
	}
	db := &DB{path: path, turn: make(chan struct{}, 1), readers: make(chan *conn, readers), closed: make(chan struct{}), tables: map[*docdb.Schema]*table{}}
	if db.writer, err = openWriter(path); err != nil {
		return nil, err
	}
	for range readers {
		db.readers <- nil
	}
	return db, nil
}

// The write-ahead log is copied into the file by the commit that fills it to checkpointPages. It starts over only when no
// reader is in it, so under endless overlapping reads it would grow: at maxLog the readers are held back once.
const (
	checkpointPages = 8000 // 32 MiB
	maxLog          = 256 << 20
)

func openWriter(path string) (*conn, error) {
	return open(path, "busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)", "trusted_schema(0)",
		"cache_size(-32768)", fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages), fmt.Sprintf("journal_size_limit(%d)", maxLog/4))
}

func openReader(path string) (*conn, error) {
	return open(path, "busy_timeout(5000)", "query_only(1)", "temp_store(MEMORY)", "trusted_schema(0)", "cache_size(-4096)")
}

// truncateLog empties a log that has grown over a limit. The caller has the writer's turn and no transaction.
func (db *DB) truncateLog(limit int64) {
	info, err := os.Stat(db.path + "-wal")
	if err != nil || info.Size() <= limit {
		return
	}
	var held []*conn
	for range readers {
		held = append(held, <-db.readers)
	}
	// Whatever keeps it from working, the log holds the data, and the next commit tries again.
	_, _ = db.writer.exec(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	for _, c := range held {
		db.readers <- c
	}
}

var errClosed = fault.New(fault.Unavailable, "storage_closed", "the database is closed")

// Close waits for the calls under way and closes the file. It is called once.
func (db *DB) Close() error {
	db.turn <- struct{}{} // kept, as the readers are: a closed database has no next call
	close(db.closed)
	var errs []error
	for range readers {
		if c := <-db.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
		db.writer = nil
	}
	return errors.Join(errs...)
}

// Tx runs fn once, in the one write transaction of its time.
func (db *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx docdb.Session) error) error {
	return db.write(ctx, func(c *conn) error {
		tx := &session{db: db, conn: c}
		if err := fn(context.WithValue(ctx, inside{}, db), tx); err != nil {
			return err
		}
		return tx.failed
	})
}

// inside marks the context of a transaction's closure with its DB.
type inside struct{}

// write runs fn in a write transaction.
func (db *DB) write(ctx context.Context, fn func(c *conn) error) (err error) {
	if ctx.Value(inside{}) == any(db) {
		return fault.New(fault.Internal, "nested_transaction", "a transaction's closure wrote through the database, not through its session")
	}
	select {
	case db.turn <- struct{}{}:
		defer func() { <-db.turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closed:
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.writer == nil {
		if db.writer, err = openWriter(db.path); err != nil {
			return err
		}
	}
	c := db.writer
	if _, err := c.exec(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		if _, e := c.exec(context.Background(), "ROLLBACK"); e != nil {
			// After some errors SQLite has rolled back by itself; a fresh connection is in a known state in any case.
			_ = c.close()
			db.writer = nil
		}
	}()
	if err := fn(c); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := c.exec(context.Background(), "COMMIT"); err != nil {
		return err
	}
	committed = true
	db.truncateLog(maxLog)
	return nil
}

// read runs fn on a reader's connection.
func (db *DB) read(ctx context.Context, fn func(c *conn) error) (err error) {
	var c *conn
	select {
	case c = <-db.readers:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closed:
		return errClosed
	}
	defer func() { db.readers <- c }()
	if c == nil {
		if c, err = openReader(db.path); err != nil {
			return err
		}
	}
	return fn(c)
}

// Fetch implements docdb.Session.
func (db *DB) Fetch(ctx context.Context, s *docdb.Schema, ids []string, found func(i int, decode docdb.Decode) error) error {
	return db.read(ctx, func(c *conn) error { return db.table(s).fetch(ctx, c, ids, found) })
}

// Scan implements docdb.Session.
func (db *DB) Scan(ctx context.Context, s *docdb.Schema, q docdb.Scan, row func(decode docdb.Decode) error) error {
	return db.read(ctx, func(c *conn) error { return db.table(s).scan(ctx, c, q, row) })
}

// Write implements docdb.Session; the ops are one transaction.
func (db *DB) Write(ctx context.Context, s *docdb.Schema, ops []docdb.Op) (outcomes []docdb.Outcome, err error) {
	err = db.write(ctx, func(c *conn) error {
		outcomes, err = db.table(s).write(ctx, c, ops)
		return err
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// DeleteRange implements docdb.Session.
func (db *DB) DeleteRange(ctx context.Context, s *docdb.Schema, from, to string) (n int64, err error) {
	err = db.write(ctx, func(c *conn) error {
		n, err = db.table(s).deleteRange(ctx, c, from, to)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (db *DB) table(s *docdb.Schema) *table {
	db.mu.RLock()
	defer db.mu.RUnlock()
	t, ok := db.tables[s]
	if !ok {
		panic(fmt.Sprintf("sqldoc: Ensure was not called with collection %s", s.Name))
	}
	return t
}

// session is a transaction; it reads what it has written.
type session struct {
	db     *DB
	conn   *conn
	failed error // of a write, which may have been carried out in part
}

func (tx *session) Fetch(ctx context.Context, s *docdb.Schema, ids []string, found func(i int, decode docdb.Decode) error) error {
	return tx.db.table(s).fetch(ctx, tx.conn, ids, found)
}

func (tx *session) Scan(ctx context.Context, s *docdb.Schema, q docdb.Scan, row func(decode docdb.Decode) error) error {
	return tx.db.table(s).scan(ctx, tx.conn, q, row)
}

func (tx *session) Write(ctx context.Context, s *docdb.Schema, ops []docdb.Op) ([]docdb.Outcome, error) {
	if tx.failed != nil {
		return nil, tx.failed
	}
	outcomes, err := tx.db.table(s).write(ctx, tx.conn, ops)
	tx.failed = err
	return outcomes, err
}

func (tx *session) DeleteRange(ctx context.Context, s *docdb.Schema, from, to string) (int64, error) {
	if tx.failed != nil {
		return 0, tx.failed
	}
	n, err := tx.db.table(s).deleteRange(ctx, tx.conn, from, to)
	tx.failed = err
	return n, err
}

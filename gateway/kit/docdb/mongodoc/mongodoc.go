package mongodoc

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/mongo/readconcern"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

// A transaction is run at most attempts times; between two runs it waits a random time below a bound that doubles from
// minWait to maxWait: a hot document among 16 writers takes some tens of runs.
const (
	attempts = 100
	minWait  = 2 * time.Millisecond
	maxWait  = 2 * time.Second // long enough for many writers of many documents to come one after the other
)

// DB is a domain's database.
type DB struct {
	client *Client
	db     *mongo.Database
}

// Close implements docdb.DB.
func (db *DB) Close() error { return nil }

// Tx implements docdb.DB.
func (db *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx docdb.Session) error) error {
	if ctx.Value(inside{}) == any(db) {
		return fault.New(fault.Internal, "nested_transaction", "a transaction's closure wrote through the database, not through its session")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	session, err := db.client.mongo.StartSession()
	if err != nil {
		return translate(err)
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	lookFirst, bound := false, minWait
	for range attempts {
		err = db.attempt(ctx, session, lookFirst, fn)
		if err == nil || !transient(err) {
			return translate(err)
		}
		if !lookFirst && (errors.Is(err, errLookFirst) || mongo.IsDuplicateKeyError(err)) {
			lookFirst = true
			continue
		}
		if err := wait(ctx, rand.N(bound)); err != nil {
			return err
		}
		bound = min(2*bound, maxWait)
	}
	return fault.New(fault.Unavailable, "too_many_conflicts", "a transaction met others' writes %d times", attempts).Because(err)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inside marks the context of a transaction's closure with its DB.
type inside struct{}

// attempt runs a transaction once.
func (db *DB) attempt(ctx context.Context, session mongo.Session, lookFirst bool, fn func(ctx context.Context, tx docdb.Session) error) error {
	if err := session.StartTransaction(options.Transaction().SetReadConcern(readconcern.Snapshot())); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			// The server ends a transaction that it does not hear of again by itself, but locks its documents till then.
			_ = session.AbortTransaction(context.WithoutCancel(ctx))
		}
	}()
	tx := &txSession{db: db, mongo: session, lookFirst: lookFirst}
	err := fn(context.WithValue(ctx, inside{}, db), tx)
	if tx.failed != nil {
		err = tx.failed // whatever fn made of it
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	// The outcome of a commit that was sent is found out even where the caller goes away meanwhile.
	commitCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for range attempts {
		if err = session.CommitTransaction(commitCtx); !unknownCommit(err) {
			break
		}
	}
	committed = err == nil
	return err
}

// Fetch implements docdb.Session.
func (db *DB) Fetch(ctx context.Context, s *docdb.Schema, ids []string, found func(i int, decode docdb.Decode) error) error {
	return translate(db.collection(s).fetch(ctx, ids, found))
}

// Scan implements docdb.Session.
func (db *DB) Scan(ctx context.Context, s *docdb.Schema, q docdb.Scan, row func(decode docdb.Decode) error) error {
	return translate(db.collection(s).scan(ctx, q, row))
}

// Write implements docdb.Session.
func (db *DB) Write(ctx context.Context, s *docdb.Schema, ops []docdb.Op) (outcomes []docdb.Outcome, err error) {
	if ctx.Value(inside{}) == any(db) {
		return nil, fault.New(fault.Internal, "nested_transaction", "a transaction's closure wrote through the database, not through its session")
	}
	c := db.collection(s)
	switch {
	case all(ops, docdb.OpInsert):
		outcomes, err = c.insert(ctx, ops)
	case all(ops, docdb.OpDelete), all(ops, docdb.OpIncrement):
		outcomes, err = c.writeEach(ctx, ops)
	case len(ops) == 1:
		outcomes, err = c.guarded(ctx, ops[0])
	default: // only a transaction can tell which of several guarded writes were carried out
		err = db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
			outcomes, err = tx.Write(ctx, s, ops)
			return err
		})
	}
	if err != nil {
		return nil, translate(err)
	}
	return outcomes, nil
}

// DeleteRange implements docdb.Session.
func (db *DB) DeleteRange(ctx context.Context, s *docdb.Schema, from, to string) (int64, error) {
	n, err := db.collection(s).deleteRange(ctx, from, to)
	return n, translate(err)
}

func all(ops []docdb.Op, kind docdb.OpKind) bool {
	for i := range ops {
		if ops[i].Kind != kind {
			return false
		}
	}
	return true
}

// txSession is one run of a transaction.
type txSession struct {
	db        *DB
	mongo     mongo.Session
	lookFirst bool
	failed    error // the first error of the server, after which the transaction is of no use
}

func (tx *txSession) do(ctx context.Context, f func(ctx context.Context) error) error {
	if tx.failed == nil {
		tx.failed = f(mongo.NewSessionContext(ctx, tx.mongo))
	}
	return translate(tx.failed)
}

func (tx *txSession) Fetch(ctx context.Context, s *docdb.Schema, ids []string, found func(i int, decode docdb.Decode) error) error {
	return tx.do(ctx, func(ctx context.Context) error { return tx.db.collection(s).fetch(ctx, ids, found) })
}

func (tx *txSession) Scan(ctx context.Context, s *docdb.Schema, q docdb.Scan, row func(decode docdb.Decode) error) error {
	return tx.do(ctx, func(ctx context.Context) error { return tx.db.collection(s).scan(ctx, q, row) })
}

func (tx *txSession) Write(ctx context.Context, s *docdb.Schema, ops []docdb.Op) (outcomes []docdb.Outcome, err error) {
	err = tx.do(ctx, func(ctx context.Context) (err error) {
		if tx.lookFirst {
			outcomes, err = tx.db.collection(s).writeLooking(ctx, ops)
			return err
		}
		outcomes, err = tx.db.collection(s).writeAll(ctx, ops)
		return err
	})
	return outcomes, err
}

func (tx *txSession) DeleteRange(ctx context.Context, s *docdb.Schema, from, to string) (n int64, err error) {
	err = tx.do(ctx, func(ctx context.Context) (err error) {
		n, err = tx.db.collection(s).deleteRange(ctx, from, to)
		return err
	})
	return n, err
}

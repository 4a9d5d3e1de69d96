// Package mongodoc is the distributed engine of the document store: one MongoDB database per domain, by mongo-driver. It is the
// only importer of the driver.
//
// Writes are acknowledged by a majority with journal, reads are of majority-committed data, transactions see one snapshot.
// The server is a replica set or a sharded cluster of version 6 or later. Its limits: a transaction lives 60 seconds, and a
// document is at most 16 MiB; batches of up to some 10,000 small writes stay far below both.
//
// Write conflicts make a transaction fail at once, and it is run again, a bounded number of times. A first run writes without
// looking: it takes documents to be in the state that the ops ask for, which one command per kind of op can say. If one was
// not (a duplicate, a condition that does not hold), MongoDB cannot tell which, and for a duplicate it has aborted the
// transaction: the next run looks first, so that the outcomes are known.
package mongodoc

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/mongo/readconcern"
	"go.mongodb.org/mongo-driver/mongo/readpref"
	"go.mongodb.org/mongo-driver/mongo/writeconcern"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

// Client is a connection pool to a MongoDB deployment, shared by the domains' databases.
type Client struct {
	mongo   *mongo.Client
	sharded bool
}

// Connect connects to a deployment and waits until it answers; fault.Unavailable if it does not in time (30 s, or the URI's
// serverSelectionTimeoutMS), fault.Invalid if it is a single server without a replica set, which has no transactions.
func Connect(ctx context.Context, uri string) (*Client, error) {
	durable := writeconcern.Majority()
	journal := true
	durable.Journal = &journal
	// What the URI says of concerns is overruled: the domains' guarantees rest on these.
	opts := options.Client().ApplyURI(uri).SetRegistry(registry).SetBSONOptions(&options.BSONOptions{UseJSONStructTags: true}).
		SetWriteConcern(durable).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()).SetRetryWrites(true)
	client, err := mongo.Connect(ctx, opts)
	if err != nil {
		return nil, translate(err)
	}
	c := &Client{mongo: client}
	if err := c.greet(ctx); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return c, nil
}

func (c *Client) greet(ctx context.Context) error {
	var hello struct {
		Msg     string `json:"msg"`
		SetName string `json:"setName"`
	}
	if err := c.mongo.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return translate(err)
	}
	c.sharded = hello.Msg == "isdbgrid"
	if !c.sharded && hello.SetName == "" {
		return fault.New(fault.Invalid, "mongo_standalone", "the MongoDB server is not a member of a replica set, so it has no transactions")
	}
	return nil
}

// DB is a domain's database. Closing it closes nothing: the client stays open for the others.
func (c *Client) DB(name string) docdb.DB {
	return &DB{client: c, db: c.mongo.Database(name)}
}

// Ping asks whether a primary answers.
func (c *Client) Ping(ctx context.Context) error {
	return translate(c.mongo.Ping(ctx, readpref.Primary()))
}

// Drop deletes a database with all that is in it.
func (c *Client) Drop(ctx context.Context, name string) error {
	return translate(c.mongo.Database(name).Drop(ctx))
}

// Close waits for the calls under way and disconnects.
func (c *Client) Close(ctx context.Context) error {
	if err := c.mongo.Disconnect(ctx); err != nil {
		return fmt.Errorf("mongodoc: disconnect: %w", translate(err))
	}
	return nil
}

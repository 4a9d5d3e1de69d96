package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/mongodoc"
	"scrm/gateway/kit/docdb/sqldoc"
)

// databasePrefix begins the names of our databases on a MongoDB that others may use too.
const databasePrefix = "scrm_"

// databases opens one database per domain, all on one engine.
type databases struct {
	dir    string
	mongo  *mongodoc.Client // nil: SQLite files in dir
	opened []docdb.DB
}

func openDatabases(ctx context.Context, config Config) (*databases, error) {
	d := &databases{dir: config.Data}
	if config.MongoURI == "" {
		return d, nil
	}
	var err error
	if d.mongo, err = mongodoc.Connect(ctx, config.MongoURI); err != nil {
		return nil, fmt.Errorf("connect to MongoDB: %w", err)
	}
	return d, nil
}

func (d *databases) open(name string) (docdb.DB, error) {
	var db docdb.DB
	if d.mongo != nil {
		db = d.mongo.DB(databasePrefix + name)
	} else {
		var err error
		if db, err = sqldoc.Open(filepath.Join(d.dir, name+".db")); err != nil {
			return nil, err
		}
	}
	d.opened = append(d.opened, db)
	return db, nil
}

// ready asks the engine whether it answers; SQLite is part of the process.
func (d *databases) ready(ctx context.Context) error {
	if d.mongo == nil {
		return nil
	}
	return d.mongo.Ping(ctx)
}

func (d *databases) close() error {
	var errs []error
	for _, db := range d.opened {
		errs = append(errs, db.Close())
	}
	if d.mongo != nil {
		errs = append(errs, d.mongo.Close(context.Background()))
	}
	return errors.Join(errs...)
}

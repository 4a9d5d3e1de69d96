package mongodoc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/x/bsonx/bsoncore"

	"scrm/gateway/kit/docdb"
)

// progress says how far a collection's documents are migrated: all have Version, those up to the id Migrated the newest one.
type progress struct {
	docdb.Doc `json:",inline"`
	Version   int64  `json:"version"`
	Migrated  string `json:"migrated"`
}

var progresses = docdb.Define[progress]("docdb_collections")

// batch is how many documents a migration takes in one transaction.
const batch = 500

// Ensure implements docdb.DB.
func (db *DB) Ensure(ctx context.Context, schemas ...*docdb.Schema) error {
	for _, s := range append([]*docdb.Schema{progresses.Schema()}, schemas...) {
		if err := db.ensure(ctx, s); err != nil {
			return fmt.Errorf("mongodoc: ensure %s: %w", s.Name, translate(err))
		}
	}
	return nil
}

func (db *DB) ensure(ctx context.Context, s *docdb.Schema) error {
	err := db.db.CreateCollection(ctx, s.Name)
	var server mongo.ServerError
	if err != nil && (!errors.As(err, &server) || !server.HasErrorCode(codeNamespaceExists)) {
		return err
	}
	if s != progresses.Schema() {
		if err := db.migrateAll(ctx, s); err != nil {
			return err
		}
	}
	if err := db.collection(s).ensureIndexes(ctx); err != nil {
		return err
	}
	if db.client.sharded {
		return db.shard(ctx, s)
	}
	return nil
}

// shard distributes a collection; for one that is distributed the same way already it does nothing.
func (db *DB) shard(ctx context.Context, s *docdb.Schema) error {
	admin := db.client.mongo.Database("admin")
	if err := admin.RunCommand(ctx, bson.D{{Key: "enableSharding", Value: db.db.Name()}}).Err(); err != nil {
		return err
	}
	return admin.RunCommand(ctx, bson.D{{Key: "shardCollection", Value: db.db.Name() + "." + s.Name}, {Key: "key", Value: shardKey(s)}}).Err()
}

func shardKey(s *docdb.Schema) bson.D {
	if s.ShardKey == "" {
		return bson.D{{Key: "_id", Value: "hashed"}}
	}
	return bson.D{{Key: s.ShardKey, Value: 1}, {Key: "_id", Value: 1}}
}

func (db *DB) migrateAll(ctx context.Context, s *docdb.Schema) error {
	latest := int64(0)
	for _, m := range s.Migrations {
		latest = max(latest, int64(m.Version))
	}
	fresh := &progress{Doc: docdb.Doc{ID: s.Name}, Version: latest}
	if _, err := progresses.InsertMany(ctx, db, []*progress{fresh}); err != nil {
		return err
	}
	for done := false; !done; {
		err := db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
			at, err := progresses.Get(ctx, tx, s.Name)
			if err != nil {
				return err
			}
			if done = at.Version >= latest; done {
				return nil
			}
			if at.Migrated, err = db.collection(s).migrate(ctx, tx.(*txSession), at.Version, at.Migrated); err != nil {
				return err
			}
			if at.Migrated == "" {
				at.Version = latest
			}
			return progresses.Replace(ctx, tx, at)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// migrate takes the next batch of documents from version to the latest one and answers the last one's id, or nothing when it
// has seen all.
func (c collection) migrate(ctx context.Context, tx *txSession, version int64, migrated string) (last string, err error) {
	err = tx.do(ctx, func(ctx context.Context) error {
		var models []mongo.WriteModel
		behind := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: migrated}}}}
		opts := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(batch)
		err := c.find(ctx, behind, opts, func(raw bson.Raw) error {
			doc, err := c.migrateOne(raw, version)
			if err != nil {
				return err
			}
			last = raw.Lookup("_id").StringValue()
			models = append(models, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: last}}).SetReplacement(doc))
			return nil
		})
		if err != nil || len(models) == 0 {
			return err
		}
		if len(models) < batch {
			last = ""
		}
		_, err = c.mongo.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
	return last, err
}

func (c collection) migrateOne(raw bson.Raw, version int64) (bson.Raw, error) {
	var decoded bson.M
	if err := unmarshal(raw, &decoded); err != nil {
		return nil, err
	}
	fields := plain(decoded).(map[string]any)
	if err := c.schema.MigrateDoc(fields, int(version)); err != nil {
		return nil, err
	}
	migrated, err := marshal(fields)
	if err != nil {
		return nil, err
	}
	doc := c.schema.New()
	if err := unmarshal(migrated, doc); err != nil {
		return nil, err
	}
	return encode(c.schema, doc)
}

// indexKey is an index as MongoDB has it; its name is MongoDB's own.
func indexKey(ix *docdb.Index) bson.D {
	key := make(bson.D, 0, len(ix.Fields)+1)
	for _, f := range ix.Fields {
		key = append(key, bson.E{Key: f, Value: 1})
	}
	return append(key, bson.E{Key: "_id", Value: 1})
}

// ensureIndexes drops the indexes that are not declared any more, and builds the missing ones.
func (c collection) ensureIndexes(ctx context.Context) error {
	existing, err := c.mongo.Indexes().ListSpecifications(ctx)
	if err != nil {
		return err
	}
	keep := []bson.D{{{Key: "_id", Value: 1}}, shardKey(c.schema)}
	for i := range c.schema.Indexes {
		keep = append(keep, indexKey(&c.schema.Indexes[i]))
	}
	var present []string
	for _, ix := range existing {
		if !slices.ContainsFunc(keep, func(key bson.D) bool { return canonical(key) == ix.KeysDocument.String() }) {
			if _, err := c.mongo.Indexes().DropOne(ctx, ix.Name); err != nil {
				return err
			}
		}
		present = append(present, ix.KeysDocument.String())
	}
	var models []mongo.IndexModel
	for i := range c.schema.Indexes {
		key := indexKey(&c.schema.Indexes[i])
		if slices.Contains(present, canonical(key)) {
			continue
		}
		if err := c.complete(ctx, key); err != nil {
			return err
		}
		models = append(models, mongo.IndexModel{Keys: key})
	}
	if len(models) == 0 {
		return nil
	}
	_, err = c.mongo.Indexes().CreateMany(ctx, models)
	return err
}

// canonical is a key as the server's list of indexes prints it.
func canonical(key bson.D) string {
	out := bsoncore.NewDocumentBuilder()
	for _, e := range key {
		if direction, ok := e.Value.(int); ok {
			out.AppendInt32(e.Key, int32(direction)) //nolint:gosec // 1
			continue
		}
		out.AppendString(e.Key, e.Value.(string))
	}
	return bson.Raw(out.Build()).String()
}

// complete gives documents written before a field was indexed its zero value, as encode gives it to new ones.
func (c collection) complete(ctx context.Context, key bson.D) error {
	for _, f := range key {
		if c.schema.Multi(f.Key) {
			continue
		}
		_, err := c.mongo.UpdateMany(ctx, bson.D{{Key: f.Key, Value: nil}}, bson.D{{Key: "$set", Value: bson.D{{Key: f.Key, Value: c.schema.Zero(f.Key)}}}})
		if err != nil {
			return err
		}
	}
	return nil
}

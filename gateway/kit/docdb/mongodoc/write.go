package mongodoc

import (
	"cmp"
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

// insert stores new documents outside a transaction; the server says which ids were taken.
func (c collection) insert(ctx context.Context, ops []docdb.Op) ([]docdb.Outcome, error) {
	outcomes := make([]docdb.Outcome, len(ops))
	seen := make(map[string]bool, len(ops))
	var docs []any
	var positions []int
	for i, op := range ops {
		if seen[op.ID] {
			outcomes[i] = docdb.Duplicate
			continue
		}
		seen[op.ID] = true
		doc, err := encode(c.schema, op.Doc)
		if err != nil {
			return nil, err
		}
		docs, positions = append(docs, doc), append(positions, i)
	}
	_, err := c.mongo.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return outcomes, err
	}
	for _, e := range bulk.WriteErrors {
		if e.Code != codeDuplicateKey {
			return nil, err
		}
		outcomes[positions[e.Index]] = docdb.Duplicate
	}
	return outcomes, nil
}

// writeEach carries out increments or deletions outside a transaction, where each stands alone.
func (c collection) writeEach(ctx context.Context, ops []docdb.Op) ([]docdb.Outcome, error) {
	outcomes := make([]docdb.Outcome, len(ops))
	for range attempts {
		models, err := c.models(ops)
		if err != nil {
			return nil, err
		}
		_, err = c.mongo.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		var bulk mongo.BulkWriteException
		if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
			return outcomes, err
		}
		var again []docdb.Op
		for _, e := range bulk.WriteErrors {
			if e.Code != codeDuplicateKey { // two upserts met; the one that lost finds the document now
				return nil, err
			}
			again = append(again, ops[e.Index])
		}
		ops = again
	}
	return nil, fmt.Errorf("mongodoc: increments of %s kept meeting insertions", c.schema.Name)
}

// guarded carries out one replacement or update outside a transaction.
func (c collection) guarded(ctx context.Context, op docdb.Op) ([]docdb.Outcome, error) {
	model, err := c.model(op)
	if err != nil {
		return nil, err
	}
	for range attempts {
		r, err := c.mongo.BulkWrite(ctx, []mongo.WriteModel{model})
		if err != nil {
			return nil, err
		}
		if r.MatchedCount == 1 {
			return []docdb.Outcome{docdb.Done}, nil
		}
		stored, err := c.load(ctx, []docdb.Op{op})
		if err != nil {
			return nil, err
		}
		if outcome := c.judge(op, stored[op.ID]); outcome != docdb.Done {
			return []docdb.Outcome{outcome}, nil
		}
		// Somebody changed the document in between so that the op fits now.
	}
	return nil, fmt.Errorf("mongodoc: an update of %s kept meeting others", c.schema.Name)
}

// writeAll carries out ops in a transaction, taking every document to be as its op needs it; errLookFirst if one was not.
func (c collection) writeAll(ctx context.Context, ops []docdb.Op) ([]docdb.Outcome, error) {
	done := make([]docdb.Outcome, len(ops))
	if distinct(ops) { // then their order does not matter, and neighbours of a kind are one command
		ops = slices.SortedStableFunc(slices.Values(ops), func(a, b docdb.Op) int { return cmp.Compare(a.Kind, b.Kind) })
	}
	models, err := c.models(ops)
	if err != nil {
		return nil, err
	}
	r, err := c.mongo.BulkWrite(ctx, models)
	if err != nil {
		return nil, err
	}
	deletions := 0
	for i := range ops {
		if ops[i].Kind == docdb.OpDelete {
			deletions++
		}
	}
	if r.InsertedCount+r.MatchedCount+r.UpsertedCount != int64(len(ops)-deletions) {
		return nil, errLookFirst
	}
	return done, nil
}

// distinct reports whether no two ops are about the same document, so that their order does not matter.
func distinct(ops []docdb.Op) bool {
	seen := make(map[string]bool, len(ops))
	for i := range ops {
		seen[ops[i].ID] = true
	}
	return len(seen) == len(ops)
}

// writeLooking carries out ops in a transaction after reading, in its snapshot, what they are about.
func (c collection) writeLooking(ctx context.Context, ops []docdb.Op) ([]docdb.Outcome, error) {
	stored, err := c.load(ctx, ops)
	if err != nil {
		return nil, err
	}
	outcomes := make([]docdb.Outcome, len(ops))
	var fitting []docdb.Op
	for i, op := range ops {
		if outcomes[i] = c.judge(op, stored[op.ID]); outcomes[i] != docdb.Done {
			continue
		}
		fitting = append(fitting, op)
		if stored[op.ID], err = c.after(op, stored[op.ID]); err != nil {
			return nil, err
		}
	}
	if len(fitting) == 0 {
		return outcomes, nil
	}
	_, err = c.writeAll(ctx, fitting)
	return outcomes, err
}

// load reads the documents that ops are about.
func (c collection) load(ctx context.Context, ops []docdb.Op) (map[string]docdb.Document, error) {
	ids := make([]string, len(ops))
	for i := range ops {
		ids[i] = ops[i].ID
	}
	out := make(map[string]docdb.Document, len(ids))
	return out, c.fetch(ctx, ids, func(i int, decode docdb.Decode) error {
		out[ids[i]] = c.schema.New()
		return decode(out[ids[i]])
	})
}

// judge is the outcome of an op on a document, nil where there is none.
func (c collection) judge(op docdb.Op, doc docdb.Document) docdb.Outcome {
	switch {
	case op.Kind == docdb.OpInsert && doc != nil:
		return docdb.Duplicate
	case op.Kind == docdb.OpReplace && (doc == nil || doc.Meta().Rev != op.Rev):
		return docdb.Stale
	case op.Kind == docdb.OpUpdate && doc == nil:
		return docdb.Missing
	case op.Kind == docdb.OpUpdate && !c.schema.Holds(doc, op.If):
		return docdb.Refused
	default:
		return docdb.Done
	}
}

// after is what an op that fits makes of a document.
func (c collection) after(op docdb.Op, doc docdb.Document) (docdb.Document, error) {
	switch op.Kind {
	case docdb.OpInsert, docdb.OpReplace:
		return op.Doc, nil
	case docdb.OpDelete:
		return nil, nil //nolint:nilnil // there is none afterwards
	default:
	}
	if doc == nil {
		doc = c.schema.Clone(op.Doc)
		return doc, c.schema.Apply(doc, &op)
	}
	doc = c.schema.Clone(doc)
	doc.Meta().Rev++
	return doc, c.schema.Apply(doc, &op)
}

// models are ops as the driver takes them.
func (c collection) models(ops []docdb.Op) ([]mongo.WriteModel, error) {
	out := make([]mongo.WriteModel, len(ops))
	for i, op := range ops {
		var err error
		if out[i], err = c.model(op); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c collection) model(op docdb.Op) (mongo.WriteModel, error) {
	id := bson.E{Key: "_id", Value: op.ID}
	switch op.Kind {
	case docdb.OpInsert:
		doc, err := encode(c.schema, op.Doc)
		return mongo.NewInsertOneModel().SetDocument(doc), err
	case docdb.OpReplace:
		doc, err := encode(c.schema, op.Doc)
		filter := bsoncore.NewDocumentBuilder().AppendString("_id", op.ID).AppendInt64("rev", op.Rev).Build()
		return mongo.NewReplaceOneModel().SetFilter(bson.Raw(filter)).SetReplacement(doc), err
	case docdb.OpUpdate:
		return mongo.NewUpdateOneModel().SetFilter(append(bson.D{id}, c.conditions(op.If)...)).SetUpdate(change(op)), nil
	case docdb.OpIncrement:
		return c.upsert(op)
	default:
		return mongo.NewDeleteOneModel().SetFilter(bson.D{id}), nil
	}
}

func change(op docdb.Op) bson.D {
	update := bson.D{{Key: "$inc", Value: increments(op.Inc)}}
	if len(op.Set) > 0 {
		update = append(update, bson.E{Key: "$set", Value: op.Set})
	}
	return update
}

// increments raises the revision with the counters.
func increments(inc map[string]int64) bson.D {
	out := bson.D{{Key: "rev", Value: int64(1)}}
	for name, by := range inc {
		out = append(out, bson.E{Key: name, Value: by})
	}
	return out
}

// upsert is an increment that inserts the document where it does not exist.
func (c collection) upsert(op docdb.Op) (mongo.WriteModel, error) {
	filter := bsoncore.NewDocumentBuilder().AppendString("_id", op.ID)
	if c.schema.ShardKey != "" { // a sharded collection must know where to insert
		filter.AppendString(c.schema.ShardKey, c.schema.Value(op.Doc, c.schema.ShardKey).(string))
	}
	model := mongo.NewUpdateOneModel().SetFilter(bson.Raw(filter.Build())).SetUpsert(true)
	for name := range op.Inc {
		if c.schema.Value(op.Doc, name) != any(int64(0)) {
			update, err := c.startedCounters(op)
			return model.SetUpdate(update), err
		}
	}
	doc, err := encode(c.schema, op.Doc)
	if err != nil {
		return nil, err
	}
	elements, err := bsoncore.Document(doc).Elements()
	if err != nil {
		return nil, err
	}
	raised := bsoncore.NewDocumentBuilder().AppendInt64("rev", 1)
	for name, by := range op.Inc {
		raised.AppendInt64(name, by)
	}
	fresh := bsoncore.NewDocumentBuilder()
	for _, e := range elements {
		if key := e.Key(); key != "_id" && key != "rev" && key != c.schema.ShardKey && !has(op.Inc, key) {
			fresh.AppendValue(key, e.Value())
		}
	}
	update := bsoncore.NewDocumentBuilder().AppendDocument("$inc", raised.Build()).AppendDocument("$setOnInsert", fresh.Build()).Build()
	return model.SetUpdate(bson.Raw(update)), nil
}

// startedCounters is the update of an upsert whose new document's counters do not start at zero, which $inc cannot say.
func (c collection) startedCounters(op docdb.Op) (bson.A, error) {
	fresh, err := c.after(op, nil)
	if err != nil {
		return nil, err
	}
	doc, err := encode(c.schema, fresh)
	if err != nil {
		return nil, err
	}
	raised := bson.D{}
	for _, by := range increments(op.Inc) {
		old := bson.D{{Key: "$ifNull", Value: bson.A{"$" + by.Key, int64(0)}}}
		raised = append(raised, bson.E{Key: by.Key, Value: bson.D{{Key: "$add", Value: bson.A{old, by.Value}}}})
	}
	exists := bson.D{{Key: "$gt", Value: bson.A{"$rev", nil}}}
	return bson.A{bson.D{{Key: "$replaceWith", Value: bson.D{{Key: "$cond", Value: bson.A{
		exists,
		bson.D{{Key: "$mergeObjects", Value: bson.A{"$$ROOT", raised}}},
		bson.D{{Key: "$literal", Value: doc}},
	}}}}}}, nil
}

func has(inc map[string]int64, name string) bool {
	_, ok := inc[name]
	return ok
}

// conditions are the filter of an update. A field that a document lacks (omitempty) has the zero value.
func (c collection) conditions(conds []docdb.Cond) bson.D {
	if len(conds) == 0 {
		return nil
	}
	var every bson.A
	for _, cond := range conds {
		is := bson.D{{Key: cond.Field, Value: bson.D{{Key: operators[cond.Is], Value: cond.Value}}}}
		absent := bson.D{{Key: cond.Field, Value: nil}}
		if cond.Holds(c.schema.Zero(cond.Field)) {
			is = bson.D{{Key: "$or", Value: bson.A{is, absent}}}
		} else {
			is = bson.D{{Key: "$and", Value: bson.A{is, bson.D{{Key: "$nor", Value: bson.A{absent}}}}}}
		}
		every = append(every, is)
	}
	return bson.D{{Key: "$and", Value: every}}
}

var operators = [...]string{
	docdb.Equal: "$eq", docdb.NotEqual: "$ne", docdb.Less: "$lt", docdb.AtMost: "$lte", docdb.More: "$gt", docdb.AtLeast: "$gte",
}

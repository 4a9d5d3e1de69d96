package mongodoc

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"

	"scrm/gateway/kit/docdb"
)

// collection is a collection with its declaration.
type collection struct {
	schema *docdb.Schema
	mongo  *mongo.Collection
}

func (db *DB) collection(s *docdb.Schema) collection {
	return collection{s, db.db.Collection(s.Name)}
}

// fetchChunk is how many ids one query names.
const fetchChunk = 5000

func (c collection) fetch(ctx context.Context, ids []string, found func(i int, decode docdb.Decode) error) error {
	for start := 0; start < len(ids); start += fetchChunk {
		part := ids[start:min(start+fetchChunk, len(ids))]
		positions := make(map[string][]int, len(part))
		for i, id := range part {
			positions[id] = append(positions[id], start+i)
		}
		filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: part}}}}
		err := c.find(ctx, filter, options.Find().SetBatchSize(int32(len(part)+1)), func(doc bson.Raw) error { //nolint:gosec // at most fetchChunk
			for _, i := range positions[doc.Lookup("_id").StringValue()] {
				if err := found(i, decoder(doc)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func decoder(doc bson.Raw) docdb.Decode {
	return func(into any) error { return unmarshal(doc, into) }
}

func (c collection) find(ctx context.Context, filter bson.D, opts *options.FindOptions, row func(doc bson.Raw) error) (err error) {
	cursor, err := c.mongo.Find(ctx, filter, opts)
	if err != nil {
		return err
	}
	defer func() {
		if e := cursor.Close(context.WithoutCancel(ctx)); err == nil {
			err = e
		}
	}()
	for cursor.Next(ctx) {
		if err := row(cursor.Current); err != nil {
			return err
		}
	}
	return cursor.Err()
}

func (c collection) scan(ctx context.Context, q docdb.Scan, row func(decode docdb.Decode) error) error {
	filter, opts := selection(q)
	return c.find(ctx, filter, opts, func(doc bson.Raw) error { return row(decoder(doc)) })
}

// selection is the query of a scan. It walks the index from the cursor's position on, never over documents that it leaves
// out: behind (a, b, c) are those with a and b and more than c, those with a and more than b, and those with more than a, each
// of which is a range of the index.
func selection(q docdb.Scan) (bson.D, *options.FindOptions) {
	order, index := []string{"_id"}, bson.D{{Key: "_id", Value: 1}}
	if q.Index != nil {
		order, index = append(slices.Clone(q.Index.Fields), "_id"), indexKey(q.Index)
	}
	var equal bson.D
	for i, v := range q.Eq {
		equal = append(equal, bson.E{Key: order[i], Value: v})
	}
	order = order[len(q.Eq):]
	direction, beyond := 1, "$gt"
	if q.Desc {
		direction, beyond = -1, "$lt"
	}
	sort := make(bson.D, len(order))
	for i, f := range order {
		sort[i] = bson.E{Key: f, Value: direction}
	}
	limit := int64(q.Limit)
	opts := options.Find().SetSort(sort).SetHint(index).SetLimit(limit).SetBatchSize(int32(limit + 1)) //nolint:gosec // at most docdb.MaxPage
	var within bson.D
	if q.From != nil {
		within = append(within, bson.E{Key: "$gte", Value: q.From})
	}
	if q.To != nil {
		within = append(within, bson.E{Key: "$lt", Value: q.To})
	}
	if len(q.After) == 0 {
		return conjunction(equal, order[0], within), opts
	}
	var branches bson.A
	for last := range slices.Backward(order) {
		branch := slices.Clone(equal)
		for i := range last {
			branch = append(branch, bson.E{Key: order[i], Value: q.After[i]})
		}
		behind := bson.D{{Key: beyond, Value: q.After[last]}}
		if last == 0 {
			behind = append(behind, within...)
		}
		branches = append(branches, conjunction(branch, order[last], behind))
	}
	if len(branches) == 1 {
		return branches[0].(bson.D), opts
	}
	return bson.D{{Key: "$or", Value: branches}}, opts
}

func conjunction(equal bson.D, field string, condition bson.D) bson.D {
	filter := append(bson.D{}, equal...)
	if len(condition) > 0 {
		filter = append(filter, bson.E{Key: field, Value: condition})
	}
	return filter
}

func (c collection) deleteRange(ctx context.Context, from, to string) (int64, error) {
	r, err := c.mongo.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: to}}}})
	if err != nil {
		return 0, err
	}
	return r.DeletedCount, nil
}

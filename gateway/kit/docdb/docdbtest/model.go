package docdbtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

// naive is the document store as a map: what the engines are compared with.
type naive map[string]item

// testModel carries out random calls, alone and in transactions that commit or roll back, on the engine and on the map, and
// compares outcomes and answers.
func testModel(t *testing.T, engine Engine) {
	db := ready(t, engine, items.Schema())
	rapid.Check(t, func(t *rapid.T) {
		if _, err := items.DeleteRange(context.Background(), db, "", "\x7f"); err != nil {
			t.Fatal(err)
		}
		model := naive{}
		t.Repeat(map[string]func(*rapid.T){
			"alone": func(t *rapid.T) {
				if err := drawCall(t)(context.Background(), db, model); err != nil {
					t.Fatal(err)
				}
			},
			"transaction": func(t *rapid.T) {
				calls := rapid.SliceOfN(rapid.Custom(drawCall), 1, 6).Draw(t, "calls")
				commit := rapid.Bool().Draw(t, "commit")
				var after naive
				err := db.Tx(context.Background(), func(ctx context.Context, tx docdb.Session) error {
					after = maps.Clone(model)
					for _, call := range calls {
						if err := call(ctx, tx, after); err != nil {
							return err
						}
					}
					if !commit {
						return errWanted
					}
					return nil
				})
				switch {
				case commit && err == nil:
					model = after
				case commit || !errors.Is(err, errWanted):
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				if err := compare(context.Background(), db, model, docdb.Query{Limit: 1000}); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// call is one call on the store and on the model; an error says that they differ.
type call func(ctx context.Context, s docdb.Session, model naive) error

var (
	drawID    = rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f/1", "f/2", "g"})
	drawCount = rapid.Int64Range(-2, 2)
	drawText  = rapid.SampledFrom([]string{"", "x", "y", "会员"})
)

func drawItem(t *rapid.T) item {
	return item{
		Doc: withID(drawID.Draw(t, "id")), Brand: drawText.Draw(t, "brand"), Stage: drawText.Draw(t, "stage"), Count: drawCount.Draw(t, "count"),
		Total: drawCount.Draw(t, "total"), Open: rapid.Bool().Draw(t, "open"), Tags: orNil(rapid.SliceOfN(drawText, 0, 3).Draw(t, "tags")),
		Days: rapid.SliceOfN(rapid.Int32Range(0, 3), 0, 3).Draw(t, "days"),
	}
}

// orNil is a slice as omitempty brings it back.
func orNil(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func drawCall(t *rapid.T) call {
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return insertion(rapid.SliceOfN(rapid.Custom(drawItem), 1, 5).Draw(t, "docs"))
	case 1:
		return saving(rapid.SliceOfNDistinct(rapid.Custom(drawItem), 1, 4, func(i item) string { return i.ID }).Draw(t, "docs"), rapid.Int64Range(0, 1).Draw(t, "behind"))
	case 2:
		return increment(rapid.SliceOfN(rapid.Custom(drawItem), 1, 4).Draw(t, "docs"), map[string]int64{"count": drawCount.Draw(t, "by"), "total": 1})
	case 3:
		return update(drawItem(t), docdb.Cond{Field: "count", Is: docdb.Comparison(rapid.IntRange(0, 5).Draw(t, "is")), Value: drawCount.Draw(t, "value")})
	case 4:
		return deletion(rapid.SliceOfN(drawID, 1, 3).Draw(t, "ids"))
	case 5:
		return rangeDeletion(drawID.Draw(t, "from"), drawID.Draw(t, "to"))
	default:
		q := drawQuery(t)
		return func(ctx context.Context, s docdb.Session, model naive) error { return compare(ctx, s, model, q) }
	}
}

func insertion(docs []item) call {
	return func(ctx context.Context, s docdb.Session, model naive) error {
		var insert []*item
		var want []int
		for i, doc := range docs {
			insert = append(insert, &doc)
			if _, ok := model[doc.ID]; ok {
				want = append(want, i)
				continue
			}
			doc.Rev = 1
			model[doc.ID] = doc
		}
		got, err := items.InsertMany(ctx, s, insert)
		if err != nil || !slices.Equal(got, want) {
			return fmt.Errorf("duplicates %v, want %v, error %w", got, want, err)
		}
		return nil
	}
}

// saving replaces stored documents and inserts the others; behind makes the first replacement's revision too low.
func saving(docs []item, behind int64) call {
	return func(ctx context.Context, s docdb.Session, model naive) error {
		var save []*item
		refused := false
		for _, doc := range docs {
			doc.Rev = max(0, model[doc.ID].Rev-behind)
			save = append(save, &doc)
			if doc.Rev != model[doc.ID].Rev {
				behind, refused = 0, true
				continue
			}
			saved := doc
			saved.Rev++
			model[doc.ID] = saved
		}
		if err := items.SaveMany(ctx, s, save); refused != (err != nil) || err != nil && !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("SaveMany, refused %v: %w", refused, err)
		}
		return nil
	}
}

func increment(docs []item, by map[string]int64) call {
	return func(ctx context.Context, s docdb.Session, model naive) error {
		increments := make([]docdb.Increment[item], len(docs))
		for i, doc := range docs {
			fresh := doc
			increments[i] = docdb.Increment[item]{New: &fresh, Inc: by}
			if old, ok := model[doc.ID]; ok {
				doc = old
			}
			doc.Rev++
			doc.Count += by["count"]
			doc.Total += by["total"]
			model[doc.ID] = doc
		}
		return items.IncrementMany(ctx, s, increments)
	}
}

func update(to item, cond docdb.Cond) call {
	return func(ctx context.Context, s docdb.Session, model naive) error {
		err := items.Update(ctx, s, to.ID, docdb.Change{If: []docdb.Cond{cond}, Set: map[string]any{"brand": to.Brand, "stage": to.Stage, "tags": to.Tags, "open": to.Open}, Inc: map[string]int64{"count": to.Count}})
		doc, ok := model[to.ID]
		want := ""
		switch {
		case !ok:
			want = "not_found"
		case !cond.Holds(doc.Count):
			want = "condition_failed"
		default:
			doc.Rev++
			doc.Brand, doc.Stage, doc.Tags, doc.Open = to.Brand, to.Stage, to.Tags, to.Open
			doc.Count += to.Count
			model[to.ID] = doc
		}
		if want == "" && err == nil || err != nil && fault.CodeOf(err) == want {
			return nil
		}
		return fmt.Errorf("update, want %q: %w", want, err)
	}
}

func deletion(ids []string) call {
	return func(ctx context.Context, s docdb.Session, model naive) error {
		for _, id := range ids {
			delete(model, id)
		}
		return items.Delete(ctx, s, ids...)
	}
}

func rangeDeletion(from, to string) call {
	return func(ctx context.Context, s docdb.Session, model naive) error {
		before := len(model)
		maps.DeleteFunc(model, func(id string, _ item) bool { return from <= id && id < to })
		got, err := items.DeleteRange(ctx, s, from, to)
		if err != nil || got != int64(before-len(model)) {
			return fmt.Errorf("deleted %d, want %d, error %w", got, before-len(model), err)
		}
		return nil
	}
}

func drawQuery(t *rapid.T) docdb.Query {
	q := docdb.Query{Desc: rapid.Bool().Draw(t, "desc"), Limit: rapid.IntRange(1, 3).Draw(t, "limit")}
	var next *rapid.Generator[any] // of the first field that is not fixed
	text := rapid.Map(drawText, func(s string) any { return s })
	number := rapid.Map(drawCount, func(n int64) any { return n })
	fix := func(fields ...*rapid.Generator[any]) {
		n := rapid.IntRange(0, len(fields)).Draw(t, "fixed")
		for _, f := range fields[:n] {
			q.Eq = append(q.Eq, f.Draw(t, "eq"))
		}
		next = append(fields, rapid.Map(drawID, func(s string) any { return s }))[n]
	}
	switch q.Index = rapid.SampledFrom([]string{"", "brand_count", "open_stage_total", "tags_count"}).Draw(t, "index"); q.Index {
	case "brand_count":
		fix(text, number)
	case "open_stage_total":
		fix(rapid.Map(rapid.Bool(), func(b bool) any { return b }), text, number)
	case "tags_count":
		q.Eq = append(q.Eq, text.Draw(t, "tag"))
		fix(number)
	default:
		fix()
	}
	if rapid.Bool().Draw(t, "from?") {
		q.From = next.Draw(t, "from")
	}
	if rapid.Bool().Draw(t, "to?") {
		q.To = next.Draw(t, "to")
	}
	return q
}

// compare asks store and model the same query.
func compare(ctx context.Context, s docdb.Session, model naive, q docdb.Query) error {
	want := model.find(q)
	var got []item
	for doc, err := range items.Each(ctx, s, q) {
		if err != nil {
			return err
		}
		got = append(got, *doc)
	}
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%+v:\n got %+v\nwant %+v", q, got, want)
	}
	return nil
}

func (model naive) find(q docdb.Query) []item {
	key := func(i item) []any {
		switch q.Index {
		case "brand_count":
			return []any{i.Brand, i.Count, i.ID}
		case "open_stage_total":
			return []any{i.Open, i.Stage, i.Total, i.ID}
		case "tags_count":
			return []any{q.Eq[0], i.Count, i.ID}
		default:
			return []any{i.ID}
		}
	}
	matches := func(i item) bool {
		k, n := key(i), len(q.Eq)
		if q.Index == "tags_count" && !slices.Contains(i.Tags, q.Eq[0].(string)) {
			return false
		}
		return slices.Equal(k[:n], q.Eq) && (q.From == nil || order(k[n], q.From) >= 0) && (q.To == nil || order(k[n], q.To) < 0)
	}
	out := slices.DeleteFunc(slices.Collect(maps.Values(model)), func(i item) bool { return !matches(i) })
	slices.SortFunc(out, func(a, b item) int { return slices.CompareFunc(key(a), key(b), order) })
	if q.Desc {
		slices.Reverse(out)
	}
	return out
}

func order(a, b any) int {
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case bool:
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) // false, true
	default:
		return cmp.Compare(a.(int64), b.(int64))
	}
}

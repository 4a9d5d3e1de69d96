package docdb

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/wire"
)

// MaxPage is the largest page that Find gives.
const MaxPage = 10_000

// Query asks for documents in the order of an index (By's name: its fields joined by _), or of ids where Index is empty.
type Query struct {
	Index    string
	Eq       []any // values of the index's first fields, all documents if empty
	From, To any   // half-open range on the next field (on the id where there is none), nil where unbounded
	Desc     bool
	Limit    int    // 1 to MaxPage; 0 means 100
	Cursor   string // the Next of the page before, opaque
}

// Page is one page of an answer; Next is empty on the last.
type Page[T any] struct {
	Items []*T
	Next  string
}

// Find reads one page. A document that is inserted, changed or deleted while a client pages is seen or not, but never makes
// another one be skipped or seen twice. fault.Invalid with code "invalid_cursor" for a cursor that is not of this query.
func (c Collection[T]) Find(ctx context.Context, s Session, q Query) (Page[T], error) {
	scan, err := c.scan(q)
	if err != nil {
		return Page[T]{}, err
	}
	limit := scan.Limit
	scan.Limit++ // one more tells whether there is a next page
	var page Page[T]
	err = s.Scan(ctx, c.schema, scan, func(decode Decode) error {
		doc := new(T)
		if err := decode(doc); err != nil {
			return err
		}
		page.Items = append(page.Items, doc)
		return nil
	})
	if err != nil {
		return Page[T]{}, fmt.Errorf("docdb: find %s: %w", c.schema.Name, err)
	}
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next, err = c.cursor(scan, page.Items[limit-1])
	}
	return page, err
}

// Each reads every document that matches q (its Limit is the size of the pages it reads) in order, in constant memory.
func (c Collection[T]) Each(ctx context.Context, s Session, q Query) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if q.Limit == 0 {
			q.Limit = 1000
		}
		for {
			page, err := c.Find(ctx, s, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, doc := range page.Items {
				if !yield(doc, nil) {
					return
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return
			}
		}
	}
}

func (c Collection[T]) scan(q Query) (Scan, error) {
	scan := Scan{From: plain(q.From), To: plain(q.To), Desc: q.Desc, Limit: q.Limit}
	if scan.Limit == 0 {
		scan.Limit = 100
	}
	if scan.Limit < 1 || scan.Limit > MaxPage {
		panic(fmt.Sprintf("docdb: a page has 1 to %d documents", MaxPage))
	}
	var order []string // the fields that documents are ordered by
	if q.Index != "" {
		scan.Index = c.schema.index(q.Index)
		order = scan.Index.Fields
	}
	if len(q.Eq) > len(order) || len(order) > 0 && len(q.Eq) == 0 && c.schema.Multi(order[0]) {
		panic(fmt.Sprintf("docdb: a query of %s by %q does not fit its index", c.schema.Name, q.Index))
	}
	order = append(slices.Clone(order), "_id")
	for i, v := range q.Eq {
		c.schema.mustFit(order[i], plain(v))
		scan.Eq = append(scan.Eq, plain(v))
	}
	order = order[len(scan.Eq):]
	c.schema.mustFit(order[0], scan.From)
	c.schema.mustFit(order[0], scan.To)
	if q.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if err == nil {
			err = wire.Unmarshal(raw, &scan.After)
		}
		if err == nil && len(scan.After) != len(order) {
			err = errors.New("of another index")
		}
		for i := 0; err == nil && i < len(order); i++ {
			if !c.schema.fits(order[i], scan.After[i]) {
				err = errors.New("of another index")
			}
		}
		if err != nil || scan.outside(scan.After[0]) {
			return Scan{}, fault.New(fault.Invalid, "invalid_cursor", "the cursor is not one that this list gave").At("cursor")
		}
	}
	return scan, nil
}

// outside reports whether a value does not lie in the scan's range.
func (s Scan) outside(value any) bool {
	return s.From != nil && Cond{Is: Less, Value: s.From}.Holds(value) || s.To != nil && Cond{Is: AtLeast, Value: s.To}.Holds(value)
}

func (c Collection[T]) cursor(scan Scan, last *T) (string, error) {
	var at []any
	if scan.Index != nil {
		for _, f := range scan.Index.Fields[len(scan.Eq):] {
			at = append(at, c.schema.Value(any(last).(Document), f))
		}
	}
	raw, err := wire.Marshal(append(at, meta(last).ID))
	return base64.RawURLEncoding.EncodeToString(raw), err
}

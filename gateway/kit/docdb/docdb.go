// Package docdb is the document store: a small port with two engines, SQLite (sqldoc, the embedded default) and MongoDB
// (mongodoc). A domain owns one database, declares its collections and their indexes, and changes state in transactions over
// them. Both engines pass the contract suite in docdbtest.
//
// Documents are plain structs with json tags that embed Doc. Their fields are strings, integers, booleans, byte slices, and
// structs, slices and maps of these (floats for coordinates only); times are when.Instant (integers), never time.Time.
package docdb

import "context"

// Doc is embedded (json:",inline") by every stored document: its id, and its revision, which starts at 1 and grows by one
// with each change. A document that is not stored yet has revision 0.
type Doc struct {
	ID  string `json:"_id"`
	Rev int64  `json:"rev"`
}

// Meta gives the engines and the facade access to the embedded Doc.
func (d *Doc) Meta() *Doc { return d }

// Document is a pointer to a struct that embeds Doc.
type Document interface{ Meta() *Doc }

// Session is what reads and writes go through: a DB, where each call stands alone, or a transaction. Domains use it by
// Collection's methods only; engines implement it.
type Session interface {
	// Fetch reads documents by id, calling found with the position in ids of each one that exists, in no particular order.
	Fetch(ctx context.Context, s *Schema, ids []string, found func(i int, decode Decode) error) error
	// Scan reads documents in the order of a query until its limit; row is called for each.
	Scan(ctx context.Context, s *Schema, q Scan, row func(decode Decode) error) error
	// Write carries out ops in order, as few round trips as it can, and says of each how it went. Outside a transaction each
	// op is atomic by itself. Inside one, every op takes effect or the transaction fails as a whole, except those that the
	// result says were not carried out.
	Write(ctx context.Context, s *Schema, ops []Op) ([]Outcome, error)
	// DeleteRange deletes documents whose ids lie in [from, to) and says how many.
	DeleteRange(ctx context.Context, s *Schema, from, to string) (int64, error)
}

// DB is one domain's database.
type DB interface {
	Session
	// Ensure declares the collections: it creates what is missing (collections, indexes over existing documents), drops
	// indexes that are no longer declared, and runs the schemas' migrations. Called once, before anything else.
	Ensure(ctx context.Context, schemas ...*Schema) error
	// Tx runs fn in one serialisable-enough transaction: what fn read by id and then writes, nobody changed meanwhile. It
	// commits durably when fn returns nil, else rolls back and returns fn's error. Engines may run fn again after a
	// transient conflict (a bounded number of times, then fault.Unavailable), so fn must have no effects but through its session, and must
	// reset what it assigns outside. Reads of documents that fn does not write are not protected against write skew:
	// guard by writing the same document.
	Tx(ctx context.Context, fn func(ctx context.Context, tx Session) error) error
	// Close releases the database; calls under way end first.
	Close() error
}

// Decode fills a document (a pointer to the schema's type).
type Decode func(into any) error

// Scan is a query as engines see it. Index nil means the order of ids; then Eq is empty and From/To are ids.
type Scan struct {
	Index    *Index
	Eq       []any // values of the index's first fields
	From, To any   // half-open range [From, To) on the next field, nil where unbounded
	After    []any // position to continue behind: the values of the index's fields after Eq, then the id
	Desc     bool
	Limit    int
}

// OpKind is what a write does.
type OpKind uint8

// The write operations.
const (
	OpInsert    OpKind = iota // Doc; Duplicate if its id exists
	OpReplace                 // Doc, only if the stored revision is Rev; Stale if not
	OpUpdate                  // ID; Set and Inc, only if every condition of If holds; Refused if one does not, Missing
	OpIncrement               // ID; Inc, or where it does not exist insert Doc with Inc added to it
	OpDelete                  // ID; Done too where it does not exist
)

// Op is one write.
type Op struct {
	Kind OpKind
	ID   string
	Doc  Document         // as it is to be stored, its Rev already raised
	Rev  int64            // OpReplace: the revision it replaces
	If   []Cond           // OpUpdate
	Set  map[string]any   // OpUpdate, by top-level field
	Inc  map[string]int64 // OpUpdate, OpIncrement, by top-level field
}

// Outcome is how a write went.
type Outcome uint8

// The outcomes. All but Done mean that this op changed nothing.
const (
	Done Outcome = iota
	Duplicate
	Stale
	Missing
	Refused
)

// Cond is a condition on a top-level field of the stored document.
type Cond struct {
	Field string
	Is    Comparison
	Value any
}

// Comparison is a condition's operator.
type Comparison uint8

// The operators.
const (
	Equal Comparison = iota
	NotEqual
	Less
	AtMost
	More
	AtLeast
)

// Index orders a collection's documents by top-level fields, then by id. The first field may be a slice: then the document
// stands in the index once for each distinct element, and queries must name one in Eq. There are no unique indexes: what has to be
// unique is an id, so that it holds when the collection is sharded.
type Index struct {
	Name   string
	Fields []string
}

// Migration brings documents of an older schema version up to date when the database is opened. Apply changes the document in
// place, and must accept one that is already changed: another process of the new version may have written it. Progress is kept
// from batch to batch, so that an interrupted migration goes on. Integers are int64, slices []any, structs and maps
// map[string]any; structs whose fields are numbered for package wire are to be left as they are.
type Migration struct {
	Version int // the schema version that documents have afterwards: 1, 2, …
	Apply   func(doc map[string]any) error
}

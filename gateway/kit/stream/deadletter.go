package stream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

// DeadLetters are the items that a domain could not handle, in the domain's own database, until somebody replays them. They are
// never deleted.
type DeadLetters struct {
	db      docdb.DB
	letters docdb.Collection[DeadLetter]
}

// DeadLetter is one item that could not be handled, and why.
type DeadLetter struct {
	docdb.Doc  `json:",inline"`
	Consumer   string       `json:"consumer"` // the durable's name
	Subject    string       `json:"subject"`
	Seq        int64        `json:"seq"`   // stream sequence of its message
	Index      int64        `json:"index"` // position in its message
	Of         int64        `json:"of"`    // how many items its message holds
	Data       []byte       `json:"data"`
	Keys       []string     `json:"keys"` // what the domain finds it by, such as the event id
	Kind       string       `json:"kind"` // of the error, as fault.Kind.String
	Code       string       `json:"code"`
	Detail     string       `json:"detail"`
	Tries      int64        `json:"tries"` // how often it was handled in vain
	At         when.Instant `json:"at"`    // wall clock
	ReplayedAt when.Instant `json:"replayed_at"`
	Open       bool         `json:"open"` // not replayed yet
}

// NewDeadLetters are the dead letters in a domain's database.
func NewDeadLetters(db docdb.DB) *DeadLetters {
	return &DeadLetters{db: db, letters: docdb.Define[DeadLetter]("dead_letters",
		docdb.By("open"), docdb.By("consumer", "open"), docdb.By("keys", "open"))}
}

// Schema is their collection, for DB.Ensure.
func (d *DeadLetters) Schema() *docdb.Schema { return d.letters.Schema() }

// NewDeadLetter is the dead letter of an item that a durable consumer gave up for a reason. keys are what the domain wants to find
// it by.
func NewDeadLetter(durable string, item Item, reason error, keys ...string) *DeadLetter {
	l := &DeadLetter{
		Doc:      docdb.Doc{ID: fmt.Sprintf("%s.%012d.%04d", durable, item.Seq, item.Index)},
		Consumer: durable, Subject: item.Subject, Seq: int64(item.Seq), Index: int64(item.Index), Of: int64(item.Of), Data: bytes.Clone(item.Data),
		Keys: keys, Kind: fault.KindOf(reason).String(), Code: fault.CodeOf(reason), Detail: reason.Error(),
		Tries: 1, At: when.System{}.Now(), Open: true,
	}
	var given *GivenUpError
	if errors.As(reason, &given) {
		l.Tries = int64(given.Tries)
	}
	return l
}

// Add stores dead letters, in the transaction tx or, with the domain's DB, by themselves. One that is there already stays as
// it is.
func (d *DeadLetters) Add(ctx context.Context, tx docdb.Session, letters ...*DeadLetter) error {
	taken, err := d.letters.InsertMany(ctx, tx, letters)
	if err != nil || len(taken) == 0 {
		return err
	}
	ids := make([]string, len(taken))
	for i, at := range taken {
		ids[i] = letters[at].ID
	}
	there, err := d.letters.GetMany(ctx, tx, ids...)
	if err != nil {
		return err
	}
	var others []*DeadLetter
	for i, at := range taken {
		// A stream that was made anew counts from 1 again: another item under the same id.
		if old := there[ids[i]]; old != nil && !bytes.Equal(old.Data, letters[at].Data) {
			other := *letters[at]
			sum := sha256.Sum256(other.Data)
			other.ID = fmt.Sprintf("%s.%x", other.ID, sum[:4])
			others = append(others, &other)
		}
	}
	if len(others) == 0 {
		return nil
	}
	_, err = d.letters.InsertMany(ctx, tx, others)
	return err
}

// Keep is a Consumer's Dead that stores the item as a dead letter. keysOf, which may be nil, finds the item's keys.
func (d *DeadLetters) Keep(durable string, keysOf func(Item) []string) func(ctx context.Context, item Item, reason error) error {
	return func(ctx context.Context, item Item, reason error) error {
		var keys []string
		if keysOf != nil {
			keys = keysOf(item)
		}
		return d.Add(ctx, d.db, NewDeadLetter(durable, item, reason, keys...))
	}
}

// Get reads one; fault.NotFound if there is none.
func (d *DeadLetters) Get(ctx context.Context, id string) (*DeadLetter, error) {
	return d.letters.Get(ctx, d.db, id)
}

// List reads a page of dead letters in the order of their ids, open ones only if open. limit and cursor as in docdb.Query.
func (d *DeadLetters) List(ctx context.Context, open bool, limit int, cursor string) (docdb.Page[DeadLetter], error) {
	q := docdb.Query{Limit: limit, Cursor: cursor}
	if open {
		q.Index, q.Eq = "open", []any{true}
	}
	return d.letters.Find(ctx, d.db, q)
}

// Held says which of keys belong to dead letters that are not replayed yet.
func (d *DeadLetters) Held(ctx context.Context, s docdb.Session, keys ...string) (map[string]bool, error) {
	held := map[string]bool{}
	first, err := d.letters.Find(ctx, s, docdb.Query{Index: "open", Eq: []any{true}, Limit: 1})
	if err != nil || len(first.Items) == 0 {
		return held, err
	}
	for _, key := range keys {
		page, err := d.letters.Find(ctx, s, docdb.Query{Index: "keys_open", Eq: []any{key, true}, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(page.Items) > 0 {
			held[key] = true
		}
	}
	return held, nil
}

// Replay gives a dead letter to its handler once more and notes it as replayed if that went well. One that is replayed already is
// left alone. fault.Conflict with code "cannot_be_done_yet" if the handler puts it off; else the handler's own error.
func (d *DeadLetters) Replay(ctx context.Context, id string, handle Handler) error {
	letter, err := d.letters.Get(ctx, d.db, id)
	if err != nil || !letter.Open {
		return err
	}
	later, err := handle(ctx, []Item{{Subject: letter.Subject, Seq: uint64(letter.Seq), Index: int(letter.Index), Of: int(letter.Of), Data: letter.Data}})
	if err != nil {
		return err
	}
	if len(later) > 0 {
		return fault.New(fault.Conflict, "cannot_be_done_yet", "what this event depends on has not been done yet")
	}
	err = d.letters.Update(ctx, d.db, id, docdb.Change{
		If:  []docdb.Cond{{Field: "open", Is: docdb.Equal, Value: true}},
		Set: map[string]any{"open": false, "replayed_at": int64(when.System{}.Now())},
	})
	if fault.CodeOf(err) == "condition_failed" { // another one replayed it at the same moment
		return nil
	}
	return err
}

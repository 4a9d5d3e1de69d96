package stream

import (
	"context"
	"fmt"
	"sync"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/wire"
)

// Outbox is a domain's outgoing events: rows written in the transaction that made them true, published by a relay in the
// order of their ids and deleted once the stream has them on disk. A crash between the two publishes again; the message id
// and the consumers make that harmless.
type Outbox struct {
	db   docdb.DB
	rows docdb.Collection[outgoing]
	wake chan struct{}

	mu   sync.Mutex
	gone chan struct{} // closed when the relay of this process has published something
}

// outgoing is one packed message that waits to be published.
type outgoing struct {
	docdb.Doc `json:",inline"`
	Subject   string `json:"subject"`
	Packed    []byte `json:"packed"`
	Items     int64  `json:"items"`
}

// NewOutbox is the outbox of a domain's database.
func NewOutbox(db docdb.DB) *Outbox {
	return &Outbox{db: db, rows: docdb.Define[outgoing]("outbox"), wake: make(chan struct{}, 1), gone: make(chan struct{})}
}

// Schema is the outbox's collection, for DB.Ensure.
func (o *Outbox) Schema() *docdb.Schema { return o.rows.Schema() }

// Add puts events of one subject into the outbox, in the transaction tx that makes them true; call Wake when it has
// committed. fault.TooLarge if an event is over MaxItemSize.
func (o *Outbox) Add(ctx context.Context, tx docdb.Session, subject string, events ...any) error {
	var packs []pack
	for _, e := range events {
		data, err := wire.Marshal(e)
		if err != nil {
			return fmt.Errorf("stream: outbox: %w", err)
		}
		if len(data) > MaxItemSize {
			return fault.New(fault.TooLarge, "event_too_large", "an event is over %d bytes", MaxItemSize)
		}
		if n := len(packs); n == 0 || !packs[n-1].fits(data) {
			packs = append(packs, pack{})
		}
		packs[len(packs)-1].add(data)
	}
	rows := make([]*outgoing, len(packs))
	for i, p := range packs {
		rows[i] = &outgoing{Doc: docdb.Doc{ID: ident.New()}, Subject: subject, Packed: p.bytes, Items: int64(p.items)}
	}
	_, err := o.rows.InsertMany(ctx, tx, rows)
	return err
}

// Wake tells the relay that there is something to publish; it looks by itself too, but later.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// progress is closed at the next published.
func (o *Outbox) progress() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone
}

func (o *Outbox) published() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.gone)
	o.gone = make(chan struct{})
}

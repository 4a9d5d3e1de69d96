package stream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/docdb"
)

const (
	relayPage  = 64          // rows published before the first of their acknowledgements is awaited
	relayLooks = time.Second // how often the relay looks when nobody wakes it
	relayRetry = 5 * time.Second
)

// Relay publishes an outbox's rows in the order of their ids until ctx ends, and deletes them once they are on disk in their stream.
// Several processes may relay the same outbox: message ids make the repetitions harmless. When publishing fails it tries
// again, a little later; rows that came after the one at fault may then have gone before it.
func (b *Bus) Relay(ctx context.Context, o *Outbox) {
	pause := relayLooks
	for {
		n, err := b.relayPage(ctx, o)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			b.log.Warn("publishing from an outbox failed, trying again", "in", pause, "error", err)
			if !sleep(ctx, pause) {
				return
			}
			pause = min(2*pause, relayRetry)
			continue
		case n > 0:
			pause = relayLooks
			continue
		}
		pause = relayLooks
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-time.After(relayLooks):
		}
	}
}

// relayPage publishes and deletes the first rows and says how many there were.
func (b *Bus) relayPage(ctx context.Context, o *Outbox) (int, error) {
	page, err := o.rows.Find(ctx, o.db, docdb.Query{Limit: relayPage})
	if err != nil || len(page.Items) == 0 {
		return 0, err
	}
	futures := make([]jetstream.PubAckFuture, 0, len(page.Items))
	var failed error
	for _, row := range page.Items {
		future, err := b.send(&nats.Msg{Subject: row.Subject, Data: row.Packed}, jetstream.WithMsgID(row.ID))
		if err != nil {
			failed = b.refused(row.Subject, err)
			break
		}
		futures = append(futures, future)
	}
	done := make([]string, 0, len(futures))
	for i, future := range futures {
		select {
		case <-future.Ok():
			done = append(done, page.Items[i].ID)
		case err := <-future.Err():
			failed = b.refused(page.Items[i].Subject, err)
		}
	}
	if err := o.rows.Delete(context.WithoutCancel(ctx), o.db, done...); err != nil {
		return 0, err
	}
	o.published()
	return len(done), failed
}

// Drained returns when every row that is in the outbox at the call has been published, by whichever process.
func (o *Outbox) Drained(ctx context.Context) error {
	newest, err := o.rows.Find(ctx, o.db, docdb.Query{Desc: true, Limit: 1})
	if err != nil || len(newest.Items) == 0 {
		return err
	}
	last := newest.Items[0].ID
	o.Wake()
	for pause := pollFirst; ; pause = min(2*pause, pollMost) {
		progress := o.progress()
		first, err := o.rows.Find(ctx, o.db, docdb.Query{Limit: 1})
		if err != nil {
			return err
		}
		if len(first.Items) == 0 || first.Items[0].ID > last {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-progress:
			pause = pollFirst
		case <-time.After(pause):
		}
	}
}

// sleep waits for d, or less if ctx ends: then it is false.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

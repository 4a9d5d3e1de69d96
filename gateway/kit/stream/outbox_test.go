package stream

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/sqldoc"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/wire"
)

func openDB(t *testing.T, schemas ...*docdb.Schema) docdb.DB {
	t.Helper()
	db, err := sqldoc.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Ensure(t.Context(), schemas...); err != nil {
		t.Fatal(err)
	}
	return db
}

func openOutbox(t *testing.T) *Outbox {
	t.Helper()
	o := NewOutbox(nil)
	o.db = openDB(t, o.Schema())
	return o
}

// add puts events into the outbox as a domain does.
func add(t *testing.T, o *Outbox, subject string, events ...any) {
	t.Helper()
	err := o.db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error { return o.Add(ctx, tx, subject, events...) })
	if err != nil {
		t.Fatal(err)
	}
	o.Wake()
}

// relay runs the relay until the returned function is called.
func relay(t *testing.T, b *Bus, o *Outbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Relay(ctx, o) })
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// stored are the items of a stream, decoded.
func stored(t *testing.T, b *Bus, stream string) (items []string) {
	t.Helper()
	last, err := b.LastSeq(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	mustConsume(t, b, Consumer{Stream: stream, Durable: "stored", Handle: func(_ context.Context, batch []Item) ([]int, error) {
		for _, item := range batch {
			var s string
			if err := wire.Unmarshal(item.Data, &s); err != nil {
				return nil, err
			}
			items = append(items, s)
		}
		return nil, nil
	}})
	if err := b.WaitDone(t.Context(), stream, "stored", last); err != nil {
		t.Fatal(err)
	}
	return items
}

func drained(t *testing.T, o *Outbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := o.Drained(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestOutboxIsPublishedInOrder(t *testing.T) {
	t.Parallel()
	b, o := openQuiet(t, Config{}), openOutbox(t)
	drained(t, o) // of nothing
	var want []string
	for i := range 300 { // some before the relay runs
		if i == 200 {
			relay(t, b, o)
		}
		event := fmt.Sprintf("event %d", i)
		want = append(want, event)
		add(t, o, SubjectSales, event)
	}
	drained(t, o)
	if got := stored(t, b, Sales); !slices.Equal(got, want) {
		t.Errorf("published were %v", got)
	}
	left, err := o.rows.Find(t.Context(), o.db, docdb.Query{})
	if err != nil || len(left.Items) != 0 {
		t.Errorf("%d rows are left, %v", len(left.Items), err)
	}
}

func TestOutboxRolledBackPublishesNothing(t *testing.T) {
	t.Parallel()
	b, o := openQuiet(t, Config{}), openOutbox(t)
	relay(t, b, o)
	refused := fault.New(fault.Conflict, "refused", "the domain decided otherwise")
	err := o.db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error {
		if err := o.Add(ctx, tx, SubjectSales, "never true"); err != nil {
			return err
		}
		return refused
	})
	wantFault(t, err, fault.Conflict, "refused")
	add(t, o, SubjectSales, "true")
	drained(t, o)
	if got := stored(t, b, Sales); !slices.Equal(got, []string{"true"}) {
		t.Errorf("published were %v", got)
	}
}

func TestOutboxPacks(t *testing.T) {
	t.Parallel()
	b, o := openQuiet(t, Config{}), openOutbox(t)
	events := make([]any, 2500)
	for i := range events {
		events[i] = fmt.Sprint(i)
	}
	add(t, o, SubjectSales, events...)
	relay(t, b, o)
	drained(t, o)
	if last, err := b.LastSeq(t.Context(), Sales); err != nil || last != 3 {
		t.Errorf("2,500 events went out in %d messages, %v", last, err)
	}
	if got := stored(t, b, Sales); len(got) != 2500 || got[2499] != "2499" {
		t.Errorf("%d events arrived", len(got))
	}
	err := o.Add(t.Context(), o.db, SubjectSales, make([]byte, MaxItemSize+1))
	wantFault(t, err, fault.TooLarge, "event_too_large")
}

// A crash between publishing a row and deleting it publishes it again; the row's id tells the stream.
func TestOutboxAfterACrashBeforeTheDelete(t *testing.T) {
	t.Parallel()
	b, o := openQuiet(t, Config{}), openOutbox(t)
	add(t, o, SubjectSales, "published before the crash")
	page, err := o.rows.Find(t.Context(), o.db, docdb.Query{})
	if err != nil {
		t.Fatal(err)
	}
	row := page.Items[0]
	if _, err := b.js.PublishMsg(t.Context(), &nats.Msg{Subject: row.Subject, Data: row.Packed}, jetstream.WithMsgID(row.ID)); err != nil {
		t.Fatal(err)
	}
	add(t, o, SubjectSales, "not yet published")
	relay(t, b, o)
	drained(t, o)
	if got := stored(t, b, Sales); !slices.Equal(got, []string{"published before the crash", "not yet published"}) {
		t.Errorf("published were %v", got)
	}
}

func TestOutboxWaitsForAFullStream(t *testing.T) {
	t.Parallel()
	b, o := openQuiet(t, Config{MaxBytes: 1 << 20, PurgeEvery: time.Hour}), openOutbox(t)
	relay(t, b, o)
	const n = 30
	for i := range n {
		add(t, o, SubjectSales, fmt.Sprintf("%d %0100000d", i, 0))
	}
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := o.Drained(impatient); err == nil {
		t.Fatal("a stream of 1 MiB took 3 MB")
	}
	seen := map[string]bool{}
	mustConsume(t, b, Consumer{Stream: Sales, Durable: "reader", Handle: func(_ context.Context, items []Item) ([]int, error) {
		for _, item := range items {
			seen[string(item.Data)] = true
		}
		return nil, nil
	}})
	drained(t, o)
	last, err := b.LastSeq(t.Context(), Sales)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WaitDone(t.Context(), Sales, "reader", last); err != nil {
		t.Fatal(err)
	}
	if len(seen) != n {
		t.Errorf("%d of %d events arrived", len(seen), n)
	}
}

// Drained concerns what is there at the call, whoever publishes it.
func TestDrainedByAnotherProcess(t *testing.T) {
	t.Parallel()
	b, here := openQuiet(t, Config{}), openOutbox(t)
	there := NewOutbox(here.db)
	there.rows = here.rows
	add(t, here, SubjectSales, "event")
	impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := here.Drained(impatient); err == nil {
		t.Fatal("drained while nobody publishes")
	}
	relay(t, b, there)
	drained(t, here)
}

func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s with code %s", err, kind, code)
	}
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Consumer describes who handles a stream's items.
type Consumer struct {
	Stream   string
	Durable  string   // its name, under which its progress is kept; several processes that use it share the work
	Subjects []string // of the stream; none means all
	MaxItems int      // of one call of Handle; 0 means MaxItems
	Handle   Handler

	// Dead stores an item that Handle cannot do, with the reason (a *GivenUp); DeadLetters.Keep is one. It is called until it succeeds.
	Dead func(ctx context.Context, item Item, reason error) error
}

const (
	ackWait    = 15 * time.Second // without a sign of life, a message is delivered again
	keepAlive  = ackWait / 3
	laterDelay = 500 * time.Millisecond // until a message with items that cannot be done yet is delivered again
	stopGrace  = 20 * time.Second       // for the batch under way when a consumer is stopped
	inboxBytes = 1 << 20                // messages that wait for the handler
	pullBytes  = 2 << 20                // messages on their way, at least a few of the largest
	maxPause   = 5 * time.Second        // between tries
)

// Consume starts a durable consumer. Batches are what is there, up to MaxItems items of one or several messages, one call of Handle at a
// time in this process. It runs until ctx ends or stop is called; stop waits for the batch under way and hands the rest
// back. Handle's ctx goes on until a while after that.
func (b *Bus) Consume(ctx context.Context, c Consumer) (stop func(), err error) {
	if c.Handle == nil || c.Dead == nil || c.Durable == "" {
		return nil, errors.New("stream: a consumer needs a name, a handler and a place for dead letters")
	}
	if c.MaxItems == 0 {
		c.MaxItems = MaxItems
	}
	source, err := b.durable(ctx, c)
	if err != nil {
		return nil, unavailable("consumer "+c.Durable, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	k := &consumption{bus: b, Consumer: c, log: b.log.With("stream", c.Stream, "durable", c.Durable), inbox: newInbox()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.run(ctx, source)
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

// durable creates the consumer or brings its settings up to date.
func (b *Bus) durable(ctx context.Context, c Consumer) (jetstream.Consumer, error) {
	s, err := b.js.Stream(ctx, c.Stream)
	if err != nil {
		return nil, err
	}
	cons, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: c.Durable, FilterSubjects: c.Subjects, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
		MaxDeliver: -1, MaxAckPending: -1, // what waits for something further on must not hold that up
	})
	if err != nil || b.server == nil {
		return cons, err
	}
	// Nobody else uses the embedded server, so what an earlier run held unacknowledged when it was killed can come again at once.
	if cons.CachedInfo().NumAckPending > 0 {
		_, err = s.ResetConsumer(ctx, c.Durable)
	}
	return cons, err
}

// consumption is a consumer at work in this process.
type consumption struct {
	Consumer
	bus   *Bus
	log   *slog.Logger
	inbox *inbox
}

// run receives and handles until ctx ends.
func (k *consumption) run(ctx context.Context, source jetstream.Consumer) {
	received := make(chan struct{})
	go func() {
		defer close(received)
		k.receive(ctx, source)
	}()
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { k.inbox.close(); time.AfterFunc(stopGrace, cancel) })()
	w := worker{consumption: k, stopped: ctx}
	for {
		batch := k.inbox.take(k.MaxItems)
		if len(batch) == 0 {
			break
		}
		w.work(handling, batch)
		k.bus.acknowledged(watchKey{k.Stream, k.Durable})
	}
	<-received
}

// receive fills the inbox, over losses of the consumer and the connection.
func (k *consumption) receive(ctx context.Context, source jetstream.Consumer) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, maxPause) {
		sub, err := source.Consume(func(m jetstream.Msg) { k.deliver(m) }, jetstream.PullMaxBytes(pullBytes),
			jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { k.log.Debug("receiving", "error", err) }))
		if err == nil {
			pause = 100 * time.Millisecond
			select {
			case <-ctx.Done():
				sub.Drain() // what has arrived goes through deliver, which hands it back
				<-sub.Closed()
				return
			case <-sub.Closed():
				err = errors.New("the subscription has ended")
			}
		}
		if !sleep(ctx, pause) {
			return
		}
		k.log.Warn("receiving again", "after", err)
		if again, err := k.bus.durable(ctx, k.Consumer); err == nil {
			source = again
		}
	}
}

// deliver puts a message into the inbox, waiting while that is full.
func (k *consumption) deliver(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		k.log.Error("a message without metadata", "error", err)
		return
	}
	msg := &message{Msg: m, seq: meta.Sequence.Stream}
	msg.torn = unpack(m.Data(), func(int, []byte) { msg.items++ })
	if !k.inbox.put(msg) {
		k.check(m.Nak())
	}
}

// check notes that an answer to the server could not be sent; the message will come again, which is harmless.
func (k *consumption) check(err error) {
	if err != nil {
		k.log.Warn("acknowledging failed", "error", err)
	}
}

// GivenUp is the reason that a consumer's Dead gets.
type GivenUp struct {
	Tries int   // how often the item was tried alone
	Err   error // the last try's
}

func (g *GivenUp) Error() string { return g.Err.Error() }

// Unwrap gives the handler's error to errors.As.
func (g *GivenUp) Unwrap() error { return g.Err }

// panicked is a handler's panic as an error.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("the handler panicked: %v", p.value) }

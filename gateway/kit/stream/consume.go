package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Consumer describes who handles a stream's items.
type Consumer struct {
	Stream   string
	Subjects []string // of the stream; none means all
	MaxItems int      // of one call of Handle; 0 means MaxItems
	Handle   Handler

	// Durable names the consumer, and its progress is kept under this name: each item is handled once, by one of the processes
	// that use the name. A consumer without a name is a follower: each process gets every item published from now on.
	Durable string
	// Dead stores an item that Handle cannot do, with the reason (a *GivenUpError); DeadLetters.Keep is one. It is called until
	// it succeeds. A follower may leave it out; then such an item is only logged.
	Dead func(ctx context.Context, item Item, reason error) error
	// Missed is called when a follower was cut off for so long that items may have passed it by.
	Missed func(ctx context.Context)
}

const (
	stopGrace    = 20 * time.Second       // for the batch under way when a consumer is stopped
	followerGone = 5 * time.Minute        // after which the server forgets a follower that does not ask
	inboxBytes   = 1 << 20                // messages that wait for the handler
	pullBytes    = 2 << 20                // messages on their way, at least a few of the largest
	drainTimeout = 5 * time.Second        // for messages on their way when a consumer is stopped
	firstPause   = 100 * time.Millisecond // between two tries; doubles
	maxPause     = 2 * time.Second
)

// Consume starts a consumer. Batches are what is there, up to MaxItems items of one or several messages, one call of Handle at a
// time in this process. It runs until ctx ends or stop is called; stop waits for the batch under way and hands the rest
// back. Handle's ctx goes on for a while after that.
func (b *Bus) Consume(ctx context.Context, c Consumer) (stop func(), err error) {
	if c.Handle == nil || c.Durable != "" && c.Dead == nil {
		return nil, errors.New("stream: a consumer needs a handler, and with a name a place for its dead letters")
	}
	if c.MaxItems == 0 {
		c.MaxItems = MaxItems
	}
	k := &consumption{Consumer: c, bus: b, log: b.log.With("stream", c.Stream, "consumer", c.Durable), inbox: newInbox()}
	source, err := k.subscribe(ctx)
	if err != nil {
		return nil, unavailable(ctx, "consumer "+c.Durable, err)
	}
	ctx, cancel := context.WithCancel(ctx)
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

// consumption is a consumer at work in this process.
type consumption struct {
	Consumer
	bus   *Bus
	log   *slog.Logger
	inbox *inbox
	next  atomic.Uint64 // a follower's position: the sequence behind what it has handled, 0 before it starts
}

// subscribe creates the consumer at the server or brings its settings up to date.
func (k *consumption) subscribe(ctx context.Context) (jetstream.Consumer, error) {
	s, err := k.bus.js.Stream(ctx, k.Stream)
	if err != nil {
		return nil, err
	}
	cfg := jetstream.ConsumerConfig{
		FilterSubjects: k.Subjects, AckPolicy: jetstream.AckExplicitPolicy, AckWait: k.bus.cfg.AckWait, MaxDeliver: -1,
		MaxAckPending: -1, // what waits for something further on must not hold that up
	}
	if k.Durable == "" {
		state := s.CachedInfo().State
		if k.next.Load() == 0 {
			k.next.Store(state.LastSeq + 1)
		} else if k.next.Load() < state.FirstSeq && k.Missed != nil {
			k.Missed(ctx)
		}
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, k.next.Load()
		cfg.InactiveThreshold, cfg.MemoryStorage, cfg.Replicas = followerGone, true, 1
		return s.CreateConsumer(ctx, cfg)
	}
	cfg.Durable = k.Durable
	c, err := s.CreateOrUpdateConsumer(ctx, cfg)
	if err == nil && k.bus.server != nil && c.CachedInfo().NumAckPending > 0 {
		// Nobody else uses the embedded server, so what an earlier run held when it was killed can come again at once.
		_, err = s.ResetConsumer(ctx, k.Durable)
	}
	return c, err
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
	defer context.AfterFunc(ctx, func() {
		k.inbox.close()
		time.AfterFunc(stopGrace, cancel)
	})()
	w := worker{consumption: k, stopped: ctx}
	for batch := k.inbox.take(k.MaxItems); len(batch) > 0; batch = k.inbox.take(k.MaxItems) {
		w.work(handling, batch)
		k.next.Store(max(k.next.Load(), batch[len(batch)-1].seq+1))
		k.bus.acknowledged(watchKey{k.Stream, k.Durable})
	}
	<-received
}

// receive fills the inbox until ctx ends, over losses of the connection and of the consumer itself.
func (k *consumption) receive(ctx context.Context, source jetstream.Consumer) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := k.receiveFrom(ctx, source)
		if ctx.Err() != nil {
			return
		}
		k.log.Warn("receiving was interrupted", "error", err)
		if !sleep(ctx, pause) {
			return
		}
		if again, err := k.subscribe(ctx); err == nil {
			source, pause = again, firstPause
		}
	}
}

// receiveFrom receives until ctx ends or the consumer is gone. The client library goes on by itself when the connection
// was lost, but not when the consumer was: it only reports that nobody answers.
func (k *consumption) receiveFrom(ctx context.Context, source jetstream.Consumer) error {
	trouble := make(chan error, 1)
	sub, err := source.Consume(k.deliver, jetstream.PullMaxBytes(pullBytes),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case trouble <- err:
			default:
			}
		}))
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			k.handBack(sub)
			return ctx.Err()
		case <-sub.Closed():
			return errors.New("the subscription has ended")
		case reported := <-trouble:
			k.log.Debug("receiving", "error", reported)
			if _, err := source.Info(ctx); errors.Is(err, jetstream.ErrConsumerNotFound) {
				k.handBack(sub)
				return err
			}
		}
	}
}

// handBack ends a subscription: what is on its way arrives at deliver, which returns it to the server.
func (k *consumption) handBack(sub jetstream.ConsumeContext) {
	sub.Drain()
	select {
	case <-sub.Closed():
	case <-time.After(drainTimeout):
		sub.Stop()
	}
}

// deliver puts a message into the inbox, waiting while that is full.
func (k *consumption) deliver(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		k.log.Error("a message without metadata", "error", err)
		return
	}
	msg := &message{Msg: m, seq: meta.Sequence.Stream, deliveries: meta.NumDelivered}
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

// GivenUpError is the reason that a consumer's Dead gets.
type GivenUpError struct {
	Tries int   // how often the item was tried alone
	Err   error // the last try's
}

func (g *GivenUpError) Error() string { return g.Err.Error() }

// Unwrap gives the handler's error to errors.As.
func (g *GivenUpError) Unwrap() error { return g.Err }

// panicError is a handler's panic as an error.
type panicError struct{ value any }

func (p panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", p.value) }

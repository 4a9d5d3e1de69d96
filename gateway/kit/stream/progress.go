package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/fault"
)

// LastSeq is the sequence of the newest message of a stream, 0 if it never had one.
func (b *Bus) LastSeq(ctx context.Context, stream string) (uint64, error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return 0, unavailable(ctx, "last sequence of "+stream, err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// Progress is how far a consumer has come.
type Progress struct {
	Settled     uint64 // up to this sequence it is done: everything that it wants is handled or a dead letter
	Pending     uint64 // messages it has not been given yet
	Unanswered  int    // messages it has been given and not answered, those put off included
	Redelivered int    // of these, messages given more than once
}

// Progress tells how far a durable consumer is; fault.NotFound if it does not exist (yet).
func (b *Bus) Progress(ctx context.Context, stream, durable string) (Progress, error) {
	p, err := b.progress(ctx, stream, durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return Progress{}, fault.New(fault.NotFound, "unknown_consumer", "no consumer of this name").Because(err)
	case err != nil:
		return Progress{}, unavailable(ctx, "progress of "+durable, err)
	}
	return p, nil
}

// Ready tells whether the streams can be reached now: fault.Unavailable if not.
func (b *Bus) Ready(ctx context.Context) error {
	_, err := b.LastSeq(ctx, Intake)
	return err
}

// ackFloor asks for a consumer's progress with Settled as its ack floor. That covers only the messages that match the consumer's
// filters, which it returns too.
func (b *Bus) ackFloor(ctx context.Context, stream, consumer string) (Progress, []string, error) {
	c, err := b.js.Consumer(ctx, stream, consumer)
	if err != nil {
		return Progress{}, nil, err
	}
	info := c.CachedInfo()
	p := Progress{Settled: info.AckFloor.Stream, Pending: info.NumPending, Unanswered: info.NumAckPending, Redelivered: info.NumRedelivered}
	switch {
	case info.Config.FilterSubject != "":
		return p, []string{info.Config.FilterSubject}, nil
	case len(info.Config.FilterSubjects) > 0:
		return p, info.Config.FilterSubjects, nil
	default:
		return p, []string{">"}, nil
	}
}

// progress works out Settled in full: what lies between the ack floor and the next match of the filters does not concern the
// consumer. The next match is looked up at the stream itself, because a replica that answers for the consumer may
// lag behind.
func (b *Bus) progress(ctx context.Context, stream, consumer string) (Progress, error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return Progress{}, err
	}
	settled := s.CachedInfo().State.LastSeq // read before the floor
	p, filters, err := b.ackFloor(ctx, stream, consumer)
	if err != nil || p.Settled >= settled {
		return p, err
	}
	if filters[0] == ">" && p.Pending+uint64(p.Unanswered) > 0 {
		return p, nil
	}
	for _, filter := range filters {
		next, err := s.GetMsg(ctx, p.Settled+1, jetstream.WithGetMsgSubject(filter))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return Progress{}, err
		default:
			settled = min(settled, next.Sequence-1)
		}
	}
	p.Settled = max(settled, p.Settled)
	return p, nil
}

// WaitDone returns when a durable consumer is done with everything of its stream up to seq, as Progress.Settled counts it; a consumer
// that does not exist yet is waited for. Consumers of this process wake it after their acknowledgements, those elsewhere
// are asked again and again. fault.Unavailable if the bus closes meanwhile.
func (b *Bus) WaitDone(ctx context.Context, stream, durable string, seq uint64) error {
	key := watchKey{stream, durable}
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.watches[key]
	if w == nil {
		w = &watch{moved: make(chan struct{}), kick: make(chan struct{}, 1)}
		b.watches[key] = w
	}
	w.waiters++
	defer func() { w.waiters-- }()
	for w.settled < seq {
		if b.closed {
			return errClosed
		}
		if w.followed {
			w.lookAgain()
		} else {
			w.followed = true
			b.tasks.Go(func() { b.follow(key, w) })
		}
		moved := w.moved
		b.mu.Unlock()
		var err error
		select {
		case <-moved:
		case <-ctx.Done():
			err = ctx.Err()
		case <-b.running.Done():
			err = errClosed
		}
		b.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

type watchKey struct{ stream, durable string }

// watch is a consumer's progress as far as this process knows it. The bus's mutex guards it.
type watch struct {
	settled  uint64
	waiters  int
	followed bool          // by a task that asks for the progress
	moved    chan struct{} // closed when settled grows
	kick     chan struct{} // wakes that task
}

func (w *watch) lookAgain() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

const (
	pollFirst = time.Millisecond
	pollMost  = 50 * time.Millisecond
)

// follow asks for a consumer's progress as long as somebody waits for it. The ack floor alone is one request, and does as long as
// it moves.
func (b *Bus) follow(key watchKey, w *watch) {
	known, pause := uint64(0), pollFirst
	for {
		p, _, err := b.ackFloor(b.running, key.stream, key.durable)
		if err == nil && p.Settled <= known {
			p, err = b.progress(b.running, key.stream, key.durable)
		}
		b.mu.Lock()
		if err == nil && p.Settled > w.settled {
			w.settled = p.Settled
			close(w.moved)
			w.moved = make(chan struct{})
			pause = pollFirst
		}
		known = w.settled
		w.followed = w.waiters > 0
		followed := w.followed
		b.mu.Unlock()
		if !followed {
			return
		}
		select {
		case <-b.running.Done():
			return
		case <-w.kick:
			pause = pollFirst
		case <-time.After(pause):
			pause = min(2*pause, pollMost)
		}
	}
}

// acknowledged tells those who wait for a consumer that it got on.
func (b *Bus) acknowledged(key watchKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.watches[key]; w != nil {
		w.lookAgain()
	}
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/fault"
)

// LastSeq is the sequence of the newest message of a stream, 0 if it never had one.
func (b *Bus) LastSeq(ctx context.Context, stream string) (uint64, error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return 0, unavailable("last sequence of "+stream, err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// SettledSeq is the sequence up to which a durable consumer is done with a stream: everything at or below it that the consumer
// wants is handled or a dead letter.
func (b *Bus) SettledSeq(ctx context.Context, stream, durable string) (uint64, error) {
	seq, err := b.settledSeq(ctx, stream, durable)
	if err != nil {
		return 0, unavailable("progress of "+durable, err)
	}
	return seq, nil
}

// settledSeq works it out from the consumer's ack floor, which covers the messages that match its filter only: what lies between the
// floor and the next match does not concern it. The next match is looked up at the stream itself, because a replica
// that answers for the consumer may lag behind.
func (b *Bus) settledSeq(ctx context.Context, stream, durable string) (uint64, error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	last := s.CachedInfo().State.LastSeq
	c, err := s.Consumer(ctx, durable)
	if err != nil {
		return 0, err
	}
	info := c.CachedInfo()
	floor := info.AckFloor.Stream
	filters := info.Config.FilterSubjects
	if info.Config.FilterSubject != "" {
		filters = []string{info.Config.FilterSubject}
	}
	if floor >= last || len(filters) == 0 && info.NumPending+uint64(info.NumAckPending) > 0 {
		return floor, nil
	}
	if len(filters) == 0 {
		filters = []string{">"}
	}
	for _, filter := range filters {
		next, err := s.GetMsg(ctx, floor+1, jetstream.WithGetMsgSubject(filter))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return 0, err
		default:
			last = min(last, next.Sequence-1)
		}
	}
	return max(last, floor), nil
}

// WaitDone returns when a durable consumer is done with everything of its stream up to seq, as SettledSeq counts it. Consumers of this
// process wake it after their acknowledgements; those elsewhere are asked again and again.
func (b *Bus) WaitDone(ctx context.Context, stream, durable string, seq uint64) error {
	key := watchKey{stream, durable}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return errClosed
	}
	w := b.watches[key]
	if w == nil {
		w = &watch{moved: make(chan struct{}), kick: make(chan struct{}, 1)}
		b.watches[key] = w
	}
	for w.floor < seq {
		w.waiters++
		if w.waiters == 1 {
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
		w.waiters--
		if err != nil {
			b.mu.Unlock()
			return err
		}
	}
	b.mu.Unlock()
	return nil
}

type watchKey struct{ stream, durable string }

// watch is a consumer's progress as far as this process knows it. The bus's mutex guards it.
type watch struct {
	floor   uint64
	waiters int
	moved   chan struct{} // closed when floor grows
	kick    chan struct{} // this process acknowledged something
}

const (
	pollFirst = time.Millisecond
	pollMost  = 50 * time.Millisecond
)

// follow asks for a consumer's progress as long as somebody waits for it.
func (b *Bus) follow(key watchKey, w *watch) {
	pause := pollFirst
	for {
		floor, err := b.settledSeq(b.running, key.stream, key.durable)
		b.mu.Lock()
		if err == nil && floor > w.floor {
			w.floor = floor
			close(w.moved)
			w.moved = make(chan struct{})
			pause = pollFirst
		}
		idle := w.waiters == 0
		b.mu.Unlock()
		if idle {
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
	w := b.watches[key]
	b.mu.Unlock()
	if w == nil {
		return
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func unavailable(what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stream: %s: %w", what, err)
	}
	return fault.New(fault.Unavailable, "stream_unavailable", "the streams cannot be reached").Because(fmt.Errorf("%s: %w", what, err))
}

package stream

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/fault"
)

const (
	ackTimeout  = 10 * time.Second // from sending a message to its acknowledgement
	maxInFlight = 4                // messages of one subject that are sent and not acknowledged yet
	maxQueued   = 64 << 20         // bytes of one subject that wait to be sent; more is refused
)

// Publish appends items to a subject's stream and returns when they are on disk there, with the sequence of the message that
// holds the last of them. Whatever is published while a message is under way shares the next one; a lone call goes out at
// once. The items are copied. If ctx ends first the items may still be published.
//
// fault.TooLarge if an item is over MaxItemSize; fault.Unavailable if the stream is full (code "intake_full" and so on), the server
// cannot be reached or the bus is closed: the items may have been stored all the same, so repeat with the same event ids.
func (b *Bus) Publish(ctx context.Context, subject string, items ...[]byte) (seq uint64, err error) {
	for _, item := range items {
		if len(item) > MaxItemSize {
			return 0, fault.New(fault.TooLarge, "event_too_large", "an event is over %d bytes", MaxItemSize)
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p, err := b.publisher(subject)
	if err != nil {
		return 0, err
	}
	parcels, err := p.enqueue(items)
	if err != nil {
		return 0, err
	}
	for _, waiting := range parcels {
		select {
		case <-waiting.done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if waiting.err != nil {
			return 0, waiting.err
		}
		seq = waiting.seq
	}
	return seq, nil
}

func (b *Bus) publisher(subject string) (*publisher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	p := b.publishers[subject]
	if p == nil {
		p = &publisher{bus: b, subject: subject, wake: make(chan struct{}, 1), ended: make(chan struct{})}
		b.publishers[subject] = p
		go p.run()
	}
	return p, nil
}

// publisher groups what is published on one subject.
type publisher struct {
	bus     *Bus
	subject string
	wake    chan struct{}
	ended   chan struct{}

	mu     sync.Mutex
	queue  []*parcel // the last one takes further items
	queued int       // bytes in queue
	spare  [][]byte  // bodies to be used again
	closed bool
}

// parcel is a packed message and what became of it.
type parcel struct {
	pack
	future jetstream.PubAckFuture
	done   chan struct{}
	seq    uint64
	err    error
}

// enqueue puts items into the last parcels of the queue and returns those that hold them.
func (p *publisher) enqueue(items [][]byte) ([]*parcel, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if p.queued > maxQueued {
		return nil, fault.New(fault.Unavailable, "stream_busy", "too much waits to be published")
	}
	var holding []*parcel
	for _, item := range items {
		n := len(p.queue)
		if n == 0 || !p.queue[n-1].fits(item) {
			p.queue = append(p.queue, &parcel{pack: pack{bytes: p.body()}, done: make(chan struct{})})
			n++
		}
		last := p.queue[n-1]
		before := len(last.bytes)
		last.add(item)
		p.queued += len(last.bytes) - before
		if len(holding) == 0 || holding[len(holding)-1] != last {
			holding = append(holding, last)
		}
	}
	p.signal()
	return holding, nil
}

func (p *publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// next takes the parcel that is to be sent now: any if nothing is in flight, else only one that nothing can join any more.
func (p *publisher) next(inFlight int) (next *parcel, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil, p.closed
	}
	if inFlight == 0 || len(p.queue) > 1 && inFlight < maxInFlight {
		next = p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.queued -= len(next.bytes)
	}
	return next, false
}

// run sends parcels and settles them in the order in which they were sent.
func (p *publisher) run() {
	defer close(p.ended)
	var sent []*parcel
	for {
		for {
			next, closed := p.next(len(sent))
			if closed && len(sent) == 0 {
				return
			}
			if next == nil {
				break
			}
			var err error
			next.future, err = p.bus.send(&nats.Msg{Subject: p.subject, Data: next.bytes})
			if err != nil {
				p.settle(next, nil, err)
				continue
			}
			sent = append(sent, next)
		}
		if len(sent) == 0 {
			<-p.wake
			continue
		}
		select {
		case ack := <-sent[0].future.Ok():
			p.settle(sent[0], ack, nil)
			sent = sent[1:]
		case err := <-sent[0].future.Err():
			p.settle(sent[0], nil, err)
			sent = sent[1:]
		case <-p.wake:
		}
	}
}

func (p *publisher) settle(done *parcel, ack *jetstream.PubAck, err error) {
	if err != nil {
		done.err = p.bus.refused(p.subject, err)
	} else {
		done.seq = ack.Sequence
		p.recycle(done.bytes)
	}
	done.bytes, done.future = nil, nil
	close(done.done)
}

// body is an empty buffer for a parcel. The caller holds the mutex.
func (p *publisher) body() []byte {
	n := len(p.spare)
	if n == 0 {
		return nil
	}
	body := p.spare[n-1]
	p.spare = p.spare[:n-1]
	return body[:0]
}

// recycle keeps the body of a parcel that nobody reads any more.
func (p *publisher) recycle(body []byte) {
	if cap(body) > 2*MaxBytes {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.spare) <= maxInFlight {
		p.spare = append(p.spare, body)
	}
}

// close waits until what is queued is published or has failed.
func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.signal()
	select {
	case <-p.ended:
	case <-time.After(closeTimeout):
	}
}

// send hands a message to the connection; its future tells when it is on disk.
func (b *Bus) send(m *nats.Msg, options ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	if !b.nc.IsConnected() {
		return nil, nats.ErrDisconnected
	}
	return b.js.PublishMsgAsync(m, options...)
}

package stream

import (
	"slices"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// message is a delivered message that is not answered yet.
type message struct {
	jetstream.Msg
	seq        uint64
	deliveries uint64 // this one included
	items      int    // how many it holds
	torn       error  // why its body cannot be read
}

// inbox holds delivered messages for the worker, up to a number of bytes, in the order of their delivery.
type inbox struct {
	mu      sync.Mutex
	changed sync.Cond
	waiting []*message
	bytes   int
	closed  bool
}

func newInbox() *inbox {
	i := &inbox{}
	i.changed.L = &i.mu
	return i
}

// put waits for room and adds a message; false once the inbox is closed.
func (i *inbox) put(m *message) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for i.bytes >= inboxBytes && !i.closed {
		i.changed.Wait()
	}
	if i.closed {
		return false
	}
	i.waiting = append(i.waiting, m)
	i.bytes += len(m.Data())
	i.changed.Broadcast()
	return true
}

// held are the messages that wait now.
func (i *inbox) held() []*message {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.waiting)
}

// take waits for messages and returns those there with up to most items together (one message at least); none once the inbox is closed, whose
// remaining messages are handed back to the server.
func (i *inbox) take(most int) []*message {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.waiting) == 0 && !i.closed {
		i.changed.Wait()
	}
	if i.closed {
		for _, m := range i.waiting {
			_ = m.Nak()
		}
		i.waiting = nil
		return nil
	}
	n, items := 0, 0
	for n < len(i.waiting) && (n == 0 || items+i.waiting[n].items <= most) {
		items += i.waiting[n].items
		i.bytes -= len(i.waiting[n].Data())
		n++
	}
	batch := i.waiting[:n:n]
	i.waiting = i.waiting[n:]
	i.changed.Broadcast()
	return batch
}

// close wakes everybody; nothing goes in or out any more.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.changed.Broadcast()
}

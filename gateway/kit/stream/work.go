package stream

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"scrm/gateway/kit/fault"
)

const (
	maxTries   = 5                     // of an item alone, before it is a dead letter
	firstLater = 50 * time.Millisecond // until a message with items that cannot be done yet is delivered again; doubles
	maxLater   = 5 * time.Second
)

// state is what became of an item.
type state uint8

const (
	undone state = iota // not handled: its message is to come again at once
	done                // handled, or a dead letter
	later               // cannot be done yet: its message is to come again after a while
)

// worker works off batches, one after the other.
type worker struct {
	*consumption
	stopped context.Context // ends when the consumer is to stop

	items  []Item // of the batch
	states []state
}

// work handles a batch and answers its messages.
func (w *worker) work(ctx context.Context, batch []*message) {
	defer w.holdOn(batch)()
	w.items = w.items[:0]
	for _, m := range batch {
		if m.torn != nil {
			w.items = append(w.items, Item{Subject: m.Subject(), Seq: m.seq, Of: 1, Data: m.Data()})
			m.items = 1
			continue
		}
		_ = unpack(m.Data(), func(i int, data []byte) {
			w.items = append(w.items, Item{Subject: m.Subject(), Seq: m.seq, Index: i, Of: m.items, Data: data})
		})
	}
	w.states = append(w.states[:0], make([]state, len(w.items))...)
	at := 0
	for _, m := range batch {
		if m.torn != nil {
			w.bury(ctx, at, &GivenUpError{Tries: 1, Err: fault.New(fault.Invalid, "torn_message", "the message's body cannot be read").Because(m.torn)})
		}
		at += m.items
	}
	for from := 0; from < len(w.items); {
		if w.states[from] != undone {
			from++
			continue
		}
		to := from + 1
		for to < len(w.items) && to-from < w.MaxItems && w.states[to] == undone {
			to++
		}
		w.handle(ctx, from, to)
		from = to
	}
	w.answer(batch)
}

// answer acknowledges the messages whose items are all done and has the others delivered again.
func (w *worker) answer(batch []*message) {
	at := 0
	for _, m := range batch {
		worst := done
		for _, s := range w.states[at : at+m.items] {
			if s == undone || s == later && worst == done {
				worst = s
			}
		}
		at += m.items
		switch worst {
		case done:
			w.check(m.Ack())
		case later:
			w.check(m.NakWithDelay(min(maxLater, firstLater<<min(m.deliveries-1, 10))))
		default:
			w.check(m.Nak())
		}
	}
}

// handle brings items [from, to) to an end: done, later or, when the consumer is stopped meanwhile, undone.
func (w *worker) handle(ctx context.Context, from, to int) {
	pause := firstPause
	for tries := 1; w.stopped.Err() == nil; {
		put, err := w.call(ctx, w.items[from:to])
		if err == nil {
			for i := from; i < to; i++ {
				w.states[i] = done
			}
			for _, i := range put {
				w.states[from+i] = later
			}
			return
		}
		kind := fault.KindOf(err)
		switch {
		case kind == fault.Unavailable || kind == fault.Canceled:
			w.log.Warn("handling is not possible now, trying again", "items", to-from, "in", pause, "error", err)
		case to-from > 1:
			w.log.Debug("a batch failed, trying its halves", "items", to-from, "error", err)
			middle := from + (to-from)/2
			w.handle(ctx, from, middle)
			w.handle(ctx, middle, to)
			return
		case kind == fault.Invalid || tries >= maxTries:
			w.bury(ctx, from, &GivenUpError{Tries: tries, Err: err})
			return
		default:
			w.log.Warn("an item failed, trying again", "seq", w.items[from].Seq, "index", w.items[from].Index, "in", pause, "error", err)
			tries++
		}
		if !sleep(w.stopped, pause) {
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// call calls the handler; a panic in it is an error, and so is putting off what it was not given.
func (w *worker) call(ctx context.Context, items []Item) (later []int, err error) {
	defer func() {
		if v := recover(); v != nil {
			w.log.Error("a handler panicked", "value", v, "stack", string(debug.Stack()))
			later, err = nil, panicError{v}
		}
	}()
	later, err = w.Handle(ctx, items)
	if err == nil && slices.ContainsFunc(later, func(i int) bool { return i < 0 || i >= len(items) }) {
		return nil, fmt.Errorf("the handler put off %v of %d items", later, len(items))
	}
	return later, err
}

// bury stores an item as a dead letter, however long that takes.
func (w *worker) bury(ctx context.Context, at int, reason *GivenUpError) {
	item := w.items[at]
	w.log.Error("an item goes to the dead letters", "subject", item.Subject, "seq", item.Seq, "index", item.Index, "tries", reason.Tries, "error", reason)
	if w.Dead == nil {
		w.states[at] = done
		return
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := w.Dead(ctx, item, reason)
		if err == nil {
			w.states[at] = done
			return
		}
		w.log.Error("storing a dead letter failed, trying again", "in", pause, "error", err)
		if !sleep(w.stopped, pause) {
			return
		}
	}
}

// holdOn keeps telling the server that the batch and what waits behind it are in good hands, until the returned function is called.
func (w *worker) holdOn(batch []*message) (release func()) {
	over := make(chan struct{})
	go func() {
		tick := time.NewTicker(w.bus.cfg.AckWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			for _, m := range append(w.inbox.held(), batch...) {
				w.check(m.InProgress())
			}
		}
	}()
	return func() { close(over) }
}

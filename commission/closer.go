package commission

import (
	"context"
	"sync"
	"time"
)

// closer runs closes behind their requests, one at a time per brand in this process.
type closer struct {
	ctx    context.Context // of the closes, which outlive their requests
	cancel context.CancelFunc
	runs   sync.WaitGroup

	mu    sync.Mutex
	turns map[string]chan struct{} // by brand; held by whoever closes
	again map[string]bool          // by brand that is being closed behind a request: whether somebody asked once more
}

func newCloser() *closer {
	ctx, cancel := context.WithCancel(context.Background())
	return &closer{ctx: ctx, cancel: cancel, turns: map[string]chan struct{}{}, again: map[string]bool{}}
}

func (c *closer) turn(brand string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns[brand] == nil {
		c.turns[brand] = make(chan struct{}, 1)
	}
	return c.turns[brand]
}

// begin reports whether the caller is to start closing a brand; if that goes on already, it will look once more.
func (c *closer) begin(brand string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, runs := c.again[brand]
	c.again[brand] = runs
	return !runs
}

// end reports whether closing a brand is over: nobody has asked once more.
func (c *closer) end(brand string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.again[brand] {
		c.again[brand] = false
		return false
	}
	delete(c.again, brand)
	return true
}

// Pauses between the tries of a close that fails.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// closeBehind closes what the brand's ledger asks for, behind the request. A brand whose close fails holds up no other; it is
// tried again until it succeeds or the service stops.
func (s *Service) closeBehind(brand string) {
	c := s.closer
	if !c.begin(brand) {
		return
	}
	c.runs.Go(func() {
		pause := firstRetry
		for {
			err := s.closeAsked(c.ctx, brand)
			switch {
			case c.ctx.Err() != nil:
				return
			case err == nil && c.end(brand):
				return
			case err == nil:
				pause = firstRetry
				continue
			}
			s.deps.Log.Error("a close failed and will be tried again", "brand", brand, "after", pause.String(), "error", err)
			select {
			case <-c.ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, lastRetry)
		}
	})
}

// Stop ends the closes that go on behind their requests. What they have not done, Resume does in the next process.
func (s *Service) Stop() {
	s.closer.cancel()
	s.closer.runs.Wait()
}

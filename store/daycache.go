package store

import (
	"slices"
	"sync"
)

// maxCachedDays bounds the cache: some megabytes. uncached is for how many batches it is not used after it was out of date: where several
// processes decide, it mostly is.
const (
	maxCachedDays = 10_000
	uncached      = 100
)

// dayCache holds the stores' days as the last batches left them, so that the next batch need not read them: every batch changes those of
// nearly every store that sells. What is cached may be out of date, where another process decides too or a Z-report has
// changed a day; then its revision is not the stored one, saving it fails, and the batch is decided again on what is stored.
type dayCache struct {
	mu   sync.Mutex
	days map[string]*storeDay
	off  int // batches to come that must not use it
}

// get is a copy of a cached day, to be changed; nil if it is not cached.
func (c *dayCache) get(id string) *storeDay {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.days[id]; d != nil {
		return d.clone()
	}
	return nil
}

// put takes over days as they were saved; nobody may change them any more.
func (c *dayCache) put(days []*storeDay) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.days == nil || len(c.days)+len(days) > maxCachedDays {
		c.days = make(map[string]*storeDay, len(days))
	}
	for _, d := range days {
		c.days[d.ID] = d
	}
}

// usable says whether the next batch may use the cache.
func (c *dayCache) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = max(c.off-1, 0)
	return c.off == 0
}

// outOfDate forgets everything, for a while.
func (c *dayCache) outOfDate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.days, c.off = nil, uncached
}

// forget drops a day that was changed by something else than a batch.
func (c *dayCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.days, id)
}

// clone is a copy that shares nothing that changes.
func (d *storeDay) clone() *storeDay {
	c := *d
	c.Brands, c.Tills = slices.Clone(d.Brands), slices.Clone(d.Tills)
	for i := range c.Tills {
		c.Tills[i].Seqs = slices.Clone(c.Tills[i].Seqs)
	}
	return &c
}

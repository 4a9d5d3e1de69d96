package store

import (
	"slices"
	"sync"
)

// maxCachedDays bounds the cache: some megabytes.
const maxCachedDays = 10_000

// dayCache holds the stores' days as the last batches left them, so that the next batch need not read them: every batch changes those of
// nearly every store that sells. What is cached may be out of date, where another process decides too or a Z-report has
// changed a day; then its revision is not the stored one, saving it fails, and the batch is decided again on what is stored.
type dayCache struct {
	mu   sync.Mutex
	days map[string]*storeDay
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

// clear forgets everything.
func (c *dayCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.days = nil
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

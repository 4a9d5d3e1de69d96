package stream

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const purgeAtMost = time.Second // how often a full stream makes the purge come early

// purgeRegularly removes what every consumer is done with, from time to time and when a stream is full.
func (b *Bus) purgeRegularly() {
	tick := time.NewTicker(b.cfg.PurgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.running.Done():
			return
		case <-tick.C:
		case <-b.full:
		}
		if b.nc.IsConnected() {
			for _, stream := range []string{Intake, Sales, Facts} { // SCHEDULES bounds itself
				if err := b.purge(b.running, stream); err != nil && b.running.Err() == nil {
					b.log.Warn("purging a stream failed", "stream", stream, "error", err)
				}
			}
		}
		if !sleep(b.running, min(purgeAtMost, b.cfg.PurgeEvery)) {
			return
		}
	}
}

// purge removes the messages of a stream that lie below the floor of its slowest consumer. A stream without consumers, or
// without one of those in Config.Durables, keeps everything.
func (b *Bus) purge(ctx context.Context, stream string) error {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	list := s.ConsumerNames(ctx)
	for name := range list.Name() {
		names[name] = true
	}
	if err := list.Err(); err != nil {
		return err
	}
	for _, needed := range b.cfg.Durables[stream] {
		if !names[needed] {
			return nil
		}
	}
	floor := uint64(math.MaxUint64)
	for name := range names {
		p, err := b.progress(ctx, stream, name)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound): // a follower that has just gone
		case err != nil:
			return err
		default:
			floor = min(floor, p.Settled)
		}
	}
	if floor == math.MaxUint64 || floor < s.CachedInfo().State.FirstSeq {
		return nil
	}
	return s.Purge(ctx, jetstream.WithPurgeSequence(floor+1))
}

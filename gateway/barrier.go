package main

import (
	"context"
	"fmt"

	"scrm/commission"
	"scrm/gateway/kit/stream"
	"scrm/store"
)

// barrier waits for the way of a transaction: what INTAKE held when it was asked is decided by store, published by store's
// outbox, and projected.
type barrier struct {
	bus    *stream.Bus
	outbox *stream.Outbox // store's
}

// decided returns when store has decided all that INTAKE holds now, with the last sequence of that.
func (b *barrier) decided(ctx context.Context) (uint64, error) {
	last, err := b.bus.LastSeq(ctx, stream.Intake)
	if err != nil {
		return 0, fmt.Errorf("barrier: %w", err)
	}
	if err := b.bus.WaitDone(ctx, stream.Intake, store.Durable, last); err != nil {
		return 0, fmt.Errorf("barrier: intake: %w", err)
	}
	return last, nil
}

// wait returns when the named consumers of SALES have projected, or given up, all that INTAKE holds now.
func (b *barrier) wait(ctx context.Context, durables ...string) error {
	if _, err := b.decided(ctx); err != nil {
		return err
	}
	return b.projected(ctx, durables...)
}

// projected returns when the named consumers of SALES have projected, or given up, all that store has decided.
func (b *barrier) projected(ctx context.Context, durables ...string) error {
	if err := b.outbox.Drained(ctx); err != nil {
		return fmt.Errorf("barrier: outbox: %w", err)
	}
	last, err := b.bus.LastSeq(ctx, stream.Sales)
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	for _, durable := range durables {
		if err := b.bus.WaitDone(ctx, stream.Sales, durable, last); err != nil {
			return fmt.Errorf("barrier: %s: %w", durable, err)
		}
	}
	return nil
}

// Wait is commission's barrier before a close. It does not depend on the brand: INTAKE carries all of them.
func (b *barrier) Wait(ctx context.Context, _ string) error { return b.wait(ctx, commission.Durable) }

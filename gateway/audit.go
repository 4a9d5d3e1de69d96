package main

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"scrm/commission"
	"scrm/gateway/kit/audit"
	"scrm/guide"
	"scrm/member"
)

// audit checks the equations E1–E8 over all domains. Each domain checks what it owns; what lies between domains is
// checked here: that what store decided, the other three have projected or dead-lettered (E3). It waits first until
// everything accepted before the call is decided and projected, so that it can run while tills go on sending.
func (a *App) audit(ctx context.Context) ([]audit.Check, error) {
	if err := a.barrier.wait(ctx, member.Durable, guide.Durable, commission.Durable); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	domains := []struct {
		name  string
		audit func(ctx context.Context) ([]audit.Check, error)
	}{{"store", a.store.Audit}, {"member", a.member.Audit}, {"guide", a.guide.Audit}, {"commission", a.commission.Audit}, {"projections", a.auditProjections}}
	checks := make([][]audit.Check, len(domains))
	group, ctx := errgroup.WithContext(ctx)
	for i, domain := range domains {
		group.Go(func() (err error) {
			if checks[i], err = domain.audit(ctx); err != nil {
				err = fmt.Errorf("audit: %s: %w", domain.name, err)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return audit.Merge(slices.Concat(checks...)), nil
}

// auditProjections is E3's second half.
func (a *App) auditProjections(ctx context.Context) ([]audit.Check, error) {
	check := audit.New("E3", "what store applied, member, guide and commission have projected or dead-lettered")
	err := a.store.EachApplied(ctx, func(eventIDs []string) error {
		check.Figures["applied_to_project"] += int64(len(eventIDs))
		for _, domain := range []struct {
			name      string
			projected func(ctx context.Context, eventIDs []string) (map[string]bool, error)
		}{{"member", a.member.Projected}, {"guide", a.guide.Projected}, {"commission", a.commission.Projected}} {
			projected, err := domain.projected(ctx, eventIDs)
			if err != nil {
				return err
			}
			for _, id := range eventIDs {
				if projected[id] {
					check.Figures["projected_by_"+domain.name]++
				} else {
					check.Fail(domain.name + " has not projected " + id)
				}
			}
		}
		return nil
	})
	return []audit.Check{*check}, err
}

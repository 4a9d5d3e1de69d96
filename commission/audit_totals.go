package commission

import (
	"context"
	"fmt"

	"scrm/gateway/kit/docdb"
)

// pageSums are what the slips of one page sum to.
type pageSums struct {
	key     string // the page
	all     sheet
	counted map[Payee]*paid // of the slips that were counted when the audit began
}

// readSlips compares the slips, page by page, with the entries, and the totals with the slips.
func (a *auditor) readSlips(ctx context.Context) error {
	page := &pageSums{}
	for s, err := range a.s.repo.slips.Each(ctx, a.s.deps.DB, docdb.Query{Limit: auditPage}) {
		if err != nil {
			return err
		}
		key, shardID, nth, err := parseSlip(s.ID)
		if err != nil {
			return err
		}
		if key != page.key {
			if err := a.checkPage(ctx, page); err != nil {
				return err
			}
			page = &pageSums{key: key, counted: map[Payee]*paid{}}
		}
		page.all = page.all.merged(&s.Sheet)
		if !a.counts(shardID, nth) {
			continue
		}
		for i, payee := range s.Sheet.Payees {
			to := page.counted[payee]
			if to == nil {
				to = &paid{}
				page.counted[payee] = to
			}
			to.sum += s.Sheet.Sums[i]
			to.count += s.Sheet.Counts[i]
			to.events += int64(len(s.Events[i]))
		}
	}
	if err := a.checkPage(ctx, page); err != nil {
		return err
	}
	for key, entries := range a.paid {
		a.totals.Figures["commission_payees_amount"] += entries.sum
		a.totals.Figures["commission_payees_entries"] += entries.count
		if !entries.onSlips {
			a.totals.Fail("the slips of " + key + " are not its entries")
		}
	}
	return nil
}

// checkPage compares the slips of a page with the entries, and the totals with the slips.
func (a *auditor) checkPage(ctx context.Context, page *pageSums) error {
	if page.key == "" {
		return nil
	}
	a.totals.Figures["commission_pages"]++
	brand, day := parseDay(page.key)
	for payee, on := range page.counted {
		key := statementKey(brand, day, payee)
		switch entries := a.paid[key]; {
		case entries == nil:
			a.totals.Fail("the slips of " + key + " are nobody's entries")
		case entries.sum == on.sum && entries.count == on.count && entries.events == on.events:
			entries.onSlips = true
		}
	}
	equal, err := a.totalsEqual(ctx, a.s.deps.DB, page.key, &page.all)
	if err == nil && !equal {
		// Somebody may have booked on the page since its slips were read.
		err = a.s.deps.DB.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
			var now sheet
			for s, err := range a.s.repo.slips.Each(ctx, tx, docdb.Query{From: page.key, To: after(page.key)}) {
				if err != nil {
					return err
				}
				now = now.merged(&s.Sheet)
			}
			equal, err = a.totalsEqual(ctx, tx, page.key, &now)
			return err
		})
	}
	if err == nil && !equal {
		a.totals.Fail(fmt.Sprintf("the totals of page %s are not the sums of its slips", page.key))
	}
	return err
}

// totalsEqual compares a page's totals with sums.
func (a *auditor) totalsEqual(ctx context.Context, s docdb.Session, page string, sums *sheet) (bool, error) {
	all, err := a.s.repo.page(ctx, s, page)
	return err == nil && all.equal(sums), err
}

// readTotals looks for totals of which there are no slips, and sums all of them up.
func (a *auditor) readTotals(ctx context.Context) error {
	lonely := ""
	for t, err := range a.s.repo.totals.Each(ctx, a.s.deps.DB, docdb.Query{Limit: auditPage}) {
		if err != nil {
			return err
		}
		for i := range t.Sheet.Payees {
			a.totals.Figures["commission_totals_amount"] += t.Sheet.Sums[i]
			a.totals.Figures["commission_totals_entries"] += t.Sheet.Counts[i]
		}
		page := t.page()
		if page == lonely {
			continue
		}
		slips, err := a.s.repo.slips.Find(ctx, a.s.deps.DB, docdb.Query{From: page, To: after(page), Limit: 1})
		if err != nil {
			return err
		}
		if lonely = page; len(slips.Items) == 0 {
			a.totals.Fail("page " + page + " has totals and no slips")
		}
	}
	return nil
}

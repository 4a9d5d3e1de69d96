package demo

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/sync/errgroup"

	"scrm/gateway/demo/dataset"
)

// importReport is the answer to a CSV import.
type importReport struct {
	Created    int `json:"created"`
	Updated    int `json:"updated"`
	Unified    int `json:"unified"`
	Duplicates int `json:"duplicates"`
	Rejected   []struct {
		Row    int    `json:"row"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"rejected"`
}

// setUp makes brands, programs and plans, imports the stores and hires their people. A second run finds it all there.
func (d *demo) setUp(ctx context.Context) error {
	for _, brand := range d.business.Brands {
		if err := d.client.make(ctx, "/v1/brands", d.business.brand(brand)); err != nil {
			return err
		}
		// An earlier run may have put it under a schedule.
		if err := d.client.send(ctx, http.MethodPatch, "/v1/brands/"+brand, object{"close_at": nil}, nil); err != nil {
			return err
		}
		for _, kind := range []string{"online", "store"} {
			if err := d.client.send(ctx, http.MethodPut, "/v1/brands/"+brand+"/programs/"+kind, d.business.program(kind), nil); err != nil {
				return err
			}
		}
		// The same plan again is no error; another one in its place is.
		if err := d.client.send(ctx, http.MethodPost, "/v1/commission/plans", d.business.Plan(brand), nil); err != nil {
			return err
		}
	}
	d.say("set up   %d brands, each with an online and a store program and a commission plan, in force from %s", len(d.business.Brands), d.business.Since.Format("2006-01-02"))

	for _, dealer := range d.set.Dealers() {
		if err := d.client.make(ctx, "/v1/dealers", object{"id": dealer, "name": dealerName(dealer)}); err != nil {
			return err
		}
	}
	report := &importReport{}
	if err := d.client.upload(ctx, "/v1/stores/import", d.set.StoresCSV, report); err != nil {
		return err
	}
	d.refuse("stores", report)
	d.summary.Rows.Stores = report.Created + report.Updated + report.Duplicates + len(report.Rejected)
	d.say("stores   %d rows: %d new, %d known, %d refused", d.summary.Rows.Stores, report.Created, report.Updated+report.Duplicates, len(report.Rejected))

	if err := d.hire(ctx); err != nil {
		return err
	}
	for _, brand := range d.business.Brands {
		if store := d.business.FallbackStore(brand); store != "" {
			if err := d.client.send(ctx, http.MethodPatch, "/v1/brands/"+brand, object{"fallback_store": store}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// hire makes the people and the till of every store that sells.
func (d *demo) hire(ctx context.Context) error {
	tills := make([]*till, len(d.business.Selling))
	err := each(ctx, d.business.Selling, func(ctx context.Context, i int, s dataset.Store) error {
		for _, person := range d.business.staff(s) {
			if err := d.client.make(ctx, "/v1/guides", person); err != nil {
				return err
			}
		}
		secret, err := d.secret(ctx, s.ID)
		tills[i] = &till{id: tillID(s.ID), store: s.ID, secret: secret}
		return err
	})
	if err != nil {
		return err
	}
	d.tills = map[string]*till{}
	for _, t := range tills {
		d.tills[t.store] = t
	}
	d.say("hired    two guides and a manager for each of %d stores that sell, and gave each a till", len(tills))
	return nil
}

// secret registers a store's till, or takes a new secret for it: the first one is shown once only.
func (d *demo) secret(ctx context.Context, store string) (string, error) {
	var terminal struct {
		Secret string `json:"secret"`
	}
	path := "/v1/stores/" + store + "/terminals"
	err := d.client.send(ctx, http.MethodPost, path, object{"id": tillID(store)}, &terminal)
	if exists(err) {
		err = d.client.send(ctx, http.MethodPost, path+"/"+tillID(store)+"/secret", object{}, &terminal)
	}
	if err == nil && terminal.Secret == "" {
		err = errors.New("demo: the server gave a till no secret")
	}
	return terminal.Secret, err
}

// enrol imports both exports in row order, the online one first, and notes which external ids the server took.
func (d *demo) enrol(ctx context.Context) error {
	d.known = map[string]bool{}
	for _, export := range []struct {
		program string
		data    *dataset.Export
		rows    *int
	}{
		{"online", &d.set.Online, &d.summary.Rows.CRMOnline}, {"store", &d.set.InStore, &d.summary.Rows.CRMStore},
	} {
		report := &importReport{}
		if err := d.client.upload(ctx, "/v1/members/import?program="+export.program, export.data.CSV, report); err != nil {
			return err
		}
		d.refuse("crm-"+export.program, report)
		*export.rows = len(export.data.ExternalIDs)
		refused := map[int]bool{}
		for _, r := range report.Rejected {
			refused[r.Row] = true
		}
		for i, id := range export.data.ExternalIDs {
			if !refused[i+1] {
				d.known[id] = true
			}
		}
		d.say("members  %d rows of the %s system: %d new, %d joined to a member who had the other card, %d known already, %d refused",
			*export.rows, export.program, report.Created, report.Unified, report.Duplicates+report.Updated, len(report.Rejected))
	}
	return writeCSV(d.summary.Run.RefusedFile, []string{"file", "row", "code", "detail"}, d.refused)
}

// each does something for every item, several at once; the first error ends it.
func each[T any](ctx context.Context, items []T, do func(ctx context.Context, i int, item T) error) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for i, item := range items {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error { return do(inner, i, item) })
	}
	return errors.Join(group.Wait(), ctx.Err())
}

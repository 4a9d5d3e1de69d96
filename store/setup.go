package store

import (
	"context"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/store/storeevent"
)

// CreateRegion makes a region. fault.Exists with code "region_exists"; an unknown brand or parent is fault.Invalid.
func (s *Service) CreateRegion(ctx context.Context, in Region) error {
	doc, err := makeRegion(in)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		if _, err := need(ctx, tx, s.brands, in.Brand, errBrand.At("brand")); err != nil {
			return err
		}
		if err := vacant(ctx, tx, s.regions, doc.ID, "region"); err != nil {
			return err
		}
		if in.Parent != "" {
			if _, err := need(ctx, tx, s.regions, regionID(in.Brand, in.Parent), errRegion.At("parent")); err != nil {
				return err
			}
		}
		fresh := *doc
		return s.regions.Insert(ctx, tx, &fresh)
	})
}

// Regions reads a page of a brand's regions, by id.
func (s *Service) Regions(ctx context.Context, brand string, limit int, cursor string) ([]Region, string, error) {
	page, err := s.regions.Find(ctx, s.db, docdb.Query{From: brand + "/", To: brand + "0", Limit: limit, Cursor: cursor})
	out := make([]Region, len(page.Items))
	for i, doc := range page.Items {
		out[i] = doc.region()
	}
	return out, page.Next, err
}

// RegionPath is a region of a brand and those above it, from the inside out; empty for no region or an unknown one.
func (s *Service) RegionPath(ctx context.Context, brand, region string) ([]string, error) {
	var path []string
	for region != "" {
		doc, err := s.directory.regions.get(ctx, regionID(brand, region), func(ctx context.Context, id string) (*regionDoc, error) {
			return need(ctx, s.db, s.regions, id, errRegion)
		})
		if fault.Is(err, fault.Invalid) {
			return path, nil
		}
		if err != nil {
			return nil, err
		}
		path = append(path, doc.Region)
		region = doc.Parent
	}
	return path, nil
}

// CreateDealer makes a dealer. fault.Exists with code "dealer_exists".
func (s *Service) CreateDealer(ctx context.Context, in Dealer) error {
	doc, err := makeDealer(in)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx docdb.Session) error {
		if err := vacant(ctx, tx, s.dealers, in.ID, "dealer"); err != nil {
			return err
		}
		fresh := *doc
		return s.dealers.Insert(ctx, tx, &fresh)
	})
}

// CreateStore makes a store. fault.Exists with code "store_exists".
func (s *Service) CreateStore(ctx context.Context, in NewStore) (storeevent.Store, error) {
	var made storeevent.Store
	err := s.change(ctx, func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error) {
		if err := vacant(ctx, tx, s.stores, in.ID, "store"); err != nil {
			return storeevent.Changed{}, err
		}
		u, err := s.loadSetUp(ctx, tx, in.Brands, in.Dealer)
		if err != nil {
			return storeevent.Changed{}, err
		}
		doc, err := makeStore(in, u)
		if err != nil {
			return storeevent.Changed{}, err
		}
		changed, err := s.saveStores(ctx, tx, u, doc)
		made = doc.fact()
		return changed, err
	})
	return made, err
}

// ChangeStore changes a store. Ownership, dealer, brands, time zone and start of day change from now on, and since ever where none of
// the store's brands has accepted a transaction.
func (s *Service) ChangeStore(ctx context.Context, id string, c StoreChange) (storeevent.Store, error) {
	var made storeevent.Store
	err := s.change(ctx, func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error) {
		doc, err := need(ctx, tx, s.stores, id, errNoStore)
		if err != nil {
			return storeevent.Changed{}, err
		}
		carried := append(slices.Clone(doc.Regions), deref(c.Brands, nil)...)
		u, err := s.loadSetUp(ctx, tx, carried, deref(c.Dealer, doc.now().Dealer))
		if err != nil {
			return storeevent.Changed{}, err
		}
		if err := doc.change(c, u, s.clock.Now()); err != nil {
			return storeevent.Changed{}, err
		}
		changed, err := s.saveStores(ctx, tx, u, doc)
		made = doc.fact()
		return changed, err
	})
	return made, err
}

// loadSetUp reads what stores that carry these brands are checked against.
func (s *Service) loadSetUp(ctx context.Context, tx docdb.Session, carried []CarriedBrand, dealers ...string) (*setUp, error) {
	var brands, regions []string
	for _, c := range carried {
		brands = append(brands, c.Brand)
		if c.Region != "" {
			regions = append(regions, regionID(c.Brand, c.Region))
		}
	}
	dealers = slices.DeleteFunc(slices.Clone(dealers), func(d string) bool { return d == "" })
	u := &setUp{}
	var err error
	if u.brands, err = s.brands.GetMany(ctx, tx, distinct(brands)...); err != nil {
		return nil, err
	}
	if u.regions, err = s.regions.GetMany(ctx, tx, distinct(regions)...); err != nil {
		return nil, err
	}
	u.dealers, err = s.dealers.GetMany(ctx, tx, distinct(dealers)...)
	return u, err
}

// saveStores stores stores, and with their brands where their days begin.
func (s *Service) saveStores(ctx context.Context, tx docdb.Session, u *setUp, docs ...*storeDoc) (storeevent.Changed, error) {
	var changed storeevent.Changed
	if err := s.stores.SaveMany(ctx, tx, docs); err != nil {
		return changed, err
	}
	touched := map[string]bool{}
	for _, doc := range docs {
		changed.Stores = append(changed.Stores, doc.fact())
		now := doc.now()
		for _, id := range doc.Brands {
			if u.brands[id].addZone(storeevent.Zone{Timezone: now.Timezone, DayStarts: now.DayStarts}) {
				touched[id] = true
			}
		}
	}
	var brands []*brandDoc
	for _, id := range docdb.IDs(touched) {
		brands = append(brands, u.brands[id])
	}
	if err := s.brands.SaveMany(ctx, tx, brands); err != nil {
		return changed, err
	}
	for _, b := range brands {
		changed.Brands = append(changed.Brands, b.fact())
	}
	return changed, nil
}

// distinct are the ids without repetitions, in order.
func distinct(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Store tells of a store; fault.NotFound with code "unknown_store".
func (s *Service) Store(ctx context.Context, id string) (storeevent.Store, error) {
	p, err := s.place(ctx, id)
	if err != nil {
		return storeevent.Store{}, err
	}
	return p.fact, nil
}

// Stores tells of stores by id; those that do not exist are absent.
func (s *Service) Stores(ctx context.Context, ids []string) (map[string]storeevent.Store, error) {
	docs, err := s.stores.GetMany(ctx, s.db, ids...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]storeevent.Store, len(docs))
	for id, doc := range docs {
		out[id] = doc.fact()
	}
	return out, nil
}

// EachStore tells of every store, by id, until f answers an error.
func (s *Service) EachStore(ctx context.Context, f func(storeevent.Store) error) error {
	for doc, err := range s.stores.Each(ctx, s.db, docdb.Query{}) {
		if err == nil {
			err = f(doc.fact())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// StoresOf reads a page of the stores that carry a brand, by id.
func (s *Service) StoresOf(ctx context.Context, brand string, limit int, cursor string) ([]storeevent.Store, string, error) {
	page, err := s.stores.Find(ctx, s.db, docdb.Query{Index: "brands", Eq: []any{brand}, Limit: limit, Cursor: cursor})
	out := make([]storeevent.Store, len(page.Items))
	for i, doc := range page.Items {
		out[i] = doc.fact()
	}
	return out, page.Next, err
}

func (s *Service) place(ctx context.Context, id string) (*place, error) {
	return s.directory.stores.get(ctx, id, func(ctx context.Context, id string) (*place, error) {
		doc, err := need(ctx, s.db, s.stores, id, errNoStore)
		if err != nil {
			return nil, err
		}
		return s.directory.place(doc)
	})
}

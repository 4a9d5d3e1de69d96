package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"time"

	"scrm/commission"
	"scrm/gateway/api"
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/geo"
	"scrm/guide"
	"scrm/member"
	"scrm/store"
	"scrm/store/storeevent"
)

// App is the whole product in one process, wired and running.
type App struct {
	Addr   string      // where it listens, host:port
	Server *api.Server // the HTTP edge

	log        *slog.Logger
	databases  *databases
	bus        *stream.Bus
	barrier    *barrier
	closing    *closing
	index      *geo.Index
	store      *store.Service
	member     *member.Service
	guide      *guide.Service
	commission *commission.Service
	stops      []func() // in the order of starting
}

// Start wires everything and starts it: databases, streams, domains, consumers, relays, the HTTP edge. It returns once the edge
// listens. Stop ends it. serve, demo and the end-to-end tests all call this.
func Start(ctx context.Context, config Config, log *slog.Logger) (app *App, err error) {
	a := &App{log: log, index: geo.NewIndex()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}()
	keys, err := seal.Load(config.MasterKey, masterKeyFile(config))
	if err != nil {
		return nil, err
	}
	if a.databases, err = openDatabases(ctx, config); err != nil {
		return nil, err
	}
	a.bus, err = stream.Open(ctx, stream.Config{
		URL: config.NATSURL, Dir: filepath.Join(config.Data, "stream"), Log: log,
		Durables: map[string][]string{stream.Intake: {store.Durable}, stream.Sales: {member.Durable, guide.Durable, commission.Durable}},
	})
	if err != nil {
		return nil, err
	}
	for _, note := range a.bus.Notes() {
		log.Info("stream: " + note)
	}
	if err := a.openDomains(ctx, keys, log); err != nil {
		return nil, err
	}
	if err := a.indexStores(ctx); err != nil {
		return nil, err
	}
	if err := a.startWork(ctx); err != nil {
		return nil, err
	}
	return a, a.listen(ctx, config, keys)
}

// openDomains makes the domains' services and gives each what it needs of the others.
func (a *App) openDomains(ctx context.Context, keys *seal.Keyring, log *slog.Logger) error {
	dbs := map[string]docdb.DB{}
	for _, name := range []string{"store", "member", "guide", "commission"} {
		db, err := a.databases.open(name)
		if err != nil {
			return err
		}
		dbs[name] = db
	}
	clock := when.System{}
	a.barrier = &barrier{bus: a.bus}
	var err error
	a.store, err = store.New(ctx, store.Deps{DB: dbs["store"], Clock: clock, Log: log, Keys: keys, WaitIntake: a.barrier.decided})
	if err != nil {
		return err
	}
	a.barrier.outbox = a.store.Outbox()
	assigner := &later{}
	a.member, err = member.New(ctx, member.Deps{DB: dbs["member"], Clock: clock, Log: log, Keys: keys, Brands: a.store, Assign: assigner})
	if err != nil {
		return err
	}
	a.guide, err = guide.New(ctx, guide.Deps{DB: dbs["guide"], Clock: clock, Log: log, Keys: keys, Stores: a.store, Members: a.member, Nearest: a.index})
	if err != nil {
		return err
	}
	assigner.Service = a.guide
	days := days{a.store, clock}
	a.commission, err = commission.New(ctx, commission.Deps{
		DB: dbs["commission"], Clock: clock, Log: log,
		Brands: a.store, Members: a.member, Holders: a.guide, Days: days, Barrier: a.barrier,
	})
	if err != nil {
		return err
	}
	a.closing = &closing{bus: a.bus, log: log, days: days, commission: a.commission}
	return nil
}

// later is the guide domain for member, which is made first: each needs the other.
type later struct{ *guide.Service }

// startWork starts the relays of the outboxes and the consumers of the streams.
func (a *App) startWork(ctx context.Context) error {
	relaying, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	outboxes := []*stream.Outbox{a.store.Outbox(), a.member.Outbox(), a.guide.Outbox(), a.commission.Outbox()}
	for _, o := range outboxes {
		go func() {
			a.bus.Relay(relaying, o)
			done <- struct{}{}
		}()
	}
	a.stops = append(a.stops, func() {
		stop()
		for range outboxes {
			<-done
		}
	})
	for _, c := range []stream.Consumer{
		{Stream: stream.Intake, Durable: store.Durable, Handle: a.store.Decide, Dead: a.store.DecideDead},
		{Stream: stream.Sales, Durable: member.Durable, Handle: a.member.ProjectSales, Dead: a.member.ProjectDead},
		{Stream: stream.Sales, Durable: guide.Durable, Handle: a.guide.ProjectSales, Dead: a.guide.ProjectDead},
		{Stream: stream.Sales, Durable: commission.Durable, Handle: a.commission.ProjectSales, Dead: a.commission.ProjectDead},
		{Stream: stream.Facts, Durable: guide.FactsDurable, Subjects: []string{stream.SubjectJoined}, Handle: a.guide.ProjectFacts, Dead: a.guide.DeadLetters().Keep(guide.FactsDurable, nil)},
		{Stream: stream.Schedules, Durable: closingDurable, Subjects: []string{subjectClose}, Handle: a.closing.onTrigger, Dead: a.closing.givenUp},
	} {
		if err := a.consume(ctx, c); err != nil {
			return err
		}
	}
	brands, err := a.store.Brands(ctx)
	if err != nil {
		return err
	}
	if err := a.closing.schedule(ctx, brands); err != nil {
		return err
	}
	if err := a.guide.Resume(ctx); err != nil {
		return err
	}
	a.stops = append(a.stops, a.commission.Stop)
	if err := a.commission.Resume(ctx); err != nil {
		return err
	}
	housekeeping, stopHousekeeping := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		a.keepHouse(housekeeping)
	}()
	a.stops = append(a.stops, func() {
		stopHousekeeping()
		<-kept
	})
	return nil
}

// housekeepingEvery is how often what is due by the day is looked for.
const housekeepingEvery = time.Hour

// keepHouse destroys the keys, and with them the phone numbers, that are due to be forgotten. Every process does it; twice is harmless.
func (a *App) keepHouse(ctx context.Context) {
	for {
		if err := a.member.ForgetStrangers(ctx); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "phone numbers of people not enrolled were not forgotten", "error", err)
		}
		select {
		case <-time.After(housekeepingEvery):
		case <-ctx.Done():
			return
		}
	}
}

// indexStores builds the nearest-store index from the stores there are, and keeps it current: with this process's changes before the
// call that makes them returns, with those of other processes by their facts.
func (a *App) indexStores(ctx context.Context) error {
	apply := func(c storeevent.Changed) {
		stores := make([]geo.Store, len(c.Stores))
		for i := range c.Stores {
			stores[i] = indexed(&c.Stores[i])
		}
		a.index.Upsert(stores...)
	}
	a.store.OnChanged(apply)
	fill := func(ctx context.Context) error {
		var c storeevent.Changed
		err := a.store.EachStore(ctx, func(s storeevent.Store) error {
			c.Stores = append(c.Stores, s)
			return nil
		})
		if err != nil {
			return fmt.Errorf("index stores: %w", err)
		}
		apply(c)
		return a.store.ApplyChanged(c)
	}
	// Following starts before the first fill, so that no change falls between the two.
	err := a.consume(ctx, stream.Consumer{
		Stream: stream.Facts, Subjects: []string{stream.SubjectStoreChanged},
		Handle: func(ctx context.Context, items []stream.Item) (later []int, err error) {
			for _, item := range items {
				var c storeevent.Changed
				if err := wire.Unmarshal(item.Data, &c); err != nil {
					return nil, fault.New(fault.Invalid, "unreadable_event", "this is not a change of stores").Because(err)
				}
				if err := a.store.ApplyChanged(c); err != nil {
					return nil, err
				}
				apply(c)
				if err := a.closing.schedule(ctx, c.Brands); err != nil {
					return nil, err
				}
			}
			return nil, nil
		},
		Missed: func(ctx context.Context) {
			err := errors.Join(a.store.Reload(ctx), fill(ctx))
			brands, brandsErr := a.store.Brands(ctx)
			if err = errors.Join(err, brandsErr, a.closing.schedule(ctx, brands)); err != nil {
				a.log.ErrorContext(ctx, "brands, stores or schedules may lack changes of other processes", "error", err)
			}
		},
	})
	if err != nil {
		return err
	}
	return fill(ctx)
}

// indexed is a store as the nearest-store index knows it. A service area that geo cannot make (one around a pole) limits nothing.
func indexed(s *storeevent.Store) geo.Store {
	g := geo.Store{
		ID: s.ID, Point: geo.Point{Lat: s.Lat, Lng: s.Lng}, Brands: slices.Sorted(maps.Keys(s.Brands)), Ownership: s.Ownership, Open: s.Open, Rev: s.Rev,
	}
	corners := make([]geo.Point, len(s.ServiceArea))
	for i, c := range s.ServiceArea {
		corners[i] = geo.Point{Lat: c[0], Lng: c[1]}
	}
	if area, err := geo.Polygon(corners); err == nil {
		g.Area = area
	}
	return g
}

// listen starts the HTTP edge.
func (a *App) listen(ctx context.Context, config Config, keys *seal.Keyring) error {
	db, err := a.databases.open("gateway")
	if err != nil {
		return err
	}
	a.Server, err = api.New(ctx, api.Config{
		DB: db, Keys: keys, Clock: when.System{}, Log: a.log, Bus: a.bus,
		Services:      api.Services{Store: a.store, Member: a.member, Guide: a.guide, Commission: a.commission},
		Nearest:       a.index,
		AdminPassword: config.AdminPassword,
		Audit:         a.audit,
		Projected: func(ctx context.Context) error {
			return a.barrier.projected(ctx, member.Durable, guide.Durable, commission.Durable)
		},
		Ready:   map[string]func(context.Context) error{"storage": a.databases.ready, "streams": a.streamsReady},
		Version: version,
	})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.Addr = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- a.Server.Serve(listener) }()
	a.stops = append(a.stops, func() {
		shutting, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := errors.Join(a.Server.Shutdown(shutting), <-served); err != nil {
			a.log.Error("the HTTP edge did not end well", "error", err)
		}
	})
	return nil
}

// shutdownTimeout is how long requests under way may take to end.
const shutdownTimeout = 10 * time.Second

func (a *App) streamsReady(ctx context.Context) error {
	_, err := a.bus.LastSeq(ctx, stream.Intake)
	return err
}

// Stop ends everything in the reverse order of its start: no new requests, then the work under way, then streams and databases.
func (a *App) Stop(context.Context) error {
	for _, stop := range slices.Backward(a.stops) {
		stop()
	}
	var errs []error
	if a.bus != nil {
		errs = append(errs, a.bus.Close())
	}
	if a.databases != nil {
		errs = append(errs, a.databases.close())
	}
	return errors.Join(errs...)
}

func (a *App) consume(ctx context.Context, c stream.Consumer) error {
	stop, err := a.bus.Consume(context.WithoutCancel(ctx), c)
	if err != nil {
		return err
	}
	a.stops = append(a.stops, stop)
	return nil
}

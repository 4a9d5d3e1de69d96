package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/fault"
)

// Config says which NATS carries the streams.
type Config struct {
	URL string       // of an external NATS with JetStream; empty: a server inside this process, without an open port
	Dir string       // where the embedded server keeps its streams; not used with URL
	Log *slog.Logger // nil: slog.Default()

	// MaxBytes is how much INTAKE, SALES and FACTS each hold at most before they refuse what is published; 0 means 4 GiB.
	MaxBytes int64
	// Durables are, per stream, the consumers whose messages are kept even before they connect for the first time.
	Durables map[string][]string
	// PurgeEvery is how often messages that every durable consumer is done with are removed; 0 means 15 s.
	PurgeEvery time.Duration
	// AckWait is how long after the last sign of life of a process what it was given goes to another one; 0 means 15 s.
	AckWait time.Duration
}

const (
	defaultMaxBytes   = 4 << 30
	defaultPurgeEvery = 15 * time.Second
	defaultAckWait    = 15 * time.Second
	apiTimeout        = 5 * time.Second  // of one request to the JetStream API
	closeTimeout      = 10 * time.Second // for what is queued to be published when the bus closes
	flushTimeout      = 2 * time.Second
)

// Bus is the connection to the streams.
type Bus struct {
	cfg    Config
	log    *slog.Logger
	server *server.Server // nil where NATS is external
	nc     *nats.Conn
	js     jetstream.JetStream
	notes  []string

	running context.Context // ends when the bus closes
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	full    chan struct{} // a stream refused a message: purge soon

	closing    sync.Once
	mu         sync.Mutex
	closed     bool
	publishers map[string]*publisher
	watches    map[watchKey]*watch
}

// Open starts the embedded server or connects to the external one, and creates or updates the streams. It fails where
// the server is older than 2.14, has no JetStream or cannot carry the largest message. Close the bus when done.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.PurgeEvery == 0 {
		cfg.PurgeEvery = defaultPurgeEvery
	}
	if cfg.AckWait == 0 {
		cfg.AckWait = defaultAckWait
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	b := &Bus{cfg: cfg, log: cfg.Log.With("part", "stream"), full: make(chan struct{}, 1),
		publishers: map[string]*publisher{}, watches: map[watchKey]*watch{}}
	b.running, b.stop = context.WithCancel(context.Background())
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.tasks.Go(b.purgeRegularly)
	return b, nil
}

func (b *Bus) open(ctx context.Context) error {
	var err error
	if b.cfg.URL == "" {
		if b.server, err = startServer(b.cfg, b.log); err != nil {
			return err
		}
	}
	if b.nc, err = b.connect(ctx); err != nil {
		return err
	}
	if limit := b.nc.MaxPayload(); limit < maxPayload {
		return fmt.Errorf("stream: the NATS server takes messages of %d bytes at most (max_payload), needed are %d", limit, maxPayload)
	}
	b.js, err = jetstream.New(b.nc, jetstream.WithDefaultTimeout(apiTimeout), jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return b.ensureStreams(ctx)
}

func (b *Bus) connect(ctx context.Context) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("scrm"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // what cannot be sent now is refused now
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Warn("NATS connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { b.log.Info("NATS connection is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { b.log.Warn("NATS reports an error", "error", err) }),
	}
	if b.server != nil {
		options = append(options, nats.InProcessServer(b.server))
	}
	if deadline, ok := ctx.Deadline(); ok {
		options = append(options, nats.Timeout(time.Until(deadline)))
	}
	nc, err := nats.Connect(b.cfg.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("stream: connect to NATS: %w", err)
	}
	return nc, nil
}

// Notes says in words what the streams run on and how durable an acknowledgement is there, for whoever starts the program.
func (b *Bus) Notes() []string { return b.notes }

// Close publishes what is queued, ends the connection and the embedded server. Stop consumers and relays first; after it,
// Publish answers fault.Unavailable.
func (b *Bus) Close() error {
	b.closing.Do(b.close)
	return nil
}

func (b *Bus) close() {
	b.mu.Lock()
	b.closed = true
	publishers := b.publishers
	b.mu.Unlock()
	for _, p := range publishers {
		p.close()
	}
	b.stop()
	b.tasks.Wait()
	if b.nc != nil {
		if err := b.nc.FlushTimeout(flushTimeout); err != nil {
			b.log.Debug("closing without a flush: the last acknowledgements may be lost, which is harmless", "error", err)
		}
		b.nc.Close()
	}
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}

var errClosed = fault.New(fault.Unavailable, "stream_closed", "the program is stopping")

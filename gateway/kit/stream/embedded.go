package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// maxPayload holds the largest item with its length and headers.
const maxPayload = MaxItemSize + 4<<10

// startServer runs a NATS server in this process: no open port, no signal handlers, and every message synced to disk before it
// is acknowledged.
func startServer(cfg Config, log *slog.Logger) (*server.Server, error) {
	if cfg.Dir == "" {
		return nil, errors.New("stream: the embedded NATS server needs a directory")
	}
	s, err := server.NewServer(&server.Options{
		ServerName:             "scrm",
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		JetStream:              true,
		StoreDir:               filepath.Clean(cfg.Dir),
		SyncAlways:             true,
		MaxPayload:             1 << 20,
		JetStreamMaxStore:      math.MaxInt64, // the streams have limits of their own
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("stream: embedded NATS server: %w", err)
	}
	s.SetLoggerV2(serverLog{log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		s.Shutdown()
		return nil, errors.New("stream: the embedded NATS server did not start within a minute")
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, errors.New("stream: the embedded NATS server could not open its streams' directory")
	}
	return s, nil
}

// serverLog passes the embedded server's log on; what it merely notices is detail here.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l serverLog) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l serverLog) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }

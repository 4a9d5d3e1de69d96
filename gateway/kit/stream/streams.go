package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/fault"
)

const (
	// duplicatesWindow is how long a stream knows the ids of what the outboxes published. Repetitions that come later reach
	// the consumers, which take them as harmless.
	duplicatesWindow = 2 * time.Minute

	scheduleMaxBytes = 64 << 20
	replicasWanted   = 3
	apiLevel         = 4 // of nats-server 2.14
	leaderWait       = 30 * time.Second
	leaderPause      = 200 * time.Millisecond
)

// streamOf is the stream that takes a subject.
func streamOf(subject string) string {
	switch kind, _, _ := strings.Cut(subject, "."); kind {
	case SubjectIntake:
		return Intake
	case SubjectSales:
		return Sales
	case "schedules", "triggers":
		return Schedules
	default:
		return Facts
	}
}

func (b *Bus) streams() []jetstream.StreamConfig {
	event := func(name string, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Subjects: subjects, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
			MaxBytes: b.cfg.MaxBytes, Duplicates: duplicatesWindow,
		}
	}
	return []jetstream.StreamConfig{
		event(Intake, SubjectIntake),
		event(Sales, SubjectSales),
		event(Facts, "facts.>"),
		{ // one message for each schedule, and one for what it triggered last; schedules exclude DiscardNew and need AllowRollup
			Name: Schedules, Subjects: []string{"schedules.>", SubjectTriggers + ">"}, Storage: jetstream.FileStorage,
			MaxMsgsPerSubject: 1, MaxBytes: scheduleMaxBytes, Duplicates: duplicatesWindow, AllowMsgSchedules: true, AllowRollup: true,
		},
	}
}

// ensureStreams creates the streams or brings their settings up to date; a cluster that has no leader yet gets some time.
func (b *Bus) ensureStreams(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	for {
		err := b.checkServer(ctx)
		if err == nil {
			err = b.ensureStreamsNow(ctx)
		}
		if fault.KindOf(err) != fault.Unavailable || !sleep(patient, leaderPause) {
			return err
		}
	}
}

// checkServer makes sure that schedules with time zones do not stay silent.
func (b *Bus) checkServer(ctx context.Context) error {
	info, err := b.js.AccountInfo(ctx)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("stream: the NATS server: %w", err)
	case err != nil:
		return unavailable(ctx, "account", err)
	case info.API.Level < apiLevel:
		return fmt.Errorf("stream: the NATS server's JetStream has level %d, needed is %d (version 2.14)", info.API.Level, apiLevel)
	}
	return nil
}

// ensureStreamsNow puts the streams on three servers where there are so many. A stream that somebody gave more replicas keeps
// them.
func (b *Bus) ensureStreamsNow(ctx context.Context) error {
	wanted := replicasWanted
	if b.server != nil {
		wanted = 1
	}
	fewest := wanted
	for _, cfg := range b.streams() {
		has := 1
		if old, err := b.js.Stream(ctx, cfg.Name); err == nil {
			has = old.CachedInfo().Config.Replicas
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return unavailable(ctx, "stream "+cfg.Name, err)
		}
		cfg.Replicas = max(wanted, has)
		_, err := b.js.CreateOrUpdateStream(ctx, cfg)
		if answered(err, errNoReplicas, errNoPeers) {
			cfg.Replicas = has
			_, err = b.js.CreateOrUpdateStream(ctx, cfg)
		}
		if err != nil {
			return refusedCreate(ctx, cfg.Name, err)
		}
		fewest = min(fewest, cfg.Replicas)
	}
	switch {
	case b.server != nil:
		b.notes = []string{"streams: embedded NATS, each message synced to disk before it is acknowledged"}
	case fewest == replicasWanted:
		b.notes = []string{"streams: NATS cluster, each message on a majority of 3 replicas before it is acknowledged"}
	default:
		b.notes = []string{
			fmt.Sprintf("streams: external NATS without 3 servers for 3 replicas, %d of each stream: losing a disk loses what is in the streams", fewest),
			"streams: unless that server has sync_interval: always, a crash of its machine may lose what it acknowledged last",
		}
	}
	return nil
}

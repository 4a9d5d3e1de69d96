package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// duplicatesWindow is how long a stream knows the ids of what the outboxes published. Repetitions that come later reach
	// the consumers, which take them as harmless.
	duplicatesWindow = 2 * time.Minute

	scheduleMaxBytes = 64 << 20
	replicasWanted   = 3
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
		{ // message schedules exclude DiscardNew
			Name: Schedules, Subjects: []string{"schedules.>", "triggers.>"}, Storage: jetstream.FileStorage,
			MaxBytes: scheduleMaxBytes, AllowMsgSchedules: true, AllowRollup: true,
		},
	}
}

// ensureStreams creates the streams or brings their settings up to date, on three servers where there are so many.
func (b *Bus) ensureStreams(ctx context.Context) error {
	replicas := replicasWanted
	if b.server != nil {
		replicas = 1
	}
	for _, cfg := range b.streams() {
		cfg.Replicas = replicas
		_, err := b.js.CreateOrUpdateStream(ctx, cfg)
		if replicas > 1 && tooFewServers(err) {
			replicas = 1
			cfg.Replicas = 1
			_, err = b.js.CreateOrUpdateStream(ctx, cfg)
		}
		if err != nil {
			return fmt.Errorf("stream: create or update stream %s: %w", cfg.Name, err)
		}
	}
	switch {
	case b.server != nil:
		b.notes = []string{"streams: embedded NATS, each message synced to disk before it is acknowledged"}
	case replicas == replicasWanted:
		b.notes = []string{"streams: NATS cluster, each message on a majority of 3 replicas before it is acknowledged"}
	default:
		b.notes = []string{
			"streams: external NATS without a cluster of 3, one replica each: the loss of its disk loses what is in the streams",
			"streams: unless that server runs with jetstream { sync_interval: always }, a crash of its machine may lose what it acknowledged last",
		}
	}
	return nil
}

// tooFewServers reports that a stream cannot have as many replicas as asked for.
func tooFewServers(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == errNoReplicas || api.ErrorCode == errNoPeers)
}

const (
	errNoReplicas jetstream.ErrorCode = 10074
	errNoPeers    jetstream.ErrorCode = 10005
)

// purgeRegularly removes what every durable consumer is done with.
func (b *Bus) purgeRegularly() {
	tick := time.NewTicker(b.cfg.PurgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.running.Done():
			return
		case <-tick.C:
		}
		if !b.nc.IsConnected() {
			continue
		}
		for _, cfg := range b.streams() {
			if err := b.purge(b.running, cfg.Name); err != nil && b.running.Err() == nil {
				b.log.Warn("purging a stream failed", "stream", cfg.Name, "error", err)
			}
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
	if len(names) == 0 {
		return nil
	}
	floor := ^uint64(0)
	for name := range names {
		done, err := b.settledSeq(ctx, stream, name)
		if err != nil {
			return err
		}
		floor = min(floor, done)
	}
	if floor < s.CachedInfo().State.FirstSeq {
		return nil
	}
	if stream == Schedules {
		return s.Purge(ctx, jetstream.WithPurgeSubject("triggers.>"), jetstream.WithPurgeSequence(floor+1))
	}
	return s.Purge(ctx, jetstream.WithPurgeSequence(floor+1))
}

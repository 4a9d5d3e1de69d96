package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"scrm/gateway/kit/fault"
)

// JetStream's error codes that nats.go does not name.
const (
	errNoPeers     jetstream.ErrorCode = 10005 // the cluster has too few servers
	errNoResources jetstream.ErrorCode = 10023
	errNoStorage   jetstream.ErrorCode = 10047
	errNoReplicas  jetstream.ErrorCode = 10074 // there is no cluster
	errStoreFailed jetstream.ErrorCode = 10077 // the stream's limit is reached, or its disk failed
)

// answered reports that JetStream answered with one of codes.
func answered(err error, codes ...jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode)
}

// changedMeanwhile reports that a message was not stored because its subject has got another one since it was read.
func changedMeanwhile(err error) bool {
	return answered(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// unavailable is an error of the JetStream API as callers see it, unless it is they who went away.
func unavailable(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stream: %s: %w", what, err)
	}
	return fault.New(fault.Unavailable, "stream_unavailable", "the streams cannot be reached").Because(fmt.Errorf("%s: %w", what, err))
}

// refusedCreate tells an answer that may be another one soon, as of a cluster without a leader, from one that will not.
func refusedCreate(ctx context.Context, stream string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code != http.StatusServiceUnavailable {
		return fmt.Errorf("stream: create or update stream %s: %w", stream, err)
	}
	return unavailable(ctx, "create or update stream "+stream, err)
}

// refused says what a publisher can do about an error, and has a full stream purged soon. Everything but a message over
// the server's limit may succeed later.
func (b *Bus) refused(subject string, err error) error {
	stream := streamOf(subject)
	switch {
	case answered(err, errStoreFailed, errNoStorage, errNoResources):
		select {
		case b.full <- struct{}{}:
		default:
		}
		return fault.New(fault.Unavailable, strings.ToLower(stream)+"_full", "the stream %s is full", stream).Because(err)
	case answered(err, jetstream.JSErrCodeStreamMessageExceedsMaximum):
		return fault.New(fault.TooLarge, "event_too_large", "an event is over the server's limit").Because(err)
	default:
		return fault.New(fault.Unavailable, "stream_unavailable", "the stream %s cannot be reached", stream).Because(err)
	}
}

package mongodoc

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/x/mongo/driver/topology"

	"scrm/gateway/kit/fault"
)

// Error codes of the server.
const (
	codeNamespaceExists = 48
	codeWriteConflict   = 112
	codeDuplicateKey    = 11000
	codeOutOfDiskSpace  = 14031
)

// errLookFirst ends a transaction's run that wrote without looking and met a document in another state than it took it for.
var errLookFirst = errors.New("mongodoc: a document is not in the expected state")

// translate gives an error of the driver its kind.
func translate(err error) error {
	var server mongo.ServerError
	var selection topology.ServerSelectionError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &server) && server.HasErrorCode(codeOutOfDiskSpace):
		return fault.New(fault.Unavailable, "storage_full", "the disk of the database server is full").Because(err)
	case mongo.IsNetworkError(err), mongo.IsTimeout(err), errors.As(err, &selection), errors.Is(err, mongo.ErrClientDisconnected),
		errors.As(err, &server) && server.HasErrorLabel("RetryableWriteError"):
		return fault.New(fault.Unavailable, "storage_unavailable", "the database server cannot be reached").Because(err)
	default:
		return fmt.Errorf("mongodoc: %w", err)
	}
}

// transient reports whether a transaction that failed with err may succeed if it is run again.
func transient(err error) bool {
	var server mongo.ServerError
	return errors.Is(err, errLookFirst) || mongo.IsDuplicateKeyError(err) ||
		errors.As(err, &server) && (server.HasErrorLabel("TransientTransactionError") || server.HasErrorCode(codeWriteConflict))
}

// unknownCommit reports whether a commit that failed with err may have happened, so that committing again tells.
func unknownCommit(err error) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && server.HasErrorLabel("UnknownTransactionCommitResult")
}

package sqldoc

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"scrm/gateway/kit/fault"
)

// translate gives an error of the driver its kind: what may go away by itself (a full disk, another process's lock) is
// Unavailable, the rest Internal.
func translate(err error) error {
	var e *sqlite.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fault.New(fault.Unavailable, "storage_full", "the disk or the database is full").Because(err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.New(fault.Unavailable, "storage_busy", "another process holds the database").Because(err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return fault.New(fault.Unavailable, "storage_unavailable", "the database file cannot be read or written").Because(err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fault.New(fault.Internal, "storage_corrupt", "the database file is damaged").Because(err)
	case sqlite3.SQLITE_INTERRUPT:
		return fault.New(fault.Canceled, "canceled", "the caller went away").Because(err)
	default:
		return fmt.Errorf("sqldoc: %w", err)
	}
}

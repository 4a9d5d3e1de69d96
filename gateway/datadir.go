package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dataDir is the data directory, held by this process alone until it is released or the process ends, however it ends: a lock of the
// operating system (flock) on a file that tells others who holds it.
type dataDir struct {
	lock *os.File
	held holder
}

// holder is what the lock's file says about who holds it.
type holder struct {
	PID int    `json:"pid"`
	URL string `json:"url,omitempty"` // where it listens, once it does
}

const lockFile = "lock"

// heldError is that another process works on the data directory.
type heldError struct {
	dir string
	by  holder
}

func (e *heldError) Error() string {
	at := ""
	if e.by.URL != "" {
		at = ", listening on " + e.by.URL
	}
	return fmt.Sprintf("data directory %s: another process works on it (pid %d%s); one at a time", e.dir, e.by.PID, at)
}

// holdDataDir makes the data directory where there is none, and takes its lock; *heldError if another process has it.
func holdDataDir(dir string) (*dataDir, error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		held := &heldError{dir: dir}
		// Who has just taken it may not have said yet who it is; then the numbers are empty.
		_ = json.NewDecoder(lock).Decode(&held.by)
		return nil, errors.Join(held, lock.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("data directory: lock: %w", err), lock.Close())
	}
	d := &dataDir{lock: lock, held: holder{PID: os.Getpid()}}
	return d, d.say()
}

// announce tells other processes where this one listens.
func (d *dataDir) announce(url string) error {
	d.held.URL = url
	return d.say()
}

func (d *dataDir) say() error {
	text, err := json.Marshal(d.held)
	if err == nil {
		err = d.lock.Truncate(0)
	}
	if err == nil {
		_, err = d.lock.WriteAt(text, 0)
	}
	if err != nil {
		return fmt.Errorf("data directory: lock: %w", err)
	}
	return nil
}

// release gives the data directory to others.
func (d *dataDir) release() error { return d.lock.Close() }

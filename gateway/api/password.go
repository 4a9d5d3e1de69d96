package api

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"scrm/gateway/kit/fault"
)

// Argon2id with the parameters of OWASP's password storage cheat sheet (19 MiB, 2 passes, 1 lane): about 25 ms here.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	saltSize    = 16
	hashSize    = 32
)

// Lengths of a password in characters (NIST SP 800-63B: at least 8, no composition rules).
const (
	minPassword = 8
	maxPassword = 128
)

// hashing bounds how many hashes are computed at once, and so the memory and processors that guessing can take.
type hashing struct{ slots *semaphore.Weighted }

func newHashing() hashing { return hashing{semaphore.NewWeighted(int64(runtime.NumCPU()))} }

// hash makes what is stored of a password, in the PHC string format.
func (h hashing) hash(ctx context.Context, password string) (string, error) {
	now := hashed{memory: argonMemory, passes: argonTime, lanes: argonLanes, salt: make([]byte, saltSize)}
	rand.Read(now.salt) //nolint:errcheck // crypto/rand.Read never fails
	var err error
	now.key, err = h.key(ctx, now, password)
	return now.String(), err
}

// matches reports whether password is the one that was stored; an empty stored hash matches nothing, but takes as long.
func (h hashing) matches(ctx context.Context, stored, password string) (bool, error) {
	then := hashed{memory: argonMemory, passes: argonTime, lanes: argonLanes, salt: make([]byte, saltSize), key: make([]byte, hashSize)}
	if stored != "" {
		var err error
		if then, err = parseHashed(stored); err != nil {
			return false, err
		}
	}
	key, err := h.key(ctx, then, password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, then.key) == 1 && stored != "", nil
}

// key derives the key of a password with the parameters and salt of p; it waits for its turn.
func (h hashing) key(ctx context.Context, p hashed, password string) ([]byte, error) {
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return nil, fault.New(fault.Unavailable, "busy", "too many sign-ins at once").Because(err)
	}
	defer h.slots.Release(1)
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, hashSize), nil
}

// hashed is a stored password: how it was hashed, and to what.
type hashed struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

func (p hashed) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.lanes,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.key))
}

var errStored = errors.New("api: a stored password is not an argon2id hash")

func parseHashed(s string) (hashed, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return hashed{}, errStored
	}
	var p hashed
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return hashed{}, errStored
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	p.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil {
		return hashed{}, errStored
	}
	return p, nil
}

// checkPassword answers fault.Invalid unless a new password has a length that is allowed.
func checkPassword(password string) error {
	if n := utf8.RuneCountInString(password); n < minPassword || n > maxPassword {
		return fault.New(fault.Invalid, "invalid_password", "a password has %d to %d characters", minPassword, maxPassword).At("password")
	}
	return nil
}

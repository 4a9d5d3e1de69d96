// Package seal keeps secrets: the master key, the keys derived from it, blind indexes, and AES-256-GCM sealing.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"scrm/gateway/kit/fault"
)

// KeySize is the size of every key in bytes.
const KeySize = 32

// Keyring derives what the program needs from one master key. Its methods are safe for concurrent use.
type Keyring struct {
	master  []byte
	indexer sync.Pool // hash.Hash, keyed for the phone index: every transaction needs one
}

// NewKeyring makes a keyring of a master key of KeySize bytes.
func NewKeyring(master []byte) (*Keyring, error) {
	if len(master) != KeySize {
		return nil, fmt.Errorf("seal: a master key has %d bytes", KeySize)
	}
	k := &Keyring{master: master}
	key := k.Key("phone-index")
	k.indexer.New = func() any { return hmac.New(sha256.New, key) }
	return k, nil
}

// Load takes the master key from text (base64, as an environment variable holds it) or, where that is empty, from a file,
// which it makes with mode 0600 at the first start. Losing the key loses every sealed phone number and terminal secret.
func Load(text, file string) (*Keyring, error) {
	if text == "" {
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return create(file)
		}
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		text = string(raw)
	}
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("seal: the master key is not base64")
	}
	return NewKeyring(master)
}

func create(file string) (*Keyring, error) {
	master := NewKey()
	// Written aside and renamed, so that a crash leaves a whole key or none.
	tmp := file + ".new"
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := os.WriteFile(tmp, []byte(base64.StdEncoding.EncodeToString(master)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := os.Rename(tmp, file); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return NewKeyring(master)
}

// Key is the key for one purpose (HKDF-SHA256, RFC 5869, with the purpose as info).
func (k *Keyring) Key(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, k.master, nil, "scrm/"+purpose, KeySize)
	if err != nil {
		panic(err) // only for impossible lengths
	}
	return key
}

// MAC is HMAC-SHA256 of data under the key for a purpose.
func (k *Keyring) MAC(purpose string, data []byte) []byte { return MAC(k.Key(purpose), data) }

// MAC is HMAC-SHA256 of data under key.
func MAC(key, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(data)
	return m.Sum(nil)
}

// BlindIndex is the keyed index of a phone number in E.164 form, hex: equal numbers have equal indexes, and without the key
// an index cannot be turned back by trying all numbers.
func (k *Keyring) BlindIndex(e164 string) string {
	h := k.indexer.Get().(hash.Hash)
	defer k.indexer.Put(h)
	h.Reset()
	h.Write([]byte(e164))
	var sum [sha256.Size]byte
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], h.Sum(sum[:0]))
	return string(text[:])
}

// NewKey makes a random key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key) //nolint:errcheck // crypto/rand.Read never fails
	return key
}

// Seal encrypts plaintext with AES-256-GCM under key; context is authenticated with it (the id of what it belongs to), so that
// sealed bytes cannot be moved elsewhere. The answer starts with the nonce.
func Seal(key, plaintext []byte, context string) []byte {
	return NewSealer(key).Append(nil, plaintext, context)
}

// Sealer seals many times under one key. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// NewSealer prepares a key of KeySize bytes.
func NewSealer(key []byte) Sealer { return Sealer{aead(key)} }

// Append is Seal under the sealer's key, behind what dst holds already.
func (s Sealer) Append(dst, plaintext []byte, context string) []byte {
	return s.aead.Seal(dst, nil, plaintext, []byte(context))
}

// Open decrypts what Seal made; it fails if key, context or a byte differs.
func Open(key, sealed []byte, context string) ([]byte, error) {
	plain, err := aead(key).Open(nil, nil, sealed, []byte(context))
	if err != nil {
		return nil, fault.New(fault.Internal, "cannot_unseal", "sealed data does not open with this key").Because(err)
	}
	return plain, nil
}

func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // keys have KeySize bytes
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return a
}

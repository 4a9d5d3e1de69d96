package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"scrm/gateway/kit/seal"
	"scrm/store"
)

// contents computes the keyed hashes by which deliveries under one event id are compared. It keeps hashes and buffers to use again.
type contents struct{ pool sync.Pool }

type contentHash struct {
	mac    hash.Hash
	buffer []byte
}

func newContents(keys *seal.Keyring) *contents {
	key := keys.Key("transaction-content")
	return &contents{sync.Pool{New: func() any { return &contentHash{mac: hmac.New(sha256.New, key)} }}}
}

// mac is the HMAC-SHA256 of a submission's normalised content, in which a phone number is in E.164 form.
func (c *contents) mac(s *store.Submission, member *buyer) []byte {
	h := c.pool.Get().(*contentHash)
	defer c.pool.Put(h)
	h.mac.Reset()
	h.buffer = appendContent(h.buffer[:0], s, member)
	h.mac.Write(h.buffer)
	return h.mac.Sum(nil)
}

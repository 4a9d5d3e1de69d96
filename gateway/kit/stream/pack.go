package stream

import (
	"encoding/binary"
	"errors"
)

// pack is a message's body: its items, each behind its length as a varint.
type pack struct {
	bytes []byte
	items int
}

func (p *pack) fits(item []byte) bool {
	return p.items == 0 || p.items < MaxItems && len(p.bytes)+binary.MaxVarintLen32+len(item) <= MaxBytes
}

func (p *pack) add(item []byte) {
	p.bytes = binary.AppendUvarint(p.bytes, uint64(len(item)))
	p.bytes = append(p.bytes, item...)
	p.items++
}

var errTorn = errors.New("stream: a message's body is not a sequence of items")

// unpack calls each item of a body; items alias the body.
func unpack(body []byte, each func(i int, item []byte)) error {
	for i := 0; len(body) > 0; i++ {
		n, w := binary.Uvarint(body)
		if w <= 0 || n > uint64(len(body)-w) {
			return errTorn
		}
		each(i, body[w:w+int(n)])
		body = body[w+int(n):]
	}
	return nil
}

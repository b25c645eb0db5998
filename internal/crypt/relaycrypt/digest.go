package relaycrypt

import (
	"crypto/subtle"
	"encoding"
	"hash"
)

// Where the fields that prove the sender are in the body of a cell.
const (
	recognizedAt = 1 // 2 bytes, zero
	digestAt     = 5 // 4 bytes
	digestLen    = 4
)

// digest is a running hash of the bodies that begin or end at a hop, taken with a zero digest field; the first bytes of its
// value so far go into that field. It can take one step back.
type digest struct {
	hash  savableHash
	sum   [32]byte // after the last add; SHA-1 fills a part of it
	saved []byte
}

type savableHash interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func newDigest(h hash.Hash, seed []byte) *digest {
	d := &digest{hash: h.(savableHash)}
	d.hash.Write(seed)
	return d
}

// add appends a body.
func (d *digest) add(b *body) {
	d.hash.Write(b[:])
	d.hash.Sum(d.sum[:0])
}

// prove puts the proof into a body of ours.
func (d *digest) prove(b *body) {
	clear(b[recognizedAt : recognizedAt+2])
	clear(b[digestAt : digestAt+digestLen])
	d.add(b)
	copy(b[digestAt:], d.sum[:digestLen])
}

// recognise looks for the proof in a body whose recognized field is zero. When it is not there, body and digest are left as
// they were; if last is set, the digest is not needed any more and may change.
func (d *digest) recognise(b *body, last bool) bool {
	if !last {
		d.save()
	}
	got := [digestLen]byte(b[digestAt:])
	clear(b[digestAt : digestAt+digestLen])
	d.add(b)
	if subtle.ConstantTimeCompare(got[:], d.sum[:digestLen]) == 1 {
		return true
	}
	copy(b[digestAt:], got[:])
	if !last {
		d.restore()
	}
	return false
}

// tag is that of the last cell that was proven or recognised.
func (d *digest) tag() (t Tag) {
	t.n = uint8(copy(t.b[:], d.sum[:]))
	return t
}

func (d *digest) save() {
	var err error
	if d.saved, err = d.hash.AppendBinary(d.saved[:0]); err != nil {
		panic("relaycrypt: " + err.Error()) // the hashes can always tell their state
	}
}

func (d *digest) restore() {
	if err := d.hash.UnmarshalBinary(d.saved); err != nil {
		panic("relaycrypt: " + err.Error()) // and take it back
	}
}

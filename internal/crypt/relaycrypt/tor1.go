package relaycrypt

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding"
	"hash"

	"github.com/tropea-net/tropea/internal/crypt/aesctr"
)

// Where the fields that prove the sender are in the body of a cell.
const (
	recognizedAt = 1 // 2 bytes, zero
	digestAt     = 5 // 4 bytes
	digestLen    = 4
)

// tor1 is the algorithm that Tor began with. All bodies in one direction are one AES-128-CTR stream. The bodies that
// begin or end at the hop are one SHA-1 stream too, taken with a zero digest field; the first bytes of its value so far
// go into that field.
//
// https://spec.torproject.org/tor-spec/routing-relay-cells.html
type tor1 struct {
	stream aesctr.Stream
	digest *tor1Digest // nil until a cell needs it: most circuits only pass through a relay
	seed   [sha1.Size]byte
}

func newTor1(seed, key []byte) tor1 {
	t := tor1{seed: [sha1.Size]byte(seed)}
	t.stream.Init((*[aesctr.KeyLen]byte)(key))
	return t
}

// crypt adds or removes the layer: both are the same.
func (t *tor1) crypt(b *body) { t.cryptTo(b, b) }

// cryptTo is crypt with the result elsewhere, or in place.
func (t *tor1) cryptTo(dst, src *body) { t.stream.XORBody(dst, src) }

// originate puts the proof in and adds the layer.
func (t *tor1) originate(b *body) {
	clear(b[recognizedAt : recognizedAt+2])
	clear(b[digestAt : digestAt+digestLen])
	d := t.running()
	d.add(b)
	copy(b[digestAt:], d.sum[:digestLen])
	t.crypt(b)
}

// tag is that of the last cell that was originated, or recognised by open.
func (t *tor1) tag() Tag { return Tag{n: sha1.Size, b: t.digest.sum} }

// open removes the layer and looks for the proof. When it is not there, the body is left as it came out of the cipher,
// and the digest as it was before; if last is set, the digest is not needed any more and may change.
func (t *tor1) open(b *body, last bool) bool { return t.openTo(b, b, last) }

// openTo is open with the result elsewhere, or in place.
func (t *tor1) openTo(b, src *body, last bool) bool {
	t.cryptTo(b, src)
	if b[recognizedAt]|b[recognizedAt+1] != 0 {
		return false
	}
	// One in 65536 cells for somebody else gets here, and all of ours.
	d := t.running()
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

func (t *tor1) running() *tor1Digest {
	if t.digest == nil {
		t.digest = newTor1Digest(t.seed[:])
		clear(t.seed[:])
	}
	return t.digest
}

// tor1Digest is a running SHA-1 that can take one step back.
type tor1Digest struct {
	hash  savableHash
	sum   [sha1.Size]byte // after the last add
	saved []byte
}

type savableHash interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func newTor1Digest(seed []byte) *tor1Digest {
	d := &tor1Digest{hash: sha1.New().(savableHash)}
	d.hash.Write(seed)
	return d
}

// add appends a body. The whole digest, d.sum, is the tag of the cell.
func (d *tor1Digest) add(b *body) {
	d.hash.Write(b[:])
	d.hash.Sum(d.sum[:0])
}

func (d *tor1Digest) save() {
	var err error
	if d.saved, err = d.hash.AppendBinary(d.saved[:0]); err != nil {
		panic("relaycrypt: " + err.Error()) // SHA-1 can always tell its state
	}
}

func (d *tor1Digest) restore() {
	if err := d.hash.UnmarshalBinary(d.saved); err != nil {
		panic("relaycrypt: " + err.Error()) // and take it back
	}
}

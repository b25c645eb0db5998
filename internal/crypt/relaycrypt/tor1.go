package relaycrypt

import (
	"crypto/sha1"

	"github.com/tropea-net/tropea/internal/crypt/aesctr"
)

// tor1 is the algorithm that Tor began with. All bodies in one direction are one AES-128-CTR stream. The bodies that
// begin or end at the hop are one SHA-1 stream too, taken with a zero digest field; the first bytes of its value so far
// go into that field.
//
// https://spec.torproject.org/tor-spec/routing-relay-cells.html
type tor1 struct {
	stream aesctr.Stream
	digest *digest // nil until a cell needs it: most circuits only pass through a relay
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
	t.running().prove(b)
	t.crypt(b)
}

// tag is that of the last cell that was originated, or recognised by open.
func (t *tor1) tag() Tag { return t.digest.tag() }

// open removes the layer and looks for the proof. When it is not there, the body is left as it came out of the cipher,
// and the digest as it was before; if last is set, the digest is not needed any more and may change.
func (t *tor1) open(b *body, last bool) bool { return t.openTo(b, b, last) }

// openTo is open with the result elsewhere, or in place.
func (t *tor1) openTo(b, src *body, last bool) bool {
	t.cryptTo(b, src)
	if b[recognizedAt]|b[recognizedAt+1] != 0 {
		return false
	}
	return t.running().recognise(b, last) // one in 65536 cells for somebody else gets here, and all of ours
}

func (t *tor1) running() *digest {
	if t.digest == nil {
		t.digest = newDigest(sha1.New(), t.seed[:])
		clear(t.seed[:])
	}
	return t.digest
}

package relaycrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
)

const (
	hsDigestLen = 32
	hsKeyLen    = 32
)

// HSKeyLen is the length in bytes of the key material of a hop between an onion service and its client.
const HSKeyLen = 2*hsDigestLen + 2*hsKeyLen

// hsv3 is tor1 with AES-256-CTR and SHA3-256, for the hop that an onion service and its client share. The few nodes that have
// such hops have few of them, so the standard library's cipher will do.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html#NTOR-WITH-EXTRA-DATA
type hsv3 struct {
	stream cipher.Stream
	digest *digest
}

func newHSv3(seed, key []byte) *hsv3 {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("relaycrypt: " + err.Error()) // the length is right
	}
	var iv [aes.BlockSize]byte
	return &hsv3{cipher.NewCTR(block, iv[:]), newDigest(sha3.New256(), seed)}
}

// cryptTo adds or removes the layer: both are the same.
func (h *hsv3) cryptTo(dst, src *body) { h.stream.XORKeyStream(dst[:], src[:]) }

// originate puts the proof in and adds the layer.
func (h *hsv3) originate(b *body) {
	h.digest.prove(b)
	h.cryptTo(b, b)
}

// openTo is that of tor1.
func (h *hsv3) openTo(dst, src *body, last bool) bool {
	h.cryptTo(dst, src)
	if dst[recognizedAt]|dst[recognizedAt+1] != 0 {
		return false
	}
	return h.digest.recognise(dst, last)
}

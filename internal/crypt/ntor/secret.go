package ntor

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
)

// Strings that keep the uses of the hash apart.
const (
	protoID = "ntor-curve25519-sha256-1"
	tKey    = protoID + ":key_extract"
	tVerify = protoID + ":verify"
	tMAC    = protoID + ":mac"
	mExpand = protoID + ":key_expand"
)

// exchange is what both sides know at the end, in the names of the specification.
type exchange struct {
	id      [20]byte
	B, X, Y [32]byte
	xy, xb  [32]byte // the two results of Diffie-Hellman: secret
}

// derive computes the relay's proof and the keys, and wipes the secrets.
func (e *exchange) derive() (auth [32]byte, keys *kdf.Keys) {
	in := make([]byte, 0, 256)
	for _, part := range [][]byte{e.xy[:], e.xb[:], e.id[:], e.B[:], e.X[:], e.Y[:], []byte(protoID)} {
		in = append(in, part...)
	}
	seed := mac(tKey, in)
	verify := mac(tVerify, in)
	clear(in)
	clear(e.xy[:])
	clear(e.xb[:])

	in = in[:0]
	for _, part := range [][]byte{verify[:], e.id[:], e.B[:], e.Y[:], e.X[:], []byte(protoID + "Server")} {
		in = append(in, part...)
	}
	auth = mac(tMAC, in)
	clear(in)
	return auth, kdf.NewHKDF(seed[:], mExpand)
}

func mac(key string, msg []byte) [32]byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write(msg)
	return [32]byte(h.Sum(nil))
}

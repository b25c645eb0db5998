package ntorv3

import (
	"github.com/tropea-net/tropea/internal/crypt/kdf"
)

// exchange is what both sides know, in the names of the specification.
type exchange struct {
	id      [32]byte
	B, X, Y [32]byte
	bx, xy  [32]byte // the two results of Diffie-Hellman: secret
	mac     [32]byte // of the client's message
	verify  []byte   // encapsulated verification string
}

// phase1 derives what protects the client's message from bx.
func (e *exchange) phase1() (encKey, macKey []byte) {
	in := join(e.bx[:], e.id[:], e.X[:], e.B[:], []byte(protoID), e.verify)
	out := expand(tPhase1, in, 64)
	clear(in)
	return out[:32], out[32:]
}

func (e *exchange) clientMAC(macKey, encrypted []byte) [32]byte {
	return hash(tMsgMAC, encap(nil, macKey), e.id[:], e.B[:], e.X[:], encrypted)
}

// A result is what the whole exchange leads to.
type result struct {
	encKey []byte
	keys   *kdf.Keys
	verify [32]byte
}

// phase2 derives everything else, and wipes the secrets.
func (e *exchange) phase2() result {
	secret := join(e.xy[:], e.bx[:], e.id[:], e.B[:], e.X[:], e.Y[:], []byte(protoID), e.verify)
	seed := hash(tKeySeed, secret)
	r := result{
		encKey: expand(tKDFFinal, seed[:], 32),
		verify: hash(tVerify, secret),
		keys: kdf.NewKeys(seed[:], func(seed []byte, n int) []byte {
			return expand(tKDFFinal, seed, 32+n)[32:] // the encryption key comes first
		}),
	}
	clear(secret)
	clear(e.xy[:])
	clear(e.bx[:])
	return r
}

// auth is the proof of the relay, over its encrypted message too.
func (e *exchange) auth(verify, encrypted []byte) [32]byte {
	return hash(tAuth, verify, e.id[:], e.B[:], e.Y[:], e.X[:], e.mac[:], encap(nil, encrypted), []byte(protoID+"Server"))
}

func join(parts ...[]byte) []byte {
	out := make([]byte, 0, 512) // enough for a short verification string: growing would leave copies of secrets behind
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

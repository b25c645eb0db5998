package x25519

import (
	"fmt"
	"io"

	"filippo.io/edwards25519"
)

// A KeyPair is a secret and its public key. The zero KeyPair is not usable.
type KeyPair struct {
	secret [32]byte
	public [32]byte
}

// Generate makes a key pair from 32 bytes of rand.
func Generate(rand io.Reader) (*KeyPair, error) {
	var secret [32]byte
	if _, err := io.ReadFull(rand, secret[:]); err != nil {
		return nil, fmt.Errorf("X25519 key: %w", err)
	}
	k := FromSecret(&secret)
	clear(secret[:])
	return k, nil
}

// FromSecret makes the key pair of a secret. Any 32 bytes are one.
func FromSecret(secret *[32]byte) *KeyPair {
	k := &KeyPair{secret: *secret}
	// The curve is the Edwards curve in other coordinates, and there a table of multiples of the base point is at hand.
	s, err := new(edwards25519.Scalar).SetBytesWithClamping(secret[:])
	if err != nil {
		panic("x25519: " + err.Error()) // only a wrong length is an error
	}
	copy(k.public[:], new(edwards25519.Point).ScalarBaseMult(s).BytesMontgomery())
	return k
}

// Public returns the public key.
func (k *KeyPair) Public() [32]byte { return k.public }

// Secret returns the secret, for storing it.
func (k *KeyPair) Secret() [32]byte { return k.secret }

// Shared returns what k and the owner of peer share. It reports false if that is all zero, as it is for the few peer
// keys of low order: then it is no secret. It takes the same time in either case, so the caller may go on and fail later.
func (k *KeyPair) Shared(peer *[32]byte) (shared [32]byte, ok bool) {
	ladder(&shared, &k.secret, peer)
	return shared, !isZero(&shared)
}

// Wipe forgets the secret.
func (k *KeyPair) Wipe() { clear(k.secret[:]) }

// Format prints the public key alone, whatever the verb.
func (k KeyPair) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "x25519:%x", k.public[:]) }

// Find returns the pair with the given public key, or nil.
func Find(pairs []*KeyPair, public [32]byte) *KeyPair {
	for _, k := range pairs {
		if k.public == public {
			return k
		}
	}
	return nil
}

func isZero(b *[32]byte) bool {
	var or byte
	for _, v := range b {
		or |= v
	}
	return or == 0
}

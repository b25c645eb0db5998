// Package ed25519x has what crypto/ed25519 leaves out.
package ed25519x

import "filippo.io/edwards25519"

// IsKey tells whether a public key is a point of the subgroup that signatures are about, and not its neutral element. Another
// point may be as good for some signatures, and gives one relay several names (ed25519_validate_pubkey in C tor).
func IsKey(key [32]byte) bool {
	p, err := new(edwards25519.Point).SetBytes(key[:])
	if err != nil || p.Equal(edwards25519.NewIdentityPoint()) == 1 {
		return false
	}
	// The order of the subgroup is zero as a scalar: take one less, which makes -p.
	minusOne := new(edwards25519.Scalar).Negate(one)
	q := new(edwards25519.Point).ScalarMult(minusOne, p)
	return q.Add(q, p).Equal(edwards25519.NewIdentityPoint()) == 1
}

var one = func() *edwards25519.Scalar {
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		panic("ed25519x: " + err.Error())
	}
	return s
}()

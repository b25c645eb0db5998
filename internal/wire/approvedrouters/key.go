package approvedrouters

import "filippo.io/edwards25519"

// isPoint tells whether a key is a point of the curve in the subgroup of signatures (C tor: ed25519_validate_pubkey).
func isPoint(key [32]byte) bool {
	p, err := new(edwards25519.Point).SetBytes(key[:])
	if err != nil || p.Equal(edwards25519.NewIdentityPoint()) == 1 {
		return false
	}
	// As many times the point as the subgroup has elements; the last time by hand, since scalars are smaller than that.
	q := new(edwards25519.Point).ScalarMult(new(edwards25519.Scalar).Negate(one), p)
	return q.Add(q, p).Equal(edwards25519.NewIdentityPoint()) == 1
}

var one = func() *edwards25519.Scalar {
	s, err := edwards25519.NewScalar().SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		panic("approvedrouters: " + err.Error())
	}
	return s
}()

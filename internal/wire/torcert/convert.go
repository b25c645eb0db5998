package torcert

import (
	"fmt"

	"filippo.io/edwards25519/field"
)

// EdFromX25519 returns the Ed25519 public key that belongs to the same private key as an X25519 public key, for certificates
// by and about such keys. There are two, which differ in the sign of x: sign is 0 or 1.
//
// https://spec.torproject.org/dir-spec/converting-to-ed25519.html
func EdFromX25519(pub [32]byte, sign byte) (ed [32]byte, err error) {
	u, err := new(field.Element).SetBytes(pub[:])
	if err != nil {
		return ed, fmt.Errorf("X25519 key: %w", err)
	}
	one := new(field.Element).One()
	denominator := new(field.Element).Add(u, one)
	if denominator.Equal(new(field.Element)) == 1 {
		return ed, fmt.Errorf("X25519 key without an Ed25519 key: %w", ErrWrongKey)
	}
	y := new(field.Element).Subtract(u, one)
	y.Multiply(y, denominator.Invert(denominator))
	copy(ed[:], y.Bytes())
	ed[31] |= sign << 7
	return ed, nil
}

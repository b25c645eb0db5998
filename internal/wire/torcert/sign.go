package torcert

import (
	"crypto"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
)

// AppendSigned appends the certificate that says what c says, signed with an Ed25519 key. Expires is rounded up to the
// hour. If SignedWith is set, it must be the public part of that key.
func (c *Cert) AppendSigned(dst []byte, key crypto.Signer) ([]byte, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok || c.SignedWith != nil && [32]byte(pub) != *c.SignedWith {
		return nil, fmt.Errorf("signing key: %w", ErrWrongKey)
	}
	hours, err := toHours(c.Expires)
	if err != nil {
		return nil, err
	}
	start := len(dst)
	dst = append(dst, version, c.Type)
	dst = binary.BigEndian.AppendUint32(dst, hours)
	dst = append(append(dst, c.KeyType), c.Key[:]...)
	if c.SignedWith == nil {
		dst = append(dst, 0)
	} else {
		dst = append(dst, 1, 0, 32, extSignedWith, 0)
		dst = append(dst, c.SignedWith[:]...)
	}
	sig, err := key.Sign(nil, dst[start:], crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("certificate of type %d: %w", c.Type, err)
	}
	return append(dst, sig...), nil
}

// Sign is AppendSigned with a result like that of Parse.
func (c *Cert) Sign(key crypto.Signer) (*Cert, error) {
	b, err := c.AppendSigned(nil, key)
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

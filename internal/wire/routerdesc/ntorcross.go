package routerdesc

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"

	"filippo.io/edwards25519"
)

// ntorSigner signs with a Curve25519 private key as if it were an Ed25519 key.
type ntorSigner struct {
	scalar *edwards25519.Scalar
	prefix [32]byte // secret, for nonces
	pub    [32]byte
}

// newNtorSigner derives the other half of the Ed25519 key as C tor does (ed25519_keypair_from_curve25519_keypair).
func newNtorSigner(key *ecdh.PrivateKey) (*ntorSigner, error) {
	if key == nil || key.Curve() != ecdh.X25519() {
		return nil, fmt.Errorf("no X25519 key: %w", ErrMismatch)
	}
	scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(key.Bytes())
	if err != nil {
		return nil, err
	}
	s := &ntorSigner{scalar: scalar, pub: [32]byte(new(edwards25519.Point).ScalarBaseMult(scalar).Bytes())}
	h := sha512.New()
	h.Write(key.Bytes())
	h.Write([]byte("Derive high part of ed25519 key from curve25519 key\x00"))
	copy(s.prefix[:], h.Sum(nil))
	return s, nil
}

// sign is the bit that readers need to find the public key.
func (s *ntorSigner) sign() byte { return s.pub[31] >> 7 }

// Public implements crypto.Signer.
func (s *ntorSigner) Public() crypto.PublicKey { return ed25519.PublicKey(s.pub[:]) }

// Sign implements crypto.Signer for whole messages, like an ed25519.PrivateKey.
//
// https://www.rfc-editor.org/rfc/rfc8032#section-5.1.6
func (s *ntorSigner) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != 0 {
		return nil, errors.New("routerdesc: ntor key signs whole messages alone")
	}
	r, err := hashToScalar(s.prefix[:], message)
	if err != nil {
		return nil, err
	}
	sig := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	k, err := hashToScalar(sig, s.pub[:], message)
	if err != nil {
		return nil, err
	}
	return append(sig, r.MultiplyAdd(k, s.scalar, r).Bytes()...), nil
}

func hashToScalar(parts ...[]byte) (*edwards25519.Scalar, error) {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
}

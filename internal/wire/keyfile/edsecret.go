package keyfile

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"

	"filippo.io/edwards25519"
)

// EdSecretLen is the length of an expanded Ed25519 secret key: the scalar, and the prefix from which nonces are made.
const EdSecretLen = 64

// An EdSecret is an Ed25519 secret key in its expanded form, the one in which C tor stores it. The seed cannot be had
// from it, so it can be no ed25519.PrivateKey. It is a crypto.Signer of whole messages.
//
// https://www.rfc-editor.org/rfc/rfc8032#section-5.1.5
type EdSecret struct {
	pub [32]byte
	get func() *edMaterial // a func, since fmt walks into the unexported fields of structs that hold an EdSecret
}

type edMaterial struct {
	expanded [EdSecretLen]byte
	scalar   *edwards25519.Scalar // nil once wiped
}

// GenerateEd makes a key.
func GenerateEd() *EdSecret {
	var seed [ed25519.SeedSize]byte
	rand.Read(seed[:]) // never fails
	k := EdFromSeed(&seed)
	clear(seed[:])
	return k
}

// EdFromSeed expands a key from its seed.
func EdFromSeed(seed *[ed25519.SeedSize]byte) *EdSecret {
	expanded := sha512.Sum512(seed[:])
	expanded[0] &= 248
	expanded[31] = expanded[31]&63 | 64
	k, err := newEdSecret(expanded[:])
	if err != nil {
		panic("keyfile: " + err.Error()) // no clamped scalar is zero
	}
	clear(expanded[:])
	return k
}

// newEdSecret takes the scalar as it is, not clamped, as ed25519_public_key_generate in C tor does: keys that came from
// elsewhere keep their public key.
func newEdSecret(expanded []byte) (*EdSecret, error) {
	m := &edMaterial{expanded: [EdSecretLen]byte(expanded)}
	var wide [64]byte
	copy(wide[:], expanded[:32])
	scalar, err := new(edwards25519.Scalar).SetUniformBytes(wide[:])
	if err != nil {
		panic("keyfile: " + err.Error()) // only a wrong length is an error
	}
	clear(wide[:])
	if scalar.Equal(edwards25519.NewScalar()) == 1 {
		return nil, ErrKey
	}
	m.scalar = scalar
	pub := new(edwards25519.Point).ScalarBaseMult(scalar).Bytes()
	return &EdSecret{pub: [32]byte(pub), get: func() *edMaterial { return m }}, nil
}

// EdFromExpanded makes a key of its expanded form, as key blinding and the control port give it.
func EdFromExpanded(expanded *[EdSecretLen]byte) (*EdSecret, error) { return newEdSecret(expanded[:]) }

// ParseEdSecret parses a file with a secret key, which must have the given tag.
func ParseEdSecret(b []byte, tag string) (*EdSecret, error) {
	body, err := parseBody(b, typeEdSecret, tag, EdSecretLen)
	if err != nil {
		return nil, fmt.Errorf("Ed25519 secret key: %w", err)
	}
	k, err := newEdSecret(body)
	if err != nil {
		return nil, fmt.Errorf("Ed25519 secret key: %w", err)
	}
	return k, nil
}

// AppendTo appends the file with the secret key to dst.
func (k *EdSecret) AppendTo(dst []byte, tag string) ([]byte, error) {
	m := k.get()
	if m.scalar == nil {
		return nil, ErrWiped
	}
	return Tagged{typeEdSecret, tag, m.expanded[:]}.AppendTo(dst)
}

// Expanded returns the expanded form. It is secret: whoever asks for it wipes it.
func (k *EdSecret) Expanded() ([EdSecretLen]byte, error) {
	m := k.get()
	if m.scalar == nil {
		return [EdSecretLen]byte{}, ErrWiped
	}
	return m.expanded, nil
}

// ID returns the public key.
func (k *EdSecret) ID() [32]byte { return k.pub }

// Public implements crypto.Signer: the result is an ed25519.PublicKey.
func (k *EdSecret) Public() crypto.PublicKey { return ed25519.PublicKey(k.pub[:]) }

// Sign implements crypto.Signer, for whole messages alone: opts.HashFunc() must be 0.
//
// https://www.rfc-editor.org/rfc/rfc8032#section-5.1.6
func (k *EdSecret) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	m := k.get()
	switch {
	case opts != nil && opts.HashFunc() != 0:
		return nil, fmt.Errorf("keyfile: Ed25519 key signs whole messages alone")
	case m.scalar == nil:
		return nil, ErrWiped
	}
	r := hashToScalar(m.expanded[32:], message)
	sig := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	h := hashToScalar(sig, k.pub[:], message)
	return append(sig, h.MultiplyAdd(h, m.scalar, r).Bytes()...), nil
}

func hashToScalar(parts ...[]byte) *edwards25519.Scalar {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	s, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
	if err != nil {
		panic("keyfile: " + err.Error()) // only a wrong length is an error
	}
	return s
}

// Wipe forgets the secret; what needs it fails from then on. Nobody else may use k meanwhile.
func (k *EdSecret) Wipe() {
	m := k.get()
	clear(m.expanded[:])
	if m.scalar != nil {
		m.scalar.Set(edwards25519.NewScalar())
		m.scalar = nil
	}
}

// Format prints the public key alone, whatever the verb.
func (k EdSecret) Format(f fmt.State, _ rune) {
	io.WriteString(f, "ed25519:"+base64.RawStdEncoding.EncodeToString(k.pub[:]))
}

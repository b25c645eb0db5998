package torcert

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

const (
	version       = 1
	extSignedWith = 4
	extCritical   = 1 // flag: who does not know the extension must not accept the certificate
)

// Cert is a certificate that an Ed25519 key signs.
type Cert struct {
	Type       uint8
	Expires    time.Time // a full hour; still valid at this time
	KeyType    uint8
	Key        [32]byte  // what is certified: an Ed25519 key or a digest
	SignedWith *[32]byte // the key that signs it, if the certificate tells

	signed    []byte // what the signature is about
	signature [ed25519.SignatureSize]byte
}

// Parse parses a certificate. It checks no signature and no time: see [Cert.Verify].
//
// https://spec.torproject.org/cert-spec.html#ed-certs
func Parse(b []byte) (*Cert, error) {
	if len(b) < ed25519.SignatureSize {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrMalformed)
	}
	cut := len(b) - ed25519.SignatureSize
	c := &Cert{signed: slices.Clone(b[:cut]), signature: [ed25519.SignatureSize]byte(b[cut:])}

	s := cryptobyte.String(c.signed)
	var v, extensions uint8
	var hours uint32
	if !s.ReadUint8(&v) || v != version {
		return nil, fmt.Errorf("version: %w", ErrMalformed)
	}
	if !s.ReadUint8(&c.Type) || !s.ReadUint32(&hours) || !s.ReadUint8(&c.KeyType) || !s.CopyBytes(c.Key[:]) ||
		!s.ReadUint8(&extensions) {
		return nil, fmt.Errorf("header: %w", ErrMalformed)
	}
	c.Expires = fromHours(hours)
	for range extensions {
		if err := c.parseExtension(&s); err != nil {
			return nil, err
		}
	}
	if !s.Empty() {
		return nil, fmt.Errorf("%d bytes after the extensions: %w", len(s), ErrMalformed)
	}
	return c, nil
}

func (c *Cert) parseExtension(s *cryptobyte.String) error {
	var length uint16
	var typ, flags uint8
	var data []byte
	if !s.ReadUint16(&length) || !s.ReadUint8(&typ) || !s.ReadUint8(&flags) || !s.ReadBytes(&data, int(length)) {
		return fmt.Errorf("extension: %w", ErrMalformed)
	}
	switch {
	case typ == extSignedWith && (len(data) != 32 || c.SignedWith != nil):
		return fmt.Errorf("signing key: %w", ErrMalformed)
	case typ == extSignedWith:
		c.SignedWith = (*[32]byte)(slices.Clone(data))
	case flags&extCritical != 0:
		return fmt.Errorf("type %d: %w", typ, ErrExtension)
	}
	return nil
}

// Verify checks signature and time. pub is the key that must have signed it; nil means the one that the certificate
// names, which proves nothing about who that is.
func (c *Cert) Verify(pub ed25519.PublicKey, now time.Time) error {
	if err := c.VerifySignature(pub); err != nil {
		return err
	}
	return checkExpiry(c.Expires, now)
}

// VerifySignature is Verify without a look at the time, for documents that carry certificates for the record.
func (c *Cert) VerifySignature(pub ed25519.PublicKey) error {
	switch {
	case pub == nil && c.SignedWith == nil:
		return fmt.Errorf("signing key: %w", ErrMissing)
	case pub == nil:
		pub = c.SignedWith[:]
	case len(pub) != ed25519.PublicKeySize:
		return fmt.Errorf("signing key of %d bytes: %w", len(pub), ErrWrongKey)
	case c.SignedWith != nil && [32]byte(pub) != *c.SignedWith:
		// "When this extension is present, it MUST match the key used to sign the certificate."
		return fmt.Errorf("signing key: %w", ErrWrongKey)
	}
	if !ed25519.Verify(pub, c.signed, c.signature[:]) {
		return ErrSignature
	}
	return nil
}

// Bytes returns the certificate as it was parsed.
func (c *Cert) Bytes() []byte { return append(slices.Clip(c.signed), c.signature[:]...) }

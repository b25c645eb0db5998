package torcert

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

const crosscertPrefix = "Tor TLS RSA/Ed25519 cross-certificate"

// RSACrosscert says that an RSA identity and an Ed25519 identity are one relay's. The RSA key signs it.
type RSACrosscert struct {
	Ed      [32]byte
	Expires time.Time // a full hour; still valid at this time

	signature []byte
}

// ParseRSACrosscert parses a certificate. It checks no signature and no time.
//
// https://spec.torproject.org/cert-spec.html#rsa-cross-cert
func ParseRSACrosscert(b []byte) (*RSACrosscert, error) {
	c := &RSACrosscert{}
	s := cryptobyte.String(b)
	var hours uint32
	var sig cryptobyte.String
	if !s.CopyBytes(c.Ed[:]) || !s.ReadUint32(&hours) || !s.ReadUint8LengthPrefixed(&sig) || !s.Empty() {
		return nil, fmt.Errorf("cross-certificate: %w", ErrMalformed)
	}
	c.Expires = fromHours(hours)
	c.signature = slices.Clone(sig)
	return c, nil
}

// Verify checks signature and time.
func (c *RSACrosscert) Verify(pub *rsa.PublicKey, now time.Time) error {
	hours, err := toHours(c.Expires)
	if err != nil {
		return err
	}
	if err := rsa.VerifyPKCS1v15(pub, crypto.Hash(0), c.digest(hours), c.signature); err != nil {
		return fmt.Errorf("cross-certificate: %w", ErrSignature)
	}
	return checkExpiry(c.Expires, now)
}

// AppendSigned appends the certificate that says what c says, signed with an RSA key. Expires is rounded up to the hour.
func (c *RSACrosscert) AppendSigned(dst []byte, key *rsa.PrivateKey) ([]byte, error) {
	hours, err := toHours(c.Expires)
	if err != nil {
		return nil, err
	}
	// The padding of PKCS #1 around a bare digest, as for all signatures with this key.
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.Hash(0), c.digest(hours))
	if err != nil {
		return nil, fmt.Errorf("cross-certificate: %w", err)
	}
	if len(sig) > 255 {
		return nil, fmt.Errorf("cross-certificate: signature of %d bytes: %w", len(sig), ErrWrongKey)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, c.Ed[:]...), hours)
	return append(append(dst, byte(len(sig))), sig...), nil
}

func (c *RSACrosscert) digest(hours uint32) []byte {
	h := sha256.New()
	h.Write([]byte(crosscertPrefix))
	h.Write(c.Ed[:])
	h.Write(binary.BigEndian.AppendUint32(nil, hours))
	return h.Sum(nil)
}

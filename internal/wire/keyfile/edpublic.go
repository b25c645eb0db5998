package keyfile

import (
	"fmt"

	"filippo.io/edwards25519"

	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// ParseEdPublic parses a file with an Ed25519 public key, which must have the given tag.
func ParseEdPublic(b []byte, tag string) (pub [32]byte, err error) {
	body, err := parseBody(b, typeEdPublic, tag, len(pub))
	if err != nil {
		return pub, fmt.Errorf("Ed25519 public key: %w", err)
	}
	if _, err := new(edwards25519.Point).SetBytes(body); err != nil {
		return pub, fmt.Errorf("Ed25519 public key: %w", ErrKey)
	}
	return [32]byte(body), nil
}

// AppendEdPublic appends the file with an Ed25519 public key to dst.
func AppendEdPublic(dst []byte, tag string, pub [32]byte) ([]byte, error) {
	return Tagged{typeEdPublic, tag, pub[:]}.AppendTo(dst)
}

// ParseEdCert parses a file with a certificate, which must have the given tag. It checks no signature and no time.
func ParseEdCert(b []byte, tag string) (*torcert.Cert, error) {
	body, err := parseBody(b, typeEdCert, tag, 0)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	cert, err := torcert.Parse(body)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return cert, nil
}

// AppendEdCert appends the file with a certificate to dst.
func AppendEdCert(dst []byte, tag string, cert *torcert.Cert) ([]byte, error) {
	return Tagged{typeEdCert, tag, cert.Bytes()}.AppendTo(dst)
}

package cell

import (
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// Types of certificates in CERTS. Types 1 to 3 are X.509 in DER, the others are Tor's own formats.
const (
	CertRSALink      uint8 = 1 // TLS key, signed by the RSA identity
	CertRSAID        uint8 = 2 // RSA identity, self-signed
	CertRSAAuth      uint8 = 3 // RSA key for AUTHENTICATE, signed by the RSA identity
	CertEd25519ID    uint8 = 4 // Ed25519 signing key, signed by the Ed25519 identity
	CertTLSLink      uint8 = 5 // SHA-256 of the TLS certificate, signed by the signing key
	CertLinkAuth     uint8 = 6 // Ed25519 key for AUTHENTICATE, signed by the signing key
	CertRSAToEd25519 uint8 = 7 // Ed25519 identity, signed by the RSA identity
)

// CertEntry is a certificate in a CERTS cell, not yet parsed.
type CertEntry struct {
	Type uint8
	Body []byte
}

// Certs says which keys the sender claims to have.
//
//	n 1 | n times: type 1 | length 2 | certificate
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type Certs struct {
	Certs []CertEntry
}

// ParseCerts parses the body of a CERTS cell. Certificates of unknown types are kept; a known type may come only once.
func ParseCerts(body []byte) (Certs, error) {
	s := cryptobyte.String(body)
	var n uint8
	if !s.ReadUint8(&n) {
		return Certs{}, fmt.Errorf("CERTS count: %w", ErrTruncated)
	}
	m := Certs{Certs: make([]CertEntry, 0, min(int(n), len(s)/3))}
	for range n {
		var c CertEntry
		if !s.ReadUint8(&c.Type) || !s.ReadUint16LengthPrefixed((*cryptobyte.String)(&c.Body)) {
			return Certs{}, fmt.Errorf("CERTS certificate: %w", ErrTruncated)
		}
		m.Certs = append(m.Certs, c)
	}
	if err := m.check(); err != nil {
		return Certs{}, err
	}
	return m, nil
}

// check enforces "A CERTS cell may have no more than one certificate of each CertType", for the types that we know.
func (m Certs) check() error {
	var seen [CertRSAToEd25519 + 1]bool
	for _, c := range m.Certs {
		if c.Type == 0 || c.Type > CertRSAToEd25519 {
			continue
		}
		if seen[c.Type] {
			return fmt.Errorf("CERTS certificate of type %d: %w", c.Type, ErrRepeated)
		}
		seen[c.Type] = true
	}
	return nil
}

// Get returns the first certificate of a type, or nil.
func (m Certs) Get(certType uint8) []byte {
	for _, c := range m.Certs {
		if c.Type == certType {
			return c.Body
		}
	}
	return nil
}

// AppendTo appends the body of m to dst.
func (m Certs) AppendTo(dst []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if len(m.Certs) > math.MaxUint8 {
		return nil, fmt.Errorf("CERTS count: %w", ErrTooLong)
	}
	dst = append(dst, byte(len(m.Certs)))
	for _, c := range m.Certs {
		if len(c.Body) > math.MaxUint16 {
			return nil, fmt.Errorf("CERTS certificate of type %d: %w", c.Type, ErrTooLong)
		}
		dst = append(dst, c.Type)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(c.Body)))
		dst = append(dst, c.Body...)
	}
	return dst, nil
}

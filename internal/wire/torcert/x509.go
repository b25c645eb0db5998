package torcert

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"
)

// rsaIdentityBits is the size of every relay's RSA identity key.
const rsaIdentityBits = 1024

// Clocks may be this wrong where X.509 certificates are concerned (tor_tls_cert_is_valid in C tor).
const (
	pastSlop   = 2 * 24 * time.Hour
	futureSlop = 30 * 24 * time.Hour
)

// parseX509 parses a certificate of a CERTS cell. Those of C tor are of version 3 and have no extensions, so none are
// asked for: a certificate is judged by its keys, signature and time.
func parseX509(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return cert, nil
}

// checkX509 checks that a certificate is signed with the key of another, or of itself, and valid.
func checkX509(cert, signer *x509.Certificate, now time.Time) error {
	// CheckSignatureFrom would ask whether signer is a certificate authority.
	if err := signer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if now.Add(futureSlop).Before(cert.NotBefore) {
		return fmt.Errorf("from %v: %w", cert.NotBefore.Format(time.RFC3339), ErrNotYetValid)
	}
	return checkExpiry(cert.NotAfter.Add(pastSlop), now)
}

// An rsaIdentity is the owner of a certificate of type 2.
type rsaIdentity struct {
	cert *x509.Certificate
	key  *rsa.PublicKey
}

func checkRSAIdentity(der []byte, now time.Time) (rsaIdentity, error) {
	cert, err := parseX509(der)
	if err != nil {
		return rsaIdentity{}, err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() != rsaIdentityBits {
		return rsaIdentity{}, fmt.Errorf("not RSA of %d bits: %w", rsaIdentityBits, ErrWrongKey)
	}
	return rsaIdentity{cert, key}, checkX509(cert, cert, now)
}

// digests are the two names of an RSA identity.
func (r rsaIdentity) digests() (short [sha1.Size]byte, long [sha256.Size]byte) {
	der := x509.MarshalPKCS1PublicKey(r.key)
	return sha1.Sum(der), sha256.Sum256(der)
}

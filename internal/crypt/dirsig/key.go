package dirsig

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Sizes of RSA keys, in bits. Relay identities have [IdentityBits]; authorities have larger ones.
const (
	IdentityBits = 1024
	MaxBits      = 4096
)

const (
	exponent = 65537
	pemType  = "RSA PUBLIC KEY"
	maxDER   = MaxBits/8 + 32    // 24 bytes of structure, rounded up
	maxPEM   = maxDER*3/2 + 1024 // base64, line ends, armour
)

// ParsePublicKey parses a key of 1024 to 4096 bits with exponent 65537 from its DER form (PKCS #1). Whoever wants one
// size checks N.BitLen.
//
// https://spec.torproject.org/dir-spec/netdoc.html
func ParsePublicKey(der []byte) (*rsa.PublicKey, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("key of %d bytes: %w", len(der), ErrKeySize)
	}
	pub, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if n := pub.N.BitLen(); n < IdentityBits || n > MaxBits {
		return nil, fmt.Errorf("key of %d bits: %w", n, ErrKeySize)
	}
	if pub.E != exponent {
		return nil, fmt.Errorf("exponent %d: %w", pub.E, ErrExponent)
	}
	return pub, nil
}

// ParsePublicKeyPEM is ParsePublicKey for one PEM object, "RSA PUBLIC KEY", with nothing but white space around it.
func ParsePublicKeyPEM(text []byte) (*rsa.PublicKey, error) {
	text = bytes.TrimSpace(text)
	if len(text) > maxPEM {
		return nil, fmt.Errorf("PEM of %d bytes: %w", len(text), ErrKeySize)
	}
	if !bytes.HasPrefix(text, []byte("-----BEGIN "+pemType+"-----")) {
		return nil, fmt.Errorf("PEM armour: %w", ErrKey)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(block.Headers) != 0 || len(rest) != 0 {
		return nil, fmt.Errorf("PEM armour: %w", ErrKey)
	}
	return ParsePublicKey(block.Bytes)
}

// EncodePublicKeyPEM writes a key as directory documents have it.
func EncodePublicKeyPEM(pub *rsa.PublicKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: x509.MarshalPKCS1PublicKey(pub)})
}

// Fingerprint returns the SHA-1 digest of the DER form of a key: the RSA identity of its owner.
func Fingerprint(pub *rsa.PublicKey) [sha1.Size]byte {
	return sha1.Sum(x509.MarshalPKCS1PublicKey(pub))
}

// Fingerprint256 returns the SHA-256 digest of the DER form of a key.
func Fingerprint256(pub *rsa.PublicKey) [sha256.Size]byte {
	return sha256.Sum256(x509.MarshalPKCS1PublicKey(pub))
}

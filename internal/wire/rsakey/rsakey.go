// Package rsakey reads, writes and uses RSA keys in the forms that Tor's directory documents have them.
//
// The exponent is always 65537. Signatures are PKCS #1 v1.5 around a bare digest, without the name of the hash that the
// standard wants there.
//
// https://spec.torproject.org/tor-spec/preliminaries.html
package rsakey

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Errors of this package.
var (
	ErrKey       = errors.New("malformed RSA key")
	ErrSize      = errors.New("RSA key of the wrong size")
	ErrExponent  = errors.New("RSA exponent is not 65537")
	ErrSignature = errors.New("wrong RSA signature")
)

// Tag names the object, or PEM block, that holds a public key.
const Tag = "RSA PUBLIC KEY"

// RelayBits is the size of relays' identity and onion keys. Authorities' keys are larger.
const RelayBits = 1024

// MaxBits is the size of the largest key that any document may have: what C tor uses for long-term keys is 3072.
const MaxBits = 8192

// MaxDER bounds the DER form of a key of MaxBits, in bytes.
const MaxDER = MaxBits/8 + 32

const exponent = 65537

// CheckDER checks that der is the PKCS #1 form of a key of minBits to maxBits. It costs less than ParseDER.
func CheckDER(der []byte, minBits, maxBits int) error {
	_, err := modulus(der, minBits, maxBits)
	return err
}

// ParseDER parses the PKCS #1 form of a key of minBits to maxBits.
func ParseDER(der []byte, minBits, maxBits int) (*rsa.PublicKey, error) {
	n, err := modulus(der, minBits, maxBits)
	if err != nil {
		return nil, err
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent}, nil
}

// modulus returns the modulus of a key, big-endian. It aliases der.
func modulus(der []byte, minBits, maxBits int) ([]byte, error) {
	s := cryptobyte.String(der)
	var key cryptobyte.String
	var n []byte
	var e int
	if !s.ReadASN1(&key, asn1.SEQUENCE) || !s.Empty() || !key.ReadASN1Integer(&n) || !key.ReadASN1Integer(&e) ||
		!key.Empty() || n[len(n)-1]&1 == 0 { // an even number is no product of two large primes
		return nil, ErrKey
	}
	if e != exponent {
		return nil, ErrExponent
	}
	if size := 8*(len(n)-1) + bits.Len8(n[0]); size < minBits || size > maxBits {
		return nil, fmt.Errorf("%d bits: %w", size, ErrSize)
	}
	return n, nil
}

// ParsePEM parses a key of minBits to maxBits from one PEM block, with nothing but white space around it.
func ParsePEM(text []byte, minBits, maxBits int) (*rsa.PublicKey, error) {
	text = bytes.TrimSpace(text)
	if len(text) > 2*MaxDER || !bytes.HasPrefix(text, []byte("-----BEGIN "+Tag+"-----\n")) {
		return nil, fmt.Errorf("PEM: %w", ErrKey)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != Tag || len(block.Headers) != 0 || len(rest) != 0 {
		return nil, fmt.Errorf("PEM: %w", ErrKey)
	}
	return ParseDER(block.Bytes, minBits, maxBits)
}

// AppendDER appends the PKCS #1 form of a key to dst.
func AppendDER(dst []byte, pub *rsa.PublicKey) []byte {
	b := cryptobyte.NewBuilder(dst)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(pub.N)
		b.AddASN1Int64(int64(pub.E))
	})
	return b.BytesOrPanic() // fails for lengths above 32 bits alone
}

// AppendPEM appends a key to dst as a PEM block.
func AppendPEM(dst []byte, pub *rsa.PublicKey) []byte {
	return append(dst, pem.EncodeToMemory(&pem.Block{Type: Tag, Bytes: AppendDER(nil, pub)})...)
}

// Fingerprint returns the digest by which a key is known: SHA-1 of its PKCS #1 form.
func Fingerprint(pub *rsa.PublicKey) [sha1.Size]byte { return sha1.Sum(AppendDER(nil, pub)) }

// VerifyRaw checks a signature of a digest, or of other data short enough for the key. C tor tolerates more bytes behind
// the digest inside the signature (check_signature_token); nobody makes such signatures, and we do not take them.
func VerifyRaw(pub *rsa.PublicKey, digest, sig []byte) error {
	if rsa.VerifyPKCS1v15(pub, crypto.Hash(0), digest, sig) != nil {
		return ErrSignature
	}
	return nil
}

// SignRaw signs a digest, or other data short enough for the key.
func SignRaw(priv *rsa.PrivateKey, digest []byte) ([]byte, error) {
	sig, err := rsa.SignPKCS1v15(nil, priv, crypto.Hash(0), digest)
	if err != nil {
		return nil, fmt.Errorf("RSA signature: %w", err)
	}
	return sig, nil
}

package keyfile

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// MaxRSALen bounds a file with an RSA key, in bytes. A relay's has 890.
const MaxRSALen = 16 << 10

const tagRSA = "RSA PRIVATE KEY"

// An RSASecret is an RSA key with its secret part. The exponent is 65537, and there are two primes.
type RSASecret struct {
	fingerprint [20]byte
	get         func() *rsa.PrivateKey // a func, since fmt walks into the unexported fields of structs that hold an RSASecret
}

// GenerateRSA makes a key. Relays' keys have rsakey.RelayBits; below that, crypto/rsa refuses.
func GenerateRSA(bits int) (*RSASecret, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("RSA key: %w", err)
	}
	return newRSA(key), nil
}

func newRSA(key *rsa.PrivateKey) *RSASecret {
	return &RSASecret{rsakey.Fingerprint(&key.PublicKey), func() *rsa.PrivateKey { return key }}
}

// ParseRSA parses a file with a key of minBits to maxBits: one PEM block around the PKCS #1 form, with nothing but white
// space around it, and at most one zero byte at the end.
//
// https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2
func ParseRSA(b []byte, minBits, maxBits int) (*RSASecret, error) {
	k, err := parseRSA(b, minBits, maxBits)
	if err != nil {
		return nil, fmt.Errorf("RSA secret key: %w", err)
	}
	return k, nil
}

func parseRSA(b []byte, minBits, maxBits int) (*RSASecret, error) {
	if len(b) > MaxRSALen {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrLength)
	}
	// C tor writes the zero byte at the end of its string, too (crypto_pk_write_private_key_to_filename).
	b = bytes.TrimSpace(bytes.TrimSuffix(b, []byte{0}))
	if !bytes.HasPrefix(b, []byte("-----BEGIN "+tagRSA+"-----")) {
		return nil, fmt.Errorf("no %s: %w", tagRSA, ErrFormat)
	}
	block, rest := pem.Decode(b)
	switch {
	case block == nil || block.Type != tagRSA || len(rest) != 0:
		return nil, fmt.Errorf("PEM: %w", ErrFormat)
	case block.Headers["DEK-Info"] != "":
		return nil, ErrEncrypted
	case len(block.Headers) != 0:
		return nil, fmt.Errorf("PEM headers: %w", ErrFormat)
	}
	defer clear(block.Bytes)
	return parsePKCS1(block.Bytes, minBits, maxBits)
}

// parsePKCS1 parses an RSAPrivateKey.
func parsePKCS1(der []byte, minBits, maxBits int) (*RSASecret, error) {
	if err := checkPKCS1(der, minBits, maxBits); err != nil {
		return nil, err
	}
	// The error may describe the DER structure; it quotes no number.
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil || len(key.Primes) != 2 {
		return nil, ErrKey
	}
	return newRSA(key), nil
}

// checkPKCS1 looks at the public part of a key, before anyone computes with numbers of any size.
func checkPKCS1(der []byte, minBits, maxBits int) error {
	s := cryptobyte.String(der)
	var key cryptobyte.String
	var n []byte
	var version, e int
	if !s.ReadASN1(&key, asn1.SEQUENCE) || !s.Empty() || !key.ReadASN1Integer(&version) || version != 0 ||
		!key.ReadASN1Integer(&n) || !key.ReadASN1Integer(&e) || n[len(n)-1]&1 == 0 {
		return ErrKey
	}
	if size := 8*(len(n)-1) + bits.Len8(n[0]); size < minBits || size > maxBits {
		return fmt.Errorf("%d bits: %w", size, rsakey.ErrSize)
	}
	if e != 65537 {
		return rsakey.ErrExponent
	}
	return nil
}

// AppendTo appends the file to dst.
func (k *RSASecret) AppendTo(dst []byte) ([]byte, error) {
	der := x509.MarshalPKCS1PrivateKey(k.get())
	defer clear(der)
	text := pem.EncodeToMemory(&pem.Block{Type: tagRSA, Bytes: der})
	defer clear(text)
	return append(dst, text...), nil
}

// Fingerprint returns the digest by which the key is known.
func (k *RSASecret) Fingerprint() [20]byte { return k.fingerprint }

// Public returns the public key.
func (k *RSASecret) Public() *rsa.PublicKey { return &k.get().PublicKey }

// Key returns the key for use. Do not print it: fmt knows no secrets.
func (k *RSASecret) Key() *rsa.PrivateKey { return k.get() }

// Format prints the fingerprint alone, whatever the verb.
func (k RSASecret) Format(f fmt.State, _ rune) {
	io.WriteString(f, "rsa:"+hex.EncodeToString(k.fingerprint[:]))
}

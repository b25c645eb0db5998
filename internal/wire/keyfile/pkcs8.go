package keyfile

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// PEM types of PKCS #8.
const (
	tagPKCS8          = "PRIVATE KEY"
	tagEncryptedPKCS8 = "ENCRYPTED PRIVATE KEY"
)

// A Locked is an RSA key in a file that may be encrypted: "authority_identity_key", in a form that OpenSSL reads.
type Locked struct {
	pkcs1, pkcs8     []byte // one of them, if it is not encrypted
	scheme           pbe
	data             []byte // encrypted PKCS #8
	minBits, maxBits int
}

// ParseLocked parses a file with a key of minBits to maxBits: one PEM block, as C tor's tor-gencert and OpenSSL make them. It
// decrypts nothing.
//
// https://www.rfc-editor.org/rfc/rfc7468#section-11
func ParseLocked(b []byte, minBits, maxBits int) (*Locked, error) {
	k := &Locked{minBits: minBits, maxBits: maxBits}
	if err := k.parse(b); err != nil {
		return nil, fmt.Errorf("RSA secret key: %w", err)
	}
	return k, nil
}

func (k *Locked) parse(b []byte) error {
	if len(b) > MaxRSALen {
		return fmt.Errorf("%d bytes: %w", len(b), ErrLength)
	}
	b = bytes.TrimSpace(b)
	block, rest := pem.Decode(b)
	if block == nil || !bytes.HasPrefix(b, []byte("-----BEGIN")) || len(rest) != 0 {
		return fmt.Errorf("PEM: %w", ErrFormat)
	}
	if block.Headers["DEK-Info"] != "" {
		return fmt.Errorf("form of OpenSSL before 1.0: %w", ErrUnsupported)
	}
	if len(block.Headers) != 0 {
		return fmt.Errorf("PEM headers: %w", ErrFormat)
	}
	switch block.Type {
	case tagRSA:
		k.pkcs1 = block.Bytes
	case tagPKCS8:
		k.pkcs8 = block.Bytes
	case tagEncryptedPKCS8:
		return k.parseEncrypted(block.Bytes)
	default:
		return fmt.Errorf("PEM type: %w", ErrType)
	}
	return nil
}

// parseEncrypted parses an EncryptedPrivateKeyInfo.
//
// https://www.rfc-editor.org/rfc/rfc5958#section-3
func (k *Locked) parseEncrypted(der []byte) error {
	s := cryptobyte.String(der)
	var info, algorithm, data cryptobyte.String
	if !s.ReadASN1(&info, asn1.SEQUENCE) || !s.Empty() || !info.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!info.ReadASN1(&data, asn1.OCTET_STRING) || !info.Empty() {
		return fmt.Errorf("encrypted PKCS #8: %w", ErrFormat)
	}
	var err error
	k.data = data
	k.scheme, err = parsePBE(algorithm)
	return err
}

// Encrypted reports whether Open needs a passphrase.
func (k *Locked) Encrypted() bool { return k.scheme != nil }

// Open decrypts the key. A wrong passphrase and a damaged file look alike: ErrPassphrase.
func (k *Locked) Open(passphrase []byte) (*RSASecret, error) {
	secret, err := k.open(passphrase)
	if err != nil {
		return nil, fmt.Errorf("RSA secret key: %w", err)
	}
	return secret, nil
}

func (k *Locked) open(passphrase []byte) (*RSASecret, error) {
	if k.pkcs1 != nil {
		return parsePKCS1(k.pkcs1, k.minBits, k.maxBits)
	}
	if k.pkcs8 != nil {
		return parsePKCS8(k.pkcs8, k.minBits, k.maxBits)
	}
	block, iv, err := k.scheme.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	if len(k.data) == 0 || len(k.data)%block.BlockSize() != 0 {
		return nil, fmt.Errorf("%d encrypted bytes: %w", len(k.data), ErrLength)
	}
	plain := make([]byte, len(k.data))
	defer clear(plain)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, k.data)
	n := int(plain[len(plain)-1])
	if n == 0 || n > block.BlockSize() || bytes.Count(plain[len(plain)-n:], []byte{byte(n)}) != n {
		return nil, ErrPassphrase
	}
	// One in some hundred wrong passphrases gets here, with noise.
	if s, inner := cryptobyte.String(plain[:len(plain)-n]), cryptobyte.String(nil); !s.ReadASN1(&inner, asn1.SEQUENCE) || !s.Empty() {
		return nil, ErrPassphrase
	}
	return parsePKCS8(plain[:len(plain)-n], k.minBits, k.maxBits)
}

// parsePKCS8 parses a PrivateKeyInfo.
//
// https://www.rfc-editor.org/rfc/rfc5958#section-2
func parsePKCS8(der []byte, minBits, maxBits int) (*RSASecret, error) {
	s := cryptobyte.String(der)
	var info, algorithm, key cryptobyte.String
	var version int
	if !s.ReadASN1(&info, asn1.SEQUENCE) || !s.Empty() || !info.ReadASN1Integer(&version) ||
		!info.ReadASN1(&algorithm, asn1.SEQUENCE) || !info.ReadASN1(&key, asn1.OCTET_STRING) {
		return nil, fmt.Errorf("PKCS #8: %w", ErrFormat)
	}
	if oid, err := readOID(&algorithm); err != nil || !oid.Equal(oidRSA) {
		return nil, fmt.Errorf("kind of key: %w", ErrUnsupported)
	}
	return parsePKCS1(key, minBits, maxBits)
}

// AppendLocked appends a file with the encrypted key to dst: AES-256 with a key that PBKDF2 makes of the passphrase. Every
// tor-gencert of these days reads it; its own files have Triple DES and 2,048 turns of SHA-1, too little for a key that lives ten
// years.
func (k *RSASecret) AppendLocked(dst, passphrase []byte) ([]byte, error) {
	scheme := newPBES2()
	der, err := x509.MarshalPKCS8PrivateKey(k.get())
	if err != nil {
		return dst, fmt.Errorf("RSA secret key: %w", err)
	}
	defer clear(der)
	block, iv, err := scheme.cipher(passphrase)
	if err != nil {
		return dst, fmt.Errorf("RSA secret key: %w", err)
	}
	pad := aes.BlockSize - len(der)%aes.BlockSize
	data := make([]byte, len(der), len(der)+pad)
	copy(data, der)
	data = append(data, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		scheme.appendTo(b)
		b.AddASN1OctetString(data)
	})
	out, err := b.Bytes()
	if err != nil {
		return dst, fmt.Errorf("RSA secret key: %w", err)
	}
	return append(dst, pem.EncodeToMemory(&pem.Block{Type: tagEncryptedPKCS8, Bytes: out})...), nil
}

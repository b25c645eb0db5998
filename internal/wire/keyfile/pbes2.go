package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	encasn1 "encoding/asn1"
	"fmt"
	"hash"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// pbes2 is PBES2 of PKCS #5, with PBKDF2 and a cipher in CBC mode: what OpenSSL writes unless told otherwise.
//
// https://www.rfc-editor.org/rfc/rfc8018#appendix-A.4
type pbes2 struct {
	salt  []byte
	turns int
	prf   func() hash.Hash
	size  int // of the key, in bytes
	block func(key []byte) (cipher.Block, error)
	iv    []byte
}

// newPBES2 chooses what we write: HMAC-SHA256 and AES-256.
func newPBES2() *pbes2 {
	random := make([]byte, 16+aes.BlockSize)
	rand.Read(random) // never fails
	return &pbes2{salt: random[:16], turns: newTurns, prf: sha256.New, size: 32, block: aes.NewCipher, iv: random[16:]}
}

// appendTo adds the AlgorithmIdentifier of a choice of newPBES2.
func (p *pbes2) appendTo(b *cryptobyte.Builder) {
	seq := func(b *cryptobyte.Builder, oid encasn1.ObjectIdentifier, params func(*cryptobyte.Builder)) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			params(b)
		})
	}
	seq(b, oidPBES2, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			seq(b, oidPBKDF2, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1OctetString(p.salt)
					b.AddASN1Int64(int64(p.turns))
					seq(b, oidHMACSHA256, func(b *cryptobyte.Builder) { b.AddASN1(asn1.NULL, func(*cryptobyte.Builder) {}) })
				})
			})
			seq(b, oidAES256CBC, func(b *cryptobyte.Builder) { b.AddASN1OctetString(p.iv) })
		})
	})
}

func parsePBES2(s cryptobyte.String) (pbe, error) {
	bad := fmt.Errorf("PBES2: %w", ErrFormat)
	var params, kdf, kdfParams, scheme, iv cryptobyte.String
	if !s.ReadASN1(&params, asn1.SEQUENCE) || !s.Empty() || !params.ReadASN1(&kdf, asn1.SEQUENCE) ||
		!params.ReadASN1(&scheme, asn1.SEQUENCE) || !params.Empty() {
		return nil, bad
	}
	oid, err := readOID(&kdf)
	if err != nil {
		return nil, err
	}
	if !oid.Equal(oidPBKDF2) {
		return nil, fmt.Errorf("passphrase by %v: %w", oid, ErrUnsupported)
	}
	if !kdf.ReadASN1(&kdfParams, asn1.SEQUENCE) || !kdf.Empty() {
		return nil, bad
	}
	p := &pbes2{}
	if p.salt, p.turns, err = readSalt(&kdfParams); err != nil {
		return nil, err
	}
	if p.prf, err = readPRF(&kdfParams); err != nil {
		return nil, err
	}
	if oid, err = readOID(&scheme); err != nil {
		return nil, err
	}
	size := aes.BlockSize // of the IV
	switch {
	case oid.Equal(oidAES128CBC):
		p.block, p.size = aes.NewCipher, 16
	case oid.Equal(oidAES256CBC):
		p.block, p.size = aes.NewCipher, 32
	case oid.Equal(oidDES3CBC):
		p.block, p.size, size = des.NewTripleDESCipher, 24, des.BlockSize
	default:
		return nil, fmt.Errorf("cipher %v: %w", oid, ErrUnsupported)
	}
	if !scheme.ReadASN1(&iv, asn1.OCTET_STRING) || !scheme.Empty() || len(iv) != size {
		return nil, bad
	}
	p.iv = slices.Clone(iv)
	return p, nil
}

// readPRF reads what PBKDF2 hashes with, after an optional length of the key.
func readPRF(s *cryptobyte.String) (func() hash.Hash, error) {
	if !s.SkipOptionalASN1(asn1.INTEGER) {
		return nil, fmt.Errorf("PBKDF2: %w", ErrFormat)
	}
	if s.Empty() {
		return sha1.New, nil // the default
	}
	var prf cryptobyte.String
	if !s.ReadASN1(&prf, asn1.SEQUENCE) || !s.Empty() {
		return nil, fmt.Errorf("PBKDF2: %w", ErrFormat)
	}
	oid, err := readOID(&prf)
	switch {
	case err != nil:
		return nil, err
	case oid.Equal(oidHMACSHA1):
		return sha1.New, nil
	case oid.Equal(oidHMACSHA256):
		return sha256.New, nil
	case oid.Equal(oidHMACSHA512):
		return sha512.New, nil
	}
	return nil, fmt.Errorf("PBKDF2 with %v: %w", oid, ErrUnsupported)
}

func (p *pbes2) cipher(passphrase []byte) (cipher.Block, []byte, error) {
	key, err := pbkdf2.Key(p.prf, string(passphrase), p.salt, p.turns, p.size)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	block, err := p.block(key)
	return block, p.iv, err
}

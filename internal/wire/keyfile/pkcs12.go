package keyfile

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// pkcs12PBE is the way of PKCS #12 with SHA-1 and Triple DES.
//
// https://www.rfc-editor.org/rfc/rfc7292#appendix-C
type pkcs12PBE struct {
	salt  []byte
	turns int
}

func parsePKCS12(s cryptobyte.String) (pbe, error) {
	var params cryptobyte.String
	if !s.ReadASN1(&params, asn1.SEQUENCE) || !s.Empty() {
		return nil, fmt.Errorf("PKCS #12: %w", ErrFormat)
	}
	p := &pkcs12PBE{}
	var err error
	if p.salt, p.turns, err = readSalt(&params); err != nil {
		return nil, err
	}
	if !params.Empty() {
		return nil, fmt.Errorf("PKCS #12: %w", ErrFormat)
	}
	return p, nil
}

func (p *pkcs12PBE) cipher(passphrase []byte) (cipher.Block, []byte, error) {
	text := bmpString(passphrase)
	defer clear(text)
	key := p.derive(text, 1, 24)
	defer clear(key)
	block, err := des.NewTripleDESCipher(key)
	return block, p.derive(text, 2, des.BlockSize), err
}

// bmpString writes a passphrase in UTF-16 with a zero at the end. What is no UTF-8 is taken for Latin 1, as OpenSSL does.
func bmpString(passphrase []byte) []byte {
	var units []uint16
	if utf8.Valid(passphrase) {
		units = utf16.Encode([]rune(string(passphrase)))
	} else {
		for _, c := range passphrase {
			units = append(units, uint16(c))
		}
	}
	b := make([]byte, 0, 2*len(units)+2)
	for _, u := range append(units, 0) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

// derive makes n bytes for a purpose: 1 is a key, 2 an IV. v is the block size of SHA-1.
//
// https://www.rfc-editor.org/rfc/rfc7292#appendix-B.2
func (p *pkcs12PBE) derive(text []byte, purpose byte, n int) []byte {
	const v = sha1.BlockSize
	in := append(fill(p.salt, v), fill(text, v)...)
	defer clear(in)
	diversifier := fill([]byte{purpose}, v)
	var out []byte
	for {
		a := sha1.Sum(append(slices.Clone(diversifier), in...))
		for range p.turns - 1 {
			a = sha1.Sum(a[:])
		}
		if out = append(out, a[:]...); len(out) >= n {
			return out[:n]
		}
		b := fill(a[:], v)[:v]
		for block := range slices.Chunk(in, v) { // block += b + 1
			carry := 1
			for i := v - 1; i >= 0; i-- {
				carry += int(block[i]) + int(b[i])
				block[i] = byte(carry)
				carry >>= 8
			}
		}
	}
}

// fill repeats b up to the next multiple of size; nothing stays nothing.
func fill(b []byte, size int) []byte {
	out := make([]byte, (len(b)+size-1)/size*size)
	for i := range out {
		out[i] = b[i%len(b)]
	}
	return out
}

package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

const (
	boxMagic  = "TORBOX00"
	boxUnit   = 128 // the plain text is filled up to a multiple of this
	boxKeyLen = 16  // AES-128
	boxIVLen  = aes.BlockSize
	boxMACLen = sha256.Size
)

// A Box is an Ed25519 secret key that is encrypted with a passphrase: the file "ed25519_master_id_secret_key_encrypted".
//
//	"TORBOX00" | length u8 | how the passphrase becomes keys | IV 16 | AES-128-CTR(length u32 | key | zeros) | HMAC-SHA256 32
//
// The HMAC is about everything before it. See crypto_pwbox in C tor.
type Box struct {
	spec  spec
	plain []byte // what the HMAC is about
	iv    [boxIVLen]byte
	data  []byte // encrypted
	mac   [boxMACLen]byte
}

// ParseBox parses a file with an encrypted key. It decrypts nothing.
func ParseBox(b []byte) (*Box, error) {
	body, err := parseBody(b, typeBox, tagBox, 0)
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	box, err := parseBox(slices.Clone(body))
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	return box, nil
}

func parseBox(body []byte) (*Box, error) {
	box := &Box{}
	s := cryptobyte.String(body)
	var magic, how []byte
	if !s.ReadBytes(&magic, len(boxMagic)) || string(magic) != boxMagic ||
		!s.ReadUint8LengthPrefixed((*cryptobyte.String)(&how)) || !s.CopyBytes(box.iv[:]) ||
		len(s) <= boxMACLen || !s.ReadBytes(&box.data, len(s)-boxMACLen) || !s.CopyBytes(box.mac[:]) {
		return nil, ErrFormat
	}
	if len(box.data)%boxUnit != 0 {
		return nil, fmt.Errorf("%d bytes: %w", len(box.data), ErrFormat)
	}
	var err error
	if box.spec, err = parseSpec(how); err != nil {
		return nil, err
	}
	box.plain = body[:len(body)-boxMACLen]
	return box, nil
}

// Open decrypts the key. It may take seconds and 128 MiB. A wrong passphrase and a damaged file look alike: ErrPassphrase.
func (b *Box) Open(passphrase []byte) (*EdSecret, error) {
	k, err := b.keys(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	k.mac.Write(b.plain)
	if !hmac.Equal(k.mac.Sum(nil), b.mac[:]) {
		return nil, ErrPassphrase
	}
	text := make([]byte, len(b.data))
	defer clear(text)
	k.stream.XORKeyStream(text, b.data)
	s := cryptobyte.String(text)
	var length uint32
	var key []byte
	if !s.ReadUint32(&length) || length != EdSecretLen || !s.ReadBytes(&key, EdSecretLen) {
		return nil, fmt.Errorf("encrypted key: content: %w", ErrLength)
	}
	secret, err := newEdSecret(key)
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	return secret, nil
}

// Seal encrypts a key, in such a way that every C tor can open it. It takes about a second.
func Seal(key *EdSecret, passphrase []byte) (*Box, error) { return seal(key, passphrase, newSpec()) }

func seal(key *EdSecret, passphrase []byte, how spec) (*Box, error) {
	m := key.get()
	if m.scalar == nil {
		return nil, ErrWiped
	}
	b := &Box{spec: how}
	rand.Read(b.iv[:]) // never fails
	b.data = make([]byte, (4+EdSecretLen+boxUnit-1)/boxUnit*boxUnit)
	binary.BigEndian.PutUint32(b.data, EdSecretLen)
	copy(b.data[4:], m.expanded[:])

	head := append([]byte(boxMagic), byte(len(how)))
	head = append(append(head, how...), b.iv[:]...)
	k, err := b.keys(passphrase)
	if err != nil {
		clear(b.data)
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	k.stream.XORKeyStream(b.data, b.data)
	b.plain = append(head, b.data...)
	k.mac.Write(b.plain)
	b.mac = [boxMACLen]byte(k.mac.Sum(nil))
	return b, nil
}

// boxKeys are what the passphrase gives.
type boxKeys struct {
	stream cipher.Stream
	mac    hash.Hash
}

func (b *Box) keys(passphrase []byte) (boxKeys, error) {
	keys, err := b.spec.derive(passphrase, boxKeyLen+boxMACLen)
	if err != nil {
		return boxKeys{}, err
	}
	defer clear(keys)
	block, err := aes.NewCipher(keys[:boxKeyLen])
	if err != nil {
		return boxKeys{}, err
	}
	return boxKeys{cipher.NewCTR(block, b.iv[:]), hmac.New(sha256.New, keys[boxKeyLen:])}, nil
}

// AppendTo appends the file to dst.
func (b *Box) AppendTo(dst []byte) ([]byte, error) {
	return Tagged{typeBox, tagBox, append(slices.Clip(b.plain), b.mac[:]...)}.AppendTo(dst)
}

// Format prints nothing of the box.
func (b Box) Format(f fmt.State, _ rune) { io.WriteString(f, "encrypted key") }

package hsenc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

const (
	saltLen = 16
	macLen  = 32

	middleString = "hsdir-superencrypted-data"
	innerString  = "hsdir-encrypted-data"

	// padding is what the length of the middle layer's text is a multiple of.
	padding = 10000
)

// layer is what the keys of a layer are made of.
type layer struct {
	purpose       string
	blinded       [32]byte
	cookie        []byte // of client authorization; nil if there is none
	subcredential [32]byte
	revision      uint64
}

// keys are the keys of a layer.
type keys struct {
	enc [32]byte // AES-256
	iv  [aes.BlockSize]byte
	mac [32]byte
}

// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html#encryption-keys
func (l *layer) keys(salt []byte) (k keys) {
	x := sha3.NewSHAKE256()
	x.Write(l.blinded[:])
	x.Write(l.cookie)
	x.Write(l.subcredential[:])
	x.Write(binary.BigEndian.AppendUint64(nil, l.revision))
	x.Write(salt)
	x.Write([]byte(l.purpose))
	x.Read(k.enc[:])
	x.Read(k.iv[:])
	x.Read(k.mac[:])
	return k
}

func (k *keys) crypt(dst, src []byte) {
	block, err := aes.NewCipher(k.enc[:])
	if err != nil {
		panic("hsenc: " + err.Error()) // only a wrong length is an error
	}
	cipher.NewCTR(block, k.iv[:]).XORKeyStream(dst, src)
}

// code is the MAC of a layer.
func (k *keys) code(salt, encrypted []byte) [macLen]byte {
	h := sha3.New256()
	h.Write(binary.BigEndian.AppendUint64(nil, macLen))
	h.Write(k.mac[:])
	h.Write(binary.BigEndian.AppendUint64(nil, saltLen))
	h.Write(salt)
	h.Write(encrypted)
	return [macLen]byte(h.Sum(nil))
}

// open decrypts a layer, and takes the padding off. It reports false if the layer is damaged, or the keys are others.
func (l *layer) open(data []byte) (text []byte, ok bool) {
	if len(data) <= saltLen+macLen {
		return nil, false
	}
	salt, encrypted, code := data[:saltLen], data[saltLen:len(data)-macLen], data[len(data)-macLen:]
	k := l.keys(salt)
	if want := k.code(salt, encrypted); subtle.ConstantTimeCompare(want[:], code) != 1 {
		return nil, false
	}
	text = make([]byte, len(encrypted))
	k.crypt(text, encrypted)
	if n := bytes.IndexByte(text, 0); n >= 0 {
		text = text[:n]
	}
	return text, true
}

// seal encrypts a layer.
func (l *layer) seal(rand io.Reader, text []byte) ([]byte, error) {
	salt := make([]byte, saltLen, saltLen+len(text)+macLen)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	k := l.keys(salt)
	data := append(salt, text...)
	k.crypt(data[saltLen:], text)
	code := k.code(salt, data[saltLen:])
	return append(data, code[:]...), nil
}

// pad fills the text of the middle layer up.
func pad(text []byte) []byte {
	n := (len(text) + padding - 1) / padding * padding
	return append(slices.Clip(text), make([]byte, n-len(text))...)
}

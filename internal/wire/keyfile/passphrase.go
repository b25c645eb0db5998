package keyfile

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/scrypt"
)

// Ways in which a passphrase becomes keys; the first byte of a spec. C tor writes s2kScrypt if it was built with scrypt, and
// s2kSalted if not, as Debian's is.
const (
	s2kSalted = 0 // iterated and salted SHA-1 of OpenPGP
	s2kPBKDF2 = 1
	s2kScrypt = 2
)

// specLen is the length of a spec: the salt, and a byte or two about the cost.
var specLen = map[byte]int{s2kSalted: 1 + 8 + 1, s2kPBKDF2: 1 + 16 + 1, s2kScrypt: 1 + 16 + 2}

// logIterations is the cost of what we write: about a second.
const logIterations = 20

// Bounds on the cost. C tor uses 17 (iterations of PBKDF2), and 15, 3 and 1 (N, r and p of scrypt); all are logarithms to
// the base of 2. scrypt needs 128·N·r bytes of memory.
const (
	maxLogIterations = 22
	maxLogNr         = 20
	maxLogP          = 4
)

// A spec says how a passphrase becomes keys: the way, the salt and the cost. See secret_to_key_derivekey in C tor.
type spec []byte

// newSpec chooses PBKDF2: the best way of those that every C tor can read.
func newSpec() spec {
	s := make(spec, specLen[s2kPBKDF2])
	rand.Read(s) // never fails
	s[0] = s2kPBKDF2
	s[len(s)-1] = logIterations
	return s
}

func parseSpec(b []byte) (spec, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("passphrase: %w", ErrFormat)
	}
	n, ok := specLen[b[0]]
	switch {
	case !ok:
		return nil, fmt.Errorf("passphrase by way %d: %w", b[0], ErrUnsupported)
	case len(b) != n:
		return nil, fmt.Errorf("passphrase: %w", ErrFormat)
	}
	s := spec(b)
	if !s.affordable() {
		return nil, fmt.Errorf("passphrase costs too much: %w", ErrUnsupported)
	}
	return s, nil
}

func (s spec) affordable() bool {
	last := s[len(s)-1]
	switch s[0] {
	case s2kPBKDF2:
		return last <= maxLogIterations
	case s2kScrypt:
		n := int(s[len(s)-2])
		return n >= 1 && n+int(last>>4) <= maxLogNr && last&15 <= maxLogP
	}
	return true // at most 65 MB of SHA-1
}

// derive makes n bytes of key.
func (s spec) derive(passphrase []byte, n int) ([]byte, error) {
	last := s[len(s)-1]
	switch s[0] {
	case s2kSalted:
		return s.salted(passphrase, n)
	case s2kPBKDF2:
		return pbkdf2.Key(sha1.New, string(passphrase), s[1:17], 1<<last, n)
	}
	return scrypt.Key(passphrase, s[1:17], 1<<s[len(s)-2], 1<<(last>>4), 1<<(last&15), n)
}

// salted hashes salt and passphrase again and again, and expands what comes out.
//
// https://www.rfc-editor.org/rfc/rfc4880#section-3.7.1.3
func (s spec) salted(passphrase []byte, n int) ([]byte, error) {
	salt, c := s[1:9], s[9]
	left := (16 + int(c&15)) << (c>>4 + 6)
	unit := append(append([]byte(nil), salt...), passphrase...)
	defer clear(unit)
	h := sha1.New()
	for left > 0 {
		part := unit[:min(left, len(unit))]
		h.Write(part)
		left -= len(part)
	}
	return hkdf.Key(sha256.New, h.Sum(nil), salt, "EXPAND", n)
}

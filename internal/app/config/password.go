package config

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// A hashed password is 8 bytes of salt, an indicator of how much to hash, and a SHA-1.
const (
	saltLen   = 8
	specLen   = saltLen + 1
	indicator = 0x60 // 64 KiB
)

// HashControlPassword returns the value for HashedControlPassword that lets password in: the iterated and salted S2K of
// OpenPGP, in hexadecimal digits behind "16:".
// https://spec.torproject.org/control-spec/implementation-notes.html
// https://www.rfc-editor.org/rfc/rfc2440#section-3.6.1.3
func HashControlPassword(password string, salt [saltLen]byte) string {
	spec := append(salt[:], indicator)
	return "16:" + strings.ToUpper(hex.EncodeToString(append(spec, s2k(password, spec)...)))
}

// s2k hashes salt and password over and over until as many bytes have passed as the indicator says.
func s2k(password string, spec []byte) []byte {
	c := spec[saltLen]
	left := (16 + int(c&15)) << (c>>4 + 6)
	unit := append(spec[:saltLen:saltLen], password...)
	h := sha1.New()
	for ; left > len(unit); left -= len(unit) {
		h.Write(unit)
	}
	h.Write(unit[:left])
	return h.Sum(nil)
}

// checkHashedPassword checks the form of a HashedControlPassword.
func checkHashedPassword(s string) error {
	raw, err := base64.StdEncoding.DecodeString(s)
	if digits, ok := strings.CutPrefix(s, "16:"); ok {
		raw, err = hex.DecodeString(digits)
	}
	if err != nil || len(raw) != specLen+sha1.Size {
		return fmt.Errorf("wrong length or bad encoding: make one with --hash-password")
	}
	return nil
}

package keyfile

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/relayname"
)

// maxLine bounds the files that are a line of text, in bytes: a nickname and 43 digits are the longest.
const maxLine = 128

var b64 = base64.RawStdEncoding.Strict()

// Fingerprint is the file "fingerprint", or "hashed-fingerprint" of a bridge.
type Fingerprint struct {
	Nickname string
	RSA      [20]byte // SHA-1 of the RSA identity key; of a bridge, the SHA-1 of that
}

// ParseFingerprint parses the file: a nickname, a space and 40 hexadecimal digits.
func ParseFingerprint(b []byte) (f Fingerprint, err error) {
	name, digits, err := parseLine(b)
	if err != nil {
		return f, fmt.Errorf("fingerprint: %w", err)
	}
	if len(digits) != 2*len(f.RSA) {
		return f, fmt.Errorf("fingerprint: %w", ErrFormat)
	}
	if _, err := hex.Decode(f.RSA[:], digits); err != nil {
		return Fingerprint{}, fmt.Errorf("fingerprint: %w", ErrFormat)
	}
	f.Nickname = name
	return f, nil
}

// AppendTo appends the file to dst.
func (f Fingerprint) AppendTo(dst []byte) ([]byte, error) {
	return appendLine(dst, f.Nickname, strings.ToUpper(hex.EncodeToString(f.RSA[:])))
}

// EdFingerprint is the file "fingerprint-ed25519".
type EdFingerprint struct {
	Nickname string
	Ed       [32]byte // Ed25519 identity key
}

// ParseEdFingerprint parses the file: a nickname, a space and 43 digits of base64.
func ParseEdFingerprint(b []byte) (f EdFingerprint, err error) {
	name, digits, err := parseLine(b)
	if err == nil {
		f.Ed, err = parseKey64(digits)
	}
	if err != nil {
		return EdFingerprint{}, fmt.Errorf("Ed25519 fingerprint: %w", err)
	}
	f.Nickname = name
	return f, nil
}

// AppendTo appends the file to dst.
func (f EdFingerprint) AppendTo(dst []byte) ([]byte, error) {
	return appendLine(dst, f.Nickname, b64.EncodeToString(f.Ed[:]))
}

// ParseFamilyID parses the public file of a family key: 43 digits of base64. The option FamilyId takes the same.
//
// https://spec.torproject.org/proposals/321-happy-families.html
func ParseFamilyID(b []byte) (id [32]byte, err error) {
	if len(b) > maxLine {
		return id, fmt.Errorf("family ID: %w", ErrLength)
	}
	id, err = parseKey64(trimEOL(b))
	if err != nil {
		return id, fmt.Errorf("family ID: %w", err)
	}
	return id, nil
}

// AppendFamilyID appends the public file of a family key to dst.
func AppendFamilyID(dst []byte, id [32]byte) []byte {
	return append(b64.AppendEncode(dst, id[:]), '\n')
}

// parseLine parses a nickname and a second word.
func parseLine(b []byte) (name string, word []byte, err error) {
	if len(b) > maxLine {
		return "", nil, ErrLength
	}
	nick, word, ok := bytes.Cut(trimEOL(b), []byte(" "))
	if !ok || !relayname.IsNickname(nick) {
		return "", nil, fmt.Errorf("nickname: %w", ErrFormat)
	}
	return string(nick), word, nil
}

func appendLine(dst []byte, name, word string) ([]byte, error) {
	if !relayname.IsNickname(name) {
		return nil, fmt.Errorf("nickname: %w", ErrFormat)
	}
	return append(append(append(append(dst, name...), ' '), word...), '\n'), nil
}

func parseKey64(digits []byte) (key [32]byte, err error) {
	// The decoder skips line ends, hence the check of the length.
	if len(digits) != b64.EncodedLen(len(key)) {
		return key, ErrFormat
	}
	if n, err := b64.Decode(key[:], digits); err != nil || n != len(key) {
		return [32]byte{}, ErrFormat
	}
	return key, nil
}

// trimEOL takes away the end of the only line, which editors may have changed.
func trimEOL(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

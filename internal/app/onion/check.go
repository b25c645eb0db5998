package onion

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"filippo.io/edwards25519"

	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

const (
	digits   = "abcdefghijklmnopqrstuvwxyz234567"
	labelLen = onionaddr.Len
	oldLen   = 16 // of version 2
)

// An AddressError says in words what is wrong with an address. It wraps the error of package onionaddr.
type AddressError struct {
	Words string
	Err   error
}

func (e *AddressError) Error() string { return e.Words }
func (e *AddressError) Unwrap() error { return e.Err }

// Check reads an address as people pass it on: with or without ".onion", with labels before it, or in a URL. If it is none, the error is an
// AddressError.
func Check(text string) (onionaddr.Address, error) {
	label := bare(text)
	addr, err := onionaddr.ParseLabel(label)
	if err == nil {
		return addr, nil
	}
	return addr, &AddressError{words(label, err), err}
}

// bare returns what should be the 56 characters.
func bare(text string) string {
	host := strings.ToLower(strings.TrimSpace(text))
	if strings.Contains(host, "://") {
		if u, err := url.Parse(host); err == nil {
			host = u.Hostname()
		}
	}
	host = strings.TrimSuffix(strings.TrimSuffix(host, "."), onionaddr.Suffix)
	return host[strings.LastIndexByte(host, '.')+1:]
}

func words(label string, err error) string {
	for i, c := range label {
		if !strings.ContainsRune(digits, c) {
			hint := ""
			if like := map[rune]string{'0': "o", '1': "l or i", '8': "b", '9': "g"}[c]; like != "" {
				hint = ", perhaps it was " + like
			}
			return fmt.Sprintf("character %d is %q, but there are only letters from a to z and digits from 2 to 7%s", i+1, c, hint)
		}
	}
	switch {
	case len(label) == oldLen:
		return "this is an address of version 2, of 16 characters: Tor has not had these since 2021, and no program can reach it"
	case len(label) != labelLen:
		return fmt.Sprintf("it has %d characters before .onion instead of %d: something was lost or added", len(label), labelLen)
	}
	switch {
	case errors.Is(err, onionaddr.ErrVersion):
		return fmt.Sprintf("the last character must be d, for version 3: the version of this one is %d. A typing error?", version(label))
	case errors.Is(err, onionaddr.ErrChecksum):
		return "the checksum is wrong: at least one character is not what it was, and nothing can tell which. Copy it again"
	case errors.Is(err, onionaddr.ErrKey):
		return "the checksum is right, but " + keyWords(label)
	}
	return err.Error()
}

func decode(label string) []byte {
	b, _ := base32.NewEncoding(digits).DecodeString(label) // 56 of the alphabet are 35 bytes
	return b
}

func version(label string) uint8 {
	b := decode(label)
	return b[len(b)-1]
}

// keyWords says what is wrong with the key in an address.
func keyWords(label string) string {
	key := decode(label)[:32]
	p, err := new(edwards25519.Point).SetBytes(key)
	switch {
	case err != nil:
		return "the key in it is no point of the curve: nobody can have made it"
	case [32]byte(p.Bytes()) != [32]byte(key):
		return "the key in it is not written as it must be: it is a second name of another address"
	case new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1:
		return "the key in it has a small order: it is no secret"
	}
	return "the key in it has a part of small order (torsion): it is a second name that someone made of another address"
}

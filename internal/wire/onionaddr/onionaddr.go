// Package onionaddr is the names of onion services (version 3): what a user types, and the key in it.
//
//	base32(key 32 | checksum 2 | version 1) ".onion"
//
// https://spec.torproject.org/rend-spec/encoding-onion-addresses.html
package onionaddr

import (
	"crypto/sha3"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"filippo.io/edwards25519"

	"github.com/tropea-net/tropea/internal/lib/ed25519x"
)

// What can be wrong with an address.
var (
	ErrFormat   = errors.New("no address of a version 3 onion service")
	ErrChecksum = errors.New("onion address has a wrong checksum: a typing error?")
	ErrVersion  = errors.New("onion address of an unknown version")
	ErrKey      = errors.New("onion address with a bad key")
)

const (
	// Suffix ends every address.
	Suffix = ".onion"
	// Len is the length of an address without Suffix, in characters.
	Len = 56

	checksumLen    = 2
	version        = 3
	checksumPrefix = ".onion checksum"
)

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// An Address is the identity key of an onion service, which is the service's name.
type Address [32]byte

// Parse reads an address, in letters of either case. Labels before it, such as "www.", are ignored; ".onion" must be there.
func Parse(host string) (Address, error) {
	label, ok := strings.CutSuffix(strings.ToLower(host), Suffix)
	if !ok {
		return Address{}, ErrFormat
	}
	return ParseLabel(label[strings.LastIndexByte(label, '.')+1:])
}

// ParseLabel reads an address without ".onion", as control ports and files have it.
func ParseLabel(label string) (Address, error) {
	key, sum, v, err := decode(label)
	switch {
	case err != nil:
		return Address{}, err
	case v != version:
		return Address{}, fmt.Errorf("version %d: %w", v, ErrVersion)
	case sum != checksum(key):
		return Address{}, ErrChecksum
	}
	return FromKey(key)
}

// ParseUnchecked is ParseLabel without a look at checksum, version and key, for files that C tor reads so.
func ParseUnchecked(label string) (Address, error) {
	key, _, _, err := decode(label)
	return key, err
}

func decode(label string) (key [32]byte, sum [checksumLen]byte, v uint8, err error) {
	b, err := lower.DecodeString(strings.ToLower(label))
	if err != nil || len(label) != Len || len(b) != len(key)+checksumLen+1 {
		return key, sum, 0, ErrFormat
	}
	return [32]byte(b), [checksumLen]byte(b[len(key):]), b[len(key)+checksumLen], nil
}

// FromKey makes the address of an identity key. A key that is no point, or has a part of small order, is ErrKey: adding such a
// part gives one service several names.
func FromKey(key [32]byte) (Address, error) {
	p, err := new(edwards25519.Point).SetBytes(key[:])
	if err != nil || [32]byte(p.Bytes()) != key || !ed25519x.IsKey(key) {
		return Address{}, ErrKey
	}
	return key, nil
}

func checksum(key [32]byte) [checksumLen]byte {
	in := append([]byte(checksumPrefix), key[:]...)
	sum := sha3.Sum256(append(in, version))
	return [checksumLen]byte(sum[:])
}

// Label is the address without ".onion".
func (a Address) Label() string {
	sum := checksum(a)
	b := append(a[:], sum[:]...)
	return lower.EncodeToString(append(b, version))
}

// String is the address with ".onion".
func (a Address) String() string { return a.Label() + Suffix }

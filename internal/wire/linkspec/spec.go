package linkspec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
)

// What can be wrong with a link specifier or a list of them.
var (
	ErrTruncated = errors.New("truncated")
	ErrTooLong   = errors.New("too long")
	ErrLength    = errors.New("wrong length for its type")
	ErrRepeated  = errors.New("repeated")
)

// The types of the specification.
const (
	TypeIPv4    uint8 = 0 // address 4 | port 2
	TypeIPv6    uint8 = 1 // address 16 | port 2
	TypeRSA     uint8 = 2 // SHA-1 of the RSA identity key, 20
	TypeEd25519 uint8 = 3 // Ed25519 identity key, 32
)

// lengths of the bodies, by type.
var lengths = [...]int{TypeIPv4: 6, TypeIPv6: 18, TypeRSA: 20, TypeEd25519: 32}

// Spec is one link specifier. After parsing, Body aliases the input.
type Spec struct {
	Type uint8
	Body []byte
}

// IPv4 says that the relay is at an IPv4 address; it panics on another.
func IPv4(ap netip.AddrPort) Spec {
	if !ap.Addr().Is4() {
		panic("linkspec: IPv4 of an address that is not IPv4")
	}
	a := ap.Addr().As4()
	return Spec{TypeIPv4, binary.BigEndian.AppendUint16(a[:], ap.Port())}
}

// IPv6 says that the relay is at an IPv6 address; it panics on another.
func IPv6(ap netip.AddrPort) Spec {
	if !ap.Addr().Is6() {
		panic("linkspec: IPv6 of an address that is not IPv6")
	}
	a := ap.Addr().As16()
	return Spec{TypeIPv6, binary.BigEndian.AppendUint16(a[:], ap.Port())}
}

// Addr is IPv4 or IPv6, as the address is.
func Addr(ap netip.AddrPort) Spec {
	if ap.Addr().Is4() {
		return IPv4(ap)
	}
	return IPv6(ap)
}

// RSA says that the SHA-1 of the relay's RSA identity key is id.
func RSA(id [20]byte) Spec { return Spec{TypeRSA, id[:]} }

// Ed25519 says that the relay's Ed25519 identity key is id.
func Ed25519(id [32]byte) Spec { return Spec{TypeEd25519, id[:]} }

// check tells whether the length is right, as far as it is known.
func (s Spec) check() error {
	if int(s.Type) < len(lengths) && len(s.Body) != lengths[s.Type] {
		return fmt.Errorf("link specifier of type %d with %d bytes: %w", s.Type, len(s.Body), ErrLength)
	}
	if len(s.Body) > math.MaxUint8 {
		return fmt.Errorf("link specifier of type %d: %w", s.Type, ErrTooLong)
	}
	return nil
}

package cell

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// AuthEd25519SHA256RFC5705 is the one way to authenticate that is left, in AUTH_CHALLENGE and AUTHENTICATE.
const AuthEd25519SHA256RFC5705 uint16 = 3

// AuthChallenge asks the initiator of a link to authenticate by one of some methods.
//
//	challenge 32 | n 2 | n times: method 2
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type AuthChallenge struct {
	Challenge [32]byte
	Methods   []uint16
}

// ParseAuthChallenge parses the body of an AUTH_CHALLENGE cell.
func ParseAuthChallenge(body []byte) (AuthChallenge, error) {
	s := cryptobyte.String(body)
	var m AuthChallenge
	var n uint16
	if !s.CopyBytes(m.Challenge[:]) || !s.ReadUint16(&n) {
		return AuthChallenge{}, fmt.Errorf("AUTH_CHALLENGE: %w", ErrTruncated)
	}
	if len(s) < 2*int(n) {
		return AuthChallenge{}, fmt.Errorf("AUTH_CHALLENGE methods: %w", ErrTruncated)
	}
	m.Methods = make([]uint16, n)
	for i := range m.Methods {
		s.ReadUint16(&m.Methods[i]) // its length was checked above
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m AuthChallenge) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Methods) > math.MaxUint16 {
		return nil, fmt.Errorf("AUTH_CHALLENGE methods: %w", ErrTooLong)
	}
	dst = append(dst, m.Challenge[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Methods)))
	for _, v := range m.Methods {
		dst = binary.BigEndian.AppendUint16(dst, v)
	}
	return dst, nil
}

// Offers reports whether the responder accepts a method.
func (m AuthChallenge) Offers(method uint16) bool { return slices.Contains(m.Methods, method) }

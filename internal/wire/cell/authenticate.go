package cell

import (
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// Authenticate proves who the initiator of a link is. What is in its body depends on the type and on the whole handshake.
//
//	type 2 | length 2 | body
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type Authenticate struct {
	Type uint16
	Body []byte
}

// ParseAuthenticate parses the body of an AUTHENTICATE cell.
func ParseAuthenticate(body []byte) (Authenticate, error) {
	s := cryptobyte.String(body)
	var m Authenticate
	if !s.ReadUint16(&m.Type) || !s.ReadUint16LengthPrefixed((*cryptobyte.String)(&m.Body)) {
		return Authenticate{}, fmt.Errorf("AUTHENTICATE: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Authenticate) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Body) > math.MaxUint16 {
		return nil, fmt.Errorf("AUTHENTICATE: %w", ErrTooLong)
	}
	dst = binary.BigEndian.AppendUint16(dst, m.Type)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Body)))
	return append(dst, m.Body...), nil
}

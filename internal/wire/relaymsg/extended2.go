package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// extended2Header is the length of the length field of EXTENDED2.
const extended2Header = 2

// Extended2 says that a circuit has been extended, and brings the second half of the handshake.
//
//	length 2 | data
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
type Extended2 struct {
	Data []byte // from a CREATED2 cell
}

// ParseExtended2 parses the body of an EXTENDED2 message.
func ParseExtended2(body []byte) (m Extended2, err error) {
	s := cryptobyte.String(body)
	if !s.ReadUint16LengthPrefixed((*cryptobyte.String)(&m.Data)) {
		return Extended2{}, fmt.Errorf("EXTENDED2 handshake: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst. A CREATED2 cell may bring more than fits: above 496 bytes is an error here, above
// 488 one of Encode in format V1.
func (m Extended2) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Data) > MaxBody-extended2Header {
		return nil, fmt.Errorf("EXTENDED2 handshake: %w", ErrTooLong)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Data)))
	return append(dst, m.Data...), nil
}

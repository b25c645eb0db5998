package cell

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// MaxCreated2Data is the longest handshake in a CREATED2 cell. It is more than a relay can pass on in an EXTENDED2 message.
const MaxCreated2Data = BodyLen - 2

// Created2 is the second half of the handshake.
//
//	length 2 | data
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
type Created2 struct {
	Data []byte
}

// ParseCreated2 parses the body of a CREATED2 cell.
func ParseCreated2(body []byte) (Created2, error) {
	s := cryptobyte.String(body)
	var m Created2
	if !s.ReadUint16LengthPrefixed((*cryptobyte.String)(&m.Data)) {
		return Created2{}, fmt.Errorf("CREATED2: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Created2) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Data) > MaxCreated2Data {
		return nil, fmt.Errorf("CREATED2 handshake: %w", ErrTooLong)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Data)))
	return append(dst, m.Data...), nil
}

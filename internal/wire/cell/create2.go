package cell

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
)

// HandshakeType is the handshake in a CREATE2 cell or an EXTEND2 message.
type HandshakeType uint16

// The handshakes of the specification. TAP is known by number, so that it can be refused.
const (
	HandshakeTAP    HandshakeType = 0
	HandshakeNTor   HandshakeType = 2
	HandshakeNTorV3 HandshakeType = 3
)

// String is the name in the specification, or "handshake 77".
func (t HandshakeType) String() string {
	switch t {
	case HandshakeTAP:
		return "TAP"
	case HandshakeNTor:
		return "ntor"
	case HandshakeNTorV3:
		return "ntor-v3"
	}
	return "handshake " + strconv.Itoa(int(t))
}

// MaxCreate2Data is the longest handshake in a CREATE2 cell.
const MaxCreate2Data = BodyLen - 4

// Create2 starts a circuit with the first half of a handshake.
//
//	type 2 | length 2 | data
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
type Create2 struct {
	Type HandshakeType
	Data []byte
}

// ParseCreate2 parses the body of a CREATE2 cell.
func ParseCreate2(body []byte) (Create2, error) {
	s := cryptobyte.String(body)
	var m Create2
	if !s.ReadUint16((*uint16)(&m.Type)) || !s.ReadUint16LengthPrefixed((*cryptobyte.String)(&m.Data)) {
		return Create2{}, fmt.Errorf("CREATE2: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Create2) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Data) > MaxCreate2Data {
		return nil, fmt.Errorf("CREATE2 handshake: %w", ErrTooLong)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(m.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Data)))
	return append(dst, m.Data...), nil
}

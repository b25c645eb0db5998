package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
)

// Extend2 asks the last relay of a circuit to extend it by another.
//
//	list of link specifiers | handshake type 2 | length 2 | data
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
type Extend2 struct {
	Specs []linkspec.Spec
	Type  cell.HandshakeType
	Data  []byte // goes into a CREATE2 cell
}

// ParseExtend2 parses the body of an EXTEND2 message. What the link specifiers say is for the caller to check.
func ParseExtend2(body []byte) (m Extend2, err error) {
	s := cryptobyte.String(body)
	if m.Specs, err = linkspec.ParseList(&s); err != nil {
		return Extend2{}, fmt.Errorf("EXTEND2: %w", err)
	}
	if !s.ReadUint16((*uint16)(&m.Type)) || !s.ReadUint16LengthPrefixed((*cryptobyte.String)(&m.Data)) {
		return Extend2{}, fmt.Errorf("EXTEND2 handshake: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Extend2) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Data) > MaxBody {
		return nil, fmt.Errorf("EXTEND2 handshake: %w", ErrTooLong)
	}
	dst, err := linkspec.AppendList(dst, m.Specs)
	if err != nil {
		return nil, fmt.Errorf("EXTEND2: %w", err)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(m.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Data)))
	return append(dst, m.Data...), nil
}

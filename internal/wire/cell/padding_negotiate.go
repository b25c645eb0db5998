package cell

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Commands in PADDING_NEGOTIATE.
const (
	PaddingStop  uint8 = 1
	PaddingStart uint8 = 2
)

// PaddingNegotiate asks a relay to pad the link, or not to. Only version 0 is known; a receiver ignores the message if
// the version is another, since the other fields may then mean anything.
//
//	version 1 | command 1 | low 2 | high 2
//
// https://spec.torproject.org/padding-spec/connection-level-padding.html
type PaddingNegotiate struct {
	Version uint8
	Command uint8
	LowMS   uint16 // bounds of the time without traffic before padding is sent, in milliseconds
	HighMS  uint16
}

// ParsePaddingNegotiate parses the body of a PADDING_NEGOTIATE cell.
func ParsePaddingNegotiate(body []byte) (PaddingNegotiate, error) {
	s := cryptobyte.String(body)
	var m PaddingNegotiate
	if !s.ReadUint8(&m.Version) || !s.ReadUint8(&m.Command) || !s.ReadUint16(&m.LowMS) || !s.ReadUint16(&m.HighMS) {
		return PaddingNegotiate{}, fmt.Errorf("PADDING_NEGOTIATE: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m PaddingNegotiate) AppendTo(dst []byte) ([]byte, error) {
	dst = append(dst, m.Version, m.Command)
	dst = binary.BigEndian.AppendUint16(dst, m.LowMS)
	return binary.BigEndian.AppendUint16(dst, m.HighMS), nil
}

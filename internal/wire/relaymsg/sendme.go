package relaymsg

import (
	"encoding/binary"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// Sendme acknowledges cells: those of a stream, or those of a circuit, where version 1 proves that they arrived.
//
//	nothing                        version 0
//	version 1 | length 2 | tag     version 1
//
// https://spec.torproject.org/tor-spec/flow-control.html
type Sendme struct {
	Version uint8
	Tag     []byte // of the cell that is acknowledged: 20 bytes from a tor1 hop, 16 from a CGO hop
}

// ParseSendme parses the body of a SENDME message. Version 0 may have a body, which "should be ignored". Whether the tag
// has the length that the hop uses is for the caller to compare, along with its bytes.
func ParseSendme(body []byte) (m Sendme, err error) {
	s := cryptobyte.String(body)
	if s.Empty() {
		return Sendme{}, nil
	}
	s.ReadUint8(&m.Version)
	switch m.Version {
	case 0:
		return Sendme{}, nil
	case 1:
		if !s.ReadUint16LengthPrefixed((*cryptobyte.String)(&m.Tag)) {
			return Sendme{}, fmt.Errorf("SENDME tag: %w", ErrTruncated)
		}
		return m, nil
	}
	return Sendme{}, fmt.Errorf("SENDME %d: %w", m.Version, ErrVersion)
}

// AppendTo appends the body of m to dst.
func (m Sendme) AppendTo(dst []byte) ([]byte, error) {
	switch m.Version {
	case 0:
		return dst, nil
	case 1:
		if len(m.Tag) > math.MaxUint8 {
			return nil, fmt.Errorf("SENDME tag: %w", ErrTooLong)
		}
		dst = append(dst, m.Version)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Tag)))
		return append(dst, m.Tag...), nil
	}
	return nil, fmt.Errorf("SENDME %d: %w", m.Version, ErrVersion)
}

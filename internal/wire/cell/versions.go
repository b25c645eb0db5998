package cell

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Versions lists the link protocols that the sender speaks.
//
//	version 2, repeated to the end
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type Versions struct {
	Versions []uint16
}

// ParseVersions parses the body of a VERSIONS cell.
func ParseVersions(body []byte) (Versions, error) {
	// "Either party MUST close the connection if the versions cell is not well-formed (for example, if the payload
	// contains an odd number of bytes)."
	if len(body)%2 != 0 {
		return Versions{}, fmt.Errorf("VERSIONS of %d bytes: %w", len(body), ErrMalformed)
	}
	m := Versions{Versions: make([]uint16, 0, len(body)/2)}
	for ; len(body) > 0; body = body[2:] {
		m.Versions = append(m.Versions, binary.BigEndian.Uint16(body))
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Versions) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Versions) > MaxVariableLen/2 {
		return nil, fmt.Errorf("VERSIONS: %w", ErrTooLong)
	}
	for _, v := range m.Versions {
		dst = binary.BigEndian.AppendUint16(dst, v)
	}
	return dst, nil
}

// Highest is the highest version in both m and ours, or 0 if there is none.
func (m Versions) Highest(ours ...uint16) uint16 {
	var best uint16
	for _, v := range ours {
		if v > best && slices.Contains(m.Versions, v) {
			best = v
		}
	}
	return best
}

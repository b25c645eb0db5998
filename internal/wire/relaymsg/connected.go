package relaymsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
)

// connectedIPv6 marks an IPv6 address in CONNECTED.
const connectedIPv6 = 6

// Connected says that a stream is open, and where to. From directories and onion services it is empty.
//
//	IPv4 address 4 | TTL 4
//	zeros 4 | 6 | IPv6 address 16 | TTL 4
//
// https://spec.torproject.org/tor-spec/opening-streams.html
type Connected struct {
	Addr netip.Addr // the zero Addr if it is not given
	TTL  uint32     // seconds for which the address may be cached; 0 if it is not given
}

// ParseConnected parses the body of a CONNECTED message. The TTL of an IPv4 address may be missing, as in C tor
// (connected_cell_parse).
func ParseConnected(body []byte) (m Connected, err error) {
	s := cryptobyte.String(body)
	if s.Empty() {
		return Connected{}, nil
	}
	var v4 [4]byte
	if !s.CopyBytes(v4[:]) {
		return Connected{}, fmt.Errorf("CONNECTED IPv4 address: %w", ErrTruncated)
	}
	if v4 != [4]byte{} {
		m.Addr = netip.AddrFrom4(v4)
		s.ReadUint32(&m.TTL) // stays 0 if there is none
		return m, nil
	}
	var typ uint8
	var v6 [16]byte
	if !s.ReadUint8(&typ) || !s.CopyBytes(v6[:]) || !s.ReadUint32(&m.TTL) {
		return Connected{}, fmt.Errorf("CONNECTED IPv6 address: %w", ErrTruncated)
	}
	if typ != connectedIPv6 {
		return Connected{}, fmt.Errorf("CONNECTED address of type %d: %w", typ, ErrMalformed)
	}
	m.Addr = netip.AddrFrom16(v6)
	return m, nil
}

// AppendTo appends the body of m to dst. 0.0.0.0 is an error: it would announce an IPv6 address.
func (m Connected) AppendTo(dst []byte) ([]byte, error) {
	switch {
	case !m.Addr.IsValid():
		return dst, nil
	case m.Addr == netip.IPv4Unspecified():
		return nil, fmt.Errorf("CONNECTED to %v: %w", m.Addr, ErrMalformed)
	case m.Addr.Is6():
		dst = append(dst, 0, 0, 0, 0, connectedIPv6)
	}
	dst = append(dst, m.Addr.WithZone("").AsSlice()...)
	return binary.BigEndian.AppendUint32(dst, m.TTL), nil
}

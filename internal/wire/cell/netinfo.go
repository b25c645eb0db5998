package cell

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
)

// Types of addresses in NETINFO.
const (
	addrIPv4 = 4
	addrIPv6 = 6
)

// Netinfo tells the time and the addresses of both ends of a link, as its sender sees them.
//
//	time 4 | other address | n 1 | n times: own address        address: type 1 | length 1 | value
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type Netinfo struct {
	Time  uint32       // seconds since 1970; 0 from clients
	Other netip.Addr   // the receiver of the message; the zero Addr if the sender does not say
	Mine  []netip.Addr // the sender; clients give none
}

// ParseNetinfo parses the body of a NETINFO cell. Addresses of unknown types and unspecified ones (0.0.0.0, ::) are
// taken as not given.
func ParseNetinfo(body []byte) (Netinfo, error) {
	s := cryptobyte.String(body)
	var m Netinfo
	if !s.ReadUint32(&m.Time) {
		return Netinfo{}, fmt.Errorf("NETINFO time: %w", ErrTruncated)
	}
	var err error
	if m.Other, err = readAddr(&s); err != nil {
		return Netinfo{}, fmt.Errorf("NETINFO other address: %w", err)
	}
	var n uint8
	if !s.ReadUint8(&n) {
		return Netinfo{}, fmt.Errorf("NETINFO count: %w", ErrTruncated)
	}
	for range n {
		a, err := readAddr(&s)
		if err != nil {
			return Netinfo{}, fmt.Errorf("NETINFO own address: %w", err)
		}
		if a.IsValid() {
			m.Mine = append(m.Mine, a)
		}
	}
	return m, nil
}

// readAddr reads one address. As in C tor (netinfo_addr_parse), a wrong length for a known type is an error, although
// the specification would ignore the address.
func readAddr(s *cryptobyte.String) (netip.Addr, error) {
	var typ uint8
	var value cryptobyte.String
	if !s.ReadUint8(&typ) || !s.ReadUint8LengthPrefixed(&value) {
		return netip.Addr{}, ErrTruncated
	}
	if typ != addrIPv4 && typ != addrIPv6 {
		return netip.Addr{}, nil
	}
	a, ok := netip.AddrFromSlice(value)
	if !ok || a.Is4() != (typ == addrIPv4) {
		return netip.Addr{}, ErrMalformed
	}
	if a.IsUnspecified() {
		return netip.Addr{}, nil
	}
	return a, nil
}

// AppendTo appends the body of m to dst.
func (m Netinfo) AppendTo(dst []byte) ([]byte, error) {
	start := len(dst)
	if len(m.Mine) > math.MaxUint8 {
		return nil, fmt.Errorf("NETINFO count: %w", ErrTooLong)
	}
	dst = binary.BigEndian.AppendUint32(dst, m.Time)
	dst = appendAddr(dst, m.Other)
	dst = append(dst, byte(len(m.Mine)))
	for _, a := range m.Mine {
		dst = appendAddr(dst, a)
	}
	if len(dst)-start > BodyLen {
		return nil, fmt.Errorf("NETINFO: %w", ErrTooLong)
	}
	return dst, nil
}

// appendAddr appends one address; the zero Addr becomes 0.0.0.0.
func appendAddr(dst []byte, a netip.Addr) []byte {
	switch {
	case !a.IsValid():
		return append(dst, addrIPv4, 4, 0, 0, 0, 0)
	case a.Is4():
		dst = append(dst, addrIPv4, 4)
	default:
		dst = append(dst, addrIPv6, 16)
	}
	return append(dst, a.WithZone("").AsSlice()...)
}

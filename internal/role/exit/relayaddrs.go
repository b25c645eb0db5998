package exit

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
)

// RelayAddrs is the set of addresses and ports where relays listen: 8 bytes for one with IPv4, 18 with IPv6. It does not
// change. A nil set is empty.
//
// Of relays it has the OR ports. C tor leaves their directory ports out too, so that those who have one can test it
// (node_add_to_address_set).
type RelayAddrs struct {
	v4 []uint64   // address and port; ascending
	v6 [][18]byte // likewise
}

// NewRelayAddrs returns the set for a view of the network, which may be nil, and other addresses: the OR and directory
// ports of the authorities and of fallback directories.
func NewRelayAddrs(v *netdir.View, more ...netip.AddrPort) *RelayAddrs {
	s := new(RelayAddrs)
	if v != nil {
		s.v4 = make([]uint64, 0, v.Len()+len(more))
		for r := range v.Relays() {
			s.add(r.Addr)
			s.add(r.Addr6)
		}
	}
	for _, ap := range more {
		s.add(ap)
	}
	slices.Sort(s.v4)
	slices.SortFunc(s.v6, compare6)
	s.v4, s.v6 = slices.Clip(slices.Compact(s.v4)), slices.Clip(slices.Compact(s.v6))
	return s
}

// add takes an address, but not 0.0.0.0 and its like, which a relay can have made us believe.
func (s *RelayAddrs) add(ap netip.AddrPort) {
	switch addr := ap.Addr().Unmap(); {
	case !addr.IsValid(), addr.IsUnspecified(), ap.Port() == 0:
	case addr.Is4():
		s.v4 = append(s.v4, key4(addr, ap.Port()))
	default:
		s.v6 = append(s.v6, key6(addr, ap.Port()))
	}
}

// Contains tells whether a relay listens at ap.
func (s *RelayAddrs) Contains(ap netip.AddrPort) (ok bool) {
	if s == nil {
		return false
	}
	switch addr := ap.Addr().Unmap(); {
	case addr.Is4():
		_, ok = slices.BinarySearch(s.v4, key4(addr, ap.Port()))
	case addr.Is6():
		_, ok = slices.BinarySearchFunc(s.v6, key6(addr, ap.Port()), compare6)
	}
	return ok
}

func key4(addr netip.Addr, port uint16) uint64 {
	b := addr.As4()
	return uint64(binary.BigEndian.Uint32(b[:]))<<16 | uint64(port)
}

func key6(addr netip.Addr, port uint16) (k [18]byte) {
	b := addr.As16()
	copy(k[:], b[:])
	binary.BigEndian.PutUint16(k[16:], port)
	return k
}

func compare6(a, b [18]byte) int { return bytes.Compare(a[:], b[:]) }

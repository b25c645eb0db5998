package relaymsg

import (
	"net/netip"
	"slices"
	"strings"
)

// Domains of reverse look-ups.
const (
	reverseIPv4 = ".in-addr.arpa"
	reverseIPv6 = ".ip6.arpa"
)

// ReverseName is the name under which the DNS, and RESOLVE, have the name of an address: "1.0.0.127.in-addr.arpa". IPv4
// addresses mapped into IPv6 count as IPv4. The address must be valid.
func ReverseName(addr netip.Addr) string {
	if addr = addr.Unmap(); addr.Is4() {
		b := addr.As4()
		slices.Reverse(b[:])
		return netip.AddrFrom4(b).String() + reverseIPv4
	}
	const hex = "0123456789abcdef"
	b := addr.As16()
	name := make([]byte, 0, 4*len(b))
	for _, v := range slices.Backward(b[:]) {
		name = append(name, hex[v&15], '.', hex[v>>4], '.')
	}
	return string(name[:len(name)-1]) + reverseIPv6
}

// ReverseAddr is the address that a name is the ReverseName of, whatever its case.
func ReverseAddr(name string) (netip.Addr, bool) {
	name = strings.ToLower(name)
	var addr netip.Addr
	if digits, ok := strings.CutSuffix(name, reverseIPv4); ok {
		var err error
		if addr, err = netip.ParseAddr(digits); err != nil || !addr.Is4() {
			return netip.Addr{}, false
		}
		b := addr.As4()
		slices.Reverse(b[:])
		return netip.AddrFrom4(b), true
	}
	digits, ok := strings.CutSuffix(name, reverseIPv6)
	if !ok || len(digits) != 63 {
		return netip.Addr{}, false
	}
	// "4.3.2.1" backward, without every second byte and with a colon after each four, is the address as text.
	text := make([]byte, 0, 39)
	for i := 62; i >= 0; i -= 2 {
		if i > 0 && digits[i-1] != '.' {
			return netip.Addr{}, false
		}
		text = append(text, digits[i])
		if i%8 == 0 && i > 0 {
			text = append(text, ':')
		}
	}
	addr, err := netip.ParseAddr(string(text))
	if err != nil || ReverseName(addr) != name {
		return netip.Addr{}, false
	}
	return addr, true
}

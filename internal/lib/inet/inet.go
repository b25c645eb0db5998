// Package inet tells the addresses of the Internet from others.
package inet

import (
	"net/netip"
	"slices"
)

// internal are the networks whose addresses mean something on one's own network only.
var internal = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("::/127"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fec0::/10"),
}

// IsInternal tells whether an address is not one of the Internet, or none at all: tor_addr_is_internal in C tor. An IPv4 address in the form
// of IPv6 counts as what it means. Addresses for documentation and multicast are no internal ones.
func IsInternal(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return !a.IsValid() || slices.ContainsFunc(internal, func(p netip.Prefix) bool { return p.Contains(a) })
}

// IsPublic tells whether an address may belong to a host of the Internet: a unicast address that is not internal.
func IsPublic(a netip.Addr) bool { return a.Unmap().IsGlobalUnicast() && !IsInternal(a) }

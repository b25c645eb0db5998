package netx

import (
	"net"
	"net/netip"
	"slices"
)

// internal are the ranges whose addresses mean something on one's own network only.
var internal = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("::/127"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fec0::/10"),
}

// Internal tells whether an address is none of the Internet, or none at all; an IPv4 address may be mapped into IPv6. It is
// C tor's tor_addr_is_internal, which lets multicast pass.
func Internal(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return !a.IsValid() || slices.ContainsFunc(internal, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Public tells whether an address may belong to a host of the Internet: a unicast address that is not internal.
func Public(a netip.Addr) bool { return a.Unmap().IsGlobalUnicast() && !Internal(a) }

// RemoteAddr returns the address of a connection's other end; IPv4 is not mapped. It is invalid if that is not one of TCP.
func RemoteAddr(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

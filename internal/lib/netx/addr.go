package netx

import (
	"net"
	"net/netip"
)

// RemoteAddr returns the address of a connection's other end; IPv4 is not mapped. It is invalid if that is not one of TCP.
func RemoteAddr(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

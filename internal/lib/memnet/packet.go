package memnet

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

var _ netx.PacketNetwork = (*Host)(nil)

// DialPacket implements [netx.PacketNetwork].
func (h *Host) DialPacket(ctx context.Context, network, addr string) (net.Conn, error) {
	ap, err := netx.ParsePacketAddr(network, addr)
	if err != nil {
		return nil, opError("dial", network, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, opError("dial", network, err)
	}
	if _, _, err := h.net.route(h, ap.Addr()); err != nil {
		return nil, opError("dial", network, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &PacketConn{host: h, remote: ap, network: network}
	c.local = netip.AddrPortFrom(h.source(ap.Addr()), h.freePacketPortLocked())
	h.addPacketLocked(c)
	return c, nil
}

// ListenPacket opens a socket that is connected to nobody, as a server has. An empty host of addr means every address of
// the host; port 0 means any free port.
func (h *Host) ListenPacket(network, addr string) (*PacketConn, error) {
	ap, err := netx.ParsePacketAddr(network, addr)
	if err != nil {
		return nil, opError("listen", network, err)
	}
	if !ap.Addr().IsUnspecified() && !h.owns(ap.Addr()) {
		return nil, opError("listen", network, syscall.EADDRNOTAVAIL)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	port := ap.Port()
	if port == 0 {
		port = h.freePacketPortLocked()
	}
	c := &PacketConn{host: h, local: netip.AddrPortFrom(ap.Addr(), port), network: network}
	for _, other := range h.sockets[port] {
		if a, b := c.local.Addr(), other.local.Addr(); a == b || a.IsUnspecified() || b.IsUnspecified() {
			return nil, opError("listen", network, syscall.EADDRINUSE)
		}
	}
	h.addPacketLocked(c)
	return c, nil
}

// Sockets returns how many sockets for datagrams are open, so that a test finds those that were forgotten.
func (h *Host) Sockets() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, cs := range h.sockets {
		n += len(cs)
	}
	return n
}

func (h *Host) addPacketLocked(c *PacketConn) {
	if h.sockets == nil {
		h.sockets = make(map[uint16][]*PacketConn)
	}
	h.sockets[c.local.Port()] = append(h.sockets[c.local.Port()], c)
}

// freePacketPortLocked returns a port that no socket for datagrams has.
func (h *Host) freePacketPortLocked() uint16 {
	for {
		if port := h.freePortLocked(); len(h.sockets[port]) == 0 {
			return port
		}
	}
}

// packetConnFor returns the socket for a datagram between two addresses, or nil.
func (h *Host) packetConnFor(from, to netip.AddrPort) *PacketConn {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found *PacketConn
	for _, c := range h.sockets[to.Port()] {
		own := c.local.Addr()
		switch {
		case own != to.Addr() && !(own.IsUnspecified() && (own.Is6() || to.Addr().Is4())):
		case c.remote == from:
			return c // connected, which is closer than any other
		case !c.remote.IsValid():
			found = c
		}
	}
	return found
}

func (h *Host) dropPacket(c *PacketConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	port := c.local.Port()
	if cs := slices.DeleteFunc(h.sockets[port], func(o *PacketConn) bool { return o == c }); len(cs) > 0 {
		h.sockets[port] = cs
	} else {
		delete(h.sockets, port)
	}
}

// crashPackets closes all sockets for datagrams.
func (h *Host) crashPackets() {
	h.mu.Lock()
	sockets := h.sockets
	h.sockets = nil
	h.mu.Unlock()
	for _, cs := range sockets {
		for _, c := range slices.Clone(cs) {
			c.Close()
		}
	}
}

package memnet

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// A Host is a machine. It is the network as seen from there.
type Host struct {
	net   *Net
	name  string
	addrs []netip.Addr

	mu       sync.Mutex // guards the fields below; net.mu may not be taken under it
	ports    map[uint16][]*listener
	nextPort uint16 // where the search for a free port starts
	sockets  map[uint16][]*PacketConn
}

var _ netx.Network = (*Host)(nil)

// firstPort is the first of the ports that a host picks by itself.
const firstPort = 49152

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Addr returns the host's first address. It panics if the host has none.
func (h *Host) Addr() netip.Addr { return h.addrs[0] }

// Crash ends all listeners and connections of the host, as if its processes were killed: peers see resets. The host
// may listen and dial again at once, as after a restart.
func (h *Host) Crash() {
	h.mu.Lock()
	ports := h.ports
	h.ports = make(map[uint16][]*listener)
	h.mu.Unlock()
	h.crashPackets()
	for _, ls := range ports {
		for _, l := range ls {
			l.Close()
		}
	}
	for _, c := range h.net.connsOf(h) {
		c.abort()
	}
}

// owns reports whether ip is an address of the host.
func (h *Host) owns(ip netip.Addr) bool { return ip.IsLoopback() || slices.Contains(h.addrs, ip) }

// source returns the address from which the host dials ip; not valid if it has none of that family.
func (h *Host) source(ip netip.Addr) netip.Addr {
	if ip.IsLoopback() {
		return ip
	}
	for _, a := range h.addrs {
		if a.Is4() == ip.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// freePortLocked returns a port that nobody listens on.
func (h *Host) freePortLocked() uint16 {
	for {
		port := h.nextPort
		if h.nextPort++; h.nextPort == 0 {
			h.nextPort = firstPort
		}
		if len(h.ports[port]) == 0 {
			return port
		}
	}
}

// parse returns the literal address addr.
func parse(op, network, addr string) (netip.AddrPort, error) {
	ap, err := netx.ParseAddr(network, addr)
	if err != nil {
		return ap, opError(op, network, err)
	}
	if ip := ap.Addr(); !ip.IsUnspecified() && (network == "tcp4" && !ip.Is4() || network == "tcp6" && ip.Is4()) {
		return ap, opError(op, network, &net.AddrError{Err: "no suitable address", Addr: addr})
	}
	return ap, nil
}

func opError(op, network string, err error) error {
	return netx.Scrub(&net.OpError{Op: op, Net: network, Err: err})
}

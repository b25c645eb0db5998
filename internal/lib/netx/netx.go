// Package netx is the door to the network: everything that dials or listens does so through a [Network].
//
// [OS] is the real one; package memnet has one in memory for tests and simulated networks.
//
// Nothing here resolves names. A name that reached the local resolver would tell it what the user asks of Tor, so an
// address that is not a literal is an error, [ErrName].
package netx

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// A Network opens connections and listeners. Its methods are safe for concurrent use.
//
// The networks are "tcp", "tcp4" and "tcp6", whose address is a literal "ip:port", and, where supported, "unix", whose
// address is a path. A connection has CloseWrite, and may have the capabilities below. Errors print no address; see
// [Scrub].
type Network interface {
	// Dial connects to addr. It gives up when ctx ends.
	Dial(ctx context.Context, network, addr string) (net.Conn, error)

	// Listen opens a listener on addr. An empty host means every address of the host; port 0 means any free port.
	// The context bounds the opening, not the life of the listener.
	Listen(ctx context.Context, network, addr string) (net.Listener, error)
}

// HalfCloser is what every connection of a [Network] can do besides net.Conn.
type HalfCloser interface {
	// CloseWrite ends the stream towards the peer; reading goes on.
	CloseWrite() error
}

// LowWater is an optional capability of a connection.
type LowWater interface {
	// SetNotSentLowat limits to n bytes what a Write leaves in the kernel that has not yet been sent, so that the
	// choice what to send next falls late. It does nothing where the system has no such limit.
	SetNotSentLowat(n int) error
}

// QuickAcker is an optional capability of a connection.
type QuickAcker interface {
	// SetQuickAck makes the kernel acknowledge small reads at once. A peer without TCP_NODELAY, as C tor is, holds its next
	// small segment back until the last one is acknowledged, and the kernel would put that off for 40 ms. Large reads are
	// left alone: whoever sends them is not waiting. It does nothing where the system has no such choice.
	SetQuickAck(on bool)
}

// TryWriter is an optional capability of a connection.
type TryWriter interface {
	// TryWrite writes as much of p as is possible without waiting, which may be nothing. Only an error says that there is no
	// use in trying again.
	TryWrite(p []byte) (int, error)
}

// ReadWaiter is an optional capability of a connection.
type ReadWaiter interface {
	// WaitReadable waits until Read has something to tell, or a little less: whoever has many idle connections needs no
	// buffer for each. It obeys the deadline for reads.
	WaitReadable() error
}

// ErrName is returned for an address whose host is a name.
var ErrName = errors.New("address is not a literal IP address and port")

// ParseAddr returns the literal address addr of a TCP network. An empty host is the unspecified address.
func ParseAddr(network, addr string) (netip.AddrPort, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	if strings.HasPrefix(addr, ":") {
		addr = "[::]" + addr
	}
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ap, ErrName
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

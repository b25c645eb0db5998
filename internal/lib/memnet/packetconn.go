package memnet

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// maxQueued is how many datagrams wait for a reader; more are lost, as they are where a socket's buffer is full.
const maxQueued = 4096

// maxDatagram is the longest datagram of UDP over IPv4, in bytes.
const maxDatagram = 65507

// A PacketConn is a socket for datagrams. Datagrams are lost while the hosts are cut off from each other, and otherwise
// arrive after the latency of the link, in order.
type PacketConn struct {
	host          *Host
	local, remote netip.AddrPort // remote is not valid unless the socket is connected
	network       string

	mu       sync.Mutex // guards the fields below; never held while waiting
	changed  signal
	queue    []datagram // by time of arrival
	deadline time.Time  // of reads
	closed   bool
}

// A datagram is on its way. One with an error stands for the news that the last one did not find anybody.
type datagram struct {
	from   netip.AddrPort
	data   []byte
	err    error
	arrive time.Time
}

var (
	_ net.Conn       = (*PacketConn)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
)

// Read receives a datagram. What b has no room for is lost.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFrom(b)
	return n, err
}

// ReadFrom is Read that also tells who has sent it.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		now := time.Now()
		switch {
		case c.closed:
			return 0, nil, c.wrap("read", net.ErrClosed)
		case due(c.deadline, now):
			return 0, nil, c.wrap("read", os.ErrDeadlineExceeded)
		case len(c.queue) > 0 && due(c.queue[0].arrive, now):
			d := c.queue[0]
			c.queue = c.queue[1:]
			if d.err != nil {
				return 0, nil, c.wrap("read", d.err)
			}
			return copy(b, d.data), net.UDPAddrFromAddrPort(d.from), nil
		}
		next := c.deadline
		if len(c.queue) > 0 && (next.IsZero() || c.queue[0].arrive.Before(next)) {
			next = c.queue[0].arrive
		}
		c.waitLocked(next)
	}
}

// waitLocked waits, unlocked, until the socket changes or until then, if that is set.
func (c *PacketConn) waitLocked(until time.Time) {
	changed := c.changed.next()
	c.mu.Unlock()
	defer c.mu.Lock()
	if until.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// Write sends a datagram to whom the socket is connected to.
func (c *PacketConn) Write(b []byte) (int, error) {
	if !c.remote.IsValid() {
		return 0, c.wrap("write", syscall.EDESTADDRREQ)
	}
	return c.send(b, c.remote)
}

// WriteTo sends a datagram to anybody.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok || c.remote.IsValid() {
		return 0, c.wrap("write", syscall.EINVAL)
	}
	ap := to.AddrPort()
	return c.send(b, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
}

func (c *PacketConn) send(b []byte, to netip.AddrPort) (int, error) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return 0, c.wrap("write", net.ErrClosed)
	case len(b) > maxDatagram:
		return 0, c.wrap("write", syscall.EMSGSIZE)
	}
	peer, link, err := c.host.net.route(c.host, to.Addr())
	if err != nil {
		return 0, c.wrap("write", err)
	}
	if c.host.net.isCut(c.host, peer) {
		return len(b), nil
	}
	from := c.local
	if from.Addr().IsUnspecified() {
		from = netip.AddrPortFrom(c.host.source(to.Addr()), from.Port())
	}
	if link.lost() {
		return len(b), nil
	}
	arrive := time.Now().Add(link.Latency)
	if other := peer.packetConnFor(from, to); other != nil {
		other.put(datagram{from: from, data: bytes.Clone(b), arrive: arrive})
	} else if c.remote.IsValid() {
		c.put(datagram{from: to, err: syscall.ECONNREFUSED, arrive: arrive.Add(link.Latency)})
	}
	return len(b), nil
}

// put queues what arrives.
func (c *PacketConn) put(d datagram) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.queue) >= maxQueued {
		return
	}
	i := len(c.queue)
	for i > 0 && c.queue[i-1].arrive.After(d.arrive) {
		i--
	}
	c.queue = slices.Insert(c.queue, i, d)
	c.changed.broadcast()
}

// Close ends the socket. What was sent still arrives.
func (c *PacketConn) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed, c.queue = true, nil
	c.changed.broadcast()
	c.mu.Unlock()
	if closed {
		return c.wrap("close", net.ErrClosed)
	}
	c.host.dropPacket(c)
	return nil
}

// LocalAddr returns the socket's own address.
func (c *PacketConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local) }

// RemoteAddr returns whom the socket is connected to; nil means nobody.
func (c *PacketConn) RemoteAddr() net.Addr {
	if !c.remote.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(c.remote)
}

// SetDeadline is SetReadDeadline, since writes never wait.
func (c *PacketConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline sets when reads give up.
func (c *PacketConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("set", net.ErrClosed)
	}
	c.deadline = t
	c.changed.broadcast()
	return nil
}

// SetWriteDeadline does nothing.
func (c *PacketConn) SetWriteDeadline(time.Time) error { return nil }

func (c *PacketConn) wrap(op string, err error) error {
	return netx.Scrub(&net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err})
}

// isCut reports whether nothing gets from one host to the other.
func (n *Net) isCut(a, b *Host) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cuts[pairOf(a, b)]
}

package memnet

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// backlog is how many connections wait for Accept.
const backlog = 128

// Listen implements [netx.Network].
func (h *Host) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	ap, err := parse("listen", network, addr)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, opError("listen", network, err)
	}
	if !ap.Addr().IsUnspecified() && !h.owns(ap.Addr()) {
		return nil, opError("listen", network, syscall.EADDRNOTAVAIL)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	port := ap.Port()
	if port == 0 {
		port = h.freePortLocked()
	}
	l := &listener{host: h, addr: netip.AddrPortFrom(ap.Addr(), port), network: network}
	if slices.ContainsFunc(h.ports[port], l.overlaps) {
		return nil, opError("listen", network, syscall.EADDRINUSE)
	}
	h.ports[port] = append(h.ports[port], l)
	return l, nil
}

// listenerFor returns who listens on ap, or nil.
func (h *Host) listenerFor(ap netip.AddrPort) *listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.ports[ap.Port()] {
		if l.accepts(ap.Addr()) {
			return l
		}
	}
	return nil
}

type listener struct {
	host    *Host
	addr    netip.AddrPort
	network string

	mu      sync.Mutex // guards the fields below
	queue   []*conn
	closed  bool
	changed signal
}

// accepts reports whether the listener takes connections to ip, an address of its host.
func (l *listener) accepts(ip netip.Addr) bool {
	own := l.addr.Addr()
	if !own.IsUnspecified() {
		return own == ip
	}
	if ip.Is4() {
		return own.Is4() || l.network == "tcp" // :: takes both families
	}
	return own.Is6() && l.network != "tcp4"
}

func (l *listener) overlaps(other *listener) bool {
	a, b := l.addr.Addr(), other.addr.Addr()
	return a == b || l.accepts(b) || other.accepts(a)
}

func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.waitLocked(context.Background())
	}
	if l.closed {
		return nil, netx.Scrub(&net.OpError{Op: "accept", Net: l.network, Addr: l.Addr(), Err: net.ErrClosed})
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	l.changed.broadcast()
	return c, nil
}

// offer puts c into the queue; it waits for room until ctx ends.
func (l *listener) offer(ctx context.Context, c *conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) >= backlog && !l.closed && ctx.Err() == nil {
		l.waitLocked(ctx)
	}
	if l.closed {
		return syscall.ECONNREFUSED
	}
	if ctx.Err() != nil {
		return ctxErr(ctx)
	}
	l.queue = append(l.queue, c)
	l.changed.broadcast()
	return nil
}

// waitLocked waits, unlocked, until the listener changes or ctx ends.
func (l *listener) waitLocked(ctx context.Context) {
	changed := l.changed.next()
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-changed:
	case <-ctx.Done():
	}
}

// Close ends the listener. Connections that nobody accepted are reset.
func (l *listener) Close() error {
	l.host.mu.Lock()
	same := func(o *listener) bool { return o == l }
	if ls := slices.DeleteFunc(l.host.ports[l.addr.Port()], same); len(ls) > 0 {
		l.host.ports[l.addr.Port()] = ls
	} else {
		delete(l.host.ports, l.addr.Port())
	}
	l.host.mu.Unlock()

	l.mu.Lock()
	queue, closed := l.queue, l.closed
	l.queue, l.closed = nil, true
	l.changed.broadcast()
	l.mu.Unlock()
	if closed {
		return netx.Scrub(&net.OpError{Op: "close", Net: l.network, Addr: l.Addr(), Err: net.ErrClosed})
	}
	for _, c := range queue {
		c.abort()
	}
	return nil
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

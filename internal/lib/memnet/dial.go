package memnet

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// dialTimeout is how long Linux tries to connect to a host that does not answer.
const dialTimeout = 127 * time.Second

// Dial implements [netx.Network]. It takes two latencies, as the handshake of TCP does.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ap, err := parse("dial", network, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, syscall.ETIMEDOUT)
	defer cancel()
	remote := net.TCPAddrFromAddrPort(ap)
	fail := func(err error) (net.Conn, error) {
		return nil, netx.Scrub(&net.OpError{Op: "dial", Net: network, Addr: remote, Err: err})
	}
	peer, link, err := h.net.route(h, ap.Addr())
	if err != nil {
		return fail(err)
	}
	h.mu.Lock()
	local := net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.source(ap.Addr()), h.freePortLocked()))
	h.mu.Unlock()

	if err := h.net.cross(ctx, h, peer, link); err != nil { // SYN
		return fail(err)
	}
	l := peer.listenerFor(ap)
	if l == nil {
		if err := h.net.cross(ctx, h, peer, link); err != nil { // RST
			return fail(err)
		}
		return fail(syscall.ECONNREFUSED)
	}
	dialed, accepted := h.net.newFlow(h, peer, local, remote, link)
	if err := l.offer(ctx, accepted); err != nil {
		dialed.abort()
		accepted.abort()
		return fail(err)
	}
	if err := h.net.cross(ctx, h, peer, link); err != nil { // SYN and ACK
		dialed.abort()
		return fail(err)
	}
	return dialed, nil
}

// route returns the host that has ip and the way there.
func (n *Net) route(from *Host, ip netip.Addr) (*Host, Link, error) {
	if from.owns(ip) {
		return from, Link{}, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.hosts[ip]
	if to == nil || !from.source(ip).IsValid() {
		return nil, Link{}, syscall.EHOSTUNREACH
	}
	if link, ok := n.links[pairOf(from, to)]; ok {
		return to, link, nil
	}
	return to, n.link, nil
}

// cross waits as long as a packet takes from one host to the other, which is until a cut between them is healed.
func (n *Net) cross(ctx context.Context, from, to *Host, link Link) error {
	for {
		n.mu.Lock()
		cut, changed := n.cuts[pairOf(from, to)], n.changed.next()
		n.mu.Unlock()
		if !cut {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctxErr(ctx)
		}
	}
	if link.Latency <= 0 {
		return nil
	}
	timer := time.NewTimer(link.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctxErr(ctx)
	}
}

// ctxErr returns why ctx ended, in the terms of package net.
func ctxErr(ctx context.Context) error {
	if context.Cause(ctx) == syscall.ETIMEDOUT {
		return syscall.ETIMEDOUT
	}
	return ctx.Err()
}

package netx

import (
	"context"
	"net"
	"net/netip"
)

// OS is the network of the operating system.
type OS struct {
	// Bind4 and Bind6 are the addresses of this host that connections and datagrams leave from (OutboundBindAddress and its
	// relatives). The system chooses for a family without one, and always for destinations on the host itself.
	Bind4, Bind6 netip.Addr
}

var _ Network = OS{}

// noKeepAlive turns the keep-alive probes of package net off. C tor sends none, so that probes every 15 seconds would
// tell an observer which program runs here; links and padding have timers of their own.
const noKeepAlive = -1

// Dial implements [Network].
func (o OS) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	to, err := checkAddr("dial", network, addr)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{KeepAlive: noKeepAlive}
	if from := o.source(to.Addr()); from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		d.Control = bindLate
	}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, Scrub(err)
	}
	return wrap(c), nil
}

// source returns the address to bind to for a connection to addr, which is not valid if there is none.
func (o OS) source(addr netip.Addr) netip.Addr {
	switch {
	case addr.IsLoopback():
		return netip.Addr{}
	case addr.Is4():
		return o.Bind4
	case addr.Is6():
		return o.Bind6
	}
	return netip.Addr{}
}

// Listen implements [Network].
func (OS) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	if _, err := checkAddr("listen", network, addr); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{KeepAlive: noKeepAlive}
	// Package net listens by multipath TCP where it can, which C tor does not, and whose sockets lack some options.
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, network, addr)
	if err != nil {
		return nil, Scrub(err)
	}
	return &listener{l}, nil
}

// checkAddr refuses a network that this package does not have, and an address that package net would hand to a
// resolver. It returns the address unless that is a path.
func checkAddr(op, network, addr string) (netip.AddrPort, error) {
	if network == "unix" {
		return netip.AddrPort{}, nil
	}
	ap, err := ParseAddr(network, addr)
	if err != nil {
		return ap, Scrub(&net.OpError{Op: op, Net: network, Err: err})
	}
	return ap, nil
}

// A listener hands out wrapped connections.
type listener struct{ net.Listener }

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, Scrub(err)
	}
	return wrap(c), nil
}

func (l *listener) Close() error { return Scrub(l.Listener.Close()) }

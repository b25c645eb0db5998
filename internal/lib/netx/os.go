package netx

import (
	"context"
	"net"
)

// OS is the network of the operating system.
type OS struct{}

var _ Network = OS{}

// noKeepAlive turns the keep-alive probes of package net off. C tor sends none, so that probes every 15 seconds would
// tell an observer which program runs here; links and padding have timers of their own.
const noKeepAlive = -1

// Dial implements [Network].
func (OS) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := checkAddr("dial", network, addr); err != nil {
		return nil, err
	}
	d := net.Dialer{KeepAlive: noKeepAlive}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, Scrub(err)
	}
	return wrap(c), nil
}

// Listen implements [Network].
func (OS) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	if err := checkAddr("listen", network, addr); err != nil {
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
// resolver.
func checkAddr(op, network, addr string) error {
	if network == "unix" {
		return nil
	}
	if _, err := ParseAddr(network, addr); err != nil {
		return Scrub(&net.OpError{Op: op, Net: network, Err: err})
	}
	return nil
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

package memnet_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/memnet"
)

// duo is a network of two hosts.
type duo struct {
	net          *memnet.Net
	alice, bob   *memnet.Host
	client, serv net.Conn // a connection from alice to bob, if connect was called
}

func newDuo(link memnet.Link) *duo {
	n := memnet.New(link)
	return &duo{
		net:   n,
		alice: n.Host("alice", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")),
		bob:   n.Host("bob", netip.MustParseAddr("192.0.2.2")),
	}
}

// connect opens a connection from alice to bob.
func connect(t testing.TB, link memnet.Link) *duo {
	t.Helper()
	d := newDuo(link)
	l := listen(t, d.bob, ":443")
	var err error
	if d.client, err = d.alice.Dial(context.Background(), "tcp", "192.0.2.2:443"); err != nil {
		t.Fatal(err)
	}
	if d.serv, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	return d
}

func listen(t testing.TB, h *memnet.Host, addr string) net.Listener {
	t.Helper()
	l, err := h.Listen(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

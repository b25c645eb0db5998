package netx_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// Connections leave from the address that is asked for, but for those to this host's loopback.
func TestBind(t *testing.T) {
	foreign := netx.OS{Bind4: netip.MustParseAddr("198.51.100.77"), Bind6: netip.MustParseAddr("2001:db8::77")}
	for _, to := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		if _, err := foreign.Dial(t.Context(), "tcp", to); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("%s from an address that is not ours: %v", to, err)
		}
		if _, err := foreign.DialPacket(t.Context(), "udp", to); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("%s from an address that is not ours, by UDP: %v", to, err)
		}
	}
	l, err := netx.OS{}.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := foreign.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()

	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		own, err := netip.ParsePrefix(a.String())
		if ip := own.Addr(); err != nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		dialFrom(t, own.Addr())
	}
}

// dialFrom connects to an address of this host, and from it.
func dialFrom(t *testing.T, own netip.Addr) {
	l, err := netx.OS{}.Listen(t.Context(), "tcp", netip.AddrPortFrom(own, 0).String())
	if err != nil {
		return
	}
	defer l.Close()
	c, err := netx.OS{Bind4: own, Bind6: own}.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	if from := netip.MustParseAddrPort(c.LocalAddr().String()); from.Addr() != own || from.Port() == 0 {
		t.Errorf("connected from %v, not from %v", from, own)
	}
}

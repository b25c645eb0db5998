package memnet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
)

func TestDialErrors(t *testing.T) {
	d := newDuo(memnet.Link{})
	listen(t, d.bob, "192.0.2.2:1")
	listen(t, d.bob, "127.0.0.1:2")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name, network, addr string
		want                error
	}{
		{"nobody listens", "tcp", "192.0.2.2:9", syscall.ECONNREFUSED},
		{"listens on its loopback alone", "tcp", "192.0.2.2:2", syscall.ECONNREFUSED},
		{"own loopback", "tcp", "127.0.0.1:2", syscall.ECONNREFUSED},
		{"no such host", "tcp", "192.0.2.3:1", syscall.EHOSTUNREACH},
		{"no such host, v6", "tcp", "[2001:db8::2]:1", syscall.EHOSTUNREACH},
		{"name", "tcp", "bob:1", netx.ErrName},
		{"datagrams", "udp", "192.0.2.2:1", net.UnknownNetworkError("udp")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.alice.Dial(t.Context(), tt.network, tt.addr)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if strings.Contains(fmt.Sprint(err), "192.0.2") {
				t.Errorf("error %v shows an address", err)
			}
		})
	}
	if _, err := d.alice.Dial(t.Context(), "tcp6", "192.0.2.2:1"); err == nil {
		t.Error("tcp6 reaches an IPv4 address")
	}
	d.net.SetLink(d.alice, d.bob, memnet.Link{Latency: time.Hour})
	if _, err := d.alice.Dial(canceled, "tcp", "192.0.2.2:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("dial with an ended context: %v", err)
	}
}

func TestDialTakesARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(memnet.Link{Latency: 40 * time.Millisecond})
		listen(t, d.bob, ":1")
		for _, port := range []int{1, 2} {
			start := time.Now()
			c, err := d.alice.Dial(t.Context(), "tcp", fmt.Sprintf("192.0.2.2:%d", port))
			if got := time.Since(start); got != 80*time.Millisecond {
				t.Errorf("dialing port %d took %v (%v), want 80ms", port, got, err)
			}
			if err == nil {
				c.Close()
			}
		}
	})
}

func TestAddresses(t *testing.T) {
	d := connect(t, memnet.Link{})
	local, remote := d.client.LocalAddr().(*net.TCPAddr), d.client.RemoteAddr().(*net.TCPAddr)
	if local.IP.String() != "192.0.2.1" || local.Port < 49152 || remote.String() != "192.0.2.2:443" {
		t.Errorf("client sees %v -> %v", local, remote)
	}
	if d.serv.LocalAddr().String() != remote.String() || d.serv.RemoteAddr().String() != local.String() {
		t.Errorf("server sees %v <- %v", d.serv.LocalAddr(), d.serv.RemoteAddr())
	}
	if d.bob.Name() != "bob" || d.bob.Addr() != netip.MustParseAddr("192.0.2.2") {
		t.Errorf("bob is %s at %v", d.bob.Name(), d.bob.Addr())
	}
}

func TestListenErrors(t *testing.T) {
	d := newDuo(memnet.Link{})
	listen(t, d.alice, ":1")
	tests := []struct {
		name, network, addr string
		want                error
	}{
		{"twice", "tcp", ":1", syscall.EADDRINUSE},
		{"part of a wildcard", "tcp", "192.0.2.1:1", syscall.EADDRINUSE},
		{"address of another host", "tcp", "192.0.2.2:3", syscall.EADDRNOTAVAIL},
		{"name", "tcp", "localhost:3", netx.ErrName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := d.alice.Listen(t.Context(), tt.network, tt.addr); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	a, b := listen(t, d.alice, "127.0.0.1:0"), listen(t, d.alice, "127.0.0.1:0")
	if a.Addr().String() == b.Addr().String() {
		t.Errorf("two listeners share %v", a.Addr())
	}
	a.Close()
	if err := a.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v, want net.ErrClosed", err)
	}
	listen(t, d.alice, a.Addr().String()) // the address is free again
}

func TestListenerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(memnet.Link{})
		l := listen(t, d.bob, ":1")
		waiting, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1")
		if err != nil {
			t.Fatal(err)
		}
		c, _ := l.Accept()
		c.Close()
		queued, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
		if _, err := queued.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection that nobody accepted: %v, want a reset", err)
		}
		waiting.Close()
		queued.Close()

		l = listen(t, d.bob, ":1")
		done := make(chan error)
		go func() { _, err := l.Accept(); done <- err }()
		synctest.Wait()
		l.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept during Close: %v", err)
		}
	})
}

func TestFullBacklogHoldsDialers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(memnet.Link{})
		l := listen(t, d.bob, ":1")
		for range 128 {
			if _, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1"); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if _, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1"); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("dial to a full backlog: %v, want a timeout", err)
		}
		if got := time.Since(start); got != 127*time.Second {
			t.Errorf("it took %v", got)
		}
		done := make(chan error)
		go func() { _, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1"); done <- err }()
		synctest.Wait()
		l.Accept()
		if err := <-done; err != nil {
			t.Errorf("dial after Accept made room: %v", err)
		}
	})
}

func TestCutDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(memnet.Link{Latency: time.Second})
		listen(t, d.bob, ":1")
		d.net.Cut(d.alice, d.bob)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := d.alice.Dial(ctx, "tcp", "192.0.2.2:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial across a cut: %v, want the context's end", err)
		}
		if _, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1"); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("dial across a cut: %v, want a timeout", err)
		}
		time.AfterFunc(time.Minute, func() { d.net.Heal(d.bob, d.alice) })
		if _, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1"); err != nil {
			t.Errorf("dial across a cut that is healed: %v", err)
		}
	})
}

package memnet_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
)

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(memnet.Link{Latency: 20 * time.Millisecond})
		serv, err := d.bob.ListenPacket("udp", ":53")
		if err != nil {
			t.Fatal(err)
		}
		stranger, err := d.bob.ListenPacket("udp", ":54")
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.alice.DialPacket(t.Context(), "udp", "192.0.2.2:53")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c.Write([]byte("one"))
		c.Write([]byte("two"))
		b := make([]byte, 16)
		var from net.Addr
		for _, want := range []string{"one", "two"} {
			n, addr, err := serv.ReadFrom(b)
			if err != nil || string(b[:n]) != want {
				t.Fatalf("got %q, %v; want %q", b[:n], err, want)
			}
			from = addr
		}
		if got := time.Since(start); got != 20*time.Millisecond {
			t.Errorf("arrived after %v, want the latency", got)
		}
		if from.String() != c.LocalAddr().String() {
			t.Errorf("from %v, want %v", from, c.LocalAddr())
		}
		stranger.WriteTo([]byte("lie"), from)
		serv.WriteTo([]byte("answer that is long"), from)
		if n, err := c.Read(b[:6]); err != nil || string(b[:n]) != "answer" {
			t.Errorf("got %q, %v; want the start of the peer's datagram alone", b[:n], err)
		}

		d.net.Cut(d.alice, d.bob)
		c.Write([]byte("lost"))
		serv.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := serv.ReadFrom(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("across a cut: %v, want nothing until the deadline", err)
		}
		d.net.Heal(d.alice, d.bob)

		serv.Close()
		start = time.Now()
		c.Write([]byte("anybody there?"))
		if _, err := c.Read(b); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(start) != 40*time.Millisecond {
			t.Errorf("nobody there: %v after %v", err, time.Since(start))
		}
		go func() {
			time.Sleep(time.Second)
			d.alice.Crash()
		}()
		if _, err := c.Read(b); !errors.Is(err, net.ErrClosed) {
			t.Errorf("crashed: %v", err)
		}
		if n := d.alice.Sockets(); n != 0 {
			t.Errorf("%d sockets left", n)
		}
	})
}

func TestPacketErrors(t *testing.T) {
	d := newDuo(memnet.Link{})
	if _, err := d.bob.ListenPacket("udp", "192.0.2.2:53"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		network, addr string
		want          error
	}{
		{"tcp", "192.0.2.2:53", net.UnknownNetworkError("tcp")},
		{"udp", "bob:53", netx.ErrName},
		{"udp", "192.0.2.3:53", syscall.EHOSTUNREACH},
	} {
		if _, err := d.alice.DialPacket(t.Context(), tt.network, tt.addr); !errors.Is(err, tt.want) {
			t.Errorf("dial %s %s: %v, want %v", tt.network, tt.addr, err, tt.want)
		}
	}
	if _, err := d.bob.ListenPacket("udp", ":53"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second listener: %v", err)
	}
	if _, err := d.bob.ListenPacket("udp", "192.0.2.1:53"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("another host's address: %v", err)
	}
}

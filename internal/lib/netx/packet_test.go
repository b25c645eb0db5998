package netx_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

func TestDialPacket(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	stranger, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	c, err := netx.OS{}.DialPacket(t.Context(), "udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("ask")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	n, from, err := server.ReadFrom(b)
	if err != nil || string(b[:n]) != "ask" {
		t.Fatalf("server got %q, %v", b[:n], err)
	}
	stranger.WriteTo([]byte("lie"), from)
	server.WriteTo([]byte("answer"), from)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(b); err != nil || string(b[:n]) != "answer" {
		t.Errorf("got %q, %v; want the server's datagram alone", b[:n], err)
	}
	c.SetReadDeadline(time.Unix(1, 0))
	_, err = c.Read(b)
	if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
		t.Errorf("Read after its deadline: %v, want a net.Error that says so", err)
	}
	wantScrubbed(t, err, "127.0.0.1", "read udp [scrubbed]: i/o timeout")
}

func TestDialPacketErrors(t *testing.T) {
	for _, tt := range []struct {
		name, network, addr string
		want                error
	}{
		{"a stream", "tcp", "127.0.0.1:1", net.UnknownNetworkError("tcp")},
		{"a name", "udp", "localhost:1", netx.ErrName},
		{"no port", "udp", "127.0.0.1", netx.ErrName},
	} {
		_, err := netx.OS{}.DialPacket(t.Context(), tt.network, tt.addr)
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c, err := netx.OS{}.DialPacket(t.Context(), "udp", l.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	c.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody there: %v, want ECONNREFUSED", err)
	}
}

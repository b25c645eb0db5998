package interop_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// testNames leaves look-ups to the exit: by CONNECT, and by Tor's own commands RESOLVE and RESOLVE_PTR.
// https://spec.torproject.org/socks-extensions.html
func testNames(t *testing.T, b *bed) {
	name := b.name("names")
	if n := b.net.DNS.Queries(name); n != 0 {
		t.Fatalf("%d queries before anybody asked", n)
	}
	b.works(t, b.client.SOCKS, name, "")
	if b.net.DNS.Queries(name) == 0 {
		t.Error("the exit's resolver was not asked for the name")
	}
	// The addresses mean nothing to this machine, so that they can come from the exit's resolver only.
	two, six := b.name("two", "192.0.2.7"), b.name("six", "2001:db8::7")
	for _, tt := range []struct {
		name string
		req  socksmsg.Request
		want socksmsg.Reply
	}{
		{"name", socksmsg.Request{Version: 5, Command: socksmsg.Resolve, Host: two},
			socksmsg.Reply{Addr: netip.MustParseAddr("192.0.2.7")}},
		{"name by SOCKS4a", socksmsg.Request{Version: 4, Command: socksmsg.Resolve, Host: two},
			socksmsg.Reply{Addr: netip.MustParseAddr("192.0.2.7")}},
		{"name in capitals", socksmsg.Request{Version: 5, Command: socksmsg.Resolve, Host: "TWO.Test"},
			socksmsg.Reply{Addr: netip.MustParseAddr("192.0.2.7")}},
		{"name of an IPv6 address", socksmsg.Request{Version: 5, Command: socksmsg.Resolve, Host: six},
			socksmsg.Reply{Addr: netip.MustParseAddr("2001:db8::7")}},
		{"address", socksmsg.Request{Version: 5, Command: socksmsg.Resolve, Host: "192.0.2.9", ByAddr: true},
			socksmsg.Reply{Addr: netip.MustParseAddr("192.0.2.9")}},
		{"reverse look-up of an address", socksmsg.Request{Version: 5, Command: socksmsg.ResolvePTR, Host: "192.0.2.7", ByAddr: true},
			socksmsg.Reply{Name: two}},
		{"reverse look-up of an IPv6 address", socksmsg.Request{Version: 5, Command: socksmsg.ResolvePTR, Host: "2001:db8::7", ByAddr: true},
			socksmsg.Reply{Name: six}},
		{"unknown name", socksmsg.Request{Version: 5, Command: socksmsg.Resolve, Host: "unknown.test"},
			socksmsg.Reply{Code: socksmsg.HostUnreachable, Addr: netip.IPv4Unspecified()}},
		{"reverse look-up of an address without a name", socksmsg.Request{Version: 5, Command: socksmsg.ResolvePTR, Host: "192.0.2.200", ByAddr: true},
			socksmsg.Reply{Code: socksmsg.HostUnreachable, Addr: netip.IPv4Unspecified()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, reply, err := ask(deadline(t, taskTimeout), b.client.SOCKS, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if diff := cmp.Diff(tt.want, reply, sameAddr); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

// testSOCKS4 fetches a page by the old protocol: by name, which is SOCKS4a, and by address.
func testSOCKS4(t *testing.T, b *bed) {
	for _, req := range []socksmsg.Request{
		{Version: 4, Command: socksmsg.Connect, Host: b.name("socks4a"), Port: b.web.port, User: "somebody"},
		{Version: 4, Command: socksmsg.Connect, Host: loopback, Port: b.web.port, ByAddr: true},
		{Version: 5, Command: socksmsg.Connect, Host: loopback, Port: b.web.port, ByAddr: true},
	} {
		conn, reply, err := ask(deadline(t, taskTimeout), b.client.SOCKS, req)
		if err != nil || reply.Code != socksmsg.Succeeded {
			t.Fatalf("SOCKS%d to %s: %v, %v", req.Version, req.Host, reply.Code, err)
		}
		if err := page(conn, "socks4", 1000); err != nil {
			t.Errorf("SOCKS%d to %s: %v", req.Version, req.Host, err)
		}
		conn.Close()
	}
}

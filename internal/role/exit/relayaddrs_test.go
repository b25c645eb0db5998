package exit

import (
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
)

func TestRelayAddrs(t *testing.T) {
	ap := netip.MustParseAddrPort
	v := (&netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1, Addr: "198.51.100.1:9001", Addr6: "[2001:db8::1]:9001"},
		{N: 2, Addr: "198.51.100.1:443"},
		{N: 3, Addr: "198.51.100.3:9001", NoMicrodesc: true},
		{N: 4, Addr: "0.0.0.0:9001"},
	}}).View()
	s := NewRelayAddrs(v, ap("198.51.100.100:80"), ap("[2001:db8::100]:80"), ap("0.0.0.0:80"), ap("[::]:80"), ap("[::ffff:0.0.0.0]:80"), netip.AddrPort{}, ap("198.51.100.101:0"), ap("[::ffff:198.51.100.102]:80"))
	for addr, want := range map[string]bool{
		"198.51.100.1:9001": true, "[::ffff:198.51.100.1]:9001": true, "[2001:db8::1]:9001": true, "198.51.100.1:443": true, "198.51.100.3:9001": true,
		"198.51.100.100:80": true, "[2001:db8::100]:80": true, "198.51.100.102:80": true,
		"198.51.100.1:9002": false, "198.51.100.2:9001": false, "[2001:db8::1]:443": false, "[2001:db8::2]:9001": false,
		"0.0.0.0:9001": false, "0.0.0.0:80": false, "[::]:80": false, "[::]:0": false, "0.0.0.0:0": false, "198.51.100.101:0": false,
	} {
		if got := s.Contains(ap(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if s.Contains(netip.AddrPort{}) || (*RelayAddrs)(nil).Contains(ap("198.51.100.1:9001")) || NewRelayAddrs(nil).Contains(ap("198.51.100.1:9001")) {
		t.Error("what is nowhere is found")
	}
}

// large is the set for a network like the public one.
func large() (*netdir.View, *RelayAddrs) {
	v := netdir.New(netdirtest.Large(9000))
	return v, NewRelayAddrs(v)
}

func TestRelayAddrsLarge(t *testing.T) {
	v, s := large()
	n := 0
	for r := range v.Relays() {
		for _, ap := range r.Addrs() {
			n++
			if !s.Contains(ap) {
				t.Fatalf("%v is not found", ap)
			}
			if other := netip.AddrPortFrom(ap.Addr(), ap.Port()^1); s.Contains(other) {
				t.Fatalf("%v is found", other)
			}
		}
	}
	if len(s.v4)+len(s.v6) > n || len(s.v4) < 8000 {
		t.Errorf("%d and %d entries for %d addresses", len(s.v4), len(s.v6), n)
	}
	v4, v6 := netip.MustParseAddrPort("198.51.100.7:80"), netip.MustParseAddrPort("[2001:db8::7]:80")
	if n := testing.AllocsPerRun(100, func() { s.Contains(v4); s.Contains(v6) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRelayAddrs(b *testing.B) {
	v, s := large()
	there := netip.MustParseAddrPort("198.51.100.7:80")
	b.Run("contains", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Contains(there)
		}
	})
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewRelayAddrs(v)
		}
	})
}

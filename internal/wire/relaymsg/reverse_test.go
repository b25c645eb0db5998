package relaymsg

import (
	"net/netip"
	"strings"
	"testing"
)

const reverseLong = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.2.ip6.arpa"

func TestReverse(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"127.0.0.1", "1.0.0.127.in-addr.arpa"},
		{"::ffff:192.0.2.7", "7.2.0.192.in-addr.arpa"},
		{"2001::", reverseLong},
		{"2001:db8::abcd", "d.c.b.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
	} {
		addr := netip.MustParseAddr(c.addr)
		if got := ReverseName(addr); got != c.want {
			t.Errorf("%v: got %s, want %s", addr, got, c.want)
		}
		if got, ok := ReverseAddr(strings.ToUpper(c.want)); got != addr.Unmap() || !ok {
			t.Errorf("%s: got %v, %v, want %v", c.want, got, ok, addr.Unmap())
		}
	}
}

func TestNotReverse(t *testing.T) {
	for _, name := range []string{
		"",
		"example.com",
		"in-addr.arpa",
		".in-addr.arpa",
		"0.0.127.in-addr.arpa",
		"1.0.0.256.in-addr.arpa",
		"1.1.0.0.127.in-addr.arpa",
		"::1.in-addr.arpa",
		"1.0.0.127.in-addr.arpa.",
		".ip6.arpa",
		reverseLong[2:],
		"0." + reverseLong,
		strings.Replace(reverseLong, ".", "-", 1),
		strings.Replace(reverseLong, "0", "g", 1),
		strings.Replace(reverseLong, "0", ":", 1),
		strings.Replace(reverseLong, "0.0.0.0", ":.0.0.0", 1),
	} {
		if addr, ok := ReverseAddr(name); ok {
			t.Errorf("%q: got %v, want none", name, addr)
		}
	}
}

func FuzzReverseAddr(f *testing.F) {
	f.Add("1.0.0.127.in-addr.arpa")
	f.Add(reverseLong)
	f.Fuzz(func(t *testing.T, name string) {
		if addr, ok := ReverseAddr(name); ok && ReverseName(addr) != strings.ToLower(name) {
			t.Errorf("%q is the name of %v, whose name is %q", name, addr, ReverseName(addr))
		}
	})
}

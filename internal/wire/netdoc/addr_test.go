package netdoc

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestParseIPv4(t *testing.T) {
	for text, want := range map[string][4]byte{
		"1.2.3.4": {1, 2, 3, 4}, "255.255.255.255": {255, 255, 255, 255}, "0.0.0.0": {}, "10.0.200.30": {10, 0, 200, 30},
	} {
		if got, err := ParseIPv4([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", "256.1.1.1", "1.1.1.256", "01.2.3.4",
		"1..2.3", ".1.2.3", "a.b.c.d", "1.2.3.1000"} {
		if got, err := ParseIPv4([]byte(text)); !errors.Is(err, ErrBadValue) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestParseIPv6Port(t *testing.T) {
	for _, text := range []string{"[::]:1", "[::1]:9001", "[1::]:65535", "[2001:db8::1]:443", "[1:2:3:4:5:6:7:8]:0",
		"[2001:DB8:0:0:a::ffff]:80", "[1::3:4:5:6:7:8]:80", "[1:2:3:4:5:6:7::]:80", "[::2:3:4:5:6:7:8]:80"} {
		want := netip.MustParseAddrPort(text)
		got, port, err := ParseIPv6Port([]byte(text))
		if err != nil || got != want.Addr().As16() || port != want.Port() {
			t.Errorf("%s: %x %d, %v", text, got, port, err)
		}
	}
	for _, text := range []string{"", "[]:1", "[:]:1", "[:::]:1", "[1]:1", "[1:2:3:4:5:6:7]:1", "[1:2:3:4:5:6:7:8:9]:1",
		"[1::2::3]:1", "[12345::]:1", "[1:2:3:4:5:6:7:8::]:1", "[::1:2:3:4:5:6:7:8]:1", "[1:]:1", "[:1::2]:1", "[::1%eth0]:1",
		"[::ffff:1.2.3.4]:1", "[g::]:1", "::1:1", "[::1]", "[::1]:", "[::1]1", "[::1]:65536", "[::1]:-1", "1.2.3.4:1", "]"} {
		if got, port, err := ParseIPv6Port([]byte(text)); err == nil || got != [16]byte{} || port != 0 {
			t.Errorf("%q: %x %d, %v", text, got, port, err)
		}
	}
}

// Package netip is the judge.
func FuzzParseAddr(f *testing.F) {
	f.Add("[2001:db8::1]:443")
	f.Add("[1:2:3:4:5:6:7::]:80")
	f.Add("1.2.3.4")
	f.Fuzz(func(t *testing.T, text string) {
		want4, err4 := netip.ParseAddr(text)
		got4, err := ParseIPv4([]byte(text))
		if ok := err4 == nil && want4.Is4(); ok != (err == nil) || ok && got4 != want4.As4() {
			t.Errorf("IPv4 %q: %v, %v; netip %v, %v", text, got4, err, want4, err4)
		}
		want, wantErr := netip.ParseAddrPort(text)
		got, port, err := ParseIPv6Port([]byte(text))
		ok := wantErr == nil && want.Addr().Is6() && want.Addr().Zone() == "" && !strings.Contains(text, ".")
		if !ok && err == nil && strings.HasPrefix(text[strings.LastIndex(text, ":")+1:], "0") {
			return // ports with leading zeros differ
		}
		if ok != (err == nil) || ok && (got != want.Addr().As16() || port != want.Port()) {
			t.Errorf("IPv6 %q: %x %d, %v; netip %v, %v", text, got, port, err, want, wantErr)
		}
	})
}

package inet

import (
	"net/netip"
	"testing"
)

func TestInternal(t *testing.T) {
	if !IsInternal(netip.Addr{}) || IsPublic(netip.Addr{}) {
		t.Error("no address is one of the Internet")
	}
	for _, tt := range []struct {
		addr             string
		internal, public bool
	}{
		{"0.0.0.0", true, false},
		{"0.1.2.3", true, false},
		{"9.255.255.255", false, true},
		{"10.0.0.1", true, false},
		{"100.63.255.255", false, true},
		{"100.64.0.0", true, false},
		{"100.128.0.0", false, true},
		{"127.0.0.1", true, false},
		{"169.254.1.1", true, false},
		{"172.15.0.1", false, true},
		{"172.31.0.1", true, false},
		{"192.168.1.1", true, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"::", true, false},
		{"::1", true, false},
		{"::2", false, true},
		{"::ffff:10.0.0.1", true, false},
		{"::ffff:192.0.2.1", false, true},
		{"2001:db8::1", false, true},
		{"fc00::1", true, false},
		{"fdff::1", true, false},
		{"fe80::1", true, false},
		{"fe80::1%eth0", true, false},
		{"fec0::1", true, false},
		{"ff02::1", false, false},
	} {
		a := netip.MustParseAddr(tt.addr)
		if IsInternal(a) != tt.internal || IsPublic(a) != tt.public {
			t.Errorf("%v: internal %v, public %v; want %v, %v", a, IsInternal(a), IsPublic(a), tt.internal, tt.public)
		}
	}
}

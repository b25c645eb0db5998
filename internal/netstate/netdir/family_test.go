package netdir_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
)

// https://spec.torproject.org/path-spec/path-selection-constraints.html
func TestSameFamily(t *testing.T) {
	tests := []struct {
		name   string
		params string
		a, b   netdirtest.Relay
		want   bool
	}{
		{name: "none"},
		{name: "mutual", a: netdirtest.Relay{Family: "#1 #2"}, b: netdirtest.Relay{Family: "#1 #2"}, want: true},
		{name: "mutual without themselves", a: netdirtest.Relay{Family: "#2"}, b: netdirtest.Relay{Family: "#1"}, want: true},
		{name: "one-sided", a: netdirtest.Relay{Family: "#1 #2"}},
		{name: "one-sided, the other way", b: netdirtest.Relay{Family: "#1 #2"}},
		{name: "other members", a: netdirtest.Relay{Family: "#1 #3"}, b: netdirtest.Relay{Family: "#2 #3"}},
		{name: "fingerprint with nickname", a: netdirtest.Relay{Family: "#2=whoever"}, b: netdirtest.Relay{Family: "#1~x"}, want: true},
		{name: "nicknames", a: netdirtest.Relay{Nickname: "Anna", Family: "BERTA"}, b: netdirtest.Relay{Nickname: "Berta", Family: "anna #9"}, want: true},
		{name: "nickname one way", a: netdirtest.Relay{Nickname: "Anna", Family: "berta"}, b: netdirtest.Relay{Nickname: "Berta", Family: "#1"}, want: true},
		{name: "nonsense", a: netdirtest.Relay{Family: "$12 #2"}, b: netdirtest.Relay{Family: "!! #1"}, want: true},
		{name: "lists are off", params: "use-family-lists=0", a: netdirtest.Relay{Family: "#2"}, b: netdirtest.Relay{Family: "#1"}},
		{name: "family key", a: netdirtest.Relay{FamilyIDs: "ed25519:abc"}, b: netdirtest.Relay{FamilyIDs: "ed25519:abc"}, want: true},
		{name: "one of many, not in order", a: netdirtest.Relay{FamilyIDs: "z y c"}, b: netdirtest.Relay{FamilyIDs: "d c a b"}, want: true},
		{name: "none of many", a: netdirtest.Relay{FamilyIDs: "a c e"}, b: netdirtest.Relay{FamilyIDs: "b d f ac"}},
		{name: "case matters", a: netdirtest.Relay{FamilyIDs: "ed25519:abc"}, b: netdirtest.Relay{FamilyIDs: "ed25519:ABC"}},
		{name: "keys are off", params: "use-family-ids=0", a: netdirtest.Relay{FamilyIDs: "x"}, b: netdirtest.Relay{FamilyIDs: "x"}},
	}
	for _, tt := range tests {
		tt.a.N, tt.b.N = 1, 2
		n := netdirtest.Network{Params: tt.params, Relays: []netdirtest.Relay{tt.a, tt.b}}
		v := n.View()
		a, b := v.ByRSA(netdirtest.ID(1)), v.ByRSA(netdirtest.ID(2))
		if v.SameFamily(a, b) != tt.want || v.SameFamily(b, a) != tt.want {
			t.Errorf("%s: %v, %v; want %v", tt.name, v.SameFamily(a, b), v.SameFamily(b, a), tt.want)
		}
	}
}

func TestLargeFamily(t *testing.T) {
	var all []string
	for n := 1; n <= 300; n++ {
		all = append(all, fmt.Sprintf("#%d", n))
	}
	n := netdirtest.Network{}
	for i := 1; i <= 310; i += 10 {
		r := netdirtest.Relay{N: i, Family: strings.Join(all, " ")}
		n.Relays = append(n.Relays, r)
	}
	v := n.View()
	for a := range v.Relays() {
		for b := range v.Relays() {
			if want := netdirtest.N(a) <= 300 && netdirtest.N(b) <= 300; v.SameFamily(a, b) != want {
				t.Errorf("%d and %d: %v", netdirtest.N(a), netdirtest.N(b), !want)
			}
		}
	}
}

// https://spec.torproject.org/path-spec/path-selection-constraints.html
func TestSameSubnet(t *testing.T) {
	tests := []struct {
		name string
		a, b netdirtest.Relay
		want bool
	}{
		{"one /16", netdirtest.Relay{Addr: "1.2.3.4:1"}, netdirtest.Relay{Addr: "1.2.200.5:2"}, true},
		{"two", netdirtest.Relay{Addr: "1.2.3.4:1"}, netdirtest.Relay{Addr: "1.3.3.4:1"}, false},
		{"one /32", netdirtest.Relay{Addr6: "[2001:db8:1::1]:1"}, netdirtest.Relay{Addr6: "[2001:db8:ffff::2]:1"}, true},
		{"two, IPv6", netdirtest.Relay{Addr6: "[2001:db8::1]:1"}, netdirtest.Relay{Addr6: "[2001:db9::1]:1"}, false},
		{"no addresses", netdirtest.Relay{Addr: "none"}, netdirtest.Relay{Addr: "none"}, false},
		{"one has none", netdirtest.Relay{Addr: "none"}, netdirtest.Relay{Addr: "0.0.1.1:1"}, false},
	}
	for _, tt := range tests {
		tt.a.N, tt.b.N = 1, 2
		n := netdirtest.Network{Relays: []netdirtest.Relay{tt.a, tt.b}}
		v := n.View()
		if got := netdir.SameSubnet(v.ByRSA(netdirtest.ID(1)), v.ByRSA(netdirtest.ID(2))); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

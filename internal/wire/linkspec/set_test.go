package linkspec

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
)

func TestSet(t *testing.T) {
	edID := [32]byte{1, 2, 3}
	ipv4b := netip.MustParseAddrPort("192.0.2.7:443")
	for _, c := range []struct {
		name  string
		specs []Spec
		want  Set
		err   error
	}{
		{name: "none"},
		{
			name:  "all",
			specs: []Spec{IPv6(ipv6), Ed25519(edID), RSA(rsaID), IPv4(ipv4), IPv4(ipv4b)},
			want:  Set{Addrs: []netip.AddrPort{ipv6, ipv4, ipv4b}, RSA: rsaID, HasRSA: true, Ed: edID, HasEd: true},
		},
		{name: "unknown type", specs: []Spec{{77, []byte{1}}, IPv4(ipv4)}, want: Set{Addrs: []netip.AddrPort{ipv4}}},
		{name: "port 0", specs: []Spec{IPv4(netip.MustParseAddrPort("192.0.2.7:0"))}},
		{name: "0.0.0.0", specs: []Spec{IPv4(netip.MustParseAddrPort("0.0.0.0:443"))}},
		{name: "::", specs: []Spec{IPv6(netip.MustParseAddrPort("[::]:443"))}},
		{name: "mapped IPv4", specs: []Spec{IPv6(netip.MustParseAddrPort("[::ffff:10.0.0.1]:443"))}},
		{name: "two RSA identities", specs: []Spec{RSA(rsaID), RSA(rsaID)}, err: ErrRepeated},
		{name: "two Ed25519 identities", specs: []Spec{Ed25519(edID), IPv4(ipv4), Ed25519(edID)}, err: ErrRepeated},
		{name: "wrong length", specs: []Spec{{TypeEd25519, make([]byte, 31)}}, err: ErrLength},
		{name: "no length", specs: []Spec{{Type: TypeIPv4}}, err: ErrLength},
	} {
		got, err := NewSet(c.specs)
		if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v, %v\nsee %s", c.name, got, err, c.want, c.err, listSpec)
		}
	}
}

// "For purposes of indistinguishability, implementations SHOULD send these link specifiers, if using them, in this
// order: [00], [02], [03], [01]."
// https://spec.torproject.org/tor-spec/create-created-cells.html
func TestSpecs(t *testing.T) {
	set := Set{Addrs: []netip.AddrPort{ipv6, ipv4}, RSA: rsaID, HasRSA: true, Ed: [32]byte{9}, HasEd: true}
	want := []Spec{IPv4(ipv4), RSA(rsaID), Ed25519([32]byte{9}), IPv6(ipv6)}
	if got := set.Specs(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v\nsee %s", got, want, listSpec)
	}
	if got := (Set{}).Specs(); len(got) != 0 {
		t.Errorf("an empty set has specifiers %v", got)
	}
}

func TestAddr(t *testing.T) {
	for _, ap := range []netip.AddrPort{ipv4, ipv6} {
		set, err := NewSet([]Spec{Addr(ap)})
		if err != nil || len(set.Addrs) != 1 || set.Addrs[0] != ap {
			t.Errorf("got %v, %v\nwant %v", set.Addrs, err, ap)
		}
	}
}

func TestWrongFamilyPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"IPv4": func() { IPv4(ipv6) },
		"IPv6": func() { IPv6(ipv4) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("an address of the other family was taken")
				}
			}()
			f()
		})
	}
}

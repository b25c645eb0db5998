package linkspec

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Set is what a list of link specifiers says about a relay.
type Set struct {
	Addrs  []netip.AddrPort // in the order of the list
	RSA    [20]byte
	HasRSA bool
	Ed     [32]byte
	HasEd  bool
}

// NewSet reads a list. Specifiers of unknown types are left out, and so are addresses where no relay can be: unspecified
// ones, IPv4 addresses mapped into IPv6 (which could slip past a check for private addresses) and port 0.
//
// "Nodes SHOULD reject link specifier lists that include multiple instances of" an identity: ErrRepeated.
// A known type with a wrong length, which ParseList does not let through, is ErrLength.
// https://spec.torproject.org/tor-spec/create-created-cells.html
func NewSet(specs []Spec) (Set, error) {
	var set Set
	for _, spec := range specs {
		if err := spec.check(); err != nil {
			return Set{}, err
		}
		switch spec.Type {
		case TypeIPv4, TypeIPv6:
			if ap := spec.addrPort(); usable(ap) {
				set.Addrs = append(set.Addrs, ap)
			}
		case TypeRSA:
			if set.HasRSA {
				return Set{}, fmt.Errorf("RSA identity: %w", ErrRepeated)
			}
			set.RSA, set.HasRSA = [20]byte(spec.Body), true
		case TypeEd25519:
			if set.HasEd {
				return Set{}, fmt.Errorf("Ed25519 identity: %w", ErrRepeated)
			}
			set.Ed, set.HasEd = [32]byte(spec.Body), true
		}
	}
	return set, nil
}

// addrPort is the address in a specifier of type IPv4 or IPv6 with the right length.
func (s Spec) addrPort() netip.AddrPort {
	n := len(s.Body) - 2
	addr, _ := netip.AddrFromSlice(s.Body[:n])
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(s.Body[n:]))
}

func usable(ap netip.AddrPort) bool {
	return ap.Port() != 0 && !ap.Addr().IsUnspecified() && !ap.Addr().Is4In6()
}

// Specs is the list that a client sends for the relay: "For purposes of indistinguishability, implementations SHOULD
// send these link specifiers, if using them, in this order: [00], [02], [03], [01]."
// https://spec.torproject.org/tor-spec/create-created-cells.html
func (s Set) Specs() []Spec {
	specs := make([]Spec, 0, len(s.Addrs)+2)
	for _, ap := range s.Addrs {
		if ap.Addr().Is4() {
			specs = append(specs, IPv4(ap))
		}
	}
	if s.HasRSA {
		specs = append(specs, RSA(s.RSA))
	}
	if s.HasEd {
		specs = append(specs, Ed25519(s.Ed))
	}
	for _, ap := range s.Addrs {
		if !ap.Addr().Is4() {
			specs = append(specs, IPv6(ap))
		}
	}
	return specs
}

package netdir

import (
	"net/netip"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// A Relay is what a consensus and a microdescriptor say of a relay. There are thousands: the fields are ordered so that
// 256 bytes hold one.
type Relay struct {
	Nickname  string
	Addr      netip.AddrPort // of the OR port, IPv4; invalid if there is none
	Addr6     netip.AddrPort // the same, IPv6
	Flags     consensus.Flags
	Protocols *protover.Set      // shared; never nil
	Exit4     exitpolicy.Summary // IPv4 ports that it exits to
	Exit6     exitpolicy.Summary // IPv6

	family    string // members that it lists, packed
	familyIDs string // sorted, each once, with a space between

	RSA [20]byte
	Ed  [32]byte // if HasEd
	// NTor is the onion key, if HasDescriptor. The fields HasEd, Exit4 and Exit6 come from the microdescriptor too.
	NTor          [32]byte
	Bandwidth     uint32 // consensus weight, in kilobytes per second
	Caps          protover.Caps
	HasEd         bool
	HasDescriptor bool // its microdescriptor is there

	usable        bool
	guardFraction uint8 // percent of the time that it has been a guard; noGuardFraction if nothing is known
}

const noGuardFraction = 255

// unmeasured is the bandwidth of a relay for which the consensus tells none, in kilobytes per second. C tor has chosen it.
const unmeasured = 30

// Addrs lists where the relay can be reached, IPv4 first.
func (r *Relay) Addrs() []netip.AddrPort {
	addrs := make([]netip.AddrPort, 0, 2)
	for _, a := range []netip.AddrPort{r.Addr, r.Addr6} {
		if a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Usable reports whether circuits may have the relay in any position at all: it is running and valid, has an address,
// speaks the protocols that we need, and its onion key is known.
func (r *Relay) Usable() bool { return r.usable }

// Listed reports whether the consensus wants clients to use the relay.
func (r *Relay) Listed() bool { return r.Flags.Has(consensus.Running | consensus.Valid) }

// MayExit reports whether the relay may be the last hop of a circuit that leaves the network. Its policies tell to where.
func (r *Relay) MayExit() bool {
	return r.Flags&(consensus.BadExit|consensus.MiddleOnly) == 0 && !r.RejectsAll()
}

// RejectsAll reports whether no exit policy allows anything; of a relay without a microdescriptor that is not known, and
// said to be so.
func (r *Relay) RejectsAll() bool { return r.Exit4.RejectsAll() && r.Exit6.RejectsAll() }

// newRelay makes a relay out of a consensus entry.
func newRelay(s *consensus.RouterStatus) *Relay {
	r := &Relay{
		Nickname:      s.Nickname(),
		Addr:          s.IPv4(),
		Addr6:         s.IPv6(),
		Flags:         s.Flags,
		Protocols:     &s.Protos.Set,
		RSA:           s.ID,
		Bandwidth:     s.Bandwidth,
		Caps:          s.Protos.Caps,
		guardFraction: noGuardFraction,
	}
	if !s.HasBandwidth {
		r.Bandwidth = unmeasured
	}
	if s.HasGuardFraction && s.Flags.Has(consensus.Guard) {
		r.guardFraction = s.GuardFraction
	}
	return r
}

// describe adds what a microdescriptor says.
func (r *Relay) describe(md *microdesc.Microdesc, families packer) {
	r.HasDescriptor = true
	r.NTor = md.Ntor
	r.Ed, r.HasEd = md.Ed25519, md.HasEd
	r.Exit4, r.Exit6 = md.Policy4, md.Policy6
	if !r.Addr6.IsValid() {
		r.Addr6 = md.Addr6
	}
	r.family = families.pack(md.Family)
	r.familyIDs = sortWords(md.FamilyIDs)
	r.usable = r.Listed() && (r.Addr.IsValid() || r.Addr6.IsValid()) && r.Caps.Has(protover.CapNtor) &&
		(r.Protocols.Supports(protover.Link, 4) || r.Protocols.Supports(protover.Link, 5))
}

package pathsel

import (
	"math/rand/v2"
	"slices"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// Rendezvous chooses the last hop of a path that stays inside the network, at which an onion service and its client can meet.
// It is chosen as a middle is. The error, if any, is an *Error.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func (s *Selector) Rendezvous(v *netdir.View, need Need, rng *rand.Rand) (*netdir.Relay, error) {
	return s.onionEnd(v, protover.CapHSRend, need, rng)
}

// Introduction chooses an introduction point for an onion service. The error, if any, is an *Error.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func (s *Selector) Introduction(v *netdir.View, need Need, rng *rand.Rand) (*netdir.Relay, error) {
	return s.onionEnd(v, protover.CapHSIntro, need, rng)
}

// onionEnd chooses a relay that has something to do for onion services.
func (s *Selector) onionEnd(v *netdir.View, able protover.Caps, need Need, rng *rand.Rand) (*netdir.Relay, error) {
	return choose(v, netdir.Middle, &need, rng, func(r *netdir.Relay) Reason {
		switch {
		case r.Flags.Has(consensus.MiddleOnly), !r.Caps.Has(able):
			return NoneUsable
		case !s.Permits(r, false):
			return Excluded
		case need.avoids(r):
			return Avoided
		case s.self(v, r):
			return Related
		}
		return fits
	})
}

// OnionMiddle chooses a hop of a path to or from an onion service, out of those that among accepts, or if it is nil out of those
// that the user wants as middles. Hops
// may be of one family, as in C tor: which relays are left out must not tell who the guard is. The error, if any, is an
// *Error.
//
// https://spec.torproject.org/vanguards-spec/
func (s *Selector) OnionMiddle(v *netdir.View, among func(*netdir.Relay) bool, used []*netdir.Relay, need Need, rng *rand.Rand) (*netdir.Relay, error) {
	return choose(v, netdir.Middle, &need, rng, func(r *netdir.Relay) Reason {
		switch {
		case among != nil && !among(r):
			return NoneUsable
		case among == nil && !s.chosen(&s.cfg.Middle, r):
			return NotChosen
		case !s.Permits(r, false):
			return Excluded
		case s.self(v, r), slices.ContainsFunc(used, func(u *netdir.Relay) bool { return u.RSA == r.RSA }):
			return Related
		}
		return fits
	})
}

// Layer2 returns which relays the user wants as second hops of such paths, nil if he does not say.
func (s *Selector) Layer2() func(*netdir.Relay) bool { return s.only(&s.cfg.Layer2) }

// Layer3 is Layer2 for third hops.
func (s *Selector) Layer3() func(*netdir.Relay) bool { return s.only(&s.cfg.Layer3) }

// LayerOK reports whether the user lets r be a hop that is kept for a while.
func (s *Selector) LayerOK(r *netdir.Relay) bool {
	return s.chosen(&s.cfg.Middle, r) && s.Permits(r, false) && (s.cfg.Self == [20]byte{} || r.RSA != s.cfg.Self)
}

package pathsel

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Need is what a path is to be good for.
type Need struct {
	Port    uint16     // 0 if any exit will do
	Addr    netip.Addr // zero if the destination is a name
	IPv6    bool       // a name is to be reached over IPv6
	Resolve bool       // names are to be looked up, and nothing connected to
	Stable  bool       // the path should last for long
	Avoid   []*netdir.Relay
}

// allowedBy reports whether the policies of an exit let through what is needed. They tell ports only, so that the exit
// may refuse an address all the same. To look up names, C tor asks any exit that allows something.
func (n *Need) allowedBy(r *netdir.Relay) bool {
	switch addr := n.Addr.Unmap(); {
	case n.Resolve, n.Port == 0:
		return true
	case addr.Is6(), !addr.IsValid() && n.IPv6:
		return r.Exit6.Allows(n.Port)
	}
	return r.Exit4.Allows(n.Port)
}

func (n *Need) avoids(r *netdir.Relay) bool {
	return slices.ContainsFunc(n.Avoid, func(a *netdir.Relay) bool { return a.RSA == r.RSA })
}

// preferred are the flags that relays of a path for the need should have. If none has them, others serve, as in C tor.
func (n *Need) preferred() consensus.Flags {
	if n.Stable {
		return consensus.Fast | consensus.Stable
	}
	return consensus.Fast
}

// Allows reports whether a circuit that ends at exit may serve the need.
func (s *Selector) Allows(exit *netdir.Relay, need Need) bool {
	return exit.MayExit() && s.chosen(&s.cfg.Exit, exit) && s.exitPermitted(exit) && need.allowedBy(exit) && !need.avoids(exit)
}

func (s *Selector) exitPermitted(r *netdir.Relay) bool {
	return s.Permits(r, false) && !s.in(&s.cfg.ExcludeExit, r)
}

// Exit chooses the last hop of a path. The error, if any, is an *Error.
func (s *Selector) Exit(v *netdir.View, need Need, rng *rand.Rand) (*netdir.Relay, error) {
	return choose(v, netdir.Exit, &need, rng, func(r *netdir.Relay) Reason {
		switch {
		case !r.MayExit():
			return NoneUsable
		case !s.chosen(&s.cfg.Exit, r):
			return NotChosen
		case !s.exitPermitted(r):
			return Excluded
		case !need.allowedBy(r):
			return Rejected
		case need.avoids(r):
			return Avoided
		case s.self(v, r):
			return Related
		}
		return fits
	})
}

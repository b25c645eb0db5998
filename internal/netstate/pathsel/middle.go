package pathsel

import (
	"math/rand/v2"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
)

// Middle chooses a hop between others: used has those that the path has already. The error, if any, is an *Error.
func (s *Selector) Middle(v *netdir.View, used []*netdir.Relay, need Need, rng *rand.Rand) (*netdir.Relay, error) {
	return choose(v, netdir.Middle, &need, rng, func(r *netdir.Relay) Reason {
		switch {
		case !s.chosen(&s.cfg.Middle, r):
			return NotChosen
		case !s.Permits(r, false):
			return Excluded
		case s.self(v, r), s.relatedToAny(v, r, used):
			return Related
		}
		return fits
	})
}

func (s *Selector) relatedToAny(v *netdir.View, r *netdir.Relay, list []*netdir.Relay) bool {
	for _, other := range list {
		if s.related(v, other, r) {
			return true
		}
	}
	return false
}

// EntryOK reports whether the user lets r be a guard: only such relays should be among those that are kept as guards.
func (s *Selector) EntryOK(r *netdir.Relay) bool {
	return s.chosen(&s.cfg.Entry, r) && s.Permits(r, false) && (s.cfg.Self == [20]byte{} || r.RSA != s.cfg.Self)
}

// GuardOK reports whether guard r may be the first hop of a path to exit, which is nil if there is no other hop yet.
func (s *Selector) GuardOK(v *netdir.View, r, exit *netdir.Relay) bool {
	return s.EntryOK(r) && !s.self(v, r) && (exit == nil || !s.related(v, exit, r))
}

package vanguard

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// A Set is the second hops in use. The zero Set is empty. It is for one goroutine, and is not kept across restarts, as in C tor.
type Set struct{ guards []guard }

type guard struct {
	id      [20]byte
	expires time.Time
}

// Enabled reports whether the consensus wants second hops to be kept.
func Enabled(v *netdir.View) bool { return v.Consensus().Params.Of(params.VanguardsLiteEnabled) != 0 }

// Has reports whether r is in the set.
func (s *Set) Has(r *netdir.Relay) bool {
	return slices.ContainsFunc(s.guards, func(g guard) bool { return g.id == r.RSA })
}

// Update drops what has expired or will not do any more, and fills the set with relays that ok accepts.
func (s *Set) Update(v *netdir.View, now time.Time, ok func(*netdir.Relay) bool, rng *rand.Rand) {
	const good = consensus.Stable | consensus.Fast
	s.guards = slices.DeleteFunc(s.guards, func(g guard) bool {
		r := v.ByRSA(g.id)
		return !now.Before(g.expires) || r == nil || !r.Flags.Has(good) || !ok(r)
	})
	p := v.Consensus().Params
	for len(s.guards) < int(p.Of(params.VanguardsL2Number)) {
		var draw, rest netdir.Draw
		for r := range v.Relays() {
			switch {
			case !r.Usable() || s.Has(r) || !ok(r):
			case r.Flags.Has(good):
				draw.Add(r, v.Weight(r, netdir.Middle), rng)
			default:
				rest.Add(r, v.Weight(r, netdir.Middle), rng)
			}
		}
		r := draw.Chosen()
		if r == nil {
			r = rest.Chosen()
		}
		if r == nil {
			return
		}
		s.guards = append(s.guards, guard{r.RSA, now.Add(lifetime(p, rng))})
	}
}

// lifetime is between the bounds of the consensus, all alike.
func lifetime(p params.List, rng *rand.Rand) time.Duration {
	low, high := int64(p.Of(params.VanguardsL2LifetimeMin)), int64(p.Of(params.VanguardsL2LifetimeMax))
	if high > low {
		low += rng.Int64N(high - low + 1)
	}
	return time.Duration(low) * time.Second
}

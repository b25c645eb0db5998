package vanguard

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// rules are how a layer is kept.
type rules struct {
	number   params.Param
	min, max params.Param // lifetime, s
	sticky   bool         // stay while they are in the consensus, whatever their flags: flags are easy to take from a relay
	longer   bool         // a lifetime is the longer one of two draws
}

func layer2(full bool) rules {
	return rules{params.VanguardsL2Number, params.VanguardsL2LifetimeMin, params.VanguardsL2LifetimeMax, full, full}
}

var layer3 = rules{params.VanguardsL3Number, params.VanguardsL3LifetimeMin, params.VanguardsL3LifetimeMax, true, true}

// A layer is the relays for one hop. The zero layer is empty.
type layer struct{ guards []guard }

type guard struct {
	id      [20]byte
	expires time.Time
}

// maxLoaded bounds what a layer takes from a file, which anybody may have edited.
const maxLoaded = 20

func (l *layer) load(g statedoc.Vanguard) {
	known := slices.ContainsFunc(l.guards, func(have guard) bool { return have.id == g.RSA })
	if !known && len(l.guards) < maxLoaded {
		l.guards = append(l.guards, guard{g.RSA, g.Expires})
	}
}

func (l *layer) save(n int) (list []statedoc.Vanguard) {
	for _, g := range l.guards {
		list = append(list, statedoc.Vanguard{Layer: n, RSA: g.id, Expires: g.expires})
	}
	return list
}

func (l *layer) has(r *netdir.Relay) bool {
	return slices.ContainsFunc(l.guards, func(g guard) bool { return g.id == r.RSA })
}

// update drops what has expired or will not do any more, and fills the layer with relays that the user wants. It tells whether
// anything changed.
func (l *layer) update(v *netdir.View, now time.Time, by rules, cfg *Config) (changed bool) {
	const good = consensus.Stable | consensus.Fast
	p := v.Consensus().Params
	longest := time.Duration(p.Of(by.max)) * time.Second
	before := len(l.guards)
	l.guards = slices.DeleteFunc(l.guards, func(g guard) bool {
		r := v.ByRSA(g.id)
		return !now.Before(g.expires) || g.expires.Sub(now) > max(longest, time.Duration(p.Of(by.min))*time.Second) ||
			r == nil || !cfg.OK(r) || !by.sticky && !r.Flags.Has(good)
	})
	changed = len(l.guards) != before
	for len(l.guards) < int(p.Of(by.number)) {
		var draw, rest netdir.Draw
		for r := range v.Relays() {
			switch {
			case !r.Usable() || l.has(r) || !cfg.OK(r):
			case r.Flags.Has(good):
				draw.Add(r, v.Weight(r, netdir.Middle), cfg.Rand)
			default:
				rest.Add(r, v.Weight(r, netdir.Middle), cfg.Rand)
			}
		}
		r := draw.Chosen()
		if r == nil {
			r = rest.Chosen()
		}
		if r == nil {
			break
		}
		l.guards = append(l.guards, guard{r.RSA, now.Add(by.lifetime(p, cfg.Rand))})
		changed = true
	}
	return changed
}

// lifetime is between the bounds of the consensus.
func (by *rules) lifetime(p params.List, rng *rand.Rand) time.Duration {
	low, high := int64(p.Of(by.min)), int64(p.Of(by.max))
	if high <= low {
		return time.Duration(low) * time.Second
	}
	n := rng.Int64N(high - low + 1)
	if by.longer {
		n = max(n, rng.Int64N(high-low+1))
	}
	return time.Duration(low+n) * time.Second
}

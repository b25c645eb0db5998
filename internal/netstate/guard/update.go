package guard

import (
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Update takes in a new consensus: it notes which guards are listed, removes those whose time is over, and fills the
// sample up. It does nothing if it has seen the consensus before. Pick and Dirs call it.
//
// https://spec.torproject.org/guard-spec/algorithm.html
func (s *Set) Update(v *netdir.View, now time.Time) {
	if c := v.Consensus(); s.cfg.NoGuards || c == s.consensus || !reasonablyLive(c, now) {
		return
	}
	s.consensus = v.Consensus()
	s.params, s.updated = s.consensus.Params, now
	s.chooseSample(v)
	s.markListed(v, now)
	s.removeOld(now)
	for _, g := range s.current.guards {
		g.passes = g.Listed && s.lets(v.ByRSA(g.RSA))
	}
	s.expand(v, now)
	s.current.choosePrimary(s.primaryCount())
}

// reasonablyLive reports whether the consensus may tell us who is listed: our clock may be off by some hours.
func reasonablyLive(c *consensus.Consensus, now time.Time) bool {
	return now.After(c.ValidAfter.Add(-day)) && now.Before(c.ValidUntil.Add(day))
}

// possible reports whether the network lets r be a guard (node_is_possible_guard in C tor).
func possible(r *netdir.Relay) bool {
	const flags = consensus.Guard | consensus.Stable | consensus.Fast | consensus.Running | consensus.Valid | consensus.V2Dir
	return r.Flags.Has(flags) && !r.Flags.Has(consensus.MiddleOnly) && (r.Addr.IsValid() || r.Addr6.IsValid())
}

// lets reports whether our user lets r be a guard.
func (s *Set) lets(r *netdir.Relay) bool { return s.cfg.Filter == nil || s.cfg.Filter(r) }

// chooseSample chooses between the usual sample and the restricted one. The latter is for users who let only few relays be
// guards: of a sample of all, hardly any would pass. Near the limit it stays with what it has chosen before.
func (s *Set) chooseSample(v *netdir.View) {
	all, passing := 0, 0
	for r := range v.Relays() {
		if possible(r) {
			all++
			if s.lets(r) {
				passing++
			}
		}
	}
	limit := float64(all) * float64(s.params.Of(params.GuardMeaningfulRestriction)) / 100
	switch {
	case !s.chosen && passing >= int(limit), passing >= int(limit*1.05):
		s.current = &s.main
	case !s.chosen, passing < int(limit*.95):
		s.current = &s.restricted
	}
	s.chosen = true
}

// markListed notes which guards the consensus lists, and since when it does not list the others.
func (s *Set) markListed(v *netdir.View, now time.Time) {
	for _, g := range s.current.guards {
		r := v.ByRSA(g.RSA)
		listed := r != nil && possible(r)
		switch {
		case listed && (!g.Listed || !g.UnlistedSince.IsZero()):
			g.Listed, g.UnlistedSince, s.changed = true, time.Time{}, true
		case !listed && (g.Listed || g.UnlistedSince.IsZero()):
			g.Listed, g.UnlistedSince, s.changed = false, s.blur(now, s.days(params.GuardRemoveUnlistedAfter)/blurUnlisted), true
		}
	}
}

// removeOld removes guards that have not been listed for long, or that were in the sample for long enough.
func (s *Set) removeOld(now time.Time) {
	over := func(since time.Time, after time.Duration) bool { return since.Before(now.Add(-after)) }
	p := s.current
	n := len(p.guards)
	p.guards = slices.DeleteFunc(p.guards, func(g *guard) bool {
		old := !g.Listed && over(g.UnlistedSince, s.days(params.GuardRemoveUnlistedAfter))
		if g.ConfirmedOn.IsZero() {
			old = old || over(g.SampledOn, s.lifetime())
		} else {
			old = old || over(g.ConfirmedOn, s.confirmedLifetime())
		}
		g.passes = g.passes && !old
		return old
	})
	if len(p.guards) < n {
		p.renumber()
		s.changed = true
	}
}

// expand adds guards to the sample until enough of it may be used, but not beyond a share of the network.
func (s *Set) expand(v *netdir.View, now time.Time) {
	if v.Consensus() != s.consensus {
		return // it is of another time
	}
	p := s.current
	enough := int(s.params.Of(params.GuardMinFilteredSampleSize))
	usable := 0
	for _, g := range p.guards {
		if g.passes && g.mayBeUp(now) {
			usable++
		}
	}
	if usable >= enough {
		return
	}
	eligible, all := s.eligible(v)
	most := min(all*int(s.params.Of(params.GuardMaxSampleThreshold))/100, int(s.params.Of(params.GuardMaxSampleSize)))
	for most = max(most, enough); usable < enough && len(p.guards) < most; {
		var d netdir.Draw
		for _, r := range eligible {
			d.Add(r, v.Weight(r, netdir.Guard), s.cfg.Rand)
		}
		r := d.Chosen()
		if r == nil {
			return
		}
		eligible = slices.DeleteFunc(eligible, func(other *netdir.Relay) bool { return other == r })
		g := s.newGuard(r, now)
		if g.passes {
			usable++
		}
	}
}

// eligible returns the relays that may be added to the sample, and how many there would be if it were empty.
func (s *Set) eligible(v *netdir.View) (list []*netdir.Relay, all int) {
	sampled := make(map[[20]byte]bool, len(s.current.guards))
	for _, g := range s.current.guards {
		sampled[g.RSA] = true
	}
	for r := range v.Relays() {
		// The usual sample is drawn from all guards, so that it does not tell what the user thinks of them.
		if !possible(r) || s.current == &s.restricted && !s.lets(r) {
			continue
		}
		all++
		if !sampled[r.RSA] {
			list = append(list, r)
		}
	}
	return list, all
}

// newGuard adds a relay to the sample.
func (s *Set) newGuard(r *netdir.Relay, now time.Time) *guard {
	p := s.current
	g := &guard{passes: s.lets(r)}
	g.Selection, g.RSA, g.Nickname, g.Listed = p.name, r.RSA, r.Nickname, true
	g.SampledOn, g.SampledBy = s.blur(now, s.lifetime()/blurLifetime), s.cfg.Version
	g.ConfirmedIdx = -1
	if n := len(p.guards); n > 0 {
		g.SampledIdx = p.guards[n-1].SampledIdx + 1
	}
	p.guards = append(p.guards, g)
	s.changed = true
	return g
}

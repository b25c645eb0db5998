package guard

import (
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Reason is why there is no guard for a circuit.
type Reason uint8

// The reasons.
const (
	None        Reason = iota // the directory lists none that our user lets be a guard
	Undescribed               // the microdescriptor of a primary guard is still to come
	Unsuitable                // each has something to do with the exit
	AllDown                   // each has failed lately; they will all be tried again
)

// An Error says why there is no guard for a circuit.
type Error struct {
	Reason Reason
	Guards int // in the sample
}

func (e *Error) Error() string {
	switch e.Reason {
	case Undescribed:
		return "the microdescriptor of our guard is not there yet"
	case Unsuitable:
		return fmt.Sprintf("none of our %d guards suits the exit", e.Guards)
	case AllDown:
		return fmt.Sprintf("those of our %d guards that would do have all failed lately", e.Guards)
	}
	return "the directory lists no relay that may be our guard"
}

// Pick returns a guard for a circuit. ok tells whether a relay suits the rest of the path. The error, if any, is an *Error.
//
// https://spec.torproject.org/guard-spec/algorithm.html
func (s *Set) Pick(v *netdir.View, ok func(*netdir.Relay) bool, now time.Time) (*netdir.Relay, error) {
	if s.cfg.NoGuards {
		return s.pickAny(v, ok)
	}
	s.Update(v, now)
	r, wait := s.pickPrimary(v, ok, now)
	switch {
	case r != nil:
		return r, nil
	case wait:
		return nil, &Error{Undescribed, len(s.current.guards)}
	}
	return s.pickOther(v, ok, now)
}

// patience is how long after a new consensus the microdescriptor of a primary guard is waited for. Directory servers that
// withhold it should not make us take another guard at once, nor keep us from working.
const patience = 5 * time.Minute

// pickPrimary divides circuits among the first primary guards that are up. A guard that does not suit the path counts as
// one of those: it should not make us use more guards than we would without it. wait says that it is better to wait for a
// microdescriptor than to take a lesser guard.
func (s *Set) pickPrimary(v *netdir.View, ok func(*netdir.Relay) bool, now time.Time) (r *netdir.Relay, wait bool) {
	inUse := s.count(s.cfg.InUse, params.GuardNPrimaryToUse)
	considered := 0
	var usable []*netdir.Relay
	for _, g := range s.current.primary {
		if considered >= inUse && (len(usable) > 0 || wait) {
			break
		}
		r := v.ByRSA(g.RSA)
		if r == nil || !g.mayBeUp(now) {
			continue
		}
		switch {
		case !ok(r):
		case r.Usable():
			usable = append(usable, r)
		case !r.HasDescriptor && now.Sub(s.updated) < patience:
			wait = true
		default:
			continue
		}
		considered++
	}
	if len(usable) == 0 {
		return nil, wait
	}
	return usable[s.cfg.Rand.IntN(len(usable))], false
}

// pickOther takes the first guard that is not primary and not down, confirmed ones first. If there is none, all of them
// will be tried again.
func (s *Set) pickOther(v *netdir.View, ok func(*netdir.Relay) bool, now time.Time) (*netdir.Relay, error) {
	s.expand(v, now)
	e := &Error{None, len(s.current.guards)}
	for _, confirmed := range []bool{true, false} {
		for _, g := range s.current.guards {
			r := v.ByRSA(g.RSA)
			if g.confirmed() != confirmed || !g.passes || r == nil {
				continue
			}
			switch {
			case !g.mayBeUp(now):
				e.Reason = max(e.Reason, AllDown)
			case !r.Usable():
				e.Reason = max(e.Reason, Undescribed)
			case ok(r):
				return r, nil
			default:
				e.Reason = max(e.Reason, Unsuitable)
			}
		}
	}
	if e.Reason == AllDown {
		forgive(s.current.guards)
	}
	return nil, e
}

// pickAny draws a relay, preferably one with the flag Guard.
func (s *Set) pickAny(v *netdir.View, ok func(*netdir.Relay) bool) (*netdir.Relay, error) {
	var preferred, rest netdir.Draw
	for r := range v.Relays() {
		if !r.Usable() || r.Flags.Has(consensus.MiddleOnly) || !s.lets(r) || !ok(r) {
			continue
		}
		d := &rest
		if r.Flags.Has(consensus.Guard | consensus.Fast) {
			d = &preferred
		}
		d.Add(r, v.Weight(r, netdir.Guard), s.cfg.Rand)
	}
	for _, d := range []*netdir.Draw{&preferred, &rest} {
		if r := d.Chosen(); r != nil {
			return r, nil
		}
	}
	return nil, &Error{Reason: None}
}

// minForOutdated is how many guards there must be for some to be left out (MIN_GUARDS_FOR_MD_RESTRICTION in C tor).
const minForOutdated = 10

// Dirs returns up to n guards to ask for directory documents, the best first: primary ones that are up, else another. Their
// microdescriptors may not be there. Those that are outdated are left out, if there are others enough.
func (s *Set) Dirs(v *netdir.View, n int, now time.Time, outdated map[[20]byte]bool) []*netdir.Relay {
	if s.cfg.NoGuards {
		return s.anyDirs(v, n)
	}
	s.Update(v, now)
	if s.reachable(now) < minForOutdated {
		outdated = nil
	}
	n = min(n, s.count(s.cfg.DirInUse, params.GuardNPrimaryDirToUse))
	var list []*netdir.Relay
	for _, guards := range [][]*guard{s.current.primary, s.current.guards} {
		for _, g := range guards {
			if r := v.ByRSA(g.RSA); len(list) < n && r != nil && g.passes && g.mayBeUp(now) && !outdated[g.RSA] {
				list = append(list, r)
			}
		}
		if len(list) > 0 {
			break
		}
		n = min(n, 1) // no more than needed of those that are not primary
	}
	return list
}

// reachable counts the guards that may be used.
func (s *Set) reachable(now time.Time) (n int) {
	for _, g := range s.current.guards {
		if g.passes && g.mayBeUp(now) {
			n++
		}
	}
	return n
}

// anyDirs draws directory caches.
func (s *Set) anyDirs(v *netdir.View, n int) []*netdir.Relay {
	var list []*netdir.Relay
	for drawn := map[*netdir.Relay]bool{}; len(list) < n; {
		var d netdir.Draw
		for r := range v.Relays() {
			if r.Listed() && r.Flags.Has(consensus.V2Dir) && s.lets(r) && !drawn[r] {
				d.Add(r, v.Weight(r, netdir.Guard), s.cfg.Rand)
			}
		}
		r := d.Chosen()
		if r == nil {
			break
		}
		drawn[r] = true
		list = append(list, r)
	}
	return list
}

package netdir

import "github.com/tropea-net/tropea/internal/wire/consensus"

// A Filter says which relays are considered for a position, beyond what the consensus says. A nil function takes all.
type Filter struct{ Guard, Middle, Exit func(*Relay) bool }

// PathFraction tells how much of the network can be used with the microdescriptors that are there: the share of paths,
// weighted by how often they would be chosen. If the consensus lists no exit, it is that of paths inside the network.
func (v *View) PathFraction() float64 { return v.PathFractionOf(Filter{}) }

// PathFractionOf is PathFraction for a client that chooses among some relays only (compute_frac_paths_available in C tor).
func (v *View) PathFractionOf(f Filter) float64 {
	var guards, middles, exits, ownExits, ownUnflagged share
	for _, r := range v.relays {
		if !r.Listed() {
			continue
		}
		middle := f.Middle == nil || f.Middle(r)
		if middle {
			middles.add(v, r, Middle)
		}
		if f.Guard == nil && middle && r.Flags.Has(consensus.Guard) || f.Guard != nil && f.Guard(r) {
			guards.add(v, r, Guard)
		}
		if r.HasDescriptor && r.RejectsAll() {
			continue
		}
		flagged := r.Flags.Has(consensus.Exit)
		if flagged {
			exits.add(v, r, Exit)
		}
		if f.Exit != nil && f.Exit(r) {
			ownUnflagged.add(v, r, Exit)
			if flagged {
				ownExits.add(v, r, Exit)
			}
		}
	}
	exit := exits.fraction()
	if f.Exit != nil {
		own := ownExits
		if own.n == 0 {
			own = ownUnflagged
		}
		// Whoever could watch which exits suffice for us would learn which we have configured: hence the lesser of both.
		exit = min(exit, own.fraction())
	}
	if exits.n == 0 {
		exit = middles.fraction()
	}
	return guards.fraction() * middles.fraction() * exit
}

// share counts relays of a kind, and those among them whose microdescriptor is there.
type share struct {
	n, present            int
	weight, presentWeight uint64
}

func (s *share) add(v *View, r *Relay, p Position) {
	w := v.Weight(r, p)
	s.n++
	s.weight += w
	if r.HasDescriptor {
		s.present++
		s.presentWeight += w
	}
}

// fraction is that of the weight; if there is no weight, that of the number.
func (s *share) fraction() float64 {
	switch {
	case s.weight > 0:
		return float64(s.presentWeight) / float64(s.weight)
	case s.n > 0:
		return float64(s.present) / float64(s.n)
	}
	return 0
}

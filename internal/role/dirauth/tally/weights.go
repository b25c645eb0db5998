package tally

import (
	"math"

	"github.com/tropea-net/tropea/internal/wire/params"
)

// totals are bandwidths by position: guards, exits, relays that are both (D), and the others (M), in kilobytes per second.
type totals struct {
	G, M, E, D, T int64
}

// weigh computes the bandwidth-weights, by which clients share out the load between the positions; nil if it cannot be
// done.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func (t *tally) weigh(relays []chosen) params.List {
	sum := totals{1, 1, 1, 1, 4} // so that none is zero
	for i := range relays {
		sum.add(&relays[i])
	}
	scale := max(1, int64(t.param(paramWeightScale, defaultWeightScale)))
	w, problem := sum.weights(scale)
	if problem != "" {
		t.warn("no bandwidth weights: %s (G=%d M=%d E=%d D=%d T=%d)", problem, sum.G, sum.M, sum.E, sum.D, sum.T)
		return nil
	}
	return w.list(scale)
}

// add adds the bandwidth of a relay. One with a guard fraction is a guard with that part of it; the rest is not in the
// total (update_total_bandwidth_weights in C tor).
func (s *totals) add(r *chosen) {
	if !r.status.HasBandwidth {
		return
	}
	bw, rest := int64(r.status.Bandwidth), int64(0)
	if r.status.HasGuardFraction {
		part := int64(math.Round(float64(r.status.GuardFraction) / 100 * float64(bw)))
		bw, rest = part, bw-part
	}
	s.T += bw
	switch {
	case r.exit && r.guard:
		s.D += bw
		s.E += rest
	case r.exit:
		s.E += bw
	case r.guard:
		s.G += bw
		s.M += rest
	default:
		s.M += bw
	}
}

// weights are the fractions in which relays of one kind (second letter) are used in a position (first letter), of scale.
type weights struct {
	gg, gd, mg, me, md, ee, ed int64
}

// weights solves the equations of the specification, which depend on what is scarce. problem is empty on success.
func (s *totals) weights(scale int64) (w weights, problem string) {
	if s.G <= 0 || s.M <= 0 || s.E <= 0 || s.D <= 0 {
		return w, "empty bandwidth"
	}
	guardScarce, exitScarce := 3*s.G < s.T, 3*s.E < s.T
	switch {
	case guardScarce && exitScarce:
		return s.bothScarce(scale)
	case guardScarce || exitScarce:
		return s.oneScarce(scale)
	}
	w.ee = scale * (s.E + s.G + s.M) / (3 * s.E)
	w.mg = scale * (2*s.G - s.E - s.M) / (3 * s.G)
	w.gd, w.ed, w.md = scale/3, scale/3, scale/3
	w.me, w.gg = scale-w.ee, scale-w.mg
	return w, s.check(&w, scale)
}

func (s *totals) bothScarce(scale int64) (w weights, problem string) {
	if min(s.E, s.G)+s.D < max(s.E, s.G) {
		w = weights{gg: scale, ee: scale}
		if s.E < s.G {
			w.ed = scale
		} else {
			w.gd = scale
		}
		return w, ""
	}
	w = weights{
		gg: scale,
		ee: scale * (s.E - s.G + s.M) / s.E,
		me: scale * (s.G - s.M) / s.E,
		ed: scale * (s.D - 2*s.E + 4*s.G - 2*s.M) / (3 * s.D),
	}
	w.md = (scale - w.ed) / 2
	w.gd = w.md
	if s.check(&w, scale) == "" {
		return w, ""
	}
	w = weights{
		gg: scale, ee: scale,
		ed: scale * (s.D - 2*s.E + s.G + s.M) / (3 * s.D),
		md: max(0, scale*(s.D-2*s.M+s.G+s.E)/(3*s.D)), // would be negative if middles have most of the bandwidth
	}
	w.gd = scale - w.ed - w.md
	if problem = s.check(&w, scale); problem == unbalancedMiddle {
		problem = ""
	}
	return w, problem
}

func (s *totals) oneScarce(scale int64) (w weights, problem string) {
	scarce := min(s.E, s.G)
	switch guardScarcer := s.G < s.E; {
	case 3*(scarce+s.D) < s.T && guardScarcer:
		w = weights{gg: scale, gd: scale}
		if s.E >= s.M {
			w.me = scale * (s.E - s.M) / (2 * s.E)
		}
		w.ee = scale - w.me
		return w, ""
	case 3*(scarce+s.D) < s.T:
		w = weights{ee: scale, ed: scale}
		if s.G >= s.M {
			w.mg = scale * (s.G - s.M) / (2 * s.G)
		}
		w.gg = scale - w.mg
		return w, ""
	case guardScarcer:
		w = weights{gg: scale, gd: scale * (s.D - 2*s.G + s.E + s.M) / (3 * s.D), ee: scale * (s.E + s.M) / (2 * s.E)}
		w.me = scale - w.ee
		w.md = (scale - w.gd) / 2
		w.ed = w.md
	default:
		w = weights{ee: scale, ed: scale * (s.D - 2*s.E + s.G + s.M) / (3 * s.D), gg: scale * (s.G + s.M) / (2 * s.G)}
		w.mg = scale - w.gg
		w.md = (scale - w.ed) / 2
		w.gd = w.md
	}
	return w, s.check(&w, scale)
}

// weightMargin is how far off integer division may be.
const weightMargin = 10

const unbalancedMiddle = "middle and guard positions are not balanced"

// check tells which equation the weights do not solve.
func (s *totals) check(w *weights, scale int64) (problem string) {
	guard, exit := w.gg*s.G+w.gd*s.D, w.ee*s.E+w.ed*s.D
	middle := s.M*scale + w.md*s.D + w.me*s.E + w.mg*s.G
	margin := weightMargin * s.T / 3
	switch {
	case !near(w.ed+w.md+w.gd, scale, weightMargin):
		return "weights of guards that are exits do not add up"
	case !near(w.mg+w.gg, scale, weightMargin):
		return "weights of guards do not add up"
	case !near(w.me+w.ee, scale, weightMargin):
		return "weights of exits do not add up"
	case min(w.gg, w.gd, w.mg, w.me, w.md, w.ed, w.ee) < 0 || max(w.gg, w.gd, w.mg, w.me, w.md, w.ed, w.ee) > scale:
		return "weights are out of range"
	case !near(guard, exit, margin):
		return "guard and exit positions are not balanced"
	case !near(guard, middle, margin):
		return unbalancedMiddle
	}
	return ""
}

func near(a, b, margin int64) bool { return a-b <= margin && b-a <= margin }

// list is the weights as they are written, with those that are always the same.
func (w *weights) list(scale int64) params.List {
	v := func(name string, n int64) params.Value { return params.Value{Name: name, Value: int32(n)} }
	return params.List{
		v("Wbd", w.md), v("Wbe", w.me), v("Wbg", w.mg), v("Wbm", scale),
		v("Wdb", scale),
		v("Web", scale), v("Wed", w.ed), v("Wee", w.ee), v("Weg", w.ed), v("Wem", w.ee),
		v("Wgb", scale), v("Wgd", w.gd), v("Wgg", w.gg), v("Wgm", w.gg),
		v("Wmb", scale), v("Wmd", w.md), v("Wme", w.me), v("Wmg", w.mg), v("Wmm", scale),
	}
}

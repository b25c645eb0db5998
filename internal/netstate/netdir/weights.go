package netdir

import (
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Position is a place in a path.
type Position uint8

// The positions.
const (
	Guard Position = iota
	Middle
	Exit
	numPositions
)

func (p Position) String() string {
	switch p {
	case Guard:
		return "guard"
	case Middle:
		return "middle"
	case Exit:
		return "exit"
	}
	return "unknown position"
}

// class is what the weight of a relay depends on, besides its bandwidth: a set of bits.
type class uint8

const (
	classGuard class = 1 << iota
	classExit
	classDir
	numClasses
)

func classOf(f consensus.Flags) (c class) {
	if f.Has(consensus.Guard) {
		c |= classGuard
	}
	if f.Has(consensus.Exit) && !f.Has(consensus.BadExit) {
		c |= classExit
	}
	if f.Has(consensus.V2Dir) {
		c |= classDir
	}
	return c
}

// The sum of all weights fits into 64 bits: bandwidths have 24, a factor is at most 2^20, and the length of a consensus
// keeps its relays below 2^20.
const (
	factorOne    = 1 << 20
	maxBandwidth = 1<<24 - 1 // 16 gigabytes per second; what is more counts as that
)

// weights holds the factors for the bandwidth of relays.
type weights [numPositions][numClasses]uint32

// newWeights computes the factors from the bandwidth-weights of a consensus, as C tor does (compute_weighted_bandwidths).
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func newWeights(c *consensus.Consensus) (w weights) {
	scale := c.Params.Of(params.BWWeightScale)
	for p, letter := range [numPositions]string{"g", "m", "e"} {
		var factor, dirFactor [classDir]int32 // by guard and exit bits
		missing := false
		for bits, kind := range [classDir]string{"m", "g", "e", "d"} {
			dirFactor[bits] = bandwidthWeight(c, "W"+kind+"b", scale)
			if Position(p) != Guard || kind != "e" { // an exit that is no guard is none
				factor[bits] = bandwidthWeight(c, "W"+letter+kind, scale)
			}
			missing = missing || factor[bits] < 0 || dirFactor[bits] < 0
		}
		for bits := range class(classDir) {
			if missing {
				factor[bits], dirFactor[bits] = scale, scale // bandwidth alone decides
			}
			share := float64(factor[bits]) / float64(scale)
			w[p][bits] = uint32(share*factorOne + 0.5)
			w[p][bits|classDir] = uint32(share*float64(dirFactor[bits])/float64(scale)*factorOne + 0.5)
		}
	}
	return w
}

// bandwidthWeight returns -1 if the consensus does not have the weight.
func bandwidthWeight(c *consensus.Consensus, name string, scale int32) int32 {
	return c.Weights.Get(name, -1, -1, scale)
}

// Weight returns how often r should be chosen for a position, relative to other relays: its bandwidth times what the
// consensus says of relays of its kind there. It may be zero.
//
// https://spec.torproject.org/path-spec/path-selection-constraints.html
func (v *View) Weight(r *Relay, p Position) uint64 {
	bandwidth, c := uint64(min(r.Bandwidth, maxBandwidth)), classOf(r.Flags)
	if p != Guard && v.guardFraction && r.guardFraction != noGuardFraction {
		as, other := uint64(r.guardFraction), uint64(v.weights[p][c&^classGuard])
		return bandwidth * ((as*uint64(v.weights[p][c]) + (100-as)*other) / 100)
	}
	return bandwidth * uint64(v.weights[p][c])
}

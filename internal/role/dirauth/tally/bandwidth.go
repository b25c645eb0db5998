package tally

import (
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// minMeasurers is how many votes it takes for a measured bandwidth, and for a guard fraction.
const minMeasurers = 3

// bandwidths chooses the weights of relays.
type bandwidths struct {
	measuring     int    // votes with measured bandwidths
	maxUnmeasured uint32 // kilobytes per second

	measured, advertised, fractions []uint32 // scratch
}

func (t *tally) newBandwidths() *bandwidths {
	b := &bandwidths{maxUnmeasured: max(1, uint32(t.param(paramMaxUnmeasured, defaultMaxUnmeasured)))}
	for _, v := range t.votes {
		if v.Measures() {
			b.measuring++
		}
	}
	return b
}

// choose sets the bandwidth and the guard fraction of a relay: the median of what was measured, if three votes measured it,
// else of what the relay says, which counts for little where others are measured.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func (b *bandwidths) choose(s *consensus.RouterStatus, entries []*vote.Relay, guard bool) {
	b.measured, b.advertised, b.fractions = b.measured[:0], b.advertised[:0], b.fractions[:0]
	for _, r := range entries {
		if r.HasMeasured {
			b.measured = append(b.measured, r.Measured)
		}
		if r.Status.HasBandwidth {
			b.advertised = append(b.advertised, r.Status.Bandwidth)
		}
		if r.Status.HasGuardFraction {
			b.fractions = append(b.fractions, uint32(r.Status.GuardFraction))
		}
	}
	if guard && len(b.fractions) >= minMeasurers {
		s.HasGuardFraction, s.GuardFraction = true, uint8(median(b.fractions))
	}
	switch {
	case len(b.measured) >= minMeasurers:
		s.HasBandwidth, s.Bandwidth = true, median(b.measured)
	case len(b.advertised) > 0:
		s.HasBandwidth, s.Unmeasured, s.Bandwidth = true, true, median(b.advertised)
		if b.measuring >= minMeasurers {
			s.Bandwidth = min(s.Bandwidth, b.maxUnmeasured)
		}
	}
}

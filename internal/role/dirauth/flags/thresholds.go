package flags

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Thresholds are what a relay must have for the flags Stable, Fast and Guard.
type Thresholds struct {
	StableUptime       uint32  // seconds
	StableMTBF         float64 // seconds
	EnoughMTBF         bool    // MTBF decides on Stable, not uptime
	FastKB             uint32  // kilobytes per second
	GuardWFU           float64
	GuardTimeKnown     time.Duration
	GuardIncExitsKB    uint32 // kilobytes per second, if exits count
	GuardExcExitsKB    uint32 // if they do not
	IgnoringAdvertised bool   // relays without a measurement have no bandwidth at all
}

// String is the text of the line flag-thresholds of a vote.
func (t Thresholds) String() string {
	return fmt.Sprintf("stable-uptime=%d stable-mtbf=%d fast-speed=%d guard-wfu=%.3f%% guard-tk=%d "+
		"guard-bw-inc-exits=%d guard-bw-exc-exits=%d enough-mtbf=%d ignoring-advertised-bws=%d",
		t.StableUptime, uint64(max(t.StableMTBF, 0)), uint64(t.FastKB)*1000, t.GuardWFU*100, int64(t.GuardTimeKnown/time.Second),
		uint64(t.GuardIncExitsKB)*1000, uint64(t.GuardExcExitsKB)*1000, digit(t.EnoughMTBF), digit(t.IgnoringAdvertised))
}

func digit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Bandwidths in kilobytes per second.
const (
	minCountedKB = 4  // slower relays do not count
	minFastKB    = 38 // half of what a relay must have: RELAY_REQUIRED_MIN_BANDWIDTH/2
)

// credibleKB is the bandwidth that we believe.
func (v *voter) credibleKB(r *Relay) uint32 {
	if !r.Measured && v.IgnoringAdvertised {
		return 0
	}
	return r.bandwidthKB()
}

// active tells whether a relay is in use.
func (v *voter) active(i int) bool {
	r := &v.relays[i]
	return !r.Published.Before(v.now.Add(-maxAge)) && v.running[i] && !r.Status.Has(approvedrouters.Invalid) && !r.Hibernating
}

// counts tells whether a relay counts towards the thresholds. C tor: router_counts_toward_thresholds.
func (v *voter) counts(i int) bool {
	minKB := uint64(minCountedKB)
	if v.cfg.Testing {
		minKB = v.cfg.TestingMinExitFlagThreshold / 1000
	}
	r := &v.relays[i]
	return v.active(i) && !v.sybil[i] && uint64(v.credibleKB(r)) >= minKB && (r.Measured || !v.IgnoringAdvertised)
}

// computeThresholds follows dirserv_compute_performance_thresholds.
// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
func (v *voter) computeThresholds() {
	measured := 0
	for i := range v.relays {
		measured += digit(v.relays[i].Measured)
	}
	v.IgnoringAdvertised = measured > v.cfg.MinMeasuredBWs
	v.EnoughMTBF = v.hist.Enough(v.now)

	var uptimes, all, nonExits []uint32
	var mtbfs, wfus []float64
	var known []time.Duration
	for i := range v.relays {
		if !v.counts(i) {
			continue
		}
		r := &v.relays[i]
		uptimes = append(uptimes, uint32(r.uptimeAt(v.now)))
		mtbfs = append(mtbfs, v.figures[i].MTBF)
		known = append(known, v.figures[i].TimeKnown)
		all = append(all, v.credibleKB(r))
		if !r.GeneralExit || r.Status.Has(approvedrouters.BadExit) {
			nonExits = append(nonExits, v.credibleKB(r))
		}
	}
	n := len(all)
	v.StableUptime = nth(uptimes, (n-1)/2)
	v.StableMTBF = nth(mtbfs, (n-1)/2)
	v.FastKB = nth(all, n/8)
	if v.FastKB < minFastKB {
		v.FastKB = nth(all, n/4)
	}
	v.FastKB = v.boundFast(v.FastKB)
	v.GuardIncExitsKB = nth(all, int(float64(n)*v.cfg.GuardBwThresholdFraction))
	v.GuardExcExitsKB = nth(nonExits, int(float64(len(nonExits))*v.cfg.GuardBwThresholdFraction))
	v.GuardTimeKnown = min(nth(known, n/8), v.cfg.GuardGuaranteeTimeKnown)

	// Only relays that are known well enough have a say in how reliable a guard must be.
	for i := range v.relays {
		if v.counts(i) && v.figures[i].TimeKnown >= v.GuardTimeKnown {
			wfus = append(wfus, v.figures[i].WFU)
		}
	}
	v.GuardWFU = min(nth(wfus, (len(wfus)-1)/2), v.cfg.GuardGuaranteeWFU)
}

// boundFast keeps the threshold for Fast within what the network agreed on, and what the operator guarantees.
func (v *voter) boundFast(kb uint32) uint32 {
	low := v.cfg.Params.Of(params.FastFlagMinThreshold)
	if v.cfg.Testing {
		low = int32(min(v.cfg.TestingMinFastFlagThreshold, math.MaxInt32))
	}
	high := max(v.cfg.Params.Of(params.FastFlagMaxThreshold), low)
	kb = min(max(kb, uint32(low/1000)), uint32(high/1000))
	if g := v.cfg.FastGuarantee; g > 0 {
		kb = uint32(min(uint64(kb), g/1000))
	}
	return kb
}

// nth sorts list and returns element n of it, or the nearest there is; 0 of an empty list.
func nth[T uint32 | float64 | time.Duration](list []T, n int) (v T) {
	if len(list) == 0 {
		return v
	}
	slices.Sort(list)
	return list[min(max(n, 0), len(list)-1)]
}

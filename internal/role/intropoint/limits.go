package intropoint

import (
	"math"

	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// The consensus parameters. https://spec.torproject.org/param-spec.html
var (
	paramDefense = params.Param{Name: "HiddenServiceEnableIntroDoSDefense", Default: 0, Min: 0, Max: 1}
	paramRate    = params.Param{Name: "HiddenServiceEnableIntroDoSRatePerSec", Default: 25, Min: 0, Max: math.MaxInt32}
	paramBurst   = params.Param{Name: "HiddenServiceEnableIntroDoSBurstPerSec", Default: 200, Min: 0, Max: math.MaxInt32}
)

// limits say how many introductions a service gets.
type limits struct {
	on          bool
	rate, burst uint32 // a second; at once
}

func consensusLimits(list params.List) limits {
	return limits{list.Of(paramDefense) != 0, uint32(list.Of(paramRate)), uint32(list.Of(paramBurst))}
}

// ownLimits returns the limits that the extensions of ESTABLISH_INTRO ask for, or nil if they do not. Values that make no
// sense turn them off; what cannot be parsed counts for nothing. The last one counts.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html#EST_INTRO_DOS_EXT
func ownLimits(exts circext.List) (own *limits) {
	for _, e := range exts {
		if e.Type != circext.TypeIntroDoS {
			continue
		}
		d, err := circext.ParseIntroDoS(e.Body)
		if err != nil {
			continue
		}
		own = new(limits)
		if d.Rate > 0 && d.Rate <= d.Burst && d.Burst <= math.MaxInt32 {
			*own = limits{true, uint32(d.Rate), uint32(d.Burst)}
		}
	}
	return own
}

// A bucket holds the tokens of a service. Times are in seconds.
type bucket struct {
	tokens uint32
	filled int64 // when tokens were added
}

func (b *bucket) fill(now int64, l limits) { *b = bucket{l.burst, now} }

// take takes a token and tells whether any are left: as in C tor (hs_dos_can_send_intro2), the last one is not given away.
func (b *bucket) take(now int64, l limits) bool {
	more := uint64(max(now-b.filled, 0)) * uint64(l.rate)
	b.tokens = uint32(min(uint64(b.tokens)+more, uint64(l.burst)))
	b.filled = now
	if b.tokens > 0 {
		b.tokens--
	}
	return b.tokens > 0
}

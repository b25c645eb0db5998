package config

import (
	"math/bits"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

const (
	mb = 1 << 20
	gb = 1 << 30
)

// Bounds of MaxMemInQueues, as in C tor.
const (
	minQueues     = 64 * mb  // a relay's, whatever its operator says
	frugalQueues  = 256 * mb // below it a relay may fail, and no default is lower
	frugalClient  = 64 * mb
	leastCacheRAM = 300 * mb // to be a directory cache
	largeRAM      = 8 * gb   // from here on there is room for another relay beside this one
)

// maxMemInQueues returns the bytes that queues may take. If the option does not say, the machine's memory decides.
// C tor: compute_real_max_mem_in_queues.
func (v *Values) maxMemInQueues(relay bool, ram uint64) uint64 {
	n := v.Uint64("MaxMemInQueues")
	switch {
	case n == 0:
		n = defaultQueues(ram, bits.UintSize)
		if relay {
			based := ""
			if ram > 0 {
				based = "Based on detected system memory, "
			}
			v.tell(safelog.LevelNotice, "%sMaxMemInQueues is set to %d MB. You can override this by setting MaxMemInQueues by hand.", based, n/mb)
		}
	case relay && n < minQueues:
		v.warn("MaxMemInQueues must be at least %d MB on a relay; raising it. Give as much as you can afford.", minQueues/mb)
		return minQueues
	case relay && n < frugalQueues || n < frugalClient:
		v.warn("MaxMemInQueues is set to a low value; if Tor doesn't work, this may be the reason why.")
	}
	return n
}

// defaultQueues returns MaxMemInQueues for a machine of a word size with so many bytes of memory.
func defaultQueues(ram uint64, wordBits int) uint64 {
	most, unknown := uint64(8*gb), uint64(8*gb)
	if wordBits == 32 {
		most, unknown = 2*gb, 1*gb
	}
	if ram == 0 {
		return unknown
	}
	share := ram / 4 * 3
	if wordBits == 64 && ram >= largeRAM {
		share = ram / 5 * 2
	}
	return min(max(share, frugalQueues), most)
}

// remarkCache warns of a directory cache with too little memory, and of a relay with enough that is none.
func (v *Values) remarkCache(ram uint64) {
	enough := ram == 0 || ram >= leastCacheRAM
	switch cache := v.Bool("DirCache"); {
	case cache && !enough:
		v.warn("This machine has less than %d MB of memory. To be a directory cache may take most of it: consider DirCache 0.", leastCacheRAM/mb)
	case !cache && enough:
		v.warn("DirCache is disabled and we are configured as a relay. We will not become a Guard.")
	}
}

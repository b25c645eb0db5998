package flags

import (
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/history"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// bridgeFlags are those that a bridge may get, in their order.
var bridgeFlags = []string{"Authority", "BadExit", "Exit", "Running", "V2Dir", "Valid"}

// Bridges makes up the opinion of a bridge authority on bridges. Thresholds are computed as for relays, for those who read
// them, but flags that depend on them are for votes alone: C tor gives no bridge Fast, Stable or Guard. There are no Sybils,
// and whether a bridge runs counts from the first test on. It notes in the history which of them are down.
//
// C tor: bridgeauth_dump_bridge_status_to_file, set_routerstatus_from_routerinfo.
func Bridges(cfg *Config, relays []Relay, hist *history.History, now time.Time) Vote {
	all := *cfg
	all.MaxServersPerAddr = 0
	v := &voter{cfg: &all, relays: relays, hist: hist, now: now}
	v.observe()
	v.computeThresholds()
	vote := Vote{Thresholds: v.Thresholds, KnownFlags: bridgeFlags, Relays: make([]Opinion, len(relays))}
	for i := range relays {
		r := &relays[i]
		o := &vote.Relays[i]
		*o = Opinion{Listed: !r.Published.Before(now.Add(-maxAge)), IPv6: r.OR6.IsValid(), Figures: v.figures[i]}
		for flag, on := range map[consensus.Flags]bool{
			consensus.Authority: r.Trusted,
			consensus.BadExit:   r.Status.Has(approvedrouters.BadExit),
			consensus.Exit:      r.GeneralExit,
			consensus.Running:   v.running[i],
			consensus.V2Dir:     r.DirCache,
			consensus.Valid:     !r.Status.Has(approvedrouters.Invalid),
		} {
			if on {
				o.Flags |= flag
			}
		}
	}
	return vote
}

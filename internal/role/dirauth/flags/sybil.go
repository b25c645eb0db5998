package flags

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
)

// sybils finds the relays that are too many on one address, IPv4 or IPv6. Authorities are spared first, then those that run,
// then the fastest. C tor: get_all_possible_sybil.
func sybils(limit int, relays []Relay, running []bool) []bool {
	out := make([]bool, len(relays))
	if limit <= 0 {
		return out
	}
	order := make([]int, len(relays))
	for i := range order {
		order[i] = i
	}
	yes := func(b bool) int {
		if b {
			return 0
		}
		return 1
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &relays[i], &relays[j]
		return cmp.Or(
			cmp.Compare(yes(a.Trusted), yes(b.Trusted)),
			cmp.Compare(yes(running[i]), yes(running[j])),
			cmp.Compare(b.bandwidthKB(), a.bandwidthKB()),
			bytes.Compare(a.ID[:], b.ID[:]),
		)
	})
	count := map[netip.Addr]int{}
	for _, i := range order {
		for _, at := range []netip.AddrPort{relays[i].OR, relays[i].OR6} {
			if !at.IsValid() {
				continue
			}
			count[at.Addr()]++
			out[i] = out[i] || count[at.Addr()] > limit
		}
	}
	return out
}

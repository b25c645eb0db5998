package tally

import (
	"bytes"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// agreedSRV returns the shared random value that most votes have, nil if too few agree on it: it takes more than half of
// the authorities, and for a value just computed as many as a parameter says, two thirds if there is none.
//
// https://spec.torproject.org/srv-spec/specification.html
func (t *tally) agreedSRV(of func(*vote.SharedRandom) *consensus.SRV) *consensus.SRV {
	var list []*consensus.SRV
	for _, v := range t.votes {
		if v.SharedRandom != nil {
			if srv := of(v.SharedRandom); srv != nil {
				list = append(list, srv)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *consensus.SRV) int { return bytes.Compare(a.Value[:], b.Value[:]) })
	best, n := mostFrequent(list, func(a, b *consensus.SRV) bool { return a.Value == b.Value })
	if n < t.cfg.Authorities/2+1 {
		return nil
	}
	if t.cfg.FreshSRV && n < int(t.param(paramSRVAgreements, int32(2*t.cfg.Authorities/3))) {
		return nil
	}
	return best
}

package tally

import (
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// agreedSRV returns the shared random values. On a value just computed as many votes must agree as a parameter says, two
// thirds of the authorities if there is none.
//
// https://spec.torproject.org/srv-spec/specification.html
func (t *tally) agreedSRV() (previous, current *consensus.SRV) {
	if t.cfg.AgreedSRV == nil {
		return nil, nil
	}
	votes := make([]*vote.SharedRandom, len(t.votes))
	for i, v := range t.votes {
		votes[i] = v.SharedRandom
	}
	agreements := t.param(paramSRVAgreements, int32(2*t.cfg.Authorities/3))
	return t.cfg.AgreedSRV(votes, t.cfg.Authorities, int(agreements))
}

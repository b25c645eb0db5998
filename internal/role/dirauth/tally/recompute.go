package tally

import (
	"errors"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Weights computes from the relays of a consensus what its bandwidth-weights should be. The error says why it should have none.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func Weights(c *consensus.Consensus) (params.List, error) {
	sum := totals{1, 1, 1, 1, 4}
	for i := range c.Relays {
		r := &c.Relays[i]
		sum.add(&chosen{
			status: *r, guard: r.Flags.Has(consensus.Guard),
			exit: r.Flags.Has(consensus.Exit) && !r.Flags.Has(consensus.BadExit),
		})
	}
	scale := int64(c.Params.Of(params.BWWeightScale))
	w, problem := sum.weights(scale)
	if problem != "" {
		return nil, errors.New(problem)
	}
	return w.list(scale), nil
}

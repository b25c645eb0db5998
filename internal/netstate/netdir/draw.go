package netdir

import "math/rand/v2"

// A Draw chooses one of the relays that are added to it, each with a probability in proportion to its weight; if all
// weights are zero, each with the same. It needs no list of them, and takes the same steps whichever it chooses. The zero
// Draw is ready.
type Draw struct {
	chosen *Relay
	total  uint64 // of weights; it must not overflow, which those of View.Weight cannot make it do
	n      uint64 // relays without weight
}

// Add adds a relay.
func (d *Draw) Add(r *Relay, weight uint64, rng *rand.Rand) {
	switch {
	case weight > 0:
		d.total += weight
		if rng.Uint64N(d.total) < weight {
			d.chosen = r
		}
	case d.total == 0:
		d.n++
		if rng.Uint64N(d.n) == 0 {
			d.chosen = r
		}
	}
}

// Chosen returns the relay, nil if none was added.
func (d *Draw) Chosen() *Relay { return d.chosen }

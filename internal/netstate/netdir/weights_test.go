package netdir_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// https://spec.torproject.org/path-spec/path-selection-constraints.html
func TestWeight(t *testing.T) {
	const live = "Wbd=0 Wbe=0 Wbg=4194 Wbm=10000 Wdb=10000 Web=10000 Wed=10000 Wee=10000 Weg=10000 Wem=10000 Wgb=10000 " +
		"Wgd=0 Wgg=5806 Wgm=5806 Wmb=10000 Wmd=0 Wme=0 Wmg=4194 Wmm=10000"
	const both = netdirtest.Plain | consensus.Guard | consensus.Exit
	type want = [3]float64 // guard, middle, exit: share of the bandwidth
	tests := []struct {
		name, params, weights string
		flags                 consensus.Flags
		fraction              int
		want                  want
	}{
		{"plain", "", live, netdirtest.Plain, 0, want{.5806, 1, 1}},
		{"guard", "", live, netdirtest.Guard, 0, want{.5806, .4194, 1}},
		{"exit", "", live, netdirtest.Exit, 0, want{0, 0, 1}},
		{"both", "", live, both, 0, want{0, 0, 1}},
		{"bad exit counts as none", "", live, both | consensus.BadExit, 0, want{.5806, .4194, 1}},
		{"other scale", "bwweightscale=20000", live, netdirtest.Guard, 0, want{.2903 * .5, .2097 * .5, .5 * .5}},
		{"above the scale", "bwweightscale=100", live, netdirtest.Guard, 0, want{1, 1, 1}},
		{"no weights", "", "none", netdirtest.Guard, 0, want{1, 1, 1}},
		{"no weights, exit", "", "none", netdirtest.Exit, 0, want{1, 1, 1}},
		{"one is missing", "", "Wgg=5000 Wgm=1 Wgd=1 Wgb=10000 Wmb=10000 Web=10000", netdirtest.Guard, 0, want{1, 1, 1}},
		{"one is negative", "", "Wgg=5000 Wgm=1 Wgd=-1 Wgb=10000 Wmb=10000 Web=10000 Wdb=10000", netdirtest.Guard, 0, want{1, 1, 1}},
		{"only those of guards", "", "Wgg=5000 Wgm=1 Wgd=1 Wgb=8000 Wmb=10000 Web=10000 Wdb=10000", netdirtest.Guard, 0, want{.4, 1, 1}},
		{"no directory", "", "Wgg=5000 Wgm=1 Wgd=1 Wgb=8000 Wmb=10000 Web=10000 Wdb=10000", netdirtest.Guard &^ consensus.V2Dir, 0, want{.5, 1, 1}},
		{"fraction not used", "", live, netdirtest.Guard, 50, want{.5806, .4194, 1}},
		{"fraction", "UseGuardFraction=1", live, netdirtest.Guard, 25, want{.5806, .25*.4194 + .75, 1}},
		{"fraction of no guard", "UseGuardFraction=1", live, netdirtest.Plain, 25, want{.5806, 1, 1}},
	}
	const bandwidth = 100000
	for _, tt := range tests {
		n := netdirtest.Network{Params: tt.params, Weights: tt.weights, Relays: []netdirtest.Relay{
			{N: 1, Flags: tt.flags, Bandwidth: bandwidth, GuardFraction: tt.fraction},
			{N: 2, Bandwidth: bandwidth}, // for which nothing was done
		}}
		v := n.View()
		one := float64(netdir.New((&netdirtest.Network{Weights: "none", Relays: n.Relays}).Consensus(), none).
			Weight(v.ByRSA(netdirtest.ID(2)), netdir.Middle))
		for p, want := range tt.want {
			got := float64(v.Weight(v.ByRSA(netdirtest.ID(1)), netdir.Position(p))) / one
			if math.Abs(got-want) > 1e-5 {
				t.Errorf("%s as %v: %.6f of the bandwidth, want %.6f", tt.name, netdir.Position(p), got, want)
			}
		}
	}
}

// Nothing that a consensus says makes the sum of weights overflow.
func TestWeightBound(t *testing.T) {
	n := netdirtest.Network{Params: "bwweightscale=2147483647", Weights: "none", Relays: []netdirtest.Relay{{N: 1, Bandwidth: math.MaxUint32}}}
	v := n.View()
	const relays = 1<<20 - 1
	if w := v.Weight(v.ByRSA(netdirtest.ID(1)), netdir.Exit); w == 0 || w > math.MaxUint64/relays {
		t.Errorf("weight %d", w)
	}
}

func TestDraw(t *testing.T) {
	tests := []struct {
		name    string
		weights []uint64
	}{
		{"one", []uint64{7}},
		{"even", []uint64{5, 5, 5, 5}},
		{"uneven", []uint64{1, 10, 100, 0, 1000, 3}},
		{"without weight", []uint64{0, 0, 0}},
		{"weight comes last", []uint64{0, 0, 0, 1}},
		{"weight comes first", []uint64{1, 0, 0}},
		{"huge", []uint64{1 << 62, 1 << 61, 1 << 61}},
	}
	const draws = 60000
	for _, tt := range tests {
		rng := rand.New(rand.NewPCG(1, 2))
		relays := make([]netdir.Relay, len(tt.weights))
		counts := map[*netdir.Relay]float64{}
		for range draws {
			var d netdir.Draw
			for i, w := range tt.weights {
				d.Add(&relays[i], w, rng)
			}
			counts[d.Chosen()]++
		}
		total := 0.0
		for _, w := range tt.weights {
			total += float64(w)
		}
		for i, w := range tt.weights {
			p := float64(w) / total
			if total == 0 {
				p = 1 / float64(len(tt.weights))
			}
			want := p * draws
			if diff := math.Abs(counts[&relays[i]] - want); diff > 4*math.Sqrt(want*(1-p)) {
				t.Errorf("%s: number %d was chosen %.0f times of %d, want about %.0f", tt.name, i, counts[&relays[i]], draws, want)
			}
		}
	}
	if new(netdir.Draw).Chosen() != nil {
		t.Error("chosen from nothing")
	}
}

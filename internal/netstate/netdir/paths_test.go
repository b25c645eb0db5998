package netdir_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

func none([32]byte) *microdesc.Microdesc { return nil }

// https://spec.torproject.org/dir-spec/client-operation.html
func TestPathFraction(t *testing.T) {
	guard, exit := netdirtest.Guard, netdirtest.Exit
	only := func(ns ...int) func(*netdir.Relay) bool {
		return func(r *netdir.Relay) bool { return slices.Contains(ns, netdirtest.N(r)) }
	}
	tests := []struct {
		name    string
		weights string
		relays  []netdirtest.Relay
		filter  netdir.Filter
		want    float64
	}{
		{name: "nothing"},
		{name: "all", relays: []netdirtest.Relay{{Flags: guard}, {}, {Flags: exit}}, want: 1},
		{name: "no microdescriptors", relays: []netdirtest.Relay{{Flags: guard, NoMicrodesc: true}, {NoMicrodesc: true}, {Flags: exit, NoMicrodesc: true}}},
		{name: "half of the guards, by bandwidth", relays: []netdirtest.Relay{
			{Flags: guard, Bandwidth: 300}, {Flags: guard, Bandwidth: 300, NoMicrodesc: true}, {Bandwidth: 600}, {Flags: exit, Bandwidth: 600},
		}, want: .5 * 1500 / 1800},
		{name: "half of the exits", relays: []netdirtest.Relay{
			{Flags: guard, Bandwidth: 800}, {Flags: exit, Bandwidth: 100}, {Flags: exit, Bandwidth: 100, NoMicrodesc: true},
		}, want: .9 * .5},
		{name: "not running", relays: []netdirtest.Relay{
			{Flags: guard}, {}, {Flags: exit}, {Flags: consensus.Valid | consensus.Exit, NoMicrodesc: true},
		}, want: 1},
		{name: "no guard", relays: []netdirtest.Relay{{}, {}, {Flags: exit}}},
		{name: "no exit", relays: []netdirtest.Relay{{Flags: guard}, {}, {}, {NoMicrodesc: true}}, want: .75 * .75},
		{name: "exits that reject everything are none", relays: []netdirtest.Relay{
			{Flags: guard}, {}, {}, {Flags: exit, Policy: "reject 1-65535"},
		}, want: 1},
		{name: "an exit whose policy is not known yet", relays: []netdirtest.Relay{{Flags: guard}, {}, {Flags: exit, NoMicrodesc: true}}},
		{name: "without weight, by number", weights: "Wgg=0 Wgm=0 Wgd=0 Wgb=0 Wmb=0 Web=0 Wdb=0 Wmg=0 Wmm=0 Wme=0 Wmd=0 Weg=0 Wem=0 Wee=0 Wed=0",
			relays: []netdirtest.Relay{{Flags: guard}, {Flags: exit, Bandwidth: 500}, {Flags: exit, NoMicrodesc: true}}, want: 2. / 3 / 2},

		{name: "own guards", relays: []netdirtest.Relay{{Flags: guard}, {NoMicrodesc: true}, {Flags: exit | guard}},
			filter: netdir.Filter{Guard: only(2, 3)}, want: .5 * 2 / 3},
		{name: "own middles", relays: []netdirtest.Relay{{Flags: guard}, {NoMicrodesc: true}, {Flags: exit}},
			filter: netdir.Filter{Middle: only(1, 3)}, want: 1},
		{name: "own exits", relays: []netdirtest.Relay{{Flags: guard}, {Flags: exit, NoMicrodesc: true}, {Flags: exit}},
			filter: netdir.Filter{Exit: only(3)}, want: 2. / 3 / 2},
		{name: "own exits are not there", relays: []netdirtest.Relay{{Flags: guard}, {Flags: exit, NoMicrodesc: true}, {Flags: exit}},
			filter: netdir.Filter{Exit: only(2)}},
		{name: "own exits without the flag", relays: []netdirtest.Relay{{Flags: guard}, {Policy: "accept 22"}, {Flags: exit}},
			filter: netdir.Filter{Exit: only(2)}, want: 1},
		{name: "own exits do not exist", relays: []netdirtest.Relay{{Flags: guard}, {}, {Flags: exit}}, filter: netdir.Filter{Exit: only(9)}},
	}
	for _, tt := range tests {
		for i := range tt.relays {
			tt.relays[i].N = i + 1
		}
		n := netdirtest.Network{Weights: tt.weights, Relays: tt.relays}
		if got := n.View().PathFractionOf(tt.filter); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s: %.4f, want %.4f", tt.name, got, tt.want)
		}
	}
}

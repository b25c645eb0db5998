package hsdirs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/netstate/hsdirs"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

const hsdir = netdirtest.Plain | consensus.HSDir

func view(params string, change func(*consensus.Consensus)) *netdir.View {
	net := netdirtest.Network{Params: params, ValidAfter: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range 40 {
		net.Relays = append(net.Relays, netdirtest.Relay{N: i + 1, Flags: hsdir})
	}
	net.Relays = append(net.Relays,
		netdirtest.Relay{N: 101, Flags: netdirtest.Plain},
		netdirtest.Relay{N: 102, Flags: hsdir | consensus.MiddleOnly},
		netdirtest.Relay{N: 103, Flags: hsdir, NoMicrodesc: true},
		netdirtest.Relay{N: 104, Flags: hsdir, Protocols: "HSDir=1 Link=3-5 Relay=2-4"},
	)
	v := net.View()
	if change != nil {
		change(v.Consensus())
	}
	return v
}

func numbers(list []*netdir.Relay) (n []int) {
	for _, r := range list {
		n = append(n, netdirtest.N(r))
	}
	return n
}

// The directories are those that the formulas name, and no others.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#WHERE-HSDESC
func TestResponsible(t *testing.T) {
	v := view("hsdir_n_replicas=2 hsdir_spread_fetch=3 hsdir_spread_store=5", func(c *consensus.Consensus) {
		c.CurrentSRV, c.PreviousSRV = &consensus.SRV{Value: [32]byte{1}}, &consensus.SRV{Value: [32]byte{2}}
	})
	d, err := hsdirs.New(v, false)
	if err != nil {
		t.Fatal(err)
	}
	use := d.Clock().Fetch()
	value := [32]byte{1}
	if use.SRV == hskeys.PreviousSRV {
		value = [32]byte{2}
	}
	for i := range 20 {
		blinded := [32]byte{byte(i)}
		got := numbers(d.Fetch(use, blinded))
		// By hand: for each replica, those that follow its place in the ring.
		type place struct {
			at [32]byte
			n  int
		}
		var ring []place
		for n := 1; n <= 40; n++ {
			ring = append(ring, place{hskeys.HSDirIndex(netdirtest.Ed(n), value, use.Period), n})
		}
		slices.SortFunc(ring, func(a, b place) int { return slices.Compare(a.at[:], b.at[:]) })
		var want []int
		for replica := uint64(1); replica <= 2; replica++ {
			at := hskeys.HSIndex(blinded, replica, use.Period)
			start := slices.IndexFunc(ring, func(p place) bool { return slices.Compare(p.at[:], at[:]) >= 0 })
			if start < 0 {
				start = 0
			}
			for k, added := 0, 0; added < 3; k++ {
				if n := ring[(start+k)%len(ring)].n; !slices.Contains(want, n) {
					want = append(want, n)
					added++
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("key %d: directories %v, want %v", i, got, want)
		}
		if store := numbers(d.Store(use, blinded)); len(store) != 10 {
			t.Errorf("key %d: stored at %v", i, store)
		}
	}
}

// Without a shared random value, everybody takes the same one in its place.
func TestDisaster(t *testing.T) {
	without, err := hsdirs.New(view("", nil), false)
	if err != nil {
		t.Fatal(err)
	}
	use := without.Clock().Fetch()
	with, err := hsdirs.New(view("", func(c *consensus.Consensus) {
		v := &consensus.SRV{Value: hskeys.DisasterSRV(use.Period)}
		c.CurrentSRV, c.PreviousSRV = v, v
	}), false)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := numbers(without.Fetch(use, [32]byte{1})), numbers(with.Fetch(use, [32]byte{1})); len(a) != 6 || !slices.Equal(a, b) {
		t.Errorf("%v and %v", a, b)
	}
}

// A consensus whose times make no sense has no directories.
func TestNoClock(t *testing.T) {
	v := view("", func(c *consensus.Consensus) { c.FreshUntil = c.ValidAfter })
	if _, err := hsdirs.New(v, true); err == nil {
		t.Error("no error")
	}
}

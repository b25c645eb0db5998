package vanguard_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// network has n relays from first on.
func network(params string, first, n int, flags consensus.Flags) *netdir.View {
	net := netdirtest.Network{Params: params}
	for i := range n {
		net.Relays = append(net.Relays, netdirtest.Relay{N: first + i, Flags: flags})
	}
	return net.View()
}

func all(*netdir.Relay) bool { return true }

// members are the numbers of the relays in the set.
func members(s *vanguard.Set, v *netdir.View) map[int]bool {
	m := map[int]bool{}
	for r := range v.Relays() {
		if s.Has(r) {
			m[netdirtest.N(r)] = true
		}
	}
	return m
}

// Second hops stay until their time is over, or they will not do any more.
//
// https://spec.torproject.org/vanguards-spec/
func TestSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	v := network("guard-hs-l2-lifetime-max=172800 guard-hs-l2-lifetime-min=86400", 1, 30, netdirtest.Plain)
	var s vanguard.Set
	s.Update(v, now, all, rng)
	first := members(&s, v)
	if len(first) != 4 {
		t.Fatalf("%d second hops, want 4", len(first))
	}
	left := func(at time.Duration, v *netdir.View) (n int) {
		s.Update(v, now.Add(at), all, rng)
		for m := range members(&s, v) {
			if first[m] {
				n++
			}
		}
		return n
	}
	if n := left(24*time.Hour-time.Second, v); n != 4 {
		t.Errorf("%d are left before the least lifetime", n)
	}
	if n := left(48*time.Hour+time.Second, v); n == 4 {
		t.Error("all are left after the longest lifetime") // a new one may be an old one
	}

	s, first = vanguard.Set{}, nil
	s.Update(v, now, all, rng)
	first = members(&s, v)
	if n := left(time.Hour, network("", 1, 30, netdirtest.Plain&^consensus.Stable)); n == 4 {
		t.Error("all are left that are not Stable any more")
	}
	gone := network("guard-hs-l2-number=7", 100, 30, netdirtest.Plain)
	if n := left(time.Hour, gone); n != 0 || len(members(&s, gone)) != 7 {
		t.Errorf("%d are left that are gone, and %d there", n, len(members(&s, gone)))
	}
	s.Update(gone, now, func(r *netdir.Relay) bool { return netdirtest.N(r) > 125 }, rng)
	for n := range members(&s, gone) {
		if n <= 125 {
			t.Errorf("relay %d is used, which the user does not want", n)
		}
	}
}

// A network may have too few relays, or none that is good.
func TestSmallNetworks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s vanguard.Set
	v := network("", 1, 2, netdirtest.Plain)
	s.Update(v, time.Now(), all, rng)
	if n := len(members(&s, v)); n != 2 {
		t.Errorf("%d of two relays", n)
	}
	v = network("", 1, 9, netdirtest.Plain&^(consensus.Stable|consensus.Fast))
	s.Update(v, time.Now(), all, rng)
	if n := len(members(&s, v)); n != 4 {
		t.Errorf("%d of nine slow relays", n)
	}
	if !vanguard.Enabled(v) || vanguard.Enabled(network("vanguards-lite-enabled=0", 1, 1, 0)) {
		t.Error("vanguards-lite-enabled is misread")
	}
}

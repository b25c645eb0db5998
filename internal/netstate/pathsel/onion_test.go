package pathsel

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Paths to onion services end at any relay that can be a meeting point.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func TestRendezvous(t *testing.T) {
	net := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1},
		{N: 2, Flags: netdirtest.Exit},
		{N: 3, Flags: netdirtest.Guard},
		{N: 4, Flags: netdirtest.Plain | consensus.MiddleOnly},
		{N: 5, Protocols: "HSRend=1 Link=3-5 Relay=2-4"},
		{N: 6, NoMicrodesc: true},
		{N: 7},
		{N: 8},
		{N: 9, Flags: netdirtest.Plain | consensus.BadExit},
	}}
	v := net.View()
	s := New(Config{Exclude: set(t, "relay7")})
	got, err := sample(func(rng *rand.Rand) (*netdir.Relay, error) {
		return s.Rendezvous(v, Need{Avoid: relays(v, 8)}, rng)
	})
	if want := []int{1, 2, 3, 9}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	own, err := sample(func(rng *rand.Rand) (*netdir.Relay, error) {
		return New(Config{Self: netdirtest.ID(1)}).Rendezvous(v, Need{}, rng)
	})
	if err != nil || slices.Contains(own, 1) {
		t.Errorf("our own relay is used: %v, %v", own, err)
	}
	_, err = New(Config{Exclude: set(t, "relay1,relay2,relay3,relay7,relay8,relay9")}).Rendezvous(v, Need{}, rand.New(rand.NewPCG(1, 2)))
	if none, ok := errors.AsType[*Error](err); !ok || none.Reason != Excluded {
		t.Errorf("error %v", err)
	}
}

// Middles there differ from the other hops, and may be related to them.
//
// https://spec.torproject.org/vanguards-spec/
func TestOnionMiddle(t *testing.T) {
	net := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1, Addr: "10.1.0.1:9001"}, {N: 2, Addr: "10.1.0.2:9001", Flags: netdirtest.Plain | consensus.MiddleOnly},
		{N: 3}, {N: 4}, {N: 5},
	}}
	v := net.View()
	s := New(Config{Exclude: set(t, "relay5"), Self: netdirtest.ID(4)})
	choose := func(among func(*netdir.Relay) bool) ([]int, error) {
		return sample(func(rng *rand.Rand) (*netdir.Relay, error) { return s.OnionMiddle(v, among, relays(v, 1), Need{}, rng) })
	}
	if got, err := choose(nil); err != nil || !slices.Equal(got, []int{2, 3}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := choose(func(r *netdir.Relay) bool { return netdirtest.N(r) < 3 }); err != nil || !slices.Equal(got, []int{2}) {
		t.Errorf("among some: got %v, %v", got, err)
	}
	if got, err := choose(func(r *netdir.Relay) bool { return netdirtest.N(r) == 1 }); err == nil {
		t.Errorf("among none: got %v", got)
	}
	picky := New(Config{Middle: set(t, "relay3"), Layer2: set(t, "relay2,relay5"), Exclude: set(t, "relay5")})
	got, err := sample(func(rng *rand.Rand) (*netdir.Relay, error) {
		return picky.OnionMiddle(v, picky.Layer2(), relays(v, 1), Need{}, rng)
	})
	if err != nil || !slices.Equal(got, []int{2}) || s.Layer2() != nil {
		t.Errorf("HSLayer2Nodes: got %v, %v", got, err)
	}
	for n, want := range map[int]bool{1: true, 4: false, 5: false} {
		if got := s.LayerOK(v.ByRSA(netdirtest.ID(n))); got != want {
			t.Errorf("relay %d as a second hop: %v", n, got)
		}
	}
}

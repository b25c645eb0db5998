package vanguard_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
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

func newSet(mode vanguard.Mode, ok func(*netdir.Relay) bool) *vanguard.Set {
	return vanguard.New(vanguard.Config{Mode: mode, OK: ok, Rand: rand.New(rand.NewPCG(1, 2))})
}

// layers are the numbers of the relays in the layers.
func layers(s *vanguard.Set, v *netdir.View, now time.Time) (two, three map[int]bool) {
	among := func(has func(*netdir.Relay) bool) map[int]bool {
		if has == nil {
			return nil
		}
		m := map[int]bool{}
		for r := range v.Relays() {
			if has(r) {
				m[netdirtest.N(r)] = true
			}
		}
		return m
	}
	l2, l3 := s.Layers(v, now)
	return among(l2), among(l3)
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// common counts what is in both.
func common(a, b map[int]bool) (n int) {
	for k := range a {
		if b[k] {
			n++
		}
	}
	return n
}

// Relays stay until their time is over, or they will not do any more.
//
// https://spec.torproject.org/vanguards-spec/
func TestLite(t *testing.T) {
	v := network("guard-hs-l2-lifetime-max=172800 guard-hs-l2-lifetime-min=86400", 1, 30, netdirtest.Plain)
	s := newSet(vanguard.Auto, all)
	first, three := layers(s, v, start)
	if len(first) != 4 || three != nil {
		t.Fatalf("second hops %v, third hops %v", first, three)
	}
	left := func(at time.Duration, v *netdir.View) int {
		now, _ := layers(s, v, start.Add(at))
		return common(first, now)
	}
	if n := left(24*time.Hour-time.Second, v); n != 4 {
		t.Errorf("%d are left before the least lifetime", n)
	}
	if n := left(48*time.Hour+time.Second, v); n == 4 {
		t.Error("all are left after the longest lifetime") // a new one may be an old one
	}

	s = newSet(vanguard.Lite, all)
	first, _ = layers(s, v, start)
	if n := left(time.Hour, network("", 1, 30, netdirtest.Plain&^consensus.Stable)); n == 4 {
		t.Error("all are left that are not Stable any more")
	}
	gone := network("guard-hs-l2-number=7", 100, 30, netdirtest.Plain)
	if now, _ := layers(s, gone, start.Add(time.Hour)); common(first, now) != 0 || len(now) != 7 {
		t.Errorf("%v, of which %v were there before", now, first)
	}
	picky := newSet(vanguard.Lite, func(r *netdir.Relay) bool { return netdirtest.N(r) > 125 })
	two, _ := layers(picky, gone, start)
	for n := range two {
		if n <= 125 {
			t.Errorf("relay %d is used, which the user does not want", n)
		}
	}
	first, _ = layers(s, v, start)
	s.Forget()
	if now, _ := layers(s, v, start); common(first, now) == 4 {
		t.Error("a new identity has the old second hops")
	}
	if list, changed := s.Save(); changed {
		t.Errorf("the lite form is kept over restarts: %v", list)
	}
}

// A network may have too few relays, or none that is good, or not want any of this.
func TestSmallNetworks(t *testing.T) {
	if two, _ := layers(newSet(vanguard.Auto, all), network("", 1, 2, netdirtest.Plain), start); len(two) != 2 {
		t.Errorf("%d of two relays", len(two))
	}
	if two, _ := layers(newSet(vanguard.Auto, all), network("", 1, 9, netdirtest.Plain&^(consensus.Stable|consensus.Fast)), start); len(two) != 4 {
		t.Errorf("%d of nine slow relays", len(two))
	}
	off := network("vanguards-lite-enabled=0", 1, 9, netdirtest.Plain)
	for mode, want := range map[vanguard.Mode]int{vanguard.Auto: 0, vanguard.Off: 0, vanguard.Lite: 4, vanguard.Full: 4} {
		if two, _ := layers(newSet(mode, all), off, start); len(two) != want {
			t.Errorf("mode %d has second hops %v in a network without", mode, two)
		}
	}
}

// The full form has a third layer, outlives flags, new identities and restarts.
//
// https://spec.torproject.org/vanguards-spec/full-vanguards.html
func TestFull(t *testing.T) {
	v := network("", 1, 60, netdirtest.Plain)
	s := newSet(vanguard.Full, all)
	two, three := layers(s, v, start)
	if len(two) != 4 || len(three) != 8 {
		t.Fatalf("second hops %v, third hops %v", two, three)
	}
	list, changed := s.Save()
	if !changed || len(list) != 12 {
		t.Fatalf("kept over restarts: %v, %v", changed, list)
	}
	if _, changed := s.Save(); changed {
		t.Error("it has changed by itself")
	}
	s.Forget()
	if two2, three2 := layers(s, network("", 1, 60, netdirtest.Plain&^consensus.Stable), start.Add(time.Minute)); common(two, two2) != 4 || common(three, three2) != 8 {
		t.Errorf("second hops %v and third hops %v became %v and %v", two, three, two2, three2)
	}
	for _, g := range list {
		life, max := g.Expires.Sub(start), 48*time.Hour
		if g.Layer == 2 {
			max = 12 * 24 * time.Hour
		}
		if life < time.Hour || life > max || g.Layer == 2 && life < 24*time.Hour {
			t.Errorf("layer %d is kept for %v", g.Layer, life)
		}
	}

	later := newSet(vanguard.Full, all)
	later.Load(slices.Concat(list, list))
	two2, three2 := layers(later, v, start.Add(time.Minute))
	if common(two, two2) != 4 || common(three, three2) != 8 || len(two2) != 4 || len(three2) != 8 {
		t.Errorf("after a restart %v and %v are %v and %v", two, three, two2, three2)
	}
	lite := newSet(vanguard.Lite, all)
	lite.Load(list)
	if two2, three2 := layers(lite, v, start); common(two, two2) == 4 || three2 != nil {
		t.Errorf("the lite form takes what the full one has kept: %v, %v", two2, three2)
	}
}

// A file that somebody has edited keeps nothing forever, nor many.
func TestLoadHostile(t *testing.T) {
	v := network("", 1, 60, netdirtest.Plain)
	var list []statedoc.Vanguard
	for i := range 60 {
		list = append(list, statedoc.Vanguard{Layer: 2, RSA: netdirtest.ID(i + 1), Expires: start.Add(1000 * 24 * time.Hour)})
	}
	s := newSet(vanguard.Full, all)
	s.Load(append(list, statedoc.Vanguard{Layer: 3, RSA: [20]byte{1}, Expires: start.Add(time.Hour)}, statedoc.Vanguard{Layer: 4}))
	if two, three := layers(s, v, start); len(two) != 4 || len(three) != 8 {
		t.Errorf("second hops %v, third hops %v", two, three)
	}
}

// A lifetime of the full form is the longer one of two draws: two thirds of the range on average, not the half of it.
func TestLifetimes(t *testing.T) {
	mean := func(mode vanguard.Mode) time.Duration {
		var sum time.Duration
		n := 0
		for i := range 100 {
			s := vanguard.New(vanguard.Config{Mode: mode, OK: all, Rand: rand.New(rand.NewPCG(3, uint64(i)))})
			v := network("", 1, 30, netdirtest.Plain)
			first, _ := layers(s, v, start)
			for day := range 13 {
				now, _ := layers(s, v, start.Add(time.Duration(day)*24*time.Hour))
				sum += time.Duration(common(first, now)) * 24 * time.Hour
			}
			n += len(first)
		}
		return sum / time.Duration(n)
	}
	lite, full := mean(vanguard.Lite), mean(vanguard.Full)
	if full < lite+24*time.Hour {
		t.Errorf("mean lifetimes: lite %v, full %v", lite, full)
	}
}

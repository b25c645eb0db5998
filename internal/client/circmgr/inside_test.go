package circmgr

import (
	"errors"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// pathOf are the numbers of the relays of a path.
func pathOf(path []*netdir.Relay) (list []int) {
	for _, r := range path {
		for i, id := range ids {
			if id.RSA() == r.RSA {
				list = append(list, i)
			}
		}
	}
	return list
}

// Circuits inside the network have three hops or four, differ in what they must, and keep their second hops.
//
// https://spec.torproject.org/vanguards-spec/
func TestInside(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		seconds, thirds := map[int]bool{}, map[int]bool{}
		end := hop(b.dir.View().ByRSA(ids[3].RSA()))
		for i := range 40 {
			target, want := &end, 4
			if i%2 == 0 {
				target, want = nil, 3
			}
			in, err := b.m.Inside(b.Context(), InsideNeed{End: target})
			if err != nil {
				b.Fatal(err)
			}
			if n := b.relay.Circuit().Hops(); n != want {
				b.Errorf("a circuit of %d hops, want %d", n, want)
			}
			p := pathOf(in.path)
			if p[0] != 0 || p[1] == 0 || p[1] == p[2] || p[2] == p[0] || target != nil && (p[1] == 3 || p[2] == 3) || in.Last != in.path[2] {
				b.Errorf("path %v", p)
			}
			seconds[p[1]], thirds[p[2]] = true, true
			in.Circ.Close()
		}
		if len(seconds) > 4 || len(thirds) < 4 {
			b.Errorf("second hops %v, third hops %v", seconds, thirds)
		}
	})
}

// Once one was asked for, some are held ready, and are taken for whatever they are good for.
func TestInsideAhead(t *testing.T) {
	run(t, setup{config: func(c *Config) { c.NoPrediction = false }}, func(b *bed) {
		first, err := b.m.Inside(b.Context(), InsideNeed{})
		if err != nil {
			b.Fatal(err)
		}
		b.wait(time.Minute)
		ready := 0
		b.m.call(func(time.Time) { ready = len(b.m.stock.ready) })
		if ready == 0 || ready > stockSize {
			b.Fatalf("%d are ready", ready)
		}
		began := b.created()
		var taken Inside
		start := time.Now()
		if taken, err = b.m.Inside(b.Context(), InsideNeed{}); err != nil || time.Since(start) != 0 {
			b.Errorf("after %v: %v", time.Since(start), err)
		}
		if taken.Circ == first.Circ || b.created() < began {
			b.Error("a circuit is given out twice")
		}
		for i := range ids {
			r := b.dir.View().ByRSA(ids[i].RSA())
			h := hop(r)
			in, err := b.m.Inside(b.Context(), InsideNeed{End: &h, Stable: true})
			if err != nil {
				b.Fatal(err)
			}
			for _, other := range in.path[1:] {
				if other.RSA == r.RSA {
					b.Errorf("relay %d is on the way to itself", i)
				}
			}
			in.Circ.Close()
		}
		b.m.NewIdentity()
		b.m.call(func(time.Time) { ready = len(b.m.stock.ready) })
		if ready != 0 {
			b.Errorf("%d are ready for a new identity", ready)
		}
		b.wait(3 * time.Hour) // nobody has asked for long
		b.m.call(func(time.Time) { ready = len(b.m.stock.ready) + b.m.stock.building })
		if ready != 0 {
			b.Errorf("%d are ready after hours", ready)
		}
	})
}

// layersOf are the relays of a place in many paths, and how long these are.
func layersOf(t *testing.T, need InsideNeed, set func(*Config)) (layers []map[int]bool) {
	t.Helper()
	run(t, setup{config: set}, func(b *bed) {
		for range 80 {
			in, err := b.m.Inside(b.Context(), need)
			if err != nil {
				b.Fatal(err)
			}
			p := pathOf(in.path)
			for len(layers) < len(p) {
				layers = append(layers, map[int]bool{})
			}
			if len(layers) != len(p) {
				b.Errorf("a path of %d hops", len(p))
			}
			for i, n := range p {
				layers[i][n] = true
			}
			all := p
			if need.End != nil {
				all = append(all, number(b.dir.View().ByRSA(need.End.RSA)))
			}
			for i := range all { // neither A - A nor A - B - A
				if i > 0 && all[i] == all[i-1] || i > 1 && all[i] == all[i-2] {
					b.Errorf("path %v", all)
				}
			}
			in.Circ.Close()
		}
	})
	return layers
}

func nodes(t *testing.T, list string) torrc.NodeSet {
	t.Helper()
	set, err := torrc.ParseNodeSet(list)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// What the user says of hops is obeyed.
//
// https://spec.torproject.org/vanguards-spec/path-construction.html
func TestInsideLayers(t *testing.T) {
	vanguards := func(mode vanguard.Mode, sel pathsel.Config) func(*Config) {
		return func(c *Config) {
			c.Select = pathsel.New(sel)
			c.Vanguards = vanguard.New(vanguard.Config{
				Mode: mode, Layer2: c.Select.Layer2(), Layer3: c.Select.Layer3(), OK: c.Select.LayerOK, Rand: c.Rand,
			})
		}
	}
	end := hop(newView().ByRSA(ids[3].RSA()))
	given, own := InsideNeed{End: &end}, InsideNeed{End: &end, Own: true}
	if l := layersOf(t, InsideNeed{}, vanguards(vanguard.Off, pathsel.Config{})); len(l) != 3 || len(l[1]) != len(ids)-1 {
		t.Errorf("without vanguards: %v", l)
	}
	two, both := pathsel.Config{Layer2: nodes(t, "relay2,relay3")}, pathsel.Config{Layer2: nodes(t, "relay2"), Layer3: nodes(t, "relay4,relay5")}
	if l := layersOf(t, InsideNeed{}, vanguards(vanguard.Auto, two)); len(l) != 3 || len(l[1]) != 2 || !l[1][2] || !l[1][3] {
		t.Errorf("HSLayer2Nodes: %v", l)
	}
	for name, need := range map[string]InsideNeed{"rendezvous point": {}, "given": given} {
		if l := layersOf(t, need, vanguards(vanguard.Auto, both)); len(l) != 4 || len(l[1]) != 1 || len(l[2]) != 2 || !l[2][4] || !l[2][5] || len(l[3]) < 2 {
			t.Errorf("HSLayer3Nodes, %s: %v", name, l)
		}
	}
	if l := layersOf(t, own, vanguards(vanguard.Auto, both)); len(l) != 3 || len(l[1]) != 1 || len(l[2]) != 2 {
		t.Errorf("HSLayer3Nodes, own: %v", l)
	}
	// Of seven relays, one is the guard, and four and eight are the layers. The guard is among them, or not, as everybody.
	if l := layersOf(t, given, vanguards(vanguard.Full, pathsel.Config{})); len(l) != 4 || len(l[1]) > 4 || len(l[3]) < 5 || !l[3][0] {
		t.Errorf("full, given: %v", l)
	}
	if l := layersOf(t, own, vanguards(vanguard.Full, pathsel.Config{})); len(l) != 3 || len(l[1]) > 4 {
		t.Errorf("full, own: %v", l)
	}
}

// Circuits that are held ready are longer with a layer 3: ends that are our own choice do without.
func TestInsideAheadLayer3(t *testing.T) {
	run(t, setup{config: func(c *Config) {
		c.NoPrediction = false
		c.Vanguards = vanguard.New(vanguard.Config{Mode: vanguard.Full, OK: c.Select.LayerOK, Rand: c.Rand})
	}}, func(b *bed) {
		end := hop(b.dir.View().ByRSA(ids[3].RSA()))
		for range 5 {
			for _, need := range []InsideNeed{{}, {End: &end}, {End: &end, Own: true}} {
				in, err := b.m.Inside(b.Context(), need)
				if err != nil {
					b.Fatal(err)
				}
				if want := map[bool]int{false: 4, true: 3}[need.Own]; len(in.path) != want || in.Last != in.path[want-1] {
					b.Errorf("path %v, want %d hops", pathOf(in.path), want)
				}
				in.Circ.Close()
				b.wait(10 * time.Second)
			}
		}
	})
}

// What is kept is saved when it changes, and a new identity keeps the full form.
func TestSaveVanguards(t *testing.T) {
	var saved [][]statedoc.Vanguard
	run(t, setup{config: func(c *Config) {
		c.Vanguards = vanguard.New(vanguard.Config{Mode: vanguard.Full, OK: c.Select.LayerOK, Rand: c.Rand})
		c.SaveVanguards = func(list []statedoc.Vanguard) { saved = append(saved, list) }
	}}, func(b *bed) {
		for range 3 {
			in, err := b.m.Inside(b.Context(), InsideNeed{})
			if err != nil {
				b.Fatal(err)
			}
			in.Circ.Close()
			b.m.NewIdentity()
		}
	})
	if len(saved) != 1 || len(saved[0]) != 4+len(ids) { // there are fewer than eight relays
		t.Errorf("saved %v", saved)
	}
}

func TestInsideFails(t *testing.T) {
	run(t, setup{none: true}, func(b *bed) {
		if _, err := b.m.Inside(b.Context(), InsideNeed{}); !errors.Is(err, ErrNoDirectory) {
			b.Errorf("without a directory: %v", err)
		}
		b.stop()
		if _, err := b.m.Inside(b.Context(), InsideNeed{}); !errors.Is(err, ErrClosed) {
			b.Errorf("after the end: %v", err)
		}
	})
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Message: never}}, config: func(c *Config) { c.BuildTimeout = time.Second }}, func(b *bed) {
		start := time.Now()
		if _, err := b.m.Inside(b.Context(), InsideNeed{}); !errors.Is(err, ErrBuildTimeout) || time.Since(start) > 2*time.Second {
			b.Errorf("a relay that does not extend: %v after %v", err, time.Since(start))
		}
	})
}

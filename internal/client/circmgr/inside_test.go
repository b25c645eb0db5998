package circmgr

import (
	"errors"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
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
			in, err := b.m.Inside(b.Context(), target, false)
			if err != nil {
				b.Fatal(err)
			}
			if n := b.relay.Circuit().Hops(); n != want {
				b.Errorf("a circuit of %d hops, want %d", n, want)
			}
			p := pathOf(in.path)
			if p[0] != 0 || p[1] == 0 || p[1] == p[2] || target != nil && (p[1] == 3 || p[2] == 3) || in.Last != in.path[2] {
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
		first, err := b.m.Inside(b.Context(), nil, false)
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
		if taken, err = b.m.Inside(b.Context(), nil, false); err != nil || time.Since(start) != 0 {
			b.Errorf("after %v: %v", time.Since(start), err)
		}
		if taken.Circ == first.Circ || b.created() < began {
			b.Error("a circuit is given out twice")
		}
		for i := range ids {
			r := b.dir.View().ByRSA(ids[i].RSA())
			h := hop(r)
			in, err := b.m.Inside(b.Context(), &h, true)
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

// What the user says of second hops is obeyed.
func TestInsideSecondHops(t *testing.T) {
	second := func(set func(*Config)) map[int]bool {
		seen := map[int]bool{}
		run(t, setup{config: set}, func(b *bed) {
			for range 60 {
				in, err := b.m.Inside(b.Context(), nil, false)
				if err != nil {
					b.Fatal(err)
				}
				seen[pathOf(in.path)[1]] = true
				in.Circ.Close()
			}
		})
		return seen
	}
	if seen := second(func(c *Config) { c.Vanguards = VanguardsOff }); len(seen) != len(ids)-1 {
		t.Errorf("without vanguards: %v", seen)
	}
	layer2, err := torrc.ParseNodeSet("relay2,relay3")
	if err != nil {
		t.Fatal(err)
	}
	if seen := second(func(c *Config) { c.Select = pathsel.New(pathsel.Config{Layer2: layer2}) }); len(seen) != 2 || !seen[2] || !seen[3] {
		t.Errorf("HSLayer2Nodes: %v", seen)
	}
}

func TestInsideFails(t *testing.T) {
	run(t, setup{none: true}, func(b *bed) {
		if _, err := b.m.Inside(b.Context(), nil, false); !errors.Is(err, ErrNoDirectory) {
			b.Errorf("without a directory: %v", err)
		}
		b.stop()
		if _, err := b.m.Inside(b.Context(), nil, false); !errors.Is(err, ErrClosed) {
			b.Errorf("after the end: %v", err)
		}
	})
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Message: never}}, config: func(c *Config) { c.BuildTimeout = time.Second }}, func(b *bed) {
		start := time.Now()
		if _, err := b.m.Inside(b.Context(), nil, false); !errors.Is(err, ErrBuildTimeout) || time.Since(start) > 2*time.Second {
			b.Errorf("a relay that does not extend: %v after %v", err, time.Since(start))
		}
	})
}

package simnet_test

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
)

var (
	seed  = flag.Uint64("seed", 1, "the first seed of TestChaos")
	seeds = flag.Uint64("seeds", 1, "how many seeds TestChaos tries")
)

// In a small network anything goes wrong at any time, for a day, or some hours under the race detector, as the seed decides. Some hours after the last of it all is well.
func TestChaos(t *testing.T) {
	long := day
	if raceDetector {
		long = 4 * time.Hour
	}
	for s := *seed; s < *seed+*seeds; s++ {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, simnet.Config{Authorities: 4, Relays: 4, Exits: 3, Clients: 3, Seed: s, Link: memnet.Link{Latency: 20 * time.Millisecond}})
				w.healthy(1)
				for end := time.Now().Add(long); time.Now().Before(end); {
					w.mischief()
					time.Sleep(time.Duration(w.Rand.Int64N(int64(20 * time.Minute))))
				}
				w.calm()
				// Tests of reachability, votes, and the clients' schedule take their time one after the other.
				for range 6 {
					w.hour()
				}
				t.Logf("%d fetches failed meanwhile", len(w.failures()))
				w.healthy(3)
			})
		})
	}
}

// mischief does one bad thing, or ends one.
func (w *world) mischief() {
	nodes := w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client)
	a, b := nodes[w.Rand.IntN(len(nodes))], nodes[w.Rand.IntN(len(nodes))]
	what := ""
	switch w.Rand.IntN(12) {
	case 0:
		what = "stops"
		a.Stop()
	case 1:
		what = "crashes"
		a.Crash()
	case 2, 3, 4:
		what = "starts"
		w.start(a)
	case 5:
		what = "is cut off"
		w.cut(w.Memory().Cut, a)
	case 6, 7:
		what = "is joined again"
		w.cut(w.Memory().Heal, a)
	case 8:
		what = "does not reach " + b.Name
		if a != b {
			w.Memory().Cut(a.Host(), b.Host())
		}
	case 9:
		what = "loses connections to " + b.Name
		if a != b {
			w.Memory().Reset(a.Host(), b.Host())
		}
	case 10:
		skew := time.Duration(w.Rand.Int64N(int64(8*time.Hour))) - 4*time.Hour
		what = "has another clock: " + skew.String()
		a.SetSkew(skew)
	case 11:
		what = "has the right time"
		a.SetSkew(0)
	}
	w.Note(a.Name, what)
}

// calm ends all that is wrong.
func (w *world) calm() {
	for _, n := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client) {
		n.SetSkew(0)
		w.cut(w.Memory().Heal, n)
		w.start(n)
	}
	w.Note("all", "is well")
}

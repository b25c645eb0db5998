package simnet_test

import (
	"flag"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
)

const day = 24 * time.Hour

// hour goes on to five minutes after the next full hour, when the consensus of that hour is to be there.
func (w *world) hour() {
	time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour + 5*time.Minute)))
}

// minute goes on to a minute of this hour.
func (w *world) minute(m int) {
	time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Duration(m) * time.Minute)))
}

// healthy lives through hours in which all is well.
func (w *world) healthy(hours int) {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	for range hours {
		w.hour()
		w.wantRunning(w.wantConsensus(len(all), all...))
	}
	w.wantService("all is well", 0)
}

// wantRunning checks that a consensus has all relays.
func (w *world) wantRunning(c *consensus.Consensus) {
	w.t.Helper()
	if c == nil {
		return // wantConsensus has complained
	}
	listed := map[[20]byte]consensus.Flags{}
	for i := range c.Relays {
		listed[c.Relays[i].ID] = c.Relays[i].Flags
	}
	const flags = consensus.Running | consensus.Valid | consensus.Fast | consensus.Stable | consensus.Guard | consensus.V2Dir | consensus.HSDir
	for _, r := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit) {
		if got := listed[r.Fingerprint()]; !got.Has(flags) {
			w.t.Errorf("%v: %s has the flags %v, want %v", c.ValidAfter, r.Name, got, flags)
		}
	}
}

// A memory is what nodes had at a time.
type memory struct {
	guard   map[string]string   // the first one of each client
	onion   map[string][32]byte // onion keys of relays
	signing map[string]string   // certificates of their signing keys
}

func (w *world) remember() memory {
	m := memory{map[string]string{}, map[string][32]byte{}, map[string]string{}}
	for _, c := range w.Nodes(simnet.Client) {
		m.guard[c.Name] = w.guards(c)[0]
	}
	for _, r := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit) {
		cert, err := r.Files().Read("keys/ed25519_signing_cert")
		if err != nil {
			w.t.Error(err)
		}
		m.onion[r.Name], m.signing[r.Name] = r.Server().OnionKey(), string(cert)
	}
	return m
}

// wantChanges checks that clients have kept their guards, and relays have changed their keys.
func (w *world) wantChanges(since memory, onion bool) {
	w.t.Helper()
	now := w.remember()
	for name, id := range since.guard {
		if now.guard[name] != id {
			w.t.Errorf("%s had the guard %s, and now has %s", name, id, now.guard[name])
		}
	}
	for name := range since.onion {
		if onion && now.onion[name] == since.onion[name] {
			w.t.Errorf("%s has not changed its onion key", name)
		}
		if now.signing[name] == since.signing[name] {
			w.t.Errorf("%s has not changed its signing key", name)
		}
	}
}

// A chapter is some hours of a world.
type chapter struct {
	name  string
	short bool // it is part of a day
	chaos bool // TestChaos has the like, so that it is left out under the race detector
	run   func(*world)
}

var chapters = []chapter{
	{"two authorities are down", true, false, (*world).twoDown},
	{"an authority is two-faced", true, false, (*world).twoFaced},
	{"clocks are wrong", true, false, (*world).wrongClocks},
	{"the network is cut in two", true, true, (*world).partition},
	{"relays are restarted", true, true, (*world).restarts},
	{"clients crash, or are offline", false, false, (*world).clients},
	{"links are poor", false, false, (*world).poorLinks},
	{"guards are down", false, false, (*world).noGuard},
	{"authorities are killed in a vote", false, false, (*world).killedVoting},
	{"there is no authority", false, false, (*world).noAuthorities},
	{"power fails", false, false, (*world).powerFailure},
}

var only = flag.String("chapter", "", "the only chapter of TestWeek, by a part of its name")

// TestWeek lives through a week of 45 nodes in which much goes wrong; with -short through a day of it, and under the race
// detector through a day of fewer nodes.
func TestWeek(t *testing.T) {
	cfg := simnet.Config{
		Authorities: 5, Relays: 20, Exits: 10, Clients: 10, Link: memnet.Link{Latency: 20 * time.Millisecond},
		Params: must(params.Parse([]byte("onion-key-grace-period-days=2 onion-key-rotation-days=2"))),
	}
	short := testing.Short() || raceDetector
	if raceDetector {
		cfg.Relays, cfg.Exits, cfg.Clients = 5, 4, 3
	}
	quiet, signing := 8, 3*day
	if short {
		quiet, signing = 1, day/2
	}
	cfg.Change = func(_ *simnet.Node, p *simnet.Parts) {
		if p.Server != nil {
			p.Server.Keys.SigningKeyLifetime = signing
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is memory enough
	defer profile(t)()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cfg)
		w.healthy(2)
		begun := w.remember()
		for _, c := range chapters {
			if short && !c.short && *only == "" || raceDetector && c.chaos && *only == "" || !strings.Contains(c.name, *only) {
				continue
			}
			t.Logf("%s, %s: %s", time.Now().UTC().Format("Jan _2 15:04"), w.size(), c.name)
			c.run(w)
			w.healthy(quiet)
		}
		t.Logf("%s, %s: the end", time.Now().UTC().Format("Jan _2 15:04"), w.size())
		if *only == "" {
			w.wantChanges(begun, !short)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

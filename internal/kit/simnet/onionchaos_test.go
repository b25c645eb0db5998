package simnet_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
)

// trouble is what an onionWorld has while much goes wrong: one service, a client that has been there, and one that forgets all.
type trouble struct {
	*onionWorld
	host       *host
	warm, cold *simnet.Node
	noRandom   atomic.Bool // authorities that start have no part in shared random values
	away       atomic.Bool // there is nothing to go to, for long
}

// newTrouble makes a world in which clients go to a service each minute.
func newTrouble(t *testing.T, seed uint64) *trouble {
	w := new(trouble)
	cfg := simnet.Config{Authorities: 4, Relays: 8, Exits: 2, Clients: 3, Seed: seed, Link: memnet.Link{Latency: 20 * time.Millisecond}}
	cfg.Change = func(_ *simnet.Node, p *simnet.Parts) {
		if p.Server != nil && p.Server.Authority != nil && w.noRandom.Load() {
			p.Server.Authority.Random = false
		}
	}
	w.onionWorld = newOnionWorld(t, cfg, "client0")
	w.host, w.warm, w.cold = w.hosts["client0"], w.Client(1), w.Client(2)
	w.again(every(2*time.Minute, 0), func() {
		if !w.away.Load() {
			w.visit("warm", w.warm, w.host)
		}
	})
	w.again(every(5*time.Minute, 30*time.Second), func() {
		if !w.away.Load() {
			w.visitCold("cold")
		}
	})
	return w
}

func (w *trouble) visitCold(who string) error {
	c := w.cold.Client()
	if c == nil {
		return nil
	}
	c.NewIdentity()
	return w.visit(who, w.cold, w.host)
}

// failures lists the visits that have failed since the last call.
func (w *trouble) failures() (list []failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.visits {
		list = append(list, v.failed...)
		v.failed = nil
	}
	return list
}

// wantService checks that not more visits than so many have failed since the last call.
func (w *trouble) wantService(what string, most int) {
	w.t.Helper()
	list := w.failures()
	w.t.Logf("%s, %s: %d visits failed", time.Now().UTC().Format("Jan _2 15:04"), what, len(list))
	if len(list) <= most {
		return
	}
	w.t.Errorf("%s: %d visits failed, want at most %d", what, len(list), most)
	for _, f := range list[:min(len(list), 10)] {
		w.t.Logf("%s %s: %v", f.at.UTC().Format("Jan _2 15:04:05"), f.client, f.err)
	}
}

// wantBack checks that a client that knows nothing reaches the service again after so much time, and that all goes well from then on.
func (w *trouble) wantBack(what string, within time.Duration) {
	w.t.Helper()
	begun := time.Now()
	for w.visitCold("back") != nil && time.Since(begun) < 4*time.Hour {
		time.Sleep(5 * time.Second)
	}
	took := time.Since(begun)
	w.t.Logf("%s, %s: back after %v; %d visits failed before", time.Now().UTC().Format("Jan _2 15:04"), what, took.Round(time.Millisecond), len(w.failures()))
	if took > within {
		w.t.Errorf("%s: back after %v, want %v", what, took, within)
	}
	time.Sleep(5 * time.Minute) // visits may be under way
	w.failures()
	time.Sleep(time.Hour)
	w.wantService("after "+what, 0)
}

var troubles = []struct {
	name string
	run  func(*trouble)
}{
	{"the service is killed", (*trouble).killed},
	{"the service has no network", (*trouble).offline},
	{"relays die and return", (*trouble).dyingRelays},
	{"authorities are away", (*trouble).noVotes},
	{"there is no shared random value", (*trouble).noRandomValue},
	{"power fails", (*trouble).noPower},
}

// gone passes time in which the service cannot be reached. Clients try that for a quarter of an hour.
func (w *trouble) gone(d time.Duration) {
	const trying = 15 * time.Minute
	time.Sleep(min(d, trying))
	w.away.Store(true)
	time.Sleep(d - min(d, trying))
	w.away.Store(false)
}

// killed has the service die, and come back after a while.
func (w *trouble) killed() {
	for _, away := range []time.Duration{0, time.Minute, 20 * time.Minute, 4 * time.Hour, 13 * time.Hour, 26 * time.Hour} {
		w.host.node.Crash()
		w.gone(away)
		w.world.start(w.host.node)
		w.wantBack(fmt.Sprintf("killed, for %v", away), time.Minute)
	}
}

// offline has the service without a network for a while.
func (w *trouble) offline() {
	for _, away := range []time.Duration{time.Minute, 20 * time.Minute, 4 * time.Hour, 13 * time.Hour} {
		w.cut(w.Memory().Cut, w.host.node)
		w.gone(away)
		w.cut(w.Memory().Heal, w.host.node)
		w.wantBack(fmt.Sprintf("offline, for %v", away), 5*time.Minute)
	}
}

// dyingRelays has relays die, two at a time, for 10 minutes each.
func (w *trouble) dyingRelays() {
	relays := w.Nodes(simnet.Relay)
	for range 30 {
		i := w.draw(len(relays))
		two := []*simnet.Node{relays[i], relays[(i+1+w.draw(len(relays)-1))%len(relays)]}
		for _, r := range two {
			r.Crash()
		}
		time.Sleep(10 * time.Minute)
		w.world.start(two...)
		time.Sleep(2 * time.Minute)
	}
	w.wantBack("relays have died", time.Minute)
}

// noVotes has too few authorities for a consensus, for as long as the last one can be used. When there is one again, the service may
// have it hours before clients, who then look for a descriptor of a time period that is over for the service.
func (w *trouble) noVotes() {
	all := w.Nodes(simnet.Authority)
	for _, a := range all[1:] {
		a.Stop()
	}
	for range 20 {
		w.hour()
	}
	w.world.start(all[1:]...)
	w.wantService("authorities are away", 0)
	for range 4 {
		w.hour()
	}
	w.t.Logf("%d visits failed when authorities were back", len(w.failures()))
	for range 3 {
		w.hour()
	}
	w.wantService("authorities are back", 0)
}

// noRandomValue has authorities that do not agree on shared random values for a day. Where descriptors are changes twice with
// one consensus, and is known to nobody before: who has that consensus before the service, or long after it, does not find them.
func (w *trouble) noRandomValue() {
	w.until(22 * time.Hour) // there is one, then
	restart := func() {
		w.minute(20)
		for _, a := range w.Nodes(simnet.Authority) {
			if err := a.Restart(); err != nil {
				w.t.Error(err)
			}
		}
	}
	if _, c, err := w.consensus(w.Node("auth0"), "consensus-microdesc"); err != nil || c.CurrentSRV == nil {
		w.t.Errorf("there is no shared random value: %v", err)
	}
	w.noRandom.Store(true)
	restart()
	for range 4 {
		w.hour()
	}
	if _, c, err := w.consensus(w.Node("auth0"), "consensus-microdesc"); err != nil || c.CurrentSRV != nil || c.PreviousSRV != nil {
		w.t.Errorf("there is a shared random value: %v", err)
	}
	w.t.Logf("%d visits failed when there was no shared random value any more", len(w.failures()))
	for range 22 {
		w.hour()
	}
	w.wantService("there is no shared random value", 0)
	w.noRandom.Store(false)
	restart()
	for range 4 {
		w.hour()
	}
	w.t.Logf("%d visits failed when there were shared random values again", len(w.failures()))
	for range 44 {
		w.hour()
	}
	if _, c, err := w.consensus(w.Node("auth0"), "consensus-microdesc"); err != nil || c.CurrentSRV == nil {
		w.t.Errorf("there is no shared random value: %v", err)
	}
	w.wantService("there are shared random values again", 0)
}

// noPower has everything die at once, and come back an hour later.
func (w *trouble) noPower() {
	nodes := w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client)
	for _, n := range nodes {
		n.Crash()
	}
	w.gone(time.Hour)
	w.world.start(nodes...)
	w.wantBack("power failed", 30*time.Minute)
}

// TestOnionTrouble has an onion service in a network in which much goes wrong. Afterwards, or in spite of it, clients reach it.
func TestOnionTrouble(t *testing.T) {
	if os.Getenv("TROPEA_LONG") != "1" && *only == "" {
		t.Skip("takes a minute or more: TROPEA_LONG=1 runs it, or -chapter a part of it")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is memory enough
	for _, c := range troubles {
		if !strings.Contains(c.name, *only) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTrouble(t, *seed)
				w.until(time.Hour)
				w.wantService("all is well", 0)
				c.run(w)
			})
		})
	}
}

// In TestOnionChaos anything goes wrong at any time, for a day, as the seed decides. Some hours after the last of it all is well.
func TestOnionChaos(t *testing.T) {
	if raceDetector {
		t.Skip("TestChaos has the like")
	}
	for s := *seed; s < *seed+*seeds; s++ {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTrouble(t, s)
				w.until(time.Hour)
				w.wantService("all is well", 0)
				for end := time.Now().Add(day); time.Now().Before(end); {
					w.mischief()
					time.Sleep(time.Duration(w.draw(20)) * time.Minute)
				}
				w.world.calm()
				for range 6 {
					w.hour()
				}
				t.Logf("%d visits failed meanwhile", len(w.failures()))
				for range 3 {
					w.hour()
				}
				w.wantService("all is well again", 0)
			})
		})
	}
}

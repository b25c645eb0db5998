package simnet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/vote"
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
		w.wantConsensus(len(all), all...)
	}
	w.wantService("all is well", 0)
}

// twoDown has two of five authorities down for some hours. The others make consensuses, and nobody notices.
func (w *world) twoDown() {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	w.minute(20)
	all[1].Stop()
	all[4].Crash()
	up := []*simnet.Node{all[0], all[2], all[3]}
	for range 3 {
		w.hour()
		w.wantConsensus(3, up...)
	}
	w.start(all[1], all[4])
	w.hour()
	w.wantConsensus(5, all...)
	w.wantService("two authorities are down", 0)
}

func (w *world) start(nodes ...*simnet.Node) {
	w.t.Helper()
	for _, n := range nodes {
		if err := n.Start(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// twoFaced has an authority that gives two others another vote than the rest. Those two have signed what nobody else has; three
// agree, and in the end all have what these have signed.
func (w *world) twoFaced() {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	for range 2 {
		w.minute(50)
		time.Sleep(30 * time.Second)
		err := all[0].Lie(w.t.Context(), func(v *vote.Vote) { v.Relays = slices.Delete(v.Relays, 3, 6) }, all[1], all[2])
		if err != nil {
			w.t.Error(err)
		}
		w.hour()
		w.wantConsensus(3, all[0], all[3], all[4])
		w.minute(48)
		w.wantConsensus(3, all...)
	}
	w.hour()
	w.wantConsensus(5, all...)
	w.wantService("an authority is two-faced", 0)
}

// wrongClocks has clocks that are three hours off: those of an authority, a relay, and a client.
func (w *world) wrongClocks() {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	odd := []*simnet.Node{all[2], w.Node("relay3"), w.Node("client1"), w.Node("client2")}
	for i, n := range odd {
		n.SetSkew([]time.Duration{3 * time.Hour, 3 * time.Hour, 3 * time.Hour, -3 * time.Hour}[i])
	}
	rest := slices.Concat(all[:2], all[3:])
	for range 4 {
		w.hour()
		w.wantConsensus(4, rest...)
	}
	for _, n := range odd {
		n.SetSkew(0)
	}
	w.hour()
	w.wantConsensus(4, rest...)
	w.hour()
	w.wantConsensus(5, all...)
	w.wantService("clocks are wrong", 0)
}

// partition cuts the network in two for some hours. The larger part goes on; when the cut is healed, all is well soon.
func (w *world) partition() {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	w.minute(20)
	var part [2][]*simnet.Node
	for i, n := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client) {
		part[i%5%2] = append(part[i%5%2], n)
	}
	cut := func(f func(a, b *memnet.Host)) {
		for _, a := range part[0] {
			for _, b := range part[1] {
				f(a.Host(), b.Host())
			}
		}
	}
	cut(w.Memory().Cut)
	for range 3 {
		w.hour()
		w.wantConsensus(3, all[0], all[2], all[4])
	}
	cut(w.Memory().Heal)
	w.minute(40)
	w.t.Logf("%d fetches failed while the network was cut in two", len(w.failures()))
	w.hour()
	w.wantConsensus(5, all...)
	w.wantService("the partition has healed", 0)
}

// restarts has each relay start anew, one after the other.
func (w *world) restarts() {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	relays := w.Nodes(simnet.Relay, simnet.Exit)
	w.Rand.Shuffle(len(relays), func(i, j int) { relays[i], relays[j] = relays[j], relays[i] })
	for i, r := range relays {
		if i%2 == 0 {
			r.Crash()
		} else {
			r.Stop()
		}
		time.Sleep(time.Minute)
		w.start(r)
		time.Sleep(4 * time.Minute)
	}
	w.hour()
	w.wantConsensus(5, all...)
	w.t.Logf("%d fetches failed while relays were restarted", len(w.failures()))
}

// TestWeek lives through a week of 45 nodes in which much goes wrong; with -short through a day of it.
func TestWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := must(params.Parse([]byte("onion-key-grace-period-days=1 onion-key-rotation-days=1")))
		w := newWorld(t, simnet.Config{
			Authorities: 5, Relays: 20, Exits: 10, Clients: 10, Link: memnet.Link{Latency: 20 * time.Millisecond}, Params: p,
			Change: func(_ *simnet.Node, p *simnet.Parts) {
				if p.Server != nil {
					p.Server.Keys.SigningKeyLifetime = 3 * day
				}
			},
		})
		quiet := 21
		if testing.Short() {
			quiet = 1
		}
		w.healthy(2)
		kept := map[string]string{}
		for _, c := range w.Nodes(simnet.Client) {
			kept[c.Name] = w.guards(c)[0]
		}
		for _, chapter := range []struct {
			name string
			run  func()
		}{
			{"two authorities are down", w.twoDown}, {"an authority is two-faced", w.twoFaced}, {"clocks are wrong", w.wrongClocks},
			{"partition", w.partition}, {"restarts", w.restarts}, {"the end", func() {}},
		} {
			t.Logf("%v %s", time.Now().UTC(), chapter.name)
			chapter.run()
			w.healthy(quiet)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

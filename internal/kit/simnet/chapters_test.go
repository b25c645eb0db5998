package simnet_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

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

// cut severs hosts from all the others, or heals that.
func (w *world) cut(f func(a, b *memnet.Host), some ...*simnet.Node) {
	for _, a := range some {
		for _, b := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client) {
			if a != b {
				f(a.Host(), b.Host())
			}
		}
	}
}

// clients has clients crash and start again, and one that is offline for hours. They find back to their guards at once.
func (w *world) clients() {
	w.t.Helper()
	list := w.Nodes(simnet.Client)
	for _, c := range list {
		c.Crash()
	}
	w.start(list...)
	w.hour()
	w.wantService("clients have crashed", 0)
	w.cut(w.Memory().Cut, list[0])
	for range 5 {
		w.hour()
	}
	w.cut(w.Memory().Heal, list[0])
	w.minute(10)
	for _, f := range w.failures() {
		if f.client != list[0].Name {
			w.t.Errorf("%v: %s: %v, though only another one was offline", f.at, f.client, f.err)
		}
	}
	w.hour()
	w.wantService("a client was offline", 0)
}

// poorLinks has relays that are far away, slow, and lose packets.
func (w *world) poorLinks() {
	w.t.Helper()
	relays := w.Nodes(simnet.Relay, simnet.Exit)
	w.Rand.Shuffle(len(relays), func(i, j int) { relays[i], relays[j] = relays[j], relays[i] })
	to := func(link memnet.Link) {
		w.cut(func(a, b *memnet.Host) { w.Memory().SetLink(a, b, link) }, relays[:5]...)
	}
	to(memnet.Link{Latency: 300 * time.Millisecond, Bandwidth: 50 << 10, Loss: 0.03})
	for range 4 {
		w.hour()
		w.wantConsensus(5, w.Nodes(simnet.Authority)...)
	}
	to(w.cfg.Link)
	w.wantService("links are poor", 0)
}

// noGuard has the guards of two clients down for hours.
func (w *world) noGuard() {
	w.t.Helper()
	var down []*simnet.Node
	for _, c := range w.Nodes(simnet.Client)[:2] {
		id := w.guards(c)[0]
		for _, r := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit) {
			if hexID(r) == id && r.Running() {
				down = append(down, r)
				r.Crash()
			}
		}
	}
	for range 4 {
		w.hour()
	}
	w.start(down...)
	w.hour()
	w.wantService("guards were down", len(down))
}

// killedVoting has authorities killed in the midst of a vote, at each of its steps. The others need none of them, and they have
// the consensus soon.
func (w *world) killedVoting() {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	for i, minute := range []int{51, 54, 56, 58} {
		w.minute(minute)
		a := all[i]
		a.Crash()
		time.Sleep(30 * time.Second)
		w.start(a)
		w.hour()
		rest := slices.Concat(all[:i], all[i+1:])
		_, c, err := w.consensus(rest[0], "consensus")
		if err != nil {
			w.t.Error(err)
			continue
		}
		w.wantConsensus(len(c.Signatures), rest...)
		w.minute(48)
		w.wantConsensus(len(c.Signatures), all...)
		if len(c.Signatures) < 4 {
			w.t.Errorf("%v: %d signatures", c.ValidAfter, len(c.Signatures))
		}
	}
	w.hour()
	w.wantConsensus(5, all...)
	w.wantService("authorities were killed", 0)
}

// noAuthorities has all authorities down for a day. Clients go on with the consensus that they have.
func (w *world) noAuthorities() {
	w.t.Helper()
	all := w.Nodes(simnet.Authority)
	for _, a := range all {
		a.Stop()
	}
	for range 24 {
		w.hour()
	}
	w.wantService("there were no authorities", 0)
	w.start(all...)
	w.hour()
	w.hour()
	w.wantConsensus(5, all...)
	w.hour()
	w.wantService("there are authorities again", 0)
}

// powerFailure has everything die at once, and come back two hours later.
func (w *world) powerFailure() {
	w.t.Helper()
	nodes := w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client)
	for _, n := range nodes {
		n.Crash()
	}
	w.hour()
	w.hour()
	w.start(nodes...)
	w.minute(20)
	w.failures()
	w.hour()
	w.wantService("power is back", 0)
}

func hexID(n *simnet.Node) string { return fmt.Sprintf("%X", n.Fingerprint()) }

package simnet_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// every says when the next minute of a grid is, with an offset.
func every(grid, offset time.Duration) func(time.Time) time.Duration {
	return func(now time.Time) time.Duration { return now.Add(-offset).Truncate(grid).Add(grid + offset).Sub(now) }
}

// rollover tells whether a time period, or a shared random value, begins within 10 minutes, or has begun within three hours: as
// long as it takes until everybody knows of it.
func rollover(now time.Time) bool {
	soon := now.Add(10 * time.Minute)
	return soon.Sub(soon.Truncate(12*time.Hour)) < 3*time.Hour+10*time.Minute
}

// dense is every, with a finer grid at a rollover.
func dense(fine, grid, offset time.Duration) func(time.Time) time.Duration {
	return func(now time.Time) time.Duration {
		if rollover(now) {
			return every(fine, offset%fine)(now)
		}
		return every(grid, offset)(now)
	}
}

// TestOnionWeek has onion services for a week, with -short for a day: in not one minute of it a client may fail to reach them, be
// its clock or its consensus off, or its memory empty. Time periods begin at noon, and shared random values at midnight; there is
// none on the first day. Few relays are directories of a descriptor, so that who looks at others does not find it by chance.
func TestOnionWeek(t *testing.T) {
	cfg := simnet.Config{
		Authorities: 3, Relays: 12, Exits: 3, Clients: 9, Link: memnet.Link{Latency: 20 * time.Millisecond},
		Params: must(params.Parse([]byte("guard-hs-l2-lifetime-max=172800 guard-hs-l2-lifetime-min=86400 hsdir_spread_fetch=1 hsdir_spread_store=2 onion-key-grace-period-days=2 onion-key-rotation-days=2"))),
		Change: func(_ *simnet.Node, p *simnet.Parts) {
			if p.Server != nil {
				p.Server.Keys.SigningKeyLifetime = 3 * day
			}
		},
	}
	length := 7 * day
	switch {
	case raceDetector:
		length = 3 * time.Hour
	case testing.Short():
		length = day + 4*time.Hour
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is memory enough
	defer profile(t)()
	synctest.Test(t, func(t *testing.T) {
		w := newOnionWorld(t, cfg, "client0", "client1", "client2")
		open, known, restarted := w.hosts["client0"], w.hosts["client1"], w.hosts["client2"]
		known.node.SetSkew(-40 * time.Minute)
		warm, friend, cold, behind, ahead, fresh := w.Client(3), w.Client(4), w.Client(5), w.Client(6), w.Client(7), w.Client(8)
		behind.SetSkew(-2 * time.Hour)
		ahead.SetSkew(time.Hour)
		w.authorize(friend, known)

		w.again(every(time.Minute, 0), func() {
			if m := time.Now().Minute(); m%10 == 0 || m%2 == 0 && rollover(time.Now()) {
				w.visit("a client that has been there", warm, open)
			} else {
				w.call("a client that is there already", warm, open)
			}
		})
		w.again(dense(3*time.Minute, 20*time.Minute, 20*time.Second), func() {
			cold.Client().NewIdentity()
			w.visit("one that forgets all", cold, open)
		})
		w.again(dense(5*time.Minute, 30*time.Minute, 30*time.Second), func() {
			behind.Client().NewIdentity()
			w.visit("one whose clock is behind", behind, open)
		})
		w.again(dense(10*time.Minute, 30*time.Minute, 40*time.Second), func() {
			ahead.Client().NewIdentity()
			w.visit("one whose clock is ahead", ahead, open)
		})
		w.again(dense(5*time.Minute, 30*time.Minute, 50*time.Second), func() {
			if w.draw(2) == 0 {
				friend.Client().NewIdentity()
			}
			w.visit("one that must be known", friend, known)
		})
		w.again(dense(20*time.Minute, time.Hour, 35*time.Minute+25*time.Second), func() {
			w.startAfresh(fresh)
			w.visit("one that has just been installed", fresh, open)
		})
		w.again(every(5*time.Hour, 77*time.Minute), func() { w.restart(restarted, warm) })

		stranger := cold
		var before, goroutines int
		for w.until(30 * time.Minute); time.Since(w.first) < length; w.nextHalf() {
			for _, c := range w.Nodes(simnet.Client)[3:] {
				for _, h := range w.hosts {
					if h.node.Running() {
						w.wantDirs(c, h)
					}
				}
			}
			if err := fetch(w.ctx, stranger, known.onion.Addr().String()); err == nil {
				t.Error("the service has let in somebody whom it does not know")
			}
			if time.Since(w.first).Truncate(time.Hour) == 23*time.Hour {
				t.Log(w.size())
				goroutines, before = runtime.NumGoroutine(), w.heap()
			}
		}
		t.Log(w.size())
		w.wantVisits()
		for _, h := range w.hosts {
			w.wantBounds(h)
		}
		w.wantLifetimes(open)
		w.wantLifetimes(known)
		if length < day {
			return
		}
		after := w.heap()
		t.Logf("%d MiB after a day, now %d; %d goroutines, now %d", before>>20, after>>20, goroutines, runtime.NumGoroutine())
		if n := runtime.NumGoroutine(); n > goroutines+goroutines/4 {
			t.Errorf("%d goroutines, %d after a day", n, goroutines)
		}
		if after > before+before/4 {
			t.Errorf("%d MiB, %d after a day", after>>20, before>>20)
		}
	})
}

// heap is how many bytes are in use, beside those of files.
func (w *world) heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	n := int(m.HeapAlloc)
	for _, node := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client) {
		for _, size := range node.Files().Sizes() {
			n -= size
		}
	}
	return n
}

// nextHalf goes on to half past the next hour.
func (w *world) nextHalf() {
	time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(90 * time.Minute)))
}

// startAfresh takes all from a client that it had.
func (w *onionWorld) startAfresh(c *simnet.Node) {
	c.Stop()
	for name := range c.Files().Sizes() {
		if err := c.Files().Remove(name); err != nil {
			w.t.Error(err)
		}
	}
	if err := c.Start(); err != nil {
		w.t.Error(err)
	}
}

// backWithin is how soon a service that is started again is to be reached.
const backWithin = 30 * time.Second

// restart ends a service, with or without warning, and starts it again: soon a client reaches it that knows only what was before.
func (w *onionWorld) restart(h *host, c *simnet.Node) {
	who := "one whose service has restarted"
	if w.visit(who, c, h) != nil {
		return
	}
	if w.draw(2) == 0 {
		h.node.Stop()
	} else {
		h.node.Crash()
	}
	time.Sleep(time.Duration(w.draw(90)) * time.Second)
	if err := h.node.Start(); err != nil {
		w.t.Error(err)
		return
	}
	begun := time.Now()
	w.up(h)
	up := time.Since(begun)
	if up > backWithin {
		w.t.Errorf("%v: a service was up %v after its start", time.Now().UTC(), up)
	}
	w.visit(who, c, h)
}

package dirsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// others are microdescriptors of another network.
func others() (text []byte) {
	n := consensustest.New(consensustest.Options{Relays: 20, Seed: 99, Flavor: consensus.Microdesc})
	return bytes.Join(n.Microdescs, nil)
}

// Whatever servers send in place of microdescriptors, only what the consensus lists is believed and written to disk.
func TestBadMicrodescs(t *testing.T) {
	var all []byte
	tests := []struct {
		name  string
		make  func(honest []byte) ([]byte, error)
		is    error
		says  string
		ready bool // in spite of it
	}{
		{"not there", func([]byte) ([]byte, error) { return nil, errNotFound }, nil, "404", false},
		{"busy", func([]byte) ([]byte, error) {
			return nil, &dirclient.StatusError{Status: 503, Reason: "Directory busy, try again later"}
		}, nil, "503", false},
		{"empty", func([]byte) ([]byte, error) { return nil, nil }, errIncomplete, "", false},
		{"garbage", func([]byte) ([]byte, error) { return bytes.Repeat([]byte("onion-key\n"), 1000), nil }, errIncomplete, "", false},
		{"not asked for", func([]byte) ([]byte, error) { return others(), nil }, errIncomplete, "", false},
		{"changed", func(honest []byte) ([]byte, error) {
			return bytes.ReplaceAll(honest, []byte("\nid ed25519 "), []byte("\nid ed25519  ")), nil
		}, errIncomplete, "", false},
		{"truncated", func(honest []byte) ([]byte, error) { return honest[:len(honest)/40], nil }, nil, "", false},
		{"more than asked for", func(honest []byte) ([]byte, error) { return append(others(), honest...), nil }, nil, "", true},
		{"each twice", func(honest []byte) ([]byte, error) { return append(honest, honest...), nil }, nil, "", true},
		{"annotated", func(honest []byte) ([]byte, error) {
			return append([]byte("@last-listed 2030-01-01 00:00:00\n"), honest...), nil
		}, nil, "", true},
		{"huge", func([]byte) ([]byte, error) { return bytes.Repeat(all, maxMicrodescs), nil }, nil, "too long", false},
	}
	all = []byte("onion-key\n")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(b *bed) {
				b.world.only(kindMicro, func(req dirclient.Request) ([]byte, error) {
					honest, err := b.world.serve(req)
					if err != nil {
						return nil, err
					}
					return tt.make(honest)
				})
				b.start()
				b.wait(30 * time.Second)
				if ready := b.sync.View() != nil; ready != tt.ready {
					t.Errorf("ready: %v", ready)
				}
				if !tt.ready && tt.name != "truncated" {
					b.wantProblem(tt.is, tt.says)
				}
				journal, _ := b.files.Read(dirstore.FileMicrodescJournal)
				if bytes.Contains(journal, others()[:200]) {
					t.Error("a microdescriptor that nobody asked for is on disk")
				}
				if n := len(b.world.takeOf(kindMicro)); n > 30 {
					t.Errorf("%d requests in half a minute", n)
				}
				b.world.setHook(nil)
				b.wait(2*time.Minute + delayTime)
				b.wantReady(hour())
				if n := len(b.sync.View().Missing()); n > 0 {
					t.Errorf("%d are still missing", n)
				}
			})
		})
	}
}

// A server that has only some sends those. The rest is asked for together, not one by one.
func TestFewerMicrodescs(t *testing.T) {
	run(t, func(b *bed) {
		lacking := map[[32]byte]bool{}
		b.world.only(kindMicro, func(req dirclient.Request) ([]byte, error) {
			var body []byte
			for i, d := range digestsIn(req) {
				if i%2 == 0 {
					lacking[d] = true
				}
				if !lacking[d] {
					body = append(body, b.world.mds[d]...)
				}
			}
			if body == nil {
				return nil, errNotFound
			}
			return body, nil
		})
		b.start()
		b.wait(10 * time.Minute)
		log := b.world.takeOf(kindMicro)
		if len(log) > 60 {
			t.Errorf("%d requests in ten minutes", len(log))
		}
		for _, r := range log[2:] {
			if n := len(digestsIn(r.Request)); n < 2 {
				t.Errorf("a request for %d of the %d that are lacking", n, len(lacking))
			}
		}
		if b.sync.View() != nil {
			t.Error("half of the relays are enough")
		}
	})
}

// Large downloads are divided among servers and requests.
func TestManyMicrodescs(t *testing.T) {
	run(t, func(b *bed) {
		b.world.relays = 2500
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		log := b.world.takeOf(kindMicro)
		servers, digests := map[[20]byte]int{}, map[[32]byte]bool{}
		for _, r := range log {
			servers[r.server]++
			for _, d := range digestsIn(r.Request) {
				if digests[d] {
					t.Fatal("asked for twice")
				}
				digests[d] = true
			}
		}
		if len(log) != 5 || len(servers) != requestsAtOnce || len(digests) != 2499 {
			t.Errorf("%d requests to %d servers for %d microdescriptors", len(log), len(servers), len(digests))
		}
	})
}

// Circuits are built when the consensus's share of paths is known, not earlier. Progress is told on the way.
func TestEnough(t *testing.T) {
	run(t, func(b *bed) {
		b.world.change = func(c *consensus.Consensus) { c.Params = must(params.Parse([]byte("min_paths_for_circs_pct=80"))) }
		served := 0
		b.world.only(kindMicro, func(req dirclient.Request) (body []byte, err error) {
			for _, d := range digestsIn(req) {
				if served++; served <= relaysInTests/2 || time.Since(b.world.began) > time.Hour {
					body = append(body, b.world.mds[d]...)
				}
			}
			return body, nil
		})
		b.start()
		b.wait(30 * time.Second)
		if b.sync.View() != nil {
			t.Error("half of the relays are enough")
		}
		last := 0.0
		for _, e := range b.events() {
			if e.Stage == LoadingDescs {
				last = e.Fraction
			}
		}
		if last < .6 || last > .7 {
			t.Errorf("told as %v of what is needed", last)
		}
		changed := b.sync.Changed()
		b.world.setHook(nil)
		b.wait(10 * time.Minute)
		b.wantReady(hour())
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
	})
	run(t, func(b *bed) { // the user's choice
		b.cfg.MinPaths = .3
		b.world.only(kindMicro, func(req dirclient.Request) ([]byte, error) {
			var body []byte
			for _, d := range digestsIn(req)[:15] {
				body = append(body, b.world.mds[d]...)
			}
			return body, nil
		})
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
	})
}

// A few microdescriptors that changed do not make a request of their own at once.
func TestFewWait(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		b.world.take()
		b.wait(8 * time.Hour)
		last := time.Time{}
		for _, r := range b.world.takeOf(kindMicro) {
			if r.at.Sub(last) < delayTime {
				t.Errorf("two requests within %v", r.at.Sub(last))
			}
			last = r.at
		}
		if n := len(b.sync.View().Missing()); n > 1 {
			t.Errorf("%d are missing", n)
		}
	})
}

// The journal becomes part of the cache when it is long, and what was not listed for a week goes.
func TestCompaction(t *testing.T) {
	run(t, func(b *bed) {
		b.world.relays = 2500
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		journal, _ := b.files.Read(dirstore.FileMicrodescJournal)
		cache, _ := b.files.Read(dirstore.FileMicrodescs)
		if len(cache) < maxJournal || len(journal) > maxJournal {
			t.Fatalf("cache of %d bytes and journal of %d", len(cache), len(journal))
		}
		old := b.world.mds
		if n := b.stored(); n != 2499 {
			t.Errorf("%d are on disk", n)
		}
		b.restart()
		b.wantReady(hour())
		b.stopCleanly()

		b.wait(8 * 24 * time.Hour)
		b.world.seed, b.world.mds = 8, map[[32]byte][]byte{}
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		if n := b.stored(); n != 2499 {
			t.Errorf("%d new ones are on disk", n)
		}
		if n := len(b.sync.mds); n != 2499 {
			t.Errorf("%d are in memory", n)
		}
		b.world.mds = old
		if n := b.stored(); n != 0 {
			t.Errorf("%d old ones are still on disk", n)
		}
	})
}

// A program that runs for a few minutes each day compacts its journal all the same.
func TestCompactionOfShortRuns(t *testing.T) {
	run(t, func(b *bed) {
		b.world.relays = 1200
		for day := range 3 {
			b.world.seed = uint64(20 + day)
			b.start()
			b.wait(5 * time.Second)
			b.wantReady(hour())
			b.stopCleanly()
			b.wait(24 * time.Hour)
		}
		journal, _ := b.files.Read(dirstore.FileMicrodescJournal)
		if len(journal) > maxJournal {
			t.Errorf("the journal has %d bytes", len(journal))
		}
	})
}

// Servers that are silent do not hold up those that answer.
func TestSilentServer(t *testing.T) {
	run(t, func(b *bed) {
		b.world.relays = 600
		bad := [20]byte{}
		b.world.setHook(func(ctx context.Context, s circmgr.DirServer, req dirclient.Request) ([]byte, error) {
			if kindOf(req) != kindMicro {
				return nil, errPass
			}
			b.world.mu.Lock()
			if bad == [20]byte{} {
				bad = s.Target.RSA
			}
			hang := s.Target.RSA == bad
			b.world.mu.Unlock()
			if hang {
				return silent(ctx, s, req)
			}
			return nil, errPass
		})
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		if n := len(b.sync.View().Missing()); n == 0 || n > 300 {
			t.Errorf("%d are missing", n)
		}
		b.world.setHook(nil)
		b.wait(fetchTimeout + time.Minute)
		if n := len(b.sync.View().Missing()); n != 0 {
			t.Errorf("%d are still missing", n)
		}
	})
}

func TestDigestOfTestData(t *testing.T) {
	w := newWorld()
	w.network(time.Unix(0, 0))
	for d, text := range w.mds {
		if sha256.Sum256(text) != d {
			t.Error("the test's own microdescriptors are wrong")
		}
	}
}

// Caches that do not have the microdescriptors of a new consensus yet are left alone, if there are others.
//
// https://spec.torproject.org/guard-spec/algorithm.html
func TestOutdatedCaches(t *testing.T) {
	run(t, func(b *bed) {
		old := map[[20]byte]bool{} // those that are asked first
		b.world.setHook(func(_ context.Context, s circmgr.DirServer, req dirclient.Request) ([]byte, error) {
			if kindOf(req) == kindMicro && old[s.Target.RSA] {
				return nil, errNotFound
			}
			return nil, errPass
		})
		c := b.world.network(hour())
		for i := range c.Relays[:6] {
			old[c.Relays[i].ID] = true
		}
		b.start()
		b.wait(2 * time.Minute)
		b.wantReady(hour())
		if n := len(b.world.takeOf(kindMicro)); n > 30 {
			t.Errorf("%d requests", n)
		}
	})
}

// The microdescriptor of a guard is asked for again soon, though those of others may wait.
func TestGuardIsUrgent(t *testing.T) {
	for _, isGuard := range []bool{true, false} {
		run(t, func(b *bed) {
			c := b.world.network(hour())
			lost := &c.Relays[15]
			if isGuard { // as the bed's Caches are
				lost = &c.Relays[0]
			}
			text := b.world.mds[lost.Digest]
			var once atomic.Bool
			b.world.setHook(func(_ context.Context, _ circmgr.DirServer, req dirclient.Request) ([]byte, error) {
				body, err := b.world.serve(req)
				if kindOf(req) == kindMicro && bytes.Contains(body, text) && !once.Swap(true) {
					body = bytes.Replace(body, text, nil, 1)
				}
				return body, err
			})
			b.start()
			b.wait(time.Minute)
			b.wantReady(hour())
			if got := b.sync.View().ByRSA(lost.ID).HasDescriptor; got != isGuard {
				t.Errorf("guard: %v; its microdescriptor is there after a minute: %v", isGuard, got)
			}
			b.wait(delayTime)
			if !b.sync.View().ByRSA(lost.ID).HasDescriptor {
				t.Error("the microdescriptor is not there")
			}
		})
	}
}

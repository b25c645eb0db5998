package dirsync

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// unreachable is a network that refuses all connections.
func unreachable(context.Context, circmgr.DirServer, dirclient.Request) ([]byte, error) {
	return nil, &link.DialError{Op: "connect", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}
}

// silent servers take requests and never answer.
func silent(ctx context.Context, _ circmgr.DirServer, _ dirclient.Request) ([]byte, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestStart(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
		if n := b.sync.View().Len(); n != relaysInTests-1 {
			t.Errorf("%d relays", n)
		}
		var stages []Stage
		for _, e := range b.events() {
			if e.Err != nil {
				t.Error(e.Err)
			}
			if len(stages) == 0 || stages[len(stages)-1] != e.Stage {
				stages = append(stages, e.Stage)
			}
		}
		want := []Stage{DirCircuit, RequestingStatus, LoadingStatus, LoadingKeys, RequestingDescs, LoadingDescs, Enough}
		stages = slices.DeleteFunc(stages, func(s Stage) bool { return s == LoadingDescs })
		want = slices.DeleteFunc(want, func(s Stage) bool { return s == LoadingDescs }) // all may come at once
		if !slices.Equal(stages, want) {
			t.Errorf("stages %v, want %v", stages, want)
		}
		log := b.world.take()
		if len(log) != 4 || !isFallback(log[0].server) || log[1].server != log[0].server {
			t.Errorf("asked %v; want a fallback for consensus and certificates, and relays for the rest", log)
		}
		if b.onDisk(dirstore.FileConsensus) != hour() || b.stored() != relaysInTests-1 {
			t.Errorf("consensus of %v and %d microdescriptors on disk", b.onDisk(dirstore.FileConsensus), b.stored())
		}
	})
}

// A second start asks for nothing while the consensus is fresh.
func TestStartFromCache(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		b.restart()
		b.wantReady(hour())
		b.wait(30 * time.Minute)
		if log := b.world.take(); len(log) != 0 {
			t.Errorf("asked for %v", log)
		}
	})
}

// Microdescriptors on disk are used even if the consensus beside them is of last week.
func TestStartFromOldCache(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.wait(5 * time.Second)
		b.stopCleanly()
		b.wait(7 * 24 * time.Hour)
		b.world.take()
		b.start()
		if b.sync.View() != nil {
			t.Error("an expired consensus is used")
		}
		b.wait(5 * time.Second)
		b.wantReady(hour())
		for _, r := range b.world.takeOf(kindMicro) {
			if n := len(digestsIn(r.Request)); n > 1 { // that of the relay that was away
				t.Errorf("asked for %d microdescriptors that were on disk", n)
			}
		}
	})
}

// Fallbacks have six seconds before authorities are asked; no more than three downloads run at a time; waits grow.
// https://spec.torproject.org/dir-spec/client-operation.html#retry-as-a-client
func TestBootstrapSchedule(t *testing.T) {
	run(t, func(b *bed) {
		began := time.Now()
		b.world.setHook(func(context.Context, circmgr.DirServer, dirclient.Request) ([]byte, error) { return nil, errNotFound })
		b.start()
		b.wait(6 * time.Hour)
		log := b.world.take()
		if !log[0].at.Equal(began) {
			t.Errorf("the first request came after %v", log[0].at.Sub(began))
		}
		perHour := make([]int, 6)
		early, sawAuthority := 0, false
		for _, r := range log {
			after := r.at.Sub(began)
			perHour[min(int(after/time.Hour), 5)]++
			if isAuthority(r.server) {
				sawAuthority = true
				if after < 6*time.Second {
					t.Errorf("an authority was asked after %v", after)
				}
			} else if !isFallback(r.server) {
				t.Errorf("asked %x", r.server)
			}
			if after < time.Minute {
				early++
			}
		}
		if !sawAuthority || early < 6 || early > 60 {
			t.Errorf("%d requests in the first minute; authorities asked: %v", early, sawAuthority)
		}
		if last := perHour[5]; last > 30 || perHour[0] < perHour[5] {
			t.Errorf("requests in each hour: %v", perHour)
		}
		b.wantProblem(nil, "404")
	})
}

func TestAtMostThree(t *testing.T) {
	run(t, func(b *bed) {
		b.world.setHook(silent)
		b.start()
		b.wait(4 * time.Minute)
		b.world.mu.Lock()
		most := b.world.most
		b.world.mu.Unlock()
		if most != 3 {
			t.Errorf("%d downloads at a time", most)
		}
		b.wait(2 * time.Minute) // they time out
		b.wantProblem(context.DeadlineExceeded, "")
		b.world.setHook(nil)
		b.wait(6 * time.Minute)
		b.wantReady(hour())
	})
}

// A server that is slow does not hold up the start, and what it would send is not waited for.
func TestFastestWins(t *testing.T) {
	run(t, func(b *bed) {
		var calls, ended atomic.Int32
		b.world.setHook(func(ctx context.Context, s circmgr.DirServer, req dirclient.Request) ([]byte, error) {
			if calls.Add(1) > 1 {
				return nil, errPass
			}
			_, err := silent(ctx, s, req)
			if errors.Is(err, errSuperseded) {
				ended.Add(1)
			}
			return nil, err
		})
		b.start()
		b.wait(10 * time.Second)
		b.wantReady(hour())
		if n := ended.Load(); n != 1 {
			t.Errorf("%d slow downloads were ended", n)
		}
		if errs := b.problems(); len(errs) > 0 {
			t.Errorf("problems: %v", errs)
		}
	})
}

// However long the network was away, it is used soon after it is back, and at once when somebody asks for a stream.
func TestDeadNetwork(t *testing.T) {
	run(t, func(b *bed) {
		b.world.setHook(unreachable)
		b.start()
		b.wait(8 * time.Hour)
		b.wantProblem(syscall.ECONNREFUSED, "")
		if n := len(b.world.take()); n > 8*60*3 {
			t.Errorf("%d requests in eight hours", n)
		}
		b.world.setHook(nil)
		b.wait(maxDeadDelay + 10*time.Second)
		b.wantReady(hour())
	})
	run(t, func(b *bed) {
		b.world.setHook(unreachable)
		b.start()
		b.wait(8 * time.Hour)
		b.world.setHook(nil)
		b.sync.Nudge()
		b.wait(3 * time.Second)
		b.wantReady(hour())
	})
}

// A browser with fifty tabs does not turn each request into a download.
func TestNudgeIsBounded(t *testing.T) {
	run(t, func(b *bed) {
		b.world.setHook(unreachable)
		b.start()
		b.wait(time.Hour)
		b.world.take()
		for range 600 {
			b.sync.Nudge()
			b.wait(100 * time.Millisecond)
		}
		if n := len(b.world.take()); n > 60 || n < 6 {
			t.Errorf("%d requests in a minute", n)
		}
	})
}

// What an operator asks for happens each time.
func TestRetry(t *testing.T) {
	run(t, func(b *bed) {
		b.world.setHook(unreachable)
		b.start()
		b.wait(time.Hour)
		for range 3 {
			b.world.take()
			b.sync.Retry()
			b.wait(time.Second)
			if len(b.world.take()) == 0 {
				t.Error("no request")
			}
		}
	})
}

func TestNudgeAfterTheEnd(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.stopCleanly()
		b.sync.Nudge()
	})
}

// A client that has no server at all does not crash over it.
func TestNoServers(t *testing.T) {
	run(t, func(b *bed) {
		b.cfg.Fallbacks, b.cfg.Authorities = nil, nil
		b.start()
		b.wait(time.Hour)
		if n := len(b.world.take()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestAuthoritiesOnly(t *testing.T) {
	run(t, func(b *bed) {
		b.cfg.Fallbacks = nil
		b.start()
		b.wait(3 * time.Second)
		b.wantReady(hour())
	})
}

// A consensus that demands what we cannot do ends the program, unless it is older than this version.
// https://spec.torproject.org/tor-spec/subprotocol-versioning.html
func TestProtocols(t *testing.T) {
	demand := func(c *consensus.Consensus) { c.RequiredClient = protover.MustParse("Link=4 Relay=60") }
	run(t, func(b *bed) {
		b.world.change = demand
		b.start()
		b.wait(5 * time.Second)
		b.wantReady(hour())
	})
	run(t, func(b *bed) {
		b.wait(time.Until(releaseDate.AddDate(0, 1, 0)))
		b.world.change = demand
		b.start()
		b.wait(5 * time.Second)
		var e *ProtocolsError
		if err := b.stop(); !errors.As(err, &e) || e.Missing.String() != "Relay=60" {
			t.Errorf("Run: %v", err)
		}
		b.start() // nor does it start from its cache
		if err := b.stop(); !errors.As(err, &e) {
			t.Errorf("Run: %v", err)
		}
		b.stop = nil
	})
}

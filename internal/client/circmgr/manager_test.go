package circmgr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

func TestExit(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		l := b.exit("alice", 80)
		if n := b.relay.Circuit().Hops(); n != 3 {
			t.Errorf("a circuit of %d hops", n)
		}
		if number(l.Exit) < firstExit {
			t.Errorf("relay %d is no exit", number(l.Exit))
		}
		s := b.open(l)
		io.WriteString(s, "hello")
		var buf [5]byte
		if _, err := io.ReadFull(s, buf[:]); err != nil || string(buf[:]) != "hello" {
			t.Errorf("%q, %v", buf, err)
		}
		s.Close()
		b.stop()
		states, errs := b.events()
		if want := []EventState{Launched, Built, Closed}; !slices.Equal(states[l.Circ], want) || len(errs) > 0 {
			t.Errorf("events %v %v, want %v", states, errs, want)
		}
		if failed, succeeded := b.guards.counts(); failed != 0 || succeeded != 1 {
			t.Errorf("guard failed %d times and succeeded %d times", failed, succeeded)
		}
	})
}

// Streams with equal keys share a circuit, and those with different keys never do.
func TestIsolation(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		circs := map[string]uint64{}
		for range 3 {
			for _, user := range []string{"alice", "bob", "carol"} {
				l := b.exit(user, 80)
				if old, ok := circs[user]; ok && old != l.Circ {
					t.Errorf("%s had circuit %d and now has %d", user, old, l.Circ)
				}
				circs[user] = l.Circ
			}
		}
		if circs["alice"] == circs["bob"] || circs["bob"] == circs["carol"] || circs["alice"] == circs["carol"] {
			t.Errorf("circuits are shared: %v", circs)
		}
		if n := b.created(); n != 3 {
			t.Errorf("%d circuits for three users", n)
		}
	})
}

// The same when all ask at once, and more than once, before any circuit is there.
func TestIsolationAtOnce(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		var mu sync.Mutex
		users := map[uint64]map[string]bool{}
		var wg sync.WaitGroup
		for i := range 60 {
			user := fmt.Sprintf("user%d", i%20)
			wg.Go(func() {
				l := b.exit(user, 80)
				mu.Lock()
				defer mu.Unlock()
				if users[l.Circ] == nil {
					users[l.Circ] = map[string]bool{}
				}
				users[l.Circ][user] = true
			})
		}
		wg.Wait()
		for circ, list := range users {
			if len(list) != 1 {
				t.Errorf("circuit %d serves %v", circ, list)
			}
		}
		if n := b.created(); n != 20 {
			t.Errorf("%d circuits for twenty users", n)
		}
	})
}

// A circuit serves what its exit allows only.
func TestPorts(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		web, irc := b.exit("alice", 443), b.exit("alice", 6667)
		if number(irc.Exit) != firstExit+2 {
			t.Errorf("exit %d for port 6667", number(irc.Exit))
		}
		if again := b.exit("alice", 443); again.Circ != web.Circ && again.Circ != irc.Circ {
			t.Error("a third circuit for what two allow")
		}
	})
}

// Ports of long streams get relays that are stable, also where an open circuit without them would do.
func TestLongLived(t *testing.T) {
	run(t, setup{config: func(c *Config) {
		c.LongLived = []uint16{22}
		c.Select = pathsel.New(pathsel.Config{})
	}}, func(b *bed) {
		avoid := []int{firstExit, firstExit + 2}
		v := b.dir.View()
		web, err := b.try("alice", 80, time.Minute, v.ByRSA(ids[avoid[0]].RSA()), v.ByRSA(ids[avoid[1]].RSA()))
		if err != nil || number(web.Exit) != firstExit+1 {
			t.Fatalf("%v, %v", web.Exit, err)
		}
		if ssh := b.exit("alice", 22); number(ssh.Exit) != firstExit+2 {
			t.Errorf("exit %d, which is not stable", number(ssh.Exit))
		}
	})
}

func TestAvoid(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		first := b.exit("alice", 80)
		second, err := b.try("alice", 80, time.Minute, first.Exit)
		if err != nil || second.Exit.RSA == first.Exit.RSA {
			t.Errorf("%v, %v: the exit that was to be avoided", second.Exit, err)
		}
	})
}

// A request that no relay can ever serve fails at once, and does not slow down the others.
func TestHopeless(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		for range 20 {
			began := time.Now()
			_, err := b.try("alice", 25, time.Minute)
			var none *pathsel.Error
			if !errors.As(err, &none) || none.Reason != pathsel.Rejected || time.Since(began) != 0 {
				t.Fatalf("%v after %v", err, time.Since(began))
			}
		}
		began := time.Now()
		b.exit("alice", 80)
		if d := time.Since(began); d > time.Second {
			t.Errorf("the next one took %v", d)
		}
	})
}

// https://spec.torproject.org/path-spec/attaching-streams.html
func TestDirtiness(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		first := b.exit("alice", 80)
		s := b.open(first)
		b.wait(9 * time.Minute)
		if again := b.exit("alice", 80); again.Circ != first.Circ {
			t.Error("another circuit after nine minutes")
		}
		b.wait(61 * time.Second)
		second := b.exit("alice", 80)
		if second.Circ == first.Circ {
			t.Error("the same circuit after ten minutes")
		}
		b.wait(9 * time.Minute)
		if _, err := io.WriteString(s, "still there"); err != nil {
			t.Errorf("a circuit was closed under its stream: %v", err)
		}
		s.Close()
		b.wait(streamRecheck)
		states, _ := b.events()
		if !slices.Contains(states[first.Circ], Closed) || slices.Contains(states[second.Circ], Closed) {
			t.Errorf("events %v: want the first closed and the second open", states)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		need := Need{Need: pathsel.Need{Port: 80}, Isolation: key("alice"), KeepAlive: true}
		first := must(b.m.Exit(b.Context(), need))
		for range 6 {
			b.wait(9 * time.Minute)
			if again := must(b.m.Exit(b.Context(), need)); again.Circ != first.Circ {
				t.Fatal("another circuit, though this one was used all the time")
			}
		}
		b.wait(11 * time.Minute)
		if again := must(b.m.Exit(b.Context(), need)); again.Circ == first.Circ {
			t.Error("the same circuit after eleven idle minutes")
		}
	})
}

func TestNewIdentity(t *testing.T) {
	run(t, setup{config: func(c *Config) { c.NoPrediction = false }}, func(b *bed) {
		first := b.exit("alice", 80)
		s := b.open(first)
		b.wait(time.Second) // some clean circuits are there now
		var before uint64
		b.m.call(func(time.Time) { before = b.m.lastCirc })
		b.m.NewIdentity()
		b.wait(time.Second)
		second := b.exit("alice", 80)
		if second.Circ <= before {
			t.Errorf("circuit %d is one of the %d from before", second.Circ, before)
		}
		if _, err := io.WriteString(s, "still there"); err != nil {
			t.Errorf("open streams end: %v", err)
		}
	})
}

func TestRetire(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		first := b.exit("alice", 80)
		s := b.open(first)
		b.m.Retire(first.Circ)
		if second := b.exit("alice", 80); second.Circ == first.Circ {
			t.Error("a stream was put on a retired circuit")
		}
		if _, err := io.WriteString(s, "still there"); err != nil {
			t.Errorf("open streams end: %v", err)
		}
		b.m.Retire(12345)
	})
}

// A circuit that the relay ends is replaced at the next request.
func TestCircuitEnds(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		first := b.exit("alice", 80)
		b.relay.Circuit().Destroy(cell.DestroyHibernating)
		b.wait(time.Second)
		if second := b.exit("alice", 80); second.Circ == first.Circ {
			t.Error("a dead circuit was given out")
		}
		states, _ := b.events()
		if !slices.Equal(states[first.Circ], []EventState{Launched, Built, Closed}) {
			t.Errorf("events %v", states)
		}
	})
}

// never leaves EXTEND2 messages without an answer.
func never(_ *fakepeer.Circuit, _ int, in relaymsg.Msg) bool { return in.Cmd == relaymsg.CmdExtend2 }

// Whoever waits in vain is told what the last build failed of, and why the wait ended.
func TestBuildTimeout(t *testing.T) {
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Message: never}}}, func(b *bed) {
		_, err := b.try("alice", 80, 10*time.Second)
		var build *BuildError
		if !errors.As(err, &build) || build.Err != ErrSlow || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after ten seconds: %v", err)
		}
		_, err = b.try("alice", 80, 2*time.Minute)
		if !errors.As(err, &build) || !errors.Is(err, ErrBuildTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after two minutes: %v", err)
		}
		if failed, succeeded := b.guards.counts(); failed != 0 || succeeded == 0 {
			t.Errorf("the guard is blamed %d times for the second hop; praised %d times", failed, succeeded)
		}
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		if _, err := b.m.Exit(ctx, Need{Need: pathsel.Need{Port: 80}}); !errors.Is(err, context.Canceled) {
			t.Errorf("with a cancelled context: %v", err)
		}
		b.m.do(func(time.Time) {
			if len(b.m.waiting) != 0 {
				t.Errorf("%d requests are not forgotten", len(b.m.waiting))
			}
		})
	})
}

// A guard that cannot be reached, or does not answer, is told to the guards.
func TestGuardFails(t *testing.T) {
	for name, s := range map[string]setup{
		"silent": {peer: fakepeer.Config{Hooks: fakepeer.Hooks{Cell: func(_ *fakepeer.Conn, c cell.Cell) bool { return c.Cmd == cell.CmdCreate2 || c.Cmd == cell.CmdDestroy }}}},
		"no handshake": {peer: fakepeer.Config{Hooks: fakepeer.Hooks{Handshake: func([]fakepeer.Step) []fakepeer.Step {
			return []fakepeer.Step{{Raw: []byte("HTTP/1.0 400 Bad Request\r\n\r\n"), Cut: true}}
		}}}},
	} {
		run(t, s, func(b *bed) {
			if _, err := b.try("alice", 80, 3*time.Minute); err == nil {
				t.Errorf("%s: a circuit", name)
			}
			if failed, succeeded := b.guards.counts(); failed == 0 || succeeded > 0 {
				t.Errorf("%s: failed %d times, succeeded %d times", name, failed, succeeded)
			}
		})
	}
}

// Builds that fail at once are not repeated all the time.
func TestBackoff(t *testing.T) {
	refuse := func(_ *fakepeer.Circuit, hop int, m *relaymsg.Msg) bool {
		if m.Cmd == relaymsg.CmdExtended2 {
			m.Cmd, m.Body = relaymsg.CmdTruncated, []byte{byte(cell.DestroyConnectFailed)}
		}
		return true
	}
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Answer: refuse}}, config: func(c *Config) { c.NoPrediction = false }}, func(b *bed) {
		if _, err := b.try("alice", 80, time.Hour); err == nil {
			t.Error("a circuit")
		}
		if n := b.created(); n < 100 || n > 1200 {
			t.Errorf("%d attempts in an hour", n)
		}
	})
}

func TestBackoffTimes(t *testing.T) {
	var b backoff
	now := time.Unix(0, 0)
	var waits []time.Duration
	for range 12 {
		b.failed(now)
		waits = append(waits, b.wait(now)/time.Second)
	}
	if want := []time.Duration{0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30}; !slices.Equal(waits, want) {
		t.Errorf("%v, want %v", waits, want)
	}
	if b.reset(); b.wait(now) != 0 {
		t.Error("still waits")
	}
}

// Requests wait for the directory, and are told when it is not there in time.
func TestNoDirectory(t *testing.T) {
	run(t, setup{none: true}, func(b *bed) {
		if _, err := b.try("alice", 80, time.Minute); !errors.Is(err, ErrNoDirectory) {
			t.Errorf("%v", err)
		}
		time.AfterFunc(20*time.Second, func() { b.dir.set(newView()) })
		began := time.Now()
		b.exit("alice", 80)
		if d := time.Since(began); d > 21*time.Second {
			t.Errorf("took %v", d)
		}
		b.dir.set(nil) // it went stale
		if _, err := b.try("bob", 80, time.Minute); !errors.Is(err, ErrNoDirectory) {
			t.Errorf("%v", err)
		}
		b.exit("alice", 80) // what is there goes on
	})
}

// When no guard may be used, requests wait for one, and say why.
func TestNoGuard(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		none := errors.New("all guards are down")
		b.guards.mu.Lock()
		b.guards.err = none
		b.guards.mu.Unlock()
		if _, err := b.try("alice", 80, time.Minute); !errors.Is(err, none) {
			t.Errorf("%v", err)
		}
		_, errs := b.events()
		if len(errs) == 0 || len(errs) > 20 {
			t.Errorf("told %d times in a minute", len(errs))
		}
		b.guards.mu.Lock()
		b.guards.err = nil
		b.guards.mu.Unlock()
		began := time.Now()
		b.exit("alice", 80)
		if d := time.Since(began); d > maxBackoff+time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// However many streams ask, only so many circuits are built at a time.
func TestMaxPending(t *testing.T) {
	var open, most, total int
	var mu sync.Mutex
	slow := func(_ *fakepeer.Circuit, hop int, m *relaymsg.Msg) bool {
		switch {
		case hop < 0:
			mu.Lock()
			open++
			total++
			most = max(most, open)
			mu.Unlock()
			time.Sleep(time.Second)
		case hop == 1 && m.Cmd == relaymsg.CmdExtended2:
			mu.Lock()
			open--
			mu.Unlock()
		}
		return true
	}
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Answer: slow}}, config: func(c *Config) { c.MaxPending = 4 }}, func(b *bed) {
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() { b.exit(fmt.Sprint(i), 80) })
		}
		wg.Wait()
		if total != 30 || most > 4 {
			t.Errorf("%d circuits, %d at a time", total, most)
		}
	})
}

// A manager that ends takes all with it: requests that wait, builds, circuits and streams. That nothing is left running
// is what the bubble checks.
func TestClose(t *testing.T) {
	var stuck atomic.Bool
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Message: func(c *fakepeer.Circuit, hop int, in relaymsg.Msg) bool {
		return stuck.Load() && never(c, hop, in)
	}}}}, func(b *bed) {
		var leases []Lease
		for i := range 4 {
			l := b.exit(fmt.Sprint(i), 80)
			leases = append(leases, l)
			b.open(l)
		}
		stuck.Store(true)
		ended := make(chan error, 4)
		for i := range 4 {
			go func() {
				_, err := b.try(fmt.Sprint("late ", i), 80, time.Hour)
				ended <- err
			}()
		}
		b.wait(time.Second)
		b.stop()
		for range 4 {
			if err := <-ended; err != ErrClosed {
				t.Errorf("a request ended with %v", err)
			}
		}
		for _, l := range leases {
			if _, err := l.Tunnel.Connect(must(relaymsg.NewBegin("example.com", 80, 0))); !errors.Is(err, net.ErrClosed) {
				t.Errorf("circuit %d: %v", l.Circ, err)
			}
		}
		if _, err := b.try("late", 80, time.Second); err != ErrClosed {
			t.Errorf("after the end: %v", err)
		}
		b.m.NewIdentity()
		b.m.Retire(1)
		if _, _, err := b.m.Dir(b.Context(), dirServer(0)); err != ErrClosed {
			t.Errorf("directory circuit after the end: %v", err)
		}
	})
}

package client_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/client/bootstrap"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
)

// A client that knows an authority and nothing else comes up, and opens streams; the second time it comes up from its
// files, with the same guards.
func TestFromNothing(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		if d := b.ready(); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
		b.echo("alice")
		b.echo("bob")
		if n := b.net.asked(); n < 3 {
			t.Errorf("%d directory requests", n)
		}
		b.end()

		state, err := b.files.Read("state")
		if err != nil || !strings.Contains(string(state), "Guard in=default") || !strings.Contains(string(state), "TorVersion Tor "+client.CompatVersion) {
			t.Errorf("state file %q, %v", state, err)
		}
		first := b.guards()
		b.start()
		if d := b.ready(); d > 2*time.Second {
			t.Errorf("the second start took %v", d)
		}
		b.echo("alice")
		if n := b.net.asked(); n != 0 {
			t.Errorf("%d directory requests, though all is on disk", n)
		}
		b.end()
		if again := b.guards(); len(first) == 0 || !slices.Equal(first, again) {
			t.Errorf("guards %v, and after the second start %v", first, again)
		}
	})
}

// What the client enters the network by are few relays, however long it runs.
func TestFewGuards(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.ready()
		for range 24 {
			b.echo("alice")
			time.Sleep(time.Hour)
		}
		entries := slices.DeleteFunc(b.net.linked(), func(i int) bool { return i == 0 }) // the authority
		if len(entries) == 0 || len(entries) > 3 || slices.Max(entries) >= numGuards {
			t.Errorf("entered by %v", entries)
		}
	})
}

// A guard that goes away is replaced by another within a few minutes, and streams work again.
func TestGuardGoesAway(t *testing.T) {
	run(t, func(b *bed) {
		b.start()
		b.ready()
		b.echo("alice")
		for _, i := range b.net.linked() {
			b.net.net.Cut(b.net.host, b.net.hosts[i])
		}
		time.Sleep(5 * time.Minute)
		var err error
		for range 10 {
			s, e := b.dial("bob")
			if err = e; err == nil {
				s.Close()
				return
			}
		}
		t.Errorf("no stream: %v", err)
	})
}

// A network that is away when the client starts is found when it comes back; people learn why they wait.
func TestNetworkComesBack(t *testing.T) {
	run(t, func(b *bed) {
		for _, h := range b.net.hosts {
			b.net.net.Cut(b.net.host, h)
		}
		b.start()
		time.Sleep(3 * time.Hour)
		problems := 0
		b.Events().Publish(nil)
		for {
			e, err := b.sub.Next(b.Context())
			if err != nil || e == nil {
				break
			}
			if p, ok := e.(bootstrap.Problem); ok {
				problems++
				if p.Reason != "TIMEOUT" || p.Percent != 5 {
					t.Errorf("%+v", p)
				}
			}
		}
		if problems < 3 || problems > 500 {
			t.Errorf("%d problems told in three hours", problems)
		}
		for _, h := range b.net.hosts {
			b.net.net.Heal(b.net.host, h)
		}
		if d := b.ready(); d > 5*time.Minute {
			t.Errorf("ready %v after the network came back", d)
		}
		b.echo("alice")
	})
}

// Nothing is lost when the disk is full, and what could not be written is written later.
func TestDiskFull(t *testing.T) {
	run(t, func(b *bed) {
		b.files.FailNext(1<<30, syscall.ENOSPC)
		b.start()
		b.ready()
		b.echo("alice")
		b.files.FailNext(0, nil)
		b.end()
		if state, err := b.files.Read("state"); err != nil || !strings.Contains(string(state), "Guard in=default") {
			t.Errorf("state file %q, %v", state, err)
		}
	})
}

// What another version has written into the state file stays there.
func TestStateIsKept(t *testing.T) {
	run(t, func(b *bed) {
		b.files.WriteWhole("state", []byte("# Tor state file\nTotalBuildTimes 7\nFutureThing a b c\n"))
		b.start()
		b.ready()
		b.end()
		state, _ := b.files.Read("state")
		for _, line := range []string{"TotalBuildTimes 7\n", "FutureThing a b c\n", "Guard in=default "} {
			if !strings.Contains(string(state), line) {
				t.Errorf("%q is not in the state file:\n%s", line, state)
			}
		}
	})
}

// The full form of vanguards outlives a restart; the lite one is not written.
func TestVanguardsAreKept(t *testing.T) {
	const line = "TropeaVanguard layer=3 rsa_id=0123456789ABCDEF0123456789ABCDEF01234567 expires=2000-01-02T00:00:00\n"
	run(t, func(b *bed) {
		b.files.WriteWhole("state", []byte(line))
		vanguards := func() (list []string) {
			text, err := b.files.Read("state")
			if err != nil {
				b.Fatal(err)
			}
			for l := range strings.Lines(string(text)) {
				if strings.HasPrefix(l, "TropeaVanguard ") {
					list = append(list, l)
				}
			}
			return list
		}
		use := func(mode vanguard.Mode) []string {
			b.cfg.Vanguards = mode
			b.start()
			b.ready()
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
			defer cancel()
			_, err := b.Streams().Dial(ctx, attach.Request{Host: "saurwtly2tqzwkk6ggdwmfxhfnxahxde2dhoslzvggipll52xlkhwwad.onion", Port: 80})
			if err == nil {
				b.Error("a service that is not there")
			}
			b.end()
			return vanguards()
		}
		if got := use(vanguard.Lite); len(got) != 1 || got[0] != line {
			b.Errorf("the lite form leaves %q", got)
		}
		first := use(vanguard.Full)
		if len(first) < 4+4 || slices.Contains(first, line) { // there are nine relays
			b.Errorf("the full form leaves %q", first)
		}
		if again := use(vanguard.Full); !slices.Equal(again, first) {
			b.Errorf("%q has become %q", first, again)
		}
	})
}

func TestDamagedState(t *testing.T) {
	run(t, func(b *bed) {
		b.files.WriteWhole("state", []byte("Guard in=default\n\"unclosed\n"))
		if _, err := client.New(b.cfg); err == nil || !strings.Contains(err.Error(), "mend the line") {
			t.Errorf("%v", err)
		}
		// A guard that makes no sense is one guard less.
		b.files.WriteWhole("state", []byte("Guard in=default rsa_id=nonsense\nGuard\n"))
		b.start()
		b.ready()
	})
}

// The client ends at any moment, with all that it has begun: the bubble sees what is left running.
func TestEndAtAnyMoment(t *testing.T) {
	for after := time.Duration(0); after < 3*time.Second; after += 70 * time.Millisecond {
		run(t, func(b *bed) {
			b.start()
			go b.dial("alice")
			time.Sleep(after)
			b.end()
			if _, err := b.dial("bob"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("ended after %v: %v", after, err)
			}
			synctest.Wait()
		})
	}
}

// Without authorities, it is the public ones that are trusted; fallbacks of one's own do not change that.
func TestDefaultAuthorities(t *testing.T) {
	auths, fallbacks := trusteddirs.Default()
	if len(auths) == 0 || len(fallbacks) == 0 {
		t.Fatal("none")
	}
	own := trusteddirs.Fallback{RSA: ids[0].RSA(), Addr: relayAddr(0), Weight: 1}
	run(t, func(b *bed) {
		b.cfg.Authorities, b.cfg.Fallbacks = nil, []trusteddirs.Fallback{own}
		b.start()
		time.Sleep(3 * time.Second)
		var reasons []string
		b.Events().Publish(nil)
		for {
			e, err := b.sub.Next(b.Context())
			if err != nil || e == nil {
				break
			}
			if p, ok := e.(bootstrap.Problem); ok {
				reasons = append(reasons, p.Reason)
			}
		}
		if !slices.Contains(reasons, "UNSIGNED") {
			t.Errorf("the directory of our own authority was judged %q", reasons)
		}
	})
}

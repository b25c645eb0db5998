package dirauth

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// relayAt is a relay whose identity begins with a byte.
func relayAt(id byte, or, or6 string) *routerdesc.Descriptor {
	d := &routerdesc.Descriptor{Nickname: "relay", RSA: [20]byte{id}, Ed25519: [32]byte{id}, OR: netip.MustParseAddrPort(or)}
	if or6 != "" {
		d.OR6 = netip.MustParseAddrPort(or6)
	}
	return d
}

// probes counts tests, and lets those succeed that go to addresses which are up.
type probes struct {
	mu      sync.Mutex
	up      map[netip.AddrPort]bool
	tried   map[netip.AddrPort]int
	targets []link.Target
	reached map[[20]byte]int
}

func (p *probes) connect(_ context.Context, t link.Target) error {
	time.Sleep(100 * time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried[t.Addrs[0]]++
	p.targets = append(p.targets, t)
	if !p.up[t.Addrs[0]] {
		return errors.New("down")
	}
	return nil
}

func (p *probes) note(id [20]byte, _ netip.AddrPort, _ time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached[id]++
}

// All relays are tested in 21 minutes, at their IPv6 addresses too if we have any, and whoever is new or elsewhere at once.
//
// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
func TestReachability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both, down, other := relayAt(1, "192.0.2.1:9001", "[2001:db8::1]:9001"), relayAt(2, "192.0.2.2:9001", ""), relayAt(200, "192.0.2.3:9001", "")
		p := &probes{
			up:    map[netip.AddrPort]bool{both.OR: true, both.OR6: true, other.OR: true},
			tried: map[netip.AddrPort]int{}, reached: map[[20]byte]int{},
		}
		r := NewReachability(ReachConfig{
			Log: slog.New(slog.DiscardHandler), Now: time.Now, Ed25519: true, IPv6: true, Connect: p.connect, Reached: p.note,
		})
		var mu sync.Mutex
		list := []*routerdesc.Descriptor{both, down, other}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			r.Run(ctx, func() []*routerdesc.Descriptor {
				mu.Lock()
				defer mu.Unlock()
				return list
			})
		})
		defer wg.Wait()
		defer cancel()
		time.Sleep(flags.TestCycle + time.Minute)
		synctest.Wait()
		for _, d := range list {
			v4, v6 := r.When(d.RSA)
			if isUp := d != down; v4.IsZero() == isUp || v6.IsZero() == (d == both) {
				t.Errorf("%v: last reached at %v and %v", d.OR, v4, v6)
			}
		}
		if p.reached[both.RSA] == 0 || p.reached[down.RSA] != 0 {
			t.Errorf("reached: %v", p.reached)
		}
		for _, target := range p.targets {
			if !target.HasRSA || !target.HasEd {
				t.Errorf("a test does not ask for both identities: %+v", target)
			}
		}
		// A new relay, and one at another address, need not wait for their turn.
		fresh := relayAt(90, "192.0.2.9:9001", "")
		p.mu.Lock()
		p.up[fresh.OR] = true
		before := p.tried[other.OR]
		p.mu.Unlock()
		r.Changed(fresh)
		r.Changed(other) // it is known where it is
		r.Changed(other)
		time.Sleep(time.Second)
		synctest.Wait()
		if v4, _ := r.When(fresh.RSA); v4.IsZero() {
			t.Error("a new relay is not tested at once")
		}
		p.mu.Lock()
		if n := p.tried[other.OR] - before; n > 1 {
			t.Errorf("a relay that has not changed was tested %d times", n)
		}
		p.mu.Unlock()
		// Those that are gone are forgotten.
		mu.Lock()
		list = list[:1]
		mu.Unlock()
		time.Sleep(flags.TestCycle + time.Minute)
		if v4, _ := r.When(other.RSA); !v4.IsZero() {
			t.Error("a relay that is gone is remembered")
		}
	})
}

// Without tests nobody connects anywhere.
func TestReachabilityOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReachability(ReachConfig{Log: slog.New(slog.DiscardHandler), Now: time.Now, Off: true, Connect: func(context.Context, link.Target) error {
			t.Error("a test was made")
			return nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r.Changed(relayAt(1, "192.0.2.1:9001", ""))
		r.Run(ctx, func() []*routerdesc.Descriptor { return []*routerdesc.Descriptor{relayAt(1, "192.0.2.1:9001", "")} })
	})
}

// A relay whose descriptor comes before the tests have begun is tested when they begin, and not some twenty minutes later.
func TestReachabilityBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reached := make(chan [20]byte, 10)
		r := NewReachability(ReachConfig{
			Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Connect: func(context.Context, link.Target) error { return nil },
			Reached: func(id [20]byte, _ netip.AddrPort, _ time.Time) { reached <- id },
		})
		d := &routerdesc.Descriptor{RSA: [20]byte{77}, OR: netip.MustParseAddrPort("192.0.2.1:9001")}
		r.Changed(d)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx, func() []*routerdesc.Descriptor { return []*routerdesc.Descriptor{d} })
		}()
		synctest.Wait()
		select {
		case <-reached:
		default:
			t.Error("not tested")
		}
		cancel()
		<-done
	})
}

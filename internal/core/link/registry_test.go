package link_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// states drains the events that have come, all of which are of links.
func (w *world) states() (list []link.State) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		v, err := w.events.Next(ctx)
		if err != nil {
			return list
		}
		list = append(list, v.(link.Event).State)
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l := w.get()
		l.Close(link.ErrIdle)
		synctest.Wait()
		want := []link.State{link.StateConnecting, link.StateConnected, link.StateHandshake, link.StateOpen, link.StateClosed}
		if got := w.states(); !slices.Equal(got, want) {
			t.Errorf("states %v, want %v", got, want)
		}
		w.target.RSA = ids[1].RSA()
		w.registry.Get(t.Context(), w.target)
		want = append(want[:3:3], link.StateFailed)
		if got := w.states(); !slices.Equal(got, want) {
			t.Errorf("states of a failure %v, want %v", got, want)
		}
	})
}

// A link is shared by all who want the relay, as long as it lives.
func TestReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l, peer := w.open()
		rsaOnly, edOnly := w.target, w.target
		rsaOnly.HasEd, edOnly.HasRSA = false, false
		for _, target := range []link.Target{w.target, rsaOnly, edOnly} {
			if again, err := w.registry.Get(t.Context(), target); again != l {
				t.Errorf("another link: %v", err)
			}
		}
		peer.Close()
		synctest.Wait()
		if l2 := w.get(); l2 == l || l2.ID() == l.ID() {
			t.Error("a closed link was given out")
		}
		if n := len(w.registry.Links()); n != 1 {
			t.Errorf("%d links", n)
		}
	})
}

// A link that proved no Ed25519 identity is not for those who know one.
func TestNoReuseWithoutEd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := true
		w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Handshake: func(s []fakepeer.Step) []fakepeer.Step {
			if old {
				return onlyRSA(s)
			}
			return s
		}}}, nil)
		rsaOnly := w.target
		rsaOnly.HasEd = false
		l, err := w.registry.Get(t.Context(), rsaOnly)
		if err != nil {
			t.Fatal(err)
		}
		old = false
		if w.get() == l {
			t.Error("a link that proved no Ed25519 identity was given out")
		}
		// Either will do now; the older one is taken.
		if again, err := w.registry.Get(t.Context(), rsaOnly); again != l {
			t.Errorf("another link: %v", err)
		}
	})
}

// Callers that want the same relay at the same time share a dial; one who gives up does not take it along.
func TestConcurrentGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		w.net.SetLink(w.client, w.guard, memnet.Link{Latency: time.Second})
		impatient, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("no patience"))
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := w.registry.Get(impatient, w.target); err == nil || err.Error() != "no patience" {
				t.Errorf("error %v", err)
			}
		})
		synctest.Wait()
		links := make([]*link.Link, 50)
		for i := range links {
			wg.Go(func() {
				var err error
				if links[i], err = w.registry.Get(t.Context(), w.target); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, l := range links {
			if l != links[0] {
				t.Fatal("several links")
			}
		}
		if s := w.relay.Stats(); s.Links != 1 {
			t.Errorf("%d connections", s.Links)
		}
	})
}

// Who wants a relay by a wrong identity does not spoil it for who wants it by the right one.
func TestConcurrentGetOfOtherIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		wrong := w.target
		wrong.Ed = ids[1].Ed()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := w.registry.Get(t.Context(), wrong); !errors.Is(err, link.ErrWrongIdentity) {
				t.Errorf("error %v", err)
			}
		})
		wg.Go(func() { w.get() })
		wg.Wait()
	})
}

// The addresses are tried in order, whatever is wrong with the first.
func TestSecondAddress(t *testing.T) {
	for name, first := range map[string]string{
		"nobody there":     "192.0.2.2:1",
		"no way there":     "[2001:db8::5]:9001",
		"somebody else":    "192.0.2.2:9002",
		"another protocol": "192.0.2.2:9003",
	} {
		bubble(t, name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{}, nil)
			w.listen(fakepeer.New(t, fakepeer.Config{Identity: ids[1]}), addr("192.0.2.2:9002"))
			web, err := w.guard.Listen(t.Context(), "tcp", "192.0.2.2:9003")
			if err != nil {
				t.Fatal(err)
			}
			defer web.Close()
			go func() {
				c, err := web.Accept()
				if err != nil {
					return
				}
				c.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n"))
				c.Close()
			}()
			w.target.Addrs = append([]netip.AddrPort{addr(first)}, w.target.Addrs...)
			if l := w.get(); l.Peer().Addr != relayAddr {
				t.Errorf("link to %v", l.Peer().Addr)
			}
		})
	}
}

func TestFailingDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		w.target.Addrs = []netip.AddrPort{addr("192.0.2.2:1"), addr("192.0.2.2:2")}
		_, err := w.registry.Get(t.Context(), w.target)
		dial, ok := errors.AsType[*link.DialError](err)
		if !ok || dial.Op != "connect" || dial.Addr != w.target.Addrs[1] || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("error %v", err)
		}
		w.target.Addrs = nil
		if _, err := w.registry.Get(t.Context(), w.target); err == nil {
			t.Error("a target without an address has a link")
		}
	})
}

// Close ends links and dials, whatever they are waiting for, and leaves no goroutine: the bubble would notice.
func TestRegistryClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l := w.get()
		cut := w.target
		cut.Addrs = []netip.AddrPort{addr("192.0.2.3:9001")}
		cut.RSA = ids[1].RSA()
		w.net.Cut(w.client, w.net.Host("cut off", cut.Addrs[0].Addr()))
		done := make(chan error)
		go func() {
			_, err := w.registry.Get(context.Background(), cut)
			done <- err
		}()
		synctest.Wait()
		go w.registry.Close()
		if err := <-done; !errors.Is(err, link.ErrClosed) {
			t.Errorf("dial ended with %v", err)
		}
		if err := w.handler().closedWith(t); err != link.ErrClosed || l.Err() != err {
			t.Errorf("link ended with %v", err)
		}
		if _, err := w.registry.Get(t.Context(), w.target); err != link.ErrClosed {
			t.Errorf("Get after Close: %v", err)
		}
	})
}

// What is queued on a link that has ended is dropped.
func TestAppendAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l := w.get()
		l.Close(link.ErrIdle)
		synctest.Wait()
		l.Out().AppendCell(1, cell.CmdDestroy, nil)
		if l.Out().Len() != 0 {
			t.Error("the cell is kept")
		}
		l.AddCircuits(1)
		l.AddUsage(link.UsageStreams)
		l.SetPadding(link.DefaultPadding)
	})
}

// After a week, new circuits get another link. The old one lives on with those that it has.
func TestTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l := w.get()
		l.AddCircuits(1)
		time.Sleep(7*24*time.Hour - time.Minute)
		if w.get() != l {
			t.Error("another link within a week")
		}
		time.Sleep(2 * time.Minute)
		young := w.get()
		if young == l || l.Err() != nil {
			t.Errorf("after a week: the same %v, %v", young == l, l.Err())
		}
		young.AddCircuits(1)
		l.AddCircuits(-1)
		time.Sleep(time.Hour)
		if list := w.registry.Links(); len(list) != 1 || list[0] != young {
			t.Errorf("%d links are left", len(list))
		}
	})
}

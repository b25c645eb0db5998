package circmgr

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// dirServer is relay i, of which the descriptor is known.
func dirServer(i int) DirServer { return DirServerOf(newView().ByRSA(ids[i].RSA())) }

// page serves one directory document.
var page = fakepeer.Config{Dir: func(string) []byte { return []byte("HTTP/1.0 200 OK\r\n\r\npage") }}

// ask sends a directory request over a circuit of one hop.
func (b *bed) ask(s DirServer) {
	b.Helper()
	tunnel, release, err := b.m.Dir(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	defer release()
	st := must(tunnel.ConnectDir())
	defer st.Close()
	io.WriteString(st, "GET / HTTP/1.0\r\n\r\n")
	if text, err := io.ReadAll(st); err != nil || !strings.HasSuffix(string(text), "page") {
		b.Fatalf("%q, %v", text, err)
	}
}

// Requests to one server share a circuit, which is closed a minute after the last one.
func TestDir(t *testing.T) {
	run(t, setup{peer: page}, func(b *bed) {
		b.ask(dirServer(0))
		b.wait(50 * time.Second)
		b.ask(dirServer(0))
		b.wait(50 * time.Second)
		b.ask(dirServer(0))
		if n := b.created(); n != 1 {
			t.Errorf("%d circuits for three requests", n)
		}
		b.wait(dirIdle + time.Second)
		if len(b.m.dirs.circs) != 0 {
			t.Error("an idle circuit is kept")
		}
		b.ask(dirServer(0))
		if n := b.created(); n != 2 {
			t.Errorf("%d circuits", n)
		}
		if n := b.relay.Stats().Cells[cell.CmdCreateFast]; n != 0 {
			t.Errorf("%d circuits were made with CREATE_FAST, though the relay's onion key is known", n)
		}
		if n := b.relay.Stats().Links; n != 1 {
			t.Errorf("%d links", n)
		}
	})
}

// A server whose onion key is not known yet gets CREATE_FAST.
func TestDirWithoutDescriptor(t *testing.T) {
	run(t, setup{peer: page}, func(b *bed) {
		s := dirServer(0)
		s.Hop, s.Target.HasEd, s.Target.Ed = nil, false, [32]byte{}
		b.ask(s)
		if n := b.relay.Stats().Cells[cell.CmdCreateFast]; n != 1 {
			t.Errorf("%d CREATE_FAST cells", n)
		}
	})
}

func TestDirAtOnce(t *testing.T) {
	run(t, setup{peer: page}, func(b *bed) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { b.ask(dirServer(0)) })
		}
		wg.Wait()
		if n := b.created(); n != 1 {
			t.Errorf("%d circuits for twenty requests at once", n)
		}
	})
}

// A circuit that has ended is replaced.
func TestDirCircuitEnds(t *testing.T) {
	run(t, setup{peer: page}, func(b *bed) {
		b.ask(dirServer(0))
		b.relay.Circuit().Destroy(cell.DestroyResourceLimit)
		b.wait(time.Second)
		b.ask(dirServer(0))
		if n := b.created(); n != 2 {
			t.Errorf("%d circuits", n)
		}
	})
}

// All who wait for a server that does not answer learn of it, and the next one tries anew.
func TestDirFails(t *testing.T) {
	silent := true
	var mu sync.Mutex
	peer := page
	peer.Hooks.Cell = func(_ *fakepeer.Conn, c cell.Cell) bool {
		mu.Lock()
		defer mu.Unlock()
		return silent && (c.Cmd == cell.CmdCreate2 || c.Cmd == cell.CmdDestroy)
	}
	run(t, setup{peer: peer}, func(b *bed) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if _, _, err := b.m.Dir(ctx, dirServer(0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient one: %v", err)
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, _, err := b.m.Dir(b.Context(), dirServer(0)); !errors.Is(err, ErrBuildTimeout) {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(began); d > time.Minute {
			t.Errorf("after %v", d)
		}
		b.wait(time.Second) // for DESTROY to arrive
		// The guards learn of it, so that another one is asked next.
		if failed, succeeded := b.guards.counts(); failed != 1 || succeeded != 0 {
			t.Errorf("guards were told of %d failures and %d successes", failed, succeeded)
		}
		mu.Lock()
		silent = false
		mu.Unlock()
		b.ask(dirServer(0))
		if _, succeeded := b.guards.counts(); succeeded != 1 {
			t.Errorf("guards were told of %d successes", succeeded)
		}
	})
}

// The manager may end at any moment of a request.
func TestDirClose(t *testing.T) {
	for after := time.Duration(0); after < 400*time.Millisecond; after += 10 * time.Millisecond {
		run(t, setup{peer: page}, func(b *bed) {
			time.AfterFunc(after, b.stop)
			tunnel, release, err := b.m.Dir(b.Context(), dirServer(0))
			if err != nil {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("after %v: %v", after, err)
				}
				return
			}
			defer release()
			b.wait(time.Second)
			if _, err := tunnel.ConnectDir(); err == nil {
				t.Errorf("after %v: a circuit outlives the manager", after)
			}
		})
	}
}

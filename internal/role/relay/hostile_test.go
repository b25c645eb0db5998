package relay_test

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/ntorv3"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/circext"
)

// What an ntor-v3 handshake asks for is granted whole or not at all: who asks for CGO and gets tor1 would have a circuit
// that nobody understands, and CGO without congestion control could not refill its windows (bug 41271 of C tor).
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#subproto-request
func TestHostileRequests(t *testing.T) {
	cgo := circext.Extension{Type: circext.TypeSubprotocols, Body: []byte{2, 6}}
	for _, tt := range []struct {
		name string
		raw  []byte // instead of exts
		exts circext.List
		bad  bool
	}{
		{name: "nothing"},
		{name: "congestion control", exts: circext.List{circext.CCRequest()}},
		{name: "an unknown extension", exts: circext.List{{Type: 77, Body: []byte{1}}}},
		{name: "CGO", exts: circext.List{cgo}, bad: true},
		{name: "CGO and congestion control", exts: circext.List{circext.CCRequest(), cgo}, bad: true},
		{name: "unknown subprotocol", exts: circext.List{{Type: circext.TypeSubprotocols, Body: []byte{9, 9}}}, bad: true},
		{name: "half a subprotocol", exts: circext.List{{Type: circext.TypeSubprotocols, Body: []byte{2}}}, bad: true},
		{name: "fewer extensions than it says", raw: []byte{2, 1, 0}, bad: true},
		{name: "extension longer than the message", raw: []byte{1, 1, 200, 0}, bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{}, func(_ int, cfg *relay.Config) {
					cfg.CC = func() *congestion.Params { return congestion.ReadParams(nil, congestion.ExitPath) }
				})
				cells := make(chan link.Cell, 10)
				raw := link.NewRegistry(link.Config{
					Env:        env.Env{Net: w.net.Host("mallory", netip.MustParseAddr("192.0.2.66")), Now: time.Now, Log: slog.New(slog.DiscardHandler)},
					NewHandler: func(*link.Link) link.Handler { return tap{cells} },
				})
				t.Cleanup(raw.Close)
				l, err := raw.Get(t.Context(), link.Target{Addrs: []netip.AddrPort{addrOf(0)}, RSA: ids[0].RSA(), HasRSA: true})
				if err != nil {
					t.Fatal(err)
				}
				msg := tt.raw
				if msg == nil {
					msg = must(tt.exts.AppendTo(nil))
				}
				_, skin, err := ntorv3.ClientStart(rand.Reader, ids[0].Ed(), onion.Public(), ntorv3.Circuit, msg)
				if err != nil {
					t.Fatal(err)
				}
				l.Out().AppendCell(1<<31|5, cell.CmdCreate2, must(cell.Create2{Type: cell.HandshakeNTorV3, Data: skin}.AppendTo(nil)))
				got := <-cells
				if bad := got.Cmd == cell.CmdDestroy; bad != tt.bad || bad && cell.DestroyReason(got.Body[0]) != cell.DestroyProtocol {
					t.Errorf("answer %v %x, want a refusal: %v", got.Cmd, got.Body[:2], tt.bad)
				}
				if l.Err() != nil {
					t.Errorf("the link ended: %v", l.Err())
				}
			})
		})
	}
}

// closings counts how often each circuit is told to be over.
type closings struct {
	relay.Middle
	mu sync.Mutex // guards n
	n  map[*circuit.RelayCircuit]int
}

func (e *closings) Closed(c *circuit.RelayCircuit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n[c]++
}

// A circuit that all ends close at the same time is closed once (bugs 40951, 41106, 41237 of C tor).
func TestClosedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &closings{n: map[*circuit.RelayCircuit]int{}}
		w := newWorld(t, fakepeer.Config{}, func(i int, cfg *relay.Config) {
			if i == 0 {
				cfg.Ends = e
			}
		})
		var all []*circuit.Circuit
		for range 100 {
			all = append(all, w.mustBuild(0, 1))
		}
		next := w.relays[0].linkTo(1)
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, c := range all {
				c.Close()
			}
		})
		wg.Go(func() { all[0].Link().Close(errors.New("test")) })
		wg.Go(func() { next.Close(errors.New("test")) })
		wg.Wait()
		w.settled()
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, n := range e.n {
			if n != 1 {
				t.Errorf("closed %d times", n)
			}
		}
		if len(e.n) != len(all) {
			t.Errorf("%d circuits closed, want %d", len(e.n), len(all))
		}
	})
}

// A link that asks for many dials leaves places for others, and those that end give theirs back.
func TestDialsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, func(_ int, cfg *relay.Config) { cfg.MaxDials = 8 })
		dead := w.net.Host("dead", netip.MustParseAddr("192.0.2.7"))
		w.net.Cut(dead, w.relays[0].host)
		hop := func(n byte) circuit.Hop {
			h := w.hop(1, false)
			h.RSA[0], h.Ed[0] = n, n
			h.Addrs = []netip.AddrPort{netip.AddrPortFrom(dead.Addr(), 9001)}
			return h
		}
		first, second := w.mustBuild(0), w.mustBuild(0)
		hangs := make(chan error, 1)
		go func() { hangs <- first.Extend(t.Context(), hop(1)) }()
		synctest.Wait()
		var closed *circuit.PeerClosedError
		if err := second.Extend(t.Context(), hop(2)); !errors.As(err, &closed) || closed.Reason != cell.DestroyResourceLimit {
			t.Errorf("second dial of a link: %v, want DESTROY %v", err, cell.DestroyResourceLimit)
		}
		w.mustBuild(1, 0, exitID) // comes by another link
		if err := <-hangs; !errors.As(err, &closed) || closed.Reason != cell.DestroyTimeout {
			t.Errorf("first dial: %v", err)
		}
		w.mustBuild(0, 1)
	})
}

package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Keys are made before any bubble begins: they take time.
var (
	ids   = fakepeer.Identities(4)
	onion = must(x25519.Generate(rand.Reader))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// exitID is the fake relay's; it plays an exit.
const exitID = 3

// A world has a client, two relays of ours and an exit.
type world struct {
	t      testing.TB
	net    *memnet.Net
	client *link.Registry
	relays [2]*node
	exit   *fakepeer.Relay
}

// A node is a relay of ours.
type node struct {
	*relay.Relay
	links *link.Registry
	host  *memnet.Host
	addr  netip.AddrPort
	keys  *relay.Keys
}

// linkTo returns the relay's link to relay i.
func (n *node) linkTo(i int) *link.Link {
	return n.links.Find(link.Target{RSA: ids[i].RSA(), HasRSA: true})
}

func addrOf(i int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:9001", i+1))
}

// failing is a log in which nothing may be as bad as an error: panics that were contained are.
type failing struct{ t testing.TB }

func (failing) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f failing) WithAttrs([]slog.Attr) slog.Handler         { return f }
func (f failing) WithGroup(string) slog.Handler              { return f }
func (f failing) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		f.t.Errorf("log: %s: %v", r.Message, a)
		return true
	})
	return nil
}

func newWorld(t testing.TB, exit fakepeer.Config, change func(i int, cfg *relay.Config)) *world {
	w := &world{t: t, net: memnet.New(memnet.Link{})}
	log := slog.New(failing{t})
	w.client = link.NewRegistry(link.Config{
		Env:        env.Env{Net: w.net.Host("client", netip.MustParseAddr("192.0.2.99")), Now: time.Now, Log: log},
		NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) },
	})
	t.Cleanup(w.client.Close)
	for i := range w.relays {
		w.relays[i] = w.newNode(i, log, change)
	}
	exit.Identity = ids[exitID]
	w.exit = fakepeer.New(t, exit)
	l, err := w.net.Host("exit", addrOf(exitID).Addr()).Listen(t.Context(), "tcp", addrOf(exitID).String())
	if err != nil {
		t.Fatal(err)
	}
	w.exit.Serve(l)
	return w
}

func (w *world) newNode(i int, log *slog.Logger, change func(i int, cfg *relay.Config)) *node {
	t, id := w.t, ids[i]
	host := w.net.Host(fmt.Sprint("relay", i), addrOf(i).Addr())
	creds := (*link.Credentials)(id.Credentials())
	n := &node{host: host, addr: addrOf(i), keys: &relay.Keys{RSA: id.RSA(), Ed: id.Ed(), Onion: []*x25519.KeyPair{onion}}}
	cfg := relay.Config{
		Log: log, Keys: func() *relay.Keys { return n.keys }, Ends: relay.Middle{}, Workers: 2,
		MayExtend: func(netip.AddrPort) bool { return true },
	}
	if change != nil {
		change(i, &cfg)
	}
	n.Relay = relay.New(cfg)
	n.links = link.NewRegistry(link.Config{
		Env:         env.Env{Net: host, Now: time.Now, Log: log},
		NewHandler:  func(l *link.Link) link.Handler { return circuit.NewRelayTable(l, log, n.Relay) },
		Credentials: func() *link.Credentials { return creds },
		OwnAddrs:    func() []netip.Addr { return []netip.Addr{n.addr.Addr()} },
	})
	n.SetLinks(n.links)
	l, err := host.Listen(t.Context(), "tcp", n.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { n.links.Accept(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		n.links.Close()
		wg.Wait()
	})
	return n
}

// hop describes relay i; exitID is the exit.
func (w *world) hop(i int, v3 bool) circuit.Hop {
	h := circuit.Hop{RSA: ids[i].RSA(), Ed: ids[i].Ed(), HasEd: true, NTor: onion.Public(), V3: v3, Addrs: []netip.AddrPort{addrOf(i)}}
	if i == exitID {
		h.NTor = ids[i].NTor()
	}
	return h
}

// build makes a circuit over the given relays.
func (w *world) build(path ...int) (*circuit.Circuit, error) {
	l, err := w.client.Get(w.t.Context(), link.Target{Addrs: []netip.AddrPort{addrOf(path[0])}, RSA: ids[path[0]].RSA(), HasRSA: true})
	if err != nil {
		return nil, err
	}
	c, err := circuit.Create(w.t.Context(), l, w.hop(path[0], false), circuit.Options{})
	for i, id := range path[1:] {
		if err != nil {
			return nil, err
		}
		err = c.Extend(w.t.Context(), w.hop(id, i%2 == 0))
	}
	return c, err
}

func (w *world) mustBuild(path ...int) *circuit.Circuit {
	w.t.Helper()
	c, err := w.build(path...)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) connect(c *circuit.Circuit) *stream.Stream {
	w.t.Helper()
	begin, err := relaymsg.NewBegin("example.com", 80, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := c.Tunnel().Connect(begin)
	if err == nil {
		err = s.Wait(w.t.Context())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// settled checks that no circuit is left on any link of our relays.
func (w *world) settled() {
	w.t.Helper()
	synctest.Wait()
	for i, n := range w.relays {
		for _, l := range n.links.Links() {
			if k := l.Circuits(); k != 0 {
				w.t.Errorf("relay %d: %d circuits left on link %d", i, k, l.ID())
			}
		}
	}
}

// Data goes through two relays of ours to an exit and back, whole, with both handshakes, and nothing is left of the
// circuit when the client closes it.
func TestCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil) // the exit echoes
		c := w.mustBuild(0, 1, exitID)
		s := w.connect(c)
		const size = 1 << 20
		want := make([]byte, size)
		mathrand.NewChaCha8([32]byte{1}).Read(want)
		go s.Write(want)
		got := make([]byte, size)
		if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("other bytes came back (%v)", err)
		}
		c.Close()
		w.settled()
	})
}

// Two circuits between the same relays share their link, whichever of them made it.
func TestLinksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		a, b := w.mustBuild(0, 1), w.mustBuild(1, 0)
		synctest.Wait()
		for i, n := range w.relays {
			if k := len(n.links.Links()); k != 2 { // the client's, and the other relay's
				t.Errorf("relay %d has %d links, want 2", i, k)
			}
		}
		a.Close()
		b.Close()
		w.settled()
	})
}

// Whichever end or link goes, the circuit goes with it, and both sides hear of it.
func TestTornDown(t *testing.T) {
	for name, do := range map[string]func(w *world, c *circuit.Circuit){
		"by the client":     func(_ *world, c *circuit.Circuit) { c.Close() },
		"by the exit":       func(w *world, _ *circuit.Circuit) { w.exit.Circuit().Destroy(cell.DestroyRequested) },
		"the client's link": func(w *world, c *circuit.Circuit) { c.Link().Close(errors.New("test")) },
		"the exit's link":   func(w *world, _ *circuit.Circuit) { w.relays[1].linkTo(exitID).Close(errors.New("test")) },
		"the link between":  func(w *world, _ *circuit.Circuit) { w.relays[0].linkTo(1).Close(errors.New("test")) },
		"CREATED2 from nobody": func(w *world, c *circuit.Circuit) {
			c.Link().Out().AppendCell(c.ID(), cell.CmdCreated2, []byte{0, 1, 0})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{}, nil)
				c := w.mustBuild(0, 1, exitID)
				s := w.connect(c)
				do(w, c)
				<-c.Done()
				if _, err := s.Read(make([]byte, 1)); err == nil {
					t.Error("the stream lives")
				}
				w.settled()
				if n := w.exit.Stats().Circuits; n != 1 {
					t.Errorf("%d circuits at the exit, want 1", n)
				}
			})
		})
	}
}

// A cell that the last relay does not recognize ends the circuit: somebody has garbled it.
func TestGarbledCell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		c := w.mustBuild(0, 1)
		c.Link().Out().AppendCell(c.ID(), cell.CmdRelay, make([]byte, cell.BodyLen))
		<-c.Done()
		var closed *circuit.PeerClosedError
		if !errors.As(c.Err(), &closed) || closed.Reason != cell.DestroyDestroyed { // the reason stays between the relays
			t.Errorf("circuit ended with %v", c.Err())
		}
		w.settled()
	})
}

// A relay at which no stream ends says so to each.
func TestMiddleRefusesStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		c := w.mustBuild(0, 1)
		begin, err := relaymsg.NewBegin("example.com", 80, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func() (*stream.Stream, error){
			"EXITPOLICY":   func() (*stream.Stream, error) { return c.Tunnel().Connect(begin) },
			"NOTDIRECTORY": c.Tunnel().ConnectDir,
		} {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			var end *stream.EndError
			if err := s.Wait(t.Context()); !errors.As(err, &end) || end.Reason.String() != name {
				t.Errorf("%s: %v", name, err)
			}
		}
		s, err := c.Tunnel().Resolve("example.com")
		if err != nil {
			t.Fatal(err)
		}
		if a, err := s.Answers(t.Context()); err != nil || len(a) != 1 || a[0].Type != relaymsg.AnswerError {
			t.Errorf("RESOLVE: %v, %v", a, err)
		}
		if c.Err() != nil {
			t.Error(c.Err())
		}
	})
}

// What circuits cannot be extended to, and what the client hears.
func TestExtendRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(i int, cfg *relay.Config)
		hop    func(w *world) circuit.Hop
		want   cell.DestroyReason
	}{
		{"to itself", nil, func(w *world) circuit.Hop { return w.hop(0, true) }, cell.DestroyProtocol},
		{"nobody there", nil, func(w *world) circuit.Hop {
			h := w.hop(1, true)
			h.Addrs = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:9")}
			h.RSA[0] ^= 1
			return h
		}, cell.DestroyConnectFailed},
		{"somebody else there", nil, func(w *world) circuit.Hop {
			h := w.hop(1, true)
			h.RSA[0] ^= 1
			return h
		}, cell.DestroyORIdentity},
		{"other Ed25519 identity", nil, func(w *world) circuit.Hop {
			h := w.hop(1, false)
			h.Ed[0] ^= 1
			return h
		}, cell.DestroyORIdentity},
		{"an address that is not public", func(_ int, cfg *relay.Config) { cfg.MayExtend = nil }, func(w *world) circuit.Hop {
			h := w.hop(1, true)
			h.Addrs = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9001"), netip.MustParseAddrPort("[fe80::1]:9001")}
			return h
		}, cell.DestroyProtocol},
		{"wrong onion key", nil, func(w *world) circuit.Hop {
			h := w.hop(1, true)
			h.NTor = ids[0].NTor()
			return h
		}, cell.DestroyDestroyed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{}, tt.change)
				c := w.mustBuild(0)
				err := c.Extend(t.Context(), tt.hop(w))
				var closed *circuit.PeerClosedError
				if !errors.As(err, &closed) || closed.Reason != tt.want {
					t.Errorf("error %v, want DESTROY %v", err, tt.want)
				}
				w.settled()
			})
		})
	}
}

// What a client may not send on a link or a circuit, and the reason it gets.
func TestHostileClient(t *testing.T) {
	body := func(n int) []byte { return make([]byte, n) }
	for _, tt := range []struct {
		name string
		circ cell.CircID
		cmd  cell.Command
		body []byte
		want cell.DestroyReason
		none bool // no answer
	}{
		{"CREATE", 1<<31 | 5, cell.CmdCreate, body(cell.BodyLen), cell.DestroyProtocol, false},
		{"CREATE2 of TAP", 1<<31 | 5, cell.CmdCreate2, []byte{0, 0, 0, 4, 1, 2, 3, 4}, cell.DestroyProtocol, false},
		{"CREATE2 of an unknown type", 1<<31 | 5, cell.CmdCreate2, []byte{0, 9, 0, 4, 1, 2, 3, 4}, cell.DestroyProtocol, false},
		{"CREATE2 that is longer than the cell", 1<<31 | 5, cell.CmdCreate2, []byte{0, 2, 2, 0}, cell.DestroyProtocol, false},
		{"CREATE2 of zeros", 1<<31 | 5, cell.CmdCreate2, append([]byte{0, 2, 0, 84}, body(84)...), cell.DestroyProtocol, false},
		{"CREATE2 of ntor-v3, cut short", 1<<31 | 5, cell.CmdCreate2, []byte{0, 3, 0, 2, 1, 2}, cell.DestroyProtocol, false},
		{"CREATE_FAST with our bit", 5, cell.CmdCreateFast, body(20), cell.DestroyProtocol, false},
		{"RELAY on no circuit", 1<<31 | 5, cell.CmdRelay, body(cell.BodyLen), 0, true},
		{"DESTROY of no circuit", 1<<31 | 5, cell.CmdDestroy, body(1), 0, true},
		{"CREATED2 on no circuit", 1<<31 | 5, cell.CmdCreated2, body(66), 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{}, nil)
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
				l.Out().AppendCell(tt.circ, tt.cmd, tt.body)
				synctest.Wait()
				select {
				case c := <-cells:
					if tt.none || c.Circ != tt.circ || c.Cmd != cell.CmdDestroy || cell.DestroyReason(c.Body[0]) != tt.want {
						t.Errorf("answer %v %x, want DESTROY %v", c.Cmd, c.Body[:4], tt.want)
					}
				default:
					if !tt.none {
						t.Error("no answer")
					}
				}
				if l.Err() != nil {
					t.Errorf("the link ended: %v", l.Err())
				}
				w.settled()
				// Honest circuits go on working.
				w.mustBuild(0, 1)
			})
		})
	}
}

// tap is a link.Handler that keeps what comes.
type tap struct{ cells chan link.Cell }

func (h tap) Batch(b *link.Batch) {
	for _, c := range b.Cells {
		body := *c.Body
		h.cells <- link.Cell{Circ: c.Circ, Cmd: c.Cmd, Body: &body}
	}
}
func (tap) Closed(error) {}

// Handshakes beyond what the queue holds, or that have waited too long, are refused and not forgotten.
func TestCreateFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, func(_ int, cfg *relay.Config) { cfg.Workers = 1 })
		cells := make(chan link.Cell, 10_000)
		raw := link.NewRegistry(link.Config{
			Env:        env.Env{Net: w.net.Host("mallory", netip.MustParseAddr("192.0.2.66")), Now: time.Now, Log: slog.New(slog.DiscardHandler)},
			NewHandler: func(*link.Link) link.Handler { return tap{cells} },
		})
		t.Cleanup(raw.Close)
		l, err := raw.Get(t.Context(), link.Target{Addrs: []netip.AddrPort{addrOf(0)}, RSA: ids[0].RSA(), HasRSA: true})
		if err != nil {
			t.Fatal(err)
		}
		const n = 3000
		for i := range n {
			l.Out().AppendCell(cell.CircID(1<<31|i+1), cell.CmdCreate2, append([]byte{0, 2, 0, 84}, make([]byte, 84)...))
		}
		synctest.Wait()
		if len(cells) != n {
			t.Errorf("%d answers to %d requests", len(cells), n)
		}
		w.settled()
		w.mustBuild(0, 1, exitID)
	})
}

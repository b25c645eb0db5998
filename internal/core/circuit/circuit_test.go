package circuit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// ids are made before any bubble begins: keys take time.
var ids = fakepeer.Identities(3)

var relayAddr = netip.MustParseAddrPort("192.0.2.2:9001")

// A world is a client and a relay that plays all hops, in a network of their own.
type world struct {
	t             testing.TB
	net           *memnet.Net
	client, guard *memnet.Host
	relay         *fakepeer.Relay
	registry      *link.Registry
}

func newWorld(t testing.TB, cfg fakepeer.Config) *world { return newWorldWith(t, cfg, nil) }

// newWorldWith makes a world; change may change the registry's configuration.
func newWorldWith(t testing.TB, cfg fakepeer.Config, change func(*link.Config)) *world {
	cfg.Identity, cfg.Others = ids[0], ids[1:]
	w := &world{t: t, net: memnet.New(memnet.Link{})}
	w.client = w.net.Host("client", netip.MustParseAddr("192.0.2.1"))
	w.guard = w.net.Host("relay", relayAddr.Addr())
	w.relay = fakepeer.New(t, cfg)
	l, err := w.guard.Listen(context.Background(), "tcp", relayAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	w.relay.Serve(l)
	log := slog.New(failing{t})
	lc := link.Config{
		Env:        env.Env{Net: w.client, Now: time.Now, Log: log},
		NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) },
	}
	if change != nil {
		change(&lc)
	}
	w.registry = link.NewRegistry(lc)
	t.Cleanup(w.registry.Close)
	return w
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

// link returns a link to the relay.
func (w *world) link() *link.Link {
	w.t.Helper()
	l, err := w.registry.Get(context.Background(), link.Target{
		Addrs: []netip.AddrPort{relayAddr},
		RSA:   ids[0].RSA(), HasRSA: true, Ed: ids[0].Ed(), HasEd: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// hop describes relay i.
func hop(i int, v3 bool) circuit.Hop {
	return circuit.Hop{
		RSA: ids[i].RSA(), Ed: ids[i].Ed(), HasEd: true, NTor: ids[i].NTor(), V3: v3,
		Addrs: []netip.AddrPort{
			netip.MustParseAddrPort(fmt.Sprintf("[2001:db8::%d]:9001", i+1)),
			netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:9001", i+2)),
			netip.MustParseAddrPort("192.0.2.99:9001"),
		},
	}
}

// build makes a circuit of n hops.
func (w *world) build(n int) *circuit.Circuit {
	w.t.Helper()
	c, err := w.tryBuild(context.Background(), n, circuit.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) tryBuild(ctx context.Context, n int, opts circuit.Options) (*circuit.Circuit, error) {
	c, err := circuit.Create(ctx, w.link(), hop(0, false), opts)
	for i := 1; i < n && err == nil; i++ {
		err = c.Extend(ctx, hop(i, i%2 == 1))
	}
	return c, err
}

// connect opens a stream and waits for it.
func (w *world) connect(c *circuit.Circuit) *stream.Stream {
	w.t.Helper()
	s := w.begin(c)
	if err := s.Wait(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// begin opens a stream.
func (w *world) begin(c *circuit.Circuit) *stream.Stream {
	w.t.Helper()
	begin, err := relaymsg.NewBegin("example.com", 80, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := c.Tunnel().Connect(begin)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// peer returns the relay's end of the only circuit.
func (w *world) peer() *fakepeer.Circuit {
	w.t.Helper()
	return w.relay.Circuit()
}

// bubble runs f in a bubble as a subtest.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// checkWorks sends something through the circuit and back.
func checkWorks(t *testing.T, w *world, c *circuit.Circuit) {
	t.Helper()
	s := w.connect(c)
	defer s.Close()
	const text = "hello"
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
}

// Circuits of every handshake and length carry streams.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
func TestBuild(t *testing.T) {
	for _, proto := range []uint16{3, 4, 5} {
		cfg := fakepeer.Config{Protos: []uint16{proto}}
		bubble(t, fmt.Sprintf("fast, link %d", proto), func(t *testing.T) {
			w := newWorld(t, cfg)
			c, err := circuit.CreateFast(t.Context(), w.link(), circuit.Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkWorks(t, w, c)
		})
		for _, v3 := range []bool{false, true} {
			for hops := 1; hops <= 3; hops++ {
				bubble(t, fmt.Sprintf("v3 %v, %d hops, link %d", v3, hops, proto), func(t *testing.T) {
					w := newWorld(t, cfg)
					c, err := circuit.Create(t.Context(), w.link(), hop(0, v3), circuit.Options{})
					if err != nil {
						t.Fatal(err)
					}
					for i := 1; i < hops; i++ {
						if err := c.Extend(t.Context(), hop(i, v3)); err != nil {
							t.Fatal(err)
						}
					}
					checkWorks(t, w, c)
					if n := w.peer().Hops(); n != hops {
						t.Errorf("the relay has %d hops", n)
					}
				})
			}
		}
	}
}

// A circuit may end in the middle of its life at every hop, and be extended again after use.
func TestExtendAfterUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(1)
		checkWorks(t, w, c)
		if err := c.Extend(t.Context(), hop(1, false)); err != nil {
			t.Fatal(err)
		}
		checkWorks(t, w, c)
		if err := c.Extend(t.Context(), hop(2, true)); err != nil {
			t.Fatal(err)
		}
		checkWorks(t, w, c)
	})
}

// The relay judges the count of RELAY_EARLY cells. When they are spent, a circuit cannot grow.
//
// https://spec.torproject.org/tor-spec/relay-early.html
func TestRelayEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(2)
		for range 10 {
			checkWorks(t, w, c)
		}
		if n := w.relay.Stats().Cells[cell.CmdRelayEarly]; n != 7 && n != 8 {
			t.Errorf("%d RELAY_EARLY cells", n)
		}
		err := c.Extend(t.Context(), hop(2, false))
		if err == nil || isProtocolError(err) {
			t.Errorf("Extend: %v", err)
		}
		if c.Err() != err {
			t.Errorf("the circuit ended with %v", c.Err())
		}
	})
}

func isProtocolError(err error) bool {
	_, ok := errors.AsType[*circuit.ProtocolError](err)
	return ok
}

// A circuit that is not there in time is closed, and the relay is told.
func TestBuildTimeout(t *testing.T) {
	tired := errors.New("tired")
	for hops := 1; hops <= 3; hops++ {
		bubble(t, fmt.Sprintf("%d hops", hops), func(t *testing.T) {
			answers := 0
			w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{
				Answer: func(*fakepeer.Circuit, int, *relaymsg.Msg) bool { answers++; return answers < hops },
			}})
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, tired)
			defer cancel()
			start := time.Now()
			if _, err := w.tryBuild(ctx, hops, circuit.Options{}); err != tired {
				t.Errorf("error %v", err)
			}
			if took := time.Since(start); took != 10*time.Second {
				t.Errorf("after %v", took)
			}
			w.relay.WaitFor("DESTROY", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdDestroy] == 1 })
			answers = -10 // the link is still good
			checkWorks(t, w, w.build(1))
		})
	}
}

// Closing a circuit ends its streams and tells the relay.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := fakepeer.Echo
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler { return handler }})
		c := w.build(3)
		s := w.connect(c)
		handler = fakepeer.Never
		opening := w.begin(c)
		c.Close()
		c.Close()
		<-c.Done()
		if c.Err() != circuit.ErrClosed {
			t.Errorf("circuit ended with %v", c.Err())
		}
		if _, err := s.Read(make([]byte, 1)); err != circuit.ErrClosed {
			t.Errorf("Read: %v", err)
		}
		if _, err := s.Write(make([]byte, 1)); err != circuit.ErrClosed {
			t.Errorf("Write: %v", err)
		}
		if err := opening.Wait(t.Context()); err != circuit.ErrClosed {
			t.Errorf("Wait: %v", err)
		}
		if _, err := c.Tunnel().ConnectDir(); err != circuit.ErrClosed {
			t.Errorf("ConnectDir: %v", err)
		}
		if err := c.Extend(t.Context(), hop(2, false)); err != circuit.ErrClosed {
			t.Errorf("Extend: %v", err)
		}
		w.relay.WaitFor("DESTROY", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdDestroy] == 1 })
		if n := c.Tunnel().Streams(); n != 0 {
			t.Errorf("%d streams", n)
		}
	})
}

// Many circuits on one link do not disturb each other.
func TestManyCircuits(t *testing.T) {
	for _, proto := range []uint16{3, 5} {
		bubble(t, fmt.Sprintf("link %d", proto), func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{Protos: []uint16{proto}})
			var circuits []*circuit.Circuit
			for range 30 {
				circuits = append(circuits, w.build(2))
			}
			for i, c := range circuits {
				if i%3 == 0 {
					c.Close()
				}
			}
			for i, c := range circuits {
				if i%3 != 0 {
					checkWorks(t, w, c)
				}
			}
			if s := w.relay.Stats(); s.Links != 1 || s.Circuits != 30 {
				t.Errorf("%d links, %d circuits", s.Links, s.Circuits)
			}
		})
	}
}

// A link that dies takes its circuits and their streams along.
func TestLinkDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(3)
		s := w.connect(c)
		go w.peer().Conn().Close()
		_, err := s.Read(make([]byte, 1))
		if _, ok := errors.AsType[*circuit.LinkError](err); !ok {
			t.Errorf("Read: %v", err)
		}
		<-c.Done()
		if _, ok := errors.AsType[*circuit.LinkError](c.Err()); !ok {
			t.Errorf("circuit ended with %v", c.Err())
		}
		if _, err := s.Write([]byte("x")); err != c.Err() {
			t.Errorf("Write: %v", err)
		}
		l := c.Link()
		if _, err := circuit.Create(t.Context(), l, hop(0, false), circuit.Options{}); !errors.As(err, new(*circuit.LinkError)) {
			t.Errorf("Create on a dead link: %v", err)
		}
	})
}

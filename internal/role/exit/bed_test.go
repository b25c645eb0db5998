package exit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

var (
	_ relay.Ends = (*Exit)(nil)
	_ Resolver   = (*resolver.Resolver)(nil)
)

// Keys are made before any bubble begins: they take time.
var (
	ids   = fakepeer.Identities(2)
	onion = must(x25519.Generate(rand.Reader))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A world has a client, two relays of ours of which the second is an exit, and a server.
type world struct {
	t      testing.TB
	net    *memnet.Net
	client *link.Registry
	links  [2]*link.Registry
	exit   *Exit
	host   *memnet.Host // of the exit
	guard  *memnet.Host
	server *memnet.Host // at serverIP
	dead   *memnet.Host // see silent
	names  fakeResolver

	mu     sync.Mutex // guards the field below
	events []Event
}

var (
	serverIP  = netip.MustParseAddr("198.51.100.7")
	serverIP6 = netip.MustParseAddr("2001:db8::7")
	clientIP  = netip.MustParseAddr("192.0.2.99")
)

func addrOf(i int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:9001", i+1))
}

// open is a policy of a relay that exits to everywhere but private networks and itself.
func open(t testing.TB) exitpolicy.Policy { return policyOf(t, "reject *:25,accept *:*") }

func policyOf(t testing.TB, list string) exitpolicy.Policy {
	rules, _, err := exitpolicy.ParseList(list, exitpolicy.BareRefused)
	if err != nil {
		t.Fatal(err)
	}
	return exitpolicy.Own(exitpolicy.Config{IPv6: true, RejectPrivate: true, RejectAddrs: []netip.Addr{addrOf(1).Addr()}, Rules: rules})
}

// A fakeResolver knows the names in it. Others do not exist.
type fakeResolver map[string]func(context.Context) (resolver.Answer, []string, error)

func (r fakeResolver) look(ctx context.Context, name string) (resolver.Answer, []string, error) {
	if f := r[name]; f != nil {
		return f(ctx)
	}
	return resolver.Answer{}, nil, &resolver.Error{Err: resolver.ErrNotFound, Permanent: true}
}

func (r fakeResolver) Resolve(ctx context.Context, name string, want resolver.Want) (resolver.Answer, error) {
	a, _, err := r.look(ctx, name)
	a.Addrs = slices.DeleteFunc(slices.Clone(a.Addrs), func(ip netip.Addr) bool { return ip.Is4() && !want.V4 || ip.Is6() && !want.V6 })
	if err == nil && len(a.Addrs) == 0 {
		err = &resolver.Error{Err: resolver.ErrNotFound, Permanent: true}
	}
	return a, err
}

func (r fakeResolver) Reverse(ctx context.Context, ip netip.Addr) ([]string, time.Duration, error) {
	_, names, err := r.look(ctx, ip.String())
	return names, time.Hour, err
}

// is adds a name with addresses.
func (r fakeResolver) is(name string, addrs ...string) {
	var a resolver.Answer
	for _, s := range addrs {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	a.TTL = time.Hour
	r[name] = func(context.Context) (resolver.Answer, []string, error) { return a, nil, nil }
}

// fails adds a name that cannot be looked up.
func (r fakeResolver) fails(name string, err *resolver.Error) {
	r[name] = func(context.Context) (resolver.Answer, []string, error) { return resolver.Answer{}, nil, err }
}

// hangs adds a name whose servers do not answer.
func (r fakeResolver) hangs(name string) {
	r[name] = func(ctx context.Context) (resolver.Answer, []string, error) {
		<-ctx.Done()
		return resolver.Answer{}, nil, &resolver.Error{Err: ctx.Err()}
	}
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

// newWorld makes a world in which the exit is configured by change, which may be nil. With cc it grants congestion control.
func newWorld(t testing.TB, cc bool, change func(*Config)) *world {
	return newWorldOver(t, memnet.Link{Latency: time.Millisecond}, cc, change)
}

func newWorldOver(t testing.TB, way memnet.Link, cc bool, change func(*Config)) *world {
	w := &world{t: t, net: memnet.New(way), names: fakeResolver{}}
	log := slog.New(failing{t})
	w.client = link.NewRegistry(link.Config{
		Env:        env.Env{Net: w.net.Host("client", clientIP), Now: time.Now, Log: log},
		NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) },
	})
	t.Cleanup(w.client.Close)
	w.server = w.net.Host("server", serverIP, serverIP6)
	w.names.is("example.com", serverIP.String())
	w.names.is("both.example.com", serverIP.String(), serverIP6.String())
	w.newRelay(0, log, relay.Config{Ends: relay.Middle{}})
	w.host = w.net.Host("exit", addrOf(1).Addr(), netip.MustParseAddr("2001:db8::1"))
	cfg := Config{Env: env.Env{Net: w.host, Now: time.Now, Log: log}, Resolver: w.names, Policy: open(t), Note: w.note}
	if change != nil {
		change(&cfg)
	}
	w.exit = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.exit.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	ends := relay.Config{Ends: w.exit}
	if cc {
		ends.CC = func() *congestion.Params { return congestion.ReadParams(nil, congestion.ExitPath) }
	}
	w.newRelay(1, log, ends)
	return w
}

func (w *world) newRelay(i int, log *slog.Logger, cfg relay.Config) {
	t, id := w.t, ids[i]
	host := w.host
	if i == 0 {
		w.guard = w.net.Host("guard", addrOf(0).Addr())
		host = w.guard
	}
	creds := (*link.Credentials)(id.Credentials())
	keys := &relay.Keys{RSA: id.RSA(), Ed: id.Ed(), Onion: []*x25519.KeyPair{onion}}
	cfg.Log, cfg.Keys, cfg.Workers, cfg.MayExtend = log, func() *relay.Keys { return keys }, 2, func(netip.AddrPort) bool { return true }
	r := relay.New(cfg)
	links := link.NewRegistry(link.Config{
		Env:         env.Env{Net: host, Now: time.Now, Log: log},
		NewHandler:  func(l *link.Link) link.Handler { return circuit.NewRelayTable(l, log, r) },
		Credentials: func() *link.Credentials { return creds },
		OwnAddrs:    func() []netip.Addr { return []netip.Addr{addrOf(i).Addr()} },
	})
	w.links[i] = links
	r.SetLinks(links)
	l, err := host.Listen(t.Context(), "tcp", addrOf(i).String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { links.Accept(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		links.Close()
		wg.Wait()
	})
}

func (w *world) note(ev Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, ev)
}

// noted returns the events so far, and forgets them.
func (w *world) noted() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.events
	w.events = nil
	return list
}

func hop(i int, cc bool) circuit.Hop {
	return circuit.Hop{RSA: ids[i].RSA(), Ed: ids[i].Ed(), HasEd: true, NTor: onion.Public(), V3: true, CC: cc, Addrs: []netip.AddrPort{addrOf(i)}}
}

// build makes a circuit over the given relays.
func (w *world) build(cc bool, path ...int) *circuit.Circuit {
	w.t.Helper()
	l, err := w.client.Get(w.t.Context(), link.Target{Addrs: []netip.AddrPort{addrOf(path[0])}, RSA: ids[path[0]].RSA(), HasRSA: true})
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := circuit.Create(w.t.Context(), l, hop(path[0], false), circuit.Options{CC: congestion.ReadParams(nil, congestion.ExitPath)})
	for _, i := range path[1:] {
		if err == nil {
			err = c.Extend(w.t.Context(), hop(i, cc))
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// begin opens a stream, and does not wait.
func (w *world) begin(c *circuit.Circuit, to string, flags uint32) *stream.Stream {
	w.t.Helper()
	s, err := c.Tunnel().Connect(relaymsg.Begin{Addr: to, Flags: flags})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// connect opens a stream to where a server listens.
func (w *world) connect(c *circuit.Circuit, to string) *stream.Stream {
	w.t.Helper()
	s := w.begin(c, to, 0)
	if err := s.Wait(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// serve handles connections to a port of the server.
func (w *world) serve(ip netip.Addr, port uint16, handle func(net.Conn)) {
	w.t.Helper()
	l, err := w.server.Listen(w.t.Context(), "tcp", netip.AddrPortFrom(ip, port).String())
	if err != nil {
		w.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	w.t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
}

func echo(c net.Conn) { io.Copy(c, c) }

// quiet waits until all that is on its way has arrived.
func quiet() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// settled checks that no stream is left at the exit after a moment.
func (w *world) settled() {
	w.t.Helper()
	quiet()
	if all, waiting := w.exit.Streams(); all != 0 || waiting != 0 || len(w.exit.byCircuit) != 0 {
		w.t.Errorf("%d streams are left, %d waiting, of %d circuits", all, waiting, len(w.exit.byCircuit))
	}
}

// reasonIn returns the reason of the END in err, 0 if there is none.
func reasonIn(err error) relaymsg.EndReason {
	if end, ok := errors.AsType[*stream.EndError](err); ok {
		return end.Reason
	}
	return 0
}

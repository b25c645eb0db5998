package circmgr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// ids are the relays: two guards, two middles, three exits. They are made before any bubble begins, since keys take time.
var ids = fakepeer.Identities(7)

const (
	firstExit = 4
	relayRace = consensus.Running | consensus.Valid | consensus.Fast | consensus.Stable | consensus.V2Dir
)

// policies of the exits. The second is not Stable.
var policies = []string{"accept 80,443", "accept 22,80,443", "accept 22,80,443,6667"}

func relayAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i + 1), 0, 1}), 9001)
}

// newView returns the directory of all relays.
func newView() *netdir.View {
	c := &consensus.Consensus{Flavor: consensus.Microdesc, ValidAfter: time.Now(), ValidUntil: time.Now().Add(3 * time.Hour)}
	mds := map[[32]byte]*microdesc.Microdesc{}
	for i, id := range ids {
		ntor, ed := id.NTor(), id.Ed()
		text := fmt.Appendf(nil, "onion-key\nntor-onion-key %s\n", base64.StdEncoding.EncodeToString(ntor[:]))
		s := consensus.RouterStatus{ID: id.RSA(), Flags: relayRace, HasBandwidth: true, Bandwidth: 1000}
		s.SetNickname(fmt.Sprintf("relay%d", i))
		s.Protos = must(consensus.NewProtos("Conflux=1 Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-6"))
		s.Addr4, s.ORPort = relayAddr(i).Addr().As4(), relayAddr(i).Port()
		if i >= firstExit {
			s.Flags |= consensus.Exit
			text = fmt.Appendf(text, "p %s\n", policies[i-firstExit])
		}
		if i == firstExit+1 {
			s.Flags &^= consensus.Stable
		}
		text = fmt.Appendf(text, "id ed25519 %s\n", base64.RawStdEncoding.EncodeToString(ed[:]))
		s.Digest = sha256.Sum256(text)
		md := must(microdesc.Parse(text, nil))
		mds[s.Digest] = &md
		c.Relays = append(c.Relays, s)
	}
	slices.SortFunc(c.Relays, func(a, b consensus.RouterStatus) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return netdir.New(c, func(d [32]byte) *microdesc.Microdesc { return mds[d] })
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// directory is a DirSource under a test's command.
type directory struct {
	mu      sync.Mutex
	view    *netdir.View
	changed chan struct{}
}

func (d *directory) View() *netdir.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.view
}

func (d *directory) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *directory) set(v *netdir.View) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.view = v
	close(d.changed)
	d.changed = make(chan struct{})
}

// oneGuard always picks the first relay, or fails.
type oneGuard struct {
	mu        sync.Mutex
	err       error
	failed    int
	succeeded int
}

func (g *oneGuard) Pick(v *netdir.View, ok func(*netdir.Relay) bool) (*netdir.Relay, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := v.ByRSA(ids[0].RSA())
	if g.err == nil && !ok(r) {
		return nil, errors.New("guard does not suit")
	}
	return r, g.err
}

func (g *oneGuard) fail(err error) { g.mu.Lock(); defer g.mu.Unlock(); g.err = err }

func (g *oneGuard) Succeeded(*netdir.Relay) { g.mu.Lock(); defer g.mu.Unlock(); g.succeeded++ }
func (g *oneGuard) Failed(*netdir.Relay)    { g.mu.Lock(); defer g.mu.Unlock(); g.failed++ }

func (g *oneGuard) counts() (failed, succeeded int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed, g.succeeded
}

// bed is a Manager and the relays that it uses, in a bubble. All circuits go through one fake relay, which plays the
// others too; each relay can be connected to for directory circuits.
type bed struct {
	*testing.T
	net    *memnet.Net
	relay  *fakepeer.Relay // the guard
	cfg    Config
	dir    *directory
	guards *oneGuard
	sub    *event.Sub
	m      *Manager
	stop   func()
}

// setup is what a test changes before the Manager starts.
type setup struct {
	peer   fakepeer.Config
	config func(*Config)
	none   bool // there is no directory at first
}

func run(t *testing.T, s setup, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{T: t, net: memnet.New(memnet.Link{Latency: 20 * time.Millisecond}), guards: &oneGuard{}}
		b.dir = &directory{changed: make(chan struct{})}
		if !s.none {
			b.dir.view = newView()
		}
		client := b.net.Host("client", netip.MustParseAddr("192.0.2.1"))
		for i := range 2 {
			peer := s.peer
			peer.Identity = ids[i]
			peer.Others = ids
			relay := fakepeer.New(t, peer)
			host := b.net.Host(fmt.Sprintf("relay%d", i), relayAddr(i).Addr())
			relay.Serve(must(host.Listen(t.Context(), "tcp", relayAddr(i).String())))
			if i == 0 {
				b.relay = relay
			}
		}
		log := slog.New(failing{t})
		e := env.Env{Net: client, Now: time.Now, Log: log}
		links := link.NewRegistry(link.Config{Env: e, NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) }})
		defer links.Close()
		bus := &event.Bus{}
		b.sub = bus.Subscribe(100000)
		b.cfg = Config{
			Env: e, Links: links, Dir: b.dir, Guards: b.guards, Select: pathsel.New(pathsel.Config{}),
			Rand: rand.New(rand.NewPCG(1, 2)), Events: bus, NoPrediction: true,
		}
		if s.config != nil {
			s.config(&b.cfg)
		}
		b.m = New(b.cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := b.m.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		})
		b.stop = func() { cancel(); wg.Wait() }
		defer b.stop()
		synctest.Wait()
		f(b)
	})
}

// failing is a log in which nothing may be as bad as an error: panics that were contained are.
type failing struct{ t testing.TB }

func (failing) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f failing) WithAttrs([]slog.Attr) slog.Handler         { return f }
func (f failing) WithGroup(string) slog.Handler              { return f }
func (f failing) Handle(_ context.Context, r slog.Record) error {
	f.t.Errorf("log: %s", r.Message)
	return nil
}

func (b *bed) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// key returns an isolation key that is equal to others of the same name only.
func key(user string) isolation.Key { return isolation.Key{User: user} }

// exit asks for a circuit to a port.
func (b *bed) exit(user string, port uint16) Lease {
	b.Helper()
	l, err := b.try(user, port, time.Minute)
	if err != nil {
		b.Fatalf("%s to port %d: %v", user, port, err)
	}
	return l
}

func (b *bed) try(user string, port uint16, patience time.Duration, avoid ...*netdir.Relay) (Lease, error) {
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	return b.m.Exit(ctx, Need{Need: pathsel.Need{Port: port, Avoid: avoid}, Isolation: key(user)})
}

// open opens a stream on a circuit.
func (b *bed) open(l Lease) *stream.Stream {
	b.Helper()
	begin := must(relaymsg.NewBegin("example.com", 80, 0))
	s := must(l.Tunnel.Connect(begin))
	if err := s.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// created returns how many circuits the guard has seen, ever.
func (b *bed) created() int { return b.relay.Stats().Circuits }

// events returns the states that were told since the last call, by circuit, and the errors.
func (b *bed) events() (states map[uint64][]EventState, errs []error) {
	states = map[uint64][]EventState{}
	b.cfg.Events.Publish(nil)
	for {
		e := must(b.sub.Next(b.Context()))
		if e == nil {
			return states, errs
		}
		ev := e.(Event)
		states[ev.Circ] = append(states[ev.Circ], ev.State)
		if ev.State == Failed {
			errs = append(errs, ev.Err)
		}
	}
}

// number returns which of ids a relay is.
func number(r *netdir.Relay) int {
	return slices.IndexFunc(ids, func(id *fakepeer.Identity) bool { return id.RSA() == r.RSA })
}

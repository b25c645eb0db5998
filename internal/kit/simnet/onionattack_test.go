package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/role/hsservice"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// A door is the way of a node to the network, which keeps a list of what went through it.
type door struct {
	netx.Network

	mu   sync.Mutex // guards used
	used []string   // what was done, and where to
}

func (d *door) note(what, network, addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used = append(d.used, what+" "+network+" "+addr)
}

func (d *door) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.note("dial", network, addr)
	return d.Network.Dial(ctx, network, addr)
}

// DialPacket implements netx.PacketNetwork.
func (d *door) DialPacket(ctx context.Context, network, addr string) (net.Conn, error) {
	d.note("send", network, addr)
	return nil, errors.ErrUnsupported
}

func (d *door) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	d.note("listen", network, addr)
	return d.Network.Listen(ctx, network, addr)
}

// take returns what was done since the last call, each thing once.
func (d *door) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.used
	d.used = nil
	slices.Sort(list)
	return slices.Compact(list)
}

// pointLog is a log that knows the relays which became introduction points, the last one last.
type pointLog struct {
	slog.Handler
	mu     *sync.Mutex // guards relays
	relays *[]string
}

func (pointLog) Enabled(context.Context, slog.Level) bool { return true }

func (l pointLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "introduction point established" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "relay" {
				l.mu.Lock()
				defer l.mu.Unlock()
				*l.relays = append(*l.relays, a.Value.String())
			}
			return true
		})
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// hello gives page to each client.
type hello struct{}

func (hello) Listens(port uint16) bool { return port == 80 }
func (hello) Serve(_ context.Context, s hsservice.Stream) {
	defer s.Close()
	if s.Accept(relaymsg.Connected{}) == nil {
		io.WriteString(s, page)
	}
}

// onionNet is a network in virtual time with an onion service at client 0.
type onionNet struct {
	*simnet.Net
	t     *testing.T
	doors map[string]*door // of clients, by name
	addr  string           // of the service, with its port

	mu     sync.Mutex
	points []string
}

func newOnionNet(t *testing.T, cfg simnet.Config) *onionNet {
	t.Helper()
	n := &onionNet{t: t, doors: map[string]*door{}}
	time.Sleep(time.Until(firstDay))
	cfg.Interval, cfg.Link, cfg.Trace = time.Hour, memnet.Link{Latency: 50 * time.Millisecond}, slog.LevelDebug
	cfg.Change = func(node *simnet.Node, p *simnet.Parts) {
		if p.Server != nil {
			return
		}
		d := &door{Network: p.Client.Env.Net}
		n.doors[node.Name] = d
		p.Client.Env.Net = d
		p.Client.Env.Log = slog.New(safelog.Revealing(pointLog{p.Client.Env.Log.Handler(), &n.mu, &n.points}))
	}
	n.Net = begin(t, cfg)
	ready(t, n.Net, 2*time.Hour)
	n.host()
	return n
}

// host starts a service at client 0, and waits until it is reachable.
func (n *onionNet) host() {
	t := n.t
	t.Helper()
	host := n.Client(0).Client()
	s, err := host.NewService(keyfile.GenerateEd(), client.ServiceMode{}, hsservice.Settings{Handler: hello{}})
	if err != nil {
		t.Fatal(err)
	}
	n.addr = net.JoinHostPort(s.Address().String(), "80")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-s.Up():
	case <-time.After(time.Minute):
		_, text := s.Status()
		t.Fatalf("the service is not reachable: %s", text)
	}
}

// lastPoints are the relays that the service's introduction points are at.
func (n *onionNet) lastPoints(count int) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.points) < count {
		n.t.Fatalf("introduction points %v", n.points)
	}
	return slices.Clone(n.points[len(n.points)-count:])
}

// guards are the addresses of those that a node has sampled.
func (n *onionNet) guards(node *simnet.Node) (list []netip.AddrPort) {
	n.t.Helper()
	node.Stop() // so that its files are complete
	text, err := node.Files().Read("state")
	if err != nil {
		n.t.Fatal(err)
	}
	doc, err := statedoc.Parse(text)
	if err != nil {
		n.t.Fatal(err)
	}
	sampled, errs := doc.Guards()
	if len(errs) > 0 {
		n.t.Fatal(errs)
	}
	for _, g := range sampled {
		for _, relay := range n.Nodes(simnet.Authority, simnet.Relay, simnet.Exit) {
			if relay.Fingerprint() == g.RSA {
				list = append(list, relay.ORPort())
			}
		}
	}
	return list
}

// A client and a host of onion services connect to their guards and to nobody else, look up no names and open no ports, whatever
// they are asked for. Only before it has a consensus a client has no guards: then it asks authorities.
//
// https://spec.torproject.org/guard-spec/
func TestOnionLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOnionNet(t, simnet.Config{Authorities: 3, Relays: 8, Exits: 1, Clients: 2})
		host, user := n.Client(0), n.Client(1)
		var authorities []netip.AddrPort
		for _, a := range n.Nodes(simnet.Authority) {
			authorities = append(authorities, a.ORPort())
		}
		for _, node := range []*simnet.Node{host, user} {
			// Guards that have not got all documents yet, since the network has just begun, are asked in turn.
			n.wantGuards(node, authorities, len(n.guards(node)))
		}
		for _, node := range []*simnet.Node{host, user} { // they have a consensus now
			if err := node.Start(); err != nil {
				t.Fatal(err)
			}
		}
		ready(t, n.Net, time.Minute)
		n.host()
		for range 2 {
			if err := fetch(t.Context(), user, n.addr); err != nil {
				t.Error(err)
			}
			for _, addr := range []string{
				"www.example.test:80", "198.18.0.9:80", "[2001:db8::1]:80", "expyuzz4wqqyqhjn.onion:80", strings.Repeat("a", 56) + ".onion:80",
				keyAddr(t) + ":80", "www." + n.addr, "localhost:80", "10.0.0.1:80",
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if c, err := user.DialAlone(ctx, addr); err == nil {
					c.Close()
				}
				cancel()
			}
			time.Sleep(30 * time.Minute)
		}
		for _, node := range []*simnet.Node{host, user} {
			n.wantGuards(node, nil, maxGuards)
		}
	})
}

// wantGuards ends a node, and checks that since its start it has connected to others and to so many guards at most, and done
// nothing else.
func (n *onionNet) wantGuards(node *simnet.Node, others []netip.AddrPort, most int) {
	n.t.Helper()
	guards := n.guards(node)
	used := n.doors[node.Name].take()
	relays := 0
	for _, line := range used {
		var what, network, to string
		fmt.Sscan(line, &what, &network, &to)
		at, err := netip.ParseAddrPort(to)
		switch {
		case what != "dial" || network != "tcp" || err != nil:
			n.t.Errorf("%s: %s", node.Name, line)
		case slices.Contains(others, at):
		case slices.Contains(guards, at):
			relays++
		default:
			n.t.Errorf("%s has connected to %v, which is no guard", node.Name, at)
		}
	}
	if relays == 0 || relays > most {
		n.t.Errorf("%s has connected to %d relays of %d guards: %v", node.Name, relays, len(guards), used)
	}
	n.t.Logf("%s: %v", node.Name, used)
}

// maxGuards is how many guards are in use at most: one for circuits, and three for documents.
const maxGuards = 3

// keyAddr is the address of a service that does not exist.
func keyAddr(t *testing.T) string {
	t.Helper()
	s, err := hsservice.New(hsservice.Config{Key: keyfile.GenerateEd()})
	if err != nil {
		t.Fatal(err)
	}
	return s.Address().String()
}

// When all introduction points die at once, a client that knows no others reaches the service again soon.
func TestOnionRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOnionNet(t, simnet.Config{Authorities: 3, Relays: 16, Exits: 1, Clients: 2})
		user := n.Client(1)
		if err := fetch(t.Context(), user, n.addr); err != nil {
			t.Fatal(err)
		}
		var took []time.Duration
		rounds := 3
		if raceDetector {
			rounds = 1
		}
		for range rounds {
			time.Sleep(5 * time.Minute)
			for _, name := range n.lastPoints(3) {
				n.Node(name).Crash()
			}
			start := time.Now()
			var err error
			for time.Since(start) < 2*time.Minute {
				if err = fetch(t.Context(), user, n.addr); err == nil {
					break
				}
				t.Logf("after %v: %v", time.Since(start), err)
				time.Sleep(time.Second)
			}
			took = append(took, time.Since(start))
			if err != nil || took[len(took)-1] > maxRecovery {
				t.Errorf("the service was away for %v: %v", took[len(took)-1], err)
				t.Logf("the last events:\n%s", n.Trace(1000))
			}
			for _, relay := range n.Nodes(simnet.Relay, simnet.Exit, simnet.Authority) {
				if err := relay.Start(); err != nil {
					t.Fatal(err)
				}
			}
			ready(t, n.Net, time.Minute)
		}
		t.Logf("reachable again after %v", took)
	})
}

// maxRecovery is how long the service may be away then.
const maxRecovery = 30 * time.Second

package tropeatest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea"
	"github.com/tropea-net/tropea/internal/kit/nameserver"
	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
)

// None is the count of a role that a network does without.
const None = -1

// Options say what network to make. The zero value is three authorities, three relays, two exits and a client.
type Options struct {
	Authorities, Relays, Exits, Clients int // 0 is the default

	// Memory joins the nodes in memory rather than by loopback, and has them encrypt their links in a way that costs nothing. It
	// spares sockets and time. Exits still reach servers on loopback. Virtual does it always.
	Memory bool

	// Latency is that of each link between two nodes in memory.
	Latency time.Duration

	// Interval is the time between two consensuses; 10 s if it is zero, which is the least. Virtual time passes faster with
	// longer ones, such as the hour of the public network.
	Interval time.Duration
}

// A Net is a network that runs. Its methods are safe for concurrent use.
type Net struct {
	inner   *simnet.Net
	names   *nameserver.Server
	clients []*Client
	local   bool // nodes are on loopback
	virtual bool // all is in memory

	cancel context.CancelFunc
	doors  sync.WaitGroup // of SOCKS ports
	closed sync.Once
}

// startTimeout bounds a start, if its context does not. With votes every ten seconds it takes some 7 seconds, nearly all of
// them waiting; with rare votes it lasts until the second one at most.
const startTimeout = 2 * time.Minute

// New makes a network for a test, which fails if that is not possible. The end of the test ends the network; if the test has
// failed by then, what the nodes logged last is printed.
func New(t testing.TB, opts Options) *Net {
	t.Helper()
	return forTest(t, opts, false)
}

// Virtual runs f with a network in virtual time: in a bubble of testing/synctest, in which time passes when all goroutines wait.
// Nothing in f may use real sockets, and none of its goroutines may outlive it.
func Virtual(t *testing.T, opts Options, f func(t *testing.T, n *Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, forTest(t, opts, true)) })
}

func forTest(t testing.TB, opts Options, virtual bool) *Net {
	t.Helper()
	n, err := start(t.Context(), opts, virtual)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		if t.Failed() {
			t.Logf("the last events in the network:\n%s", n.Trace(tracedEvents))
		}
	})
	return n
}

const tracedEvents = 200

// Start makes a network that Close ends, for several tests. It returns when all clients can use all relays.
func Start(ctx context.Context, opts Options) (*Net, error) { return start(ctx, opts, false) }

func start(ctx context.Context, opts Options, virtual bool) (n *Net, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout+2*opts.Interval, errors.New("it took too long"))
	defer cancel()
	n = &Net{local: !virtual && !opts.Memory, virtual: virtual}
	if !virtual {
		if n.names, err = nameserver.New(); err != nil {
			return nil, fmt.Errorf("tropeatest: %w", err)
		}
	}
	if n.inner, err = simnet.New(n.config(opts)); err == nil {
		if err = n.open(); err == nil {
			err = n.inner.WaitReady(ctx)
		}
	}
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("tropeatest: %w", err)
	}
	return n, nil
}

// config is that of the nodes.
func (n *Net) config(opts Options) simnet.Config {
	count := func(n, def int) int {
		if n == None {
			return 0
		}
		return cmp.Or(n, def)
	}
	cfg := simnet.Config{
		Authorities: count(opts.Authorities, 3), Relays: count(opts.Relays, 3), Exits: count(opts.Exits, 2), Clients: count(opts.Clients, 1),
		Loopback: n.local, TLS: n.local, Interval: opts.Interval, Params: simnet.PatientExits, Link: memnet.Link{Latency: opts.Latency},
		Change: func(_ *simnet.Node, p *simnet.Parts) {
			if p.Server != nil {
				p.Server.Exit.DNS.ReadFile = func(string) ([]byte, error) { return n.resolvConf(), nil }
			}
		},
	}
	if !n.virtual {
		cfg.ExitNet = thisMachine{}
	}
	return cfg
}

// open opens what is beside the nodes.
func (n *Net) open() error {
	if n.virtual {
		conn, err := n.inner.Host("names").ListenPacket("udp", nameServer.String())
		if err != nil {
			return err
		}
		n.names = nameserver.On(conn)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	for _, node := range n.inner.Nodes(simnet.Client) {
		c := newClient(node)
		n.clients = append(n.clients, c)
		if n.virtual {
			continue
		}
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c.socks = l.Addr().String()
		n.doors.Go(func() { node.ServeSOCKS(ctx, l) })
	}
	return nil
}

// Close ends the network. Streams through it end too.
func (n *Net) Close() {
	n.closed.Do(func() {
		for _, c := range n.clients {
			c.transport.CloseIdleConnections()
		}
		if n.cancel != nil {
			n.cancel()
			n.doors.Wait()
		}
		if n.inner != nil {
			n.inner.Close()
		}
		if n.names != nil {
			n.names.Close()
		}
	})
}

// Client returns client i, counted from 0.
func (n *Net) Client(i int) *Client { return n.clients[i] }

// DialContext opens a stream through the network, by client 0, to addr, host:port. It can be used as
// http.Transport.DialContext.
func (n *Net) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return n.Client(0).DialContext(ctx, network, addr)
}

// ClientConfig makes clients of package tropea, of a program under test, use the network. It panics if the network is in memory,
// where such clients cannot get.
func (n *Net) ClientConfig() tropea.Config {
	if !n.local {
		panic("tropeatest: a network in memory is out of reach for clients of package tropea")
	}
	cfg := tropea.Config{AllowInternal: true, MinPaths: 0.67, TestNetwork: n.inner.Testing()}
	for _, a := range n.inner.Authorities() {
		cfg.Authorities = append(cfg.Authorities, fmt.Sprintf("%s orport=%d v3ident=%X %s %X", a.Nickname, a.Addr.Port(), a.V3Ident, a.DirPort, a.Fingerprint))
	}
	return cfg
}

// Trace is what the nodes have logged last, at most so many events, one a line.
func (n *Net) Trace(events int) string {
	if n.inner == nil {
		return ""
	}
	return n.inner.Trace(events)
}

package blaster

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/publish"
)

// A Node is a relay of ours on loopback, of the parts that carry cells: no directory, no descriptor, no streams. It is what
// is measured, and what the sinks are.
type Node struct {
	Addr netip.AddrPort
	RSA  [20]byte
	NTor [32]byte

	relay    *server.Server
	listener net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu       sync.Mutex // guards conns
	conns    []*conn    // of a sink
	received atomic.Int64
}

// NewNode starts a relay with new keys.
func NewNode(log *slog.Logger) (*Node, error) { return newNode(log, false) }

// newNode starts a relay. That of a sink can throw away what it receives.
func newNode(log *slog.Logger, sink bool) (*Node, error) {
	e := env.Env{Net: netx.OS{}, Now: time.Now, Log: log, State: new(statefile.Mem)}
	st, err := state.Open(e, "blaster")
	if err != nil {
		return nil, err
	}
	l, err := e.Net.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if sink {
		l, err = net.Listen("tcp", "127.0.0.1:0") // for connections of the kind that it needs
	}
	if err != nil {
		return nil, err
	}
	n := &Node{Addr: l.Addr().(*net.TCPAddr).AddrPort(), listener: l}
	n.relay, err = server.New(server.Config{
		Env: e, State: st, ExtendPrivate: true, Info: publish.Info{Nickname: "blaster", Addrs: []netip.Addr{n.Addr.Addr()}, Port: n.Addr.Port(), Private: true},
	})
	if err != nil {
		l.Close()
		return nil, err
	}
	n.RSA, _ = n.relay.Identities()
	n.NTor = n.relay.OnionKey()
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.wg.Go(func() { n.relay.Run(ctx) })
	n.wg.Go(func() { n.accept(sink) })
	return n, nil
}

func (n *Node) accept(sink bool) {
	for {
		raw, err := n.listener.Accept()
		if err != nil {
			return
		}
		if sink {
			c := &conn{TCPConn: raw.(*net.TCPConn), received: &n.received}
			n.mu.Lock()
			n.conns = append(n.conns, c)
			n.mu.Unlock()
			raw = c
		}
		n.relay.Admit(raw)
	}
}

// discard makes a sink throw away what it receives from now on.
func (n *Node) discard() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.discard.Store(true)
	}
}

// Close stops the relay.
func (n *Node) Close() {
	n.listener.Close()
	n.cancel()
	n.mu.Lock()
	for _, c := range n.conns {
		c.TCPConn.Close()
	}
	n.mu.Unlock()
	n.relay.Close()
	n.wg.Wait()
}

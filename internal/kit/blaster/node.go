package blaster

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
)

// A Node is a relay of ours on loopback, of the parts that carry cells: no directory, no descriptor, no streams. It is what
// is measured, and what the sinks are.
type Node struct {
	Addr netip.AddrPort
	RSA  [20]byte
	NTor [32]byte

	links    *link.Registry
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
	keys, _, err := relaykeys.Load(relaykeys.Config{}, new(statefile.Mem), time.Now())
	if err != nil {
		return nil, err
	}
	k := keys.Current()
	l, err := (netx.OS{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if sink {
		l, err = net.Listen("tcp", "127.0.0.1:0") // for connections of the kind that it needs
	}
	if err != nil {
		return nil, err
	}
	n := &Node{
		Addr: l.Addr().(*net.TCPAddr).AddrPort(), RSA: k.Fingerprint(), NTor: k.OnionKeys()[0].Public(), listener: l,
	}
	r := relay.New(relay.Config{
		Log: log, Ends: relay.Middle{}, MayExtend: func(netip.AddrPort) bool { return true },
		Keys: func() *relay.Keys {
			return &relay.Keys{RSA: n.RSA, Ed: k.Ed(), Onion: []*x25519.KeyPair{k.OnionKeys()[0]}}
		},
	})
	creds, err := credentials(k)
	if err != nil {
		l.Close()
		return nil, err
	}
	n.links = link.NewRegistry(link.Config{
		Env:         env.Env{Net: netx.OS{}, Now: time.Now, Log: log},
		NewHandler:  func(l *link.Link) link.Handler { return circuit.NewRelayTable(l, log, r) },
		Credentials: func() *link.Credentials { return creds },
		OwnAddrs:    func() []netip.Addr { return []netip.Addr{n.Addr.Addr()} },
	})
	r.SetLinks(n.links)
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.wg.Go(func() { r.Run(ctx) })
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
		n.wg.Go(func() { n.links.Accept(raw) })
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
	n.links.Close()
	n.wg.Wait()
}

func credentials(k *relaykeys.Snapshot) (*link.Credentials, error) {
	l := k.Link()
	if l == nil {
		return nil, fmt.Errorf("blaster: keys without those for links")
	}
	tls := l.TLS
	return &link.Credentials{
		RSA: k.Fingerprint(), RSA256: sha256.Sum256(x509.MarshalPKCS1PublicKey(k.RSA().Public())), Ed: k.Ed(),
		TLS: &tls, Responder: l.Responder, Initiator: l.Initiator, Auth: l.Auth,
	}, nil
}

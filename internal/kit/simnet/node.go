package simnet

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
)

// A Role is what a node does.
type Role uint8

// The roles. An authority is a relay, too.
const (
	Authority Role = iota + 1
	Relay
	Exit
	Client
)

// A Node is a machine of the network, and its process of Tor, if that runs. Its methods are safe for concurrent use.
type Node struct {
	Name  string
	Role  Role
	index int // among those of its role

	net     *Net
	host    *memnet.Host // nil on loopback
	door    netx.Network
	or, dir netip.AddrPort
	files   *statefile.Mem
	skew    atomic.Int64 // a time.Duration: how far the clock is ahead

	mu     sync.Mutex // held while the node starts and stops; guards process, and onions
	proc   atomic.Pointer[process]
	first  []net.Listener // opened by newNode on loopback, for the ports
	onions []*Onion
}

// relayIndex tells which of the ready keys a node has.
func (n *Node) relayIndex() int {
	switch n.Role {
	case Relay:
		return n.net.cfg.Authorities + n.index
	case Exit:
		return n.net.cfg.Authorities + n.net.cfg.Relays + n.index
	}
	return n.index
}

// newNode makes a node that does not run.
func (n *Net) newNode(role Role, name string, index int) (*Node, error) {
	node := &Node{Name: name, Role: role, index: index, net: n, files: new(statefile.Mem)}
	if n.mem == nil {
		node.door = netx.OS{}
		return node, node.choosePorts()
	}
	// Each has a /16 of its own, as relays of one path must.
	addr := netip.AddrFrom4([4]byte{byte(20 + len(n.nodes)/200), byte(1 + len(n.nodes)%200), 0, 1})
	node.host = n.mem.Host(name, addr)
	node.door = node.host
	if role != Client {
		node.or = netip.AddrPortFrom(addr, 9001)
	}
	if role == Authority {
		node.dir = netip.AddrPortFrom(addr, 9030)
	}
	return node, node.install()
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// choosePorts opens the ports of a node on loopback, since others must know them before it starts.
func (n *Node) choosePorts() error {
	for _, p := range n.ports() {
		l, err := n.door.Listen(context.Background(), "tcp", netip.AddrPortFrom(loopback, 0).String())
		if err != nil {
			return err
		}
		*p.addr = l.Addr().(*net.TCPAddr).AddrPort()
		n.first = append(n.first, l)
	}
	return n.install()
}

// A port is one that a node listens on.
type port struct {
	addr  *netip.AddrPort
	admit func(*server.Server, net.Conn)
}

func (n *Node) ports() []port {
	or, dir := port{&n.or, (*server.Server).Admit}, port{&n.dir, (*server.Server).AdmitDirectory}
	switch n.Role {
	case Client:
		return nil
	case Authority:
		return []port{or, dir}
	}
	return []port{or}
}

// install writes the keys that the node begins with.
func (n *Node) install() error {
	if n.Role == Client {
		return nil
	}
	files := map[string][]byte{"keys/secret_id_key": pemRSA(relayKey(n.relayIndex()))}
	if n.Role == Authority {
		n.authorityKeys(files)
	}
	for name, data := range files {
		if err := n.files.WriteWhole(name, data); err != nil {
			return err
		}
	}
	return nil
}

// Fingerprint is the RSA identity of a relay.
func (n *Node) Fingerprint() [20]byte { return relayKey(n.relayIndex()).Fingerprint() }

// ORPort and DirPort are where the node listens; not valid if it does not.
func (n *Node) ORPort() netip.AddrPort { return n.or }

// DirPort is where an authority answers in plain HTTP.
func (n *Node) DirPort() netip.AddrPort { return n.dir }

// Files is the disk of the node.
func (n *Node) Files() *statefile.Mem { return n.files }

// Host is the machine in memory; nil on loopback.
func (n *Node) Host() *memnet.Host { return n.host }

// Now is the time by the node's clock.
func (n *Node) Now() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) }

// SetSkew sets how far the node's clock is ahead.
func (n *Node) SetSkew(d time.Duration) { n.skew.Store(int64(d)) }

// Running tells whether the node's process runs.
func (n *Node) Running() bool { return n.proc.Load() != nil }

// Client is the client of the node's process, with which relays fetch documents; nil if it does not run.
func (n *Node) Client() *client.Client {
	if p := n.proc.Load(); p != nil {
		return p.client
	}
	return nil
}

// Server is the relay of the node's process; nil if it does not run, or is none.
func (n *Node) Server() *server.Server {
	if p := n.proc.Load(); p != nil {
		return p.server
	}
	return nil
}

// View is the network as the node knows it; nil if it does not.
func (n *Node) View() *netdir.View {
	if c := n.Client(); c != nil {
		return c.View()
	}
	return nil
}

// A process is a node at work.
type process struct {
	node   *Node
	disk   *disk
	server *server.Server // nil of a client
	client *client.Client
	state  *state.File

	doors   []net.Listener
	accepts sync.WaitGroup // of the loops that accept connections
	parts   []*part        // in the order in which to stop them
}

// A part runs until it is stopped.
type part struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (x *part) end() {
	x.cancel()
	<-x.done
}

// begin runs something until the process is stopped. It is an error if it ends by itself.
func (p *process) begin(name string, run func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(context.Background())
	x := &part{cancel, make(chan struct{})}
	go func() {
		defer close(x.done)
		if err := run(ctx); ctx.Err() == nil {
			p.node.log().Error("A node has ended by itself", "part", name, "err", err)
		}
	}()
	p.parts = append(p.parts, x)
	return x
}

// Parts are what a node is made of.
type Parts struct {
	Server *server.Config // nil of a client
	Client *client.Config
}

func (n *Node) log() *slog.Logger { return slog.New(n.net.trace.handler(n.Name)) }

// Start starts the node with the files that it has. It does nothing if it runs.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.Running() {
		return nil
	}
	if err := n.start(); err != nil {
		return fmt.Errorf("simnet: %s: %w", n.Name, err)
	}
	n.log().Info("The node has started")
	return nil
}

func (n *Node) start() (err error) {
	p := &process{node: n, disk: &disk{files: n.files}}
	e := env.Env{Net: n.door, Now: n.Now, Log: n.log(), State: p.disk}
	if p.state, err = state.Open(e, client.Program); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	parts := Parts{Client: n.clientConfig(e)}
	if n.Role != Client {
		parts.Server = n.serverConfig(e)
		parts.Server.State = p.state
	}
	if n.net.cfg.Change != nil {
		n.net.cfg.Change(n, &parts)
	}
	parts.Client.State = p.state
	if parts.Server != nil {
		if err := n.listen(p); err != nil {
			return err
		}
		if p.server, err = server.New(*parts.Server); err != nil {
			return err
		}
		s, c := p.server, parts.Client
		c.Env.Net, c.Links, c.Events = s.Net(), s.Links(), s.Events()
		c.Select.Self, _ = s.Identities()
		c.Mirror, c.FromAuthorities, c.DirPorts = s.Mirror(), s.FromAuthorities, true
	}
	if p.client, err = client.New(*parts.Client); err != nil {
		return err
	}
	p.begin("client", p.client.Run)
	if p.server != nil {
		p.server.SetClient(p.client)
		p.begin("relay", p.server.Run)
		p.accept()
	}
	p.begin("state", func(ctx context.Context) error { p.state.Run(ctx); return nil })
	for _, o := range n.onions {
		if err := o.start(p); err != nil {
			return err
		}
	}
	n.proc.Store(p)
	return nil
}

// listen opens the ports of a relay.
func (n *Node) listen(p *process) error {
	p.doors, n.first = n.first, nil
	for _, x := range n.ports()[len(p.doors):] {
		l, err := n.door.Listen(context.Background(), "tcp", x.addr.String())
		if err != nil {
			return err
		}
		p.doors = append(p.doors, l)
	}
	return nil
}

// accept takes connections until the ports are closed.
func (p *process) accept() {
	for i, x := range p.node.ports() {
		p.accepts.Go(func() {
			for {
				c, err := p.doors[i].Accept()
				if err != nil {
					return
				}
				x.admit(p.server, c)
			}
		})
	}
}

// end stops what there is of a process: the client first, since it uses the relay's links.
func (p *process) end() {
	for _, l := range p.doors {
		l.Close()
	}
	for _, x := range p.parts {
		x.end()
	}
	for _, o := range p.node.onions {
		o.stop()
	}
	if p.server != nil {
		p.server.Close()
	}
	p.accepts.Wait()
	p.state.Save()
}

// Stop ends the node's process as SIGTERM does. It does nothing if it does not run.
func (n *Node) Stop() { n.stop(false) }

// Crash ends the node's process as SIGKILL does: nothing is saved, and, in memory, nobody gets to know what was under way.
func (n *Node) Crash() { n.stop(true) }

func (n *Node) stop(kill bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.first {
		l.Close()
	}
	n.first = nil
	p := n.proc.Swap(nil)
	if p == nil {
		return
	}
	if kill {
		p.disk.kill()
		if n.host != nil {
			n.host.Crash()
		}
	}
	p.end()
	n.log().Info("The node has stopped", "killed", kill)
}

// Restart stops the node and starts it again.
func (n *Node) Restart() error {
	n.Stop()
	return n.Start()
}

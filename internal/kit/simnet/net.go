package simnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/role/dirauth"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Config says what network to make.
type Config struct {
	Authorities int // up to MaxAuthorities
	Relays      int // that let no stream out
	Exits       int
	Clients     int

	// Loopback joins the nodes by the loopback device; a network in memory does if it is false.
	Loopback bool
	Link     memnet.Link // between any two nodes, in memory

	// TLS encrypts links as in the real network. If it is false, Plain does, which costs next to nothing.
	TLS     bool
	Padding bool // pad links

	// Interval is the time from one consensus to the next; 10 s if zero, which is the least.
	Interval time.Duration
	Params   params.List // consensus parameters

	// ExitNet is how exits reach servers; as they reach each other if nil.
	ExitNet netx.Network

	Seed uint64       // decides what Net.Rand gives
	Log  slog.Handler // gets all that the nodes log; may be nil
	// Trace is the least level of what is kept for Net.Trace.
	Trace slog.Level

	// Change may alter what a node is made of, at each of its starts; nil leaves all as it is.
	Change func(*Node, *Parts)
}

// MaxAuthorities is how many authorities a network can have.
const MaxAuthorities = consensustest.MaxAuthorities

// A Net is a network. Its methods are safe for concurrent use.
type Net struct {
	Rand *rand.Rand // of Config.Seed, for whoever plays with the network; for one goroutine at a time

	cfg      Config
	trace    trace
	cells    cells
	mem      *memnet.Net // nil on loopback
	security link.Security
	timing   dirauth.Timing
	dirs     []trusteddirs.Authority
	keys     []consensustest.Authority
	born     time.Time

	nodes   []*Node // authorities first, clients last
	servers int     // hosts beside the nodes, so far
	mu      sync.Mutex
}

var (
	errCount    = fmt.Errorf("simnet: a network has 1 to %d authorities", MaxAuthorities)
	errInterval = errors.New("simnet: votes are at least 10 s apart")
)

const minInterval = 10 * time.Second

// New makes a network and starts all of its nodes. It is to be closed in any case where err is nil.
func New(cfg Config) (*Net, error) {
	cfg.Interval = cmp.Or(cfg.Interval, minInterval)
	switch {
	case cfg.Authorities < 1 || cfg.Authorities > MaxAuthorities:
		return nil, errCount
	case cfg.Interval < minInterval:
		return nil, errInterval
	}
	n := &Net{cfg: cfg, Rand: rand.New(rand.NewPCG(cfg.Seed, 0)), born: time.Now()}
	n.trace.level, n.trace.also = cfg.Trace, cfg.Log
	if !cfg.TLS {
		n.cells.names, n.cells.counts = map[netip.Addr]string{}, map[cell.Command]int{}
		n.security = Plain{Cell: n.cells.add}
	}
	if !cfg.Loopback {
		n.mem = memnet.New(cfg.Link)
	}
	n.timing = timing(n.born, cfg.Interval)
	n.keys = consensustest.Authorities(cfg.Authorities)
	if err := n.place(); err != nil {
		n.Close()
		return nil, err
	}
	for _, node := range n.nodes {
		if err := node.Start(); err != nil {
			n.Close()
			return nil, err
		}
	}
	return n, nil
}

// lead is how long relays have to tell the authorities of themselves before the first vote.
const lead = 2 * time.Second

// slow tells whether votes are so far apart that the network lives for hours, and is to do nothing too often.
func (n *Net) slow() bool { return n.cfg.Interval >= time.Minute }

// Testing tells whether the time periods of onion services are those of test networks, for clients beside those of the network.
func (n *Net) Testing() bool { return !n.slow() }

// timing is when to vote: for the first time as soon as the relays are known, if votes are seconds apart; on the full hour, if they
// are an hour apart.
func timing(now time.Time, interval time.Duration) dirauth.Timing {
	t := dirauth.Timing{Interval: interval, VoteDelay: min(interval/5, 5*time.Minute).Truncate(time.Second)}
	t.DistDelay = t.VoteDelay
	if interval < time.Minute {
		first := now.Add(lead + t.VoteDelay + t.DistDelay + time.Second).Truncate(time.Second)
		t.Offset = first.Sub(first.Truncate(24*time.Hour)) % interval
	}
	return t
}

// place makes all nodes, without starting them: they must know where the authorities are.
func (n *Net) place() error {
	for _, group := range []struct {
		role  Role
		name  string
		count int
	}{{Authority, "auth", n.cfg.Authorities}, {Relay, "relay", n.cfg.Relays}, {Exit, "exit", n.cfg.Exits}, {Client, "client", n.cfg.Clients}} {
		for i := range group.count {
			node, err := n.newNode(group.role, fmt.Sprintf("%s%d", group.name, i), i)
			if err != nil {
				return err
			}
			n.nodes = append(n.nodes, node)
			if node.host != nil && n.cells.names != nil {
				n.cells.names[node.host.Addr()] = node.Name
			}
		}
	}
	for _, node := range n.Nodes(Authority) {
		n.dirs = append(n.dirs, trusteddirs.Authority{
			Nickname: node.Name, Addr: node.or, DirPort: node.dir, Fingerprint: node.Fingerprint(), V3Ident: n.keys[node.index].ID(), Weight: 1,
		})
	}
	return nil
}

// Nodes lists the nodes of a role, or of several.
func (n *Net) Nodes(roles ...Role) (list []*Node) {
	for _, node := range n.nodes {
		if slices.Contains(roles, node.Role) {
			list = append(list, node)
		}
	}
	return list
}

// Node returns the node of a name: auth0, relay0, exit0, client0 and so on. It panics if there is none.
func (n *Net) Node(name string) *Node {
	for _, node := range n.nodes {
		if node.Name == name {
			return node
		}
	}
	panic("simnet: no node " + name)
}

// Client returns client i.
func (n *Net) Client(i int) *Node { return n.Nodes(Client)[i] }

// Authorities says how the authorities are known, for clients beside those of the network.
func (n *Net) Authorities() []trusteddirs.Authority { return slices.Clone(n.dirs) }

// Memory is the network in memory; nil on loopback.
func (n *Net) Memory() *memnet.Net { return n.mem }

// Host adds a machine to a network in memory that is no node of Tor, for a server.
func (n *Net) Host(name string) *memnet.Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers++
	return n.mem.Host(name, netip.AddrFrom4([4]byte{198, 18, byte(n.servers >> 8), byte(n.servers)}))
}

// readyPoll is how often WaitReady looks, in an interval.
const readyPoll = 100

// WaitReady returns when all relays that run are in the consensus, as all nodes that run know it, so that each of them can build
// circuits through any other. Nodes that have asked for a consensus before there was one are made to ask again.
func (n *Net) WaitReady(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("simnet: %w (%w)", n.notReady(), context.Cause(ctx))
		case <-timer.C:
		}
		if n.notReady() == nil {
			return nil
		}
		n.hurry()
		timer.Reset(n.cfg.Interval / readyPoll)
	}
}

// hurry makes nodes without a directory look for one, once the authorities have it.
func (n *Net) hurry() {
	for _, node := range n.Nodes(Authority) {
		if node.Running() && node.View() == nil {
			return
		}
	}
	for _, node := range n.Nodes(Relay, Exit, Client) {
		if c := node.Client(); c != nil && c.View() == nil {
			c.Retry()
		}
	}
}

// notReady says what WaitReady waits for.
func (n *Net) notReady() error {
	for _, node := range n.nodes {
		if !node.Running() {
			continue
		}
		v := node.View()
		if v == nil {
			return fmt.Errorf("%s has no directory", node.Name)
		}
		for _, other := range n.Nodes(Authority, Relay, Exit) {
			r := v.ByRSA(other.Fingerprint())
			switch {
			case !other.Running():
			case r == nil:
				return fmt.Errorf("%s does not know %s", node.Name, other.Name)
			case !r.Listed() || !r.Usable():
				return fmt.Errorf("%s may not use %s, whose flags are %v", node.Name, other.Name, r.Flags)
			}
		}
	}
	return nil
}

// Trace is the last events that the nodes have logged, at most so many, one a line.
func (n *Net) Trace(events int) string { return n.trace.text(events) }

// Cells is the last cells that were sent, at most so many, one a line; nothing with TLS.
func (n *Net) Cells(most int) string { return n.cells.text(most) }

// CellCounts counts the cells that were sent, by command; nothing with TLS.
func (n *Net) CellCounts() map[cell.Command]int {
	n.cells.mu.Lock()
	defer n.cells.mu.Unlock()
	return maps.Clone(n.cells.counts)
}

// Events counts what the nodes have logged.
func (n *Net) Events() map[Kind]int { return n.trace.kinds() }

// Warnings counts what the nodes have warned of, by message.
func (n *Net) Warnings() map[string]int {
	list := map[string]int{}
	for k, count := range n.Events() {
		if k.Level >= slog.LevelWarn {
			list[k.Text] += count
		}
	}
	return list
}

// Errors lists what went wrong that never may.
func (n *Net) Errors() []string { return n.trace.failed() }

// Close stops all nodes.
func (n *Net) Close() {
	for _, node := range slices.Backward(n.nodes) {
		node.Stop()
	}
}

// Note puts into the trace what somebody has done to a node.
func (n *Net) Note(node, what string) {
	slog.New(n.trace.handler(node)).Info("▶ " + what)
}

package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/nameserver"
)

// A Network is a private Tor network. Its methods are safe for concurrent use.
type Network struct {
	DNS *nameserver.Server // what exits ask about names

	cfg        Config
	dir        *runDir
	resolvConf string
	geoIP4     string
	geoIP6     string
	offset     time.Duration // of the voting intervals from midnight
	bandwidths sync.Mutex    // held while their file is written

	mu     sync.Mutex // guards the fields below
	nodes  []*Node
	closed bool
}

// Start brings a network up. When it returns, the consensus has all relays with all flags, and relays and clients have
// bootstrapped. When it fails, nothing stays but a directory that was asked for.
func Start(ctx context.Context, cfg Config) (*Network, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("test network: %w", err)
	}
	n := &Network{cfg: cfg}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("test network: %w", err), n.Close())
	}
	return n, nil
}

func (n *Network) start(ctx context.Context) error {
	// Programs come first, since to find one missing must not take until the first vote.
	if err := n.plan(); err != nil {
		return err
	}
	var err error
	if n.dir, err = openRunDir(n.cfg.Dir); err != nil {
		return err
	}
	if err := n.writeCountries(); err != nil {
		return err
	}
	if err := n.status(starting, "").write(""); err != nil {
		return err
	}
	for _, node := range n.nodes {
		node.Dir = nodeDir(n.dir.path, node.Name)
	}
	if n.DNS, err = nameserver.New(); err != nil {
		return err
	}
	n.resolvConf = filepath.Join(n.dir.path, "resolv.conf")
	if err := os.WriteFile(n.resolvConf, n.DNS.Conf(), 0o600); err != nil {
		return err
	}
	return n.bringUp(ctx)
}

// writeCountries writes the files by which relays tell countries. To read the true ones takes them as long as the rest of their
// start.
func (n *Network) writeCountries() error {
	n.geoIP4, n.geoIP6 = filepath.Join(n.dir.path, "geoip"), filepath.Join(n.dir.path, "geoip6")
	return errors.Join(os.WriteFile(n.geoIP4, []byte("2130706432,2147483647,ZZ\n"), 0o600), os.WriteFile(n.geoIP6, []byte("::1,::1,ZZ\n"), 0o600))
}

// plan makes the nodes of the configuration, on paper.
func (n *Network) plan() error {
	if err := n.cfg.checkNames(); err != nil {
		return err
	}
	for i, count := range []int{n.cfg.Authorities, n.cfg.Relays, n.cfg.Exits, n.cfg.Clients, n.cfg.Onions} {
		for k := range count {
			node := &Node{Name: fmt.Sprint(Roles[i], k+1), Role: Roles[i], net: n}
			var err error
			if node.Bin, err = n.cfg.bin(node.Name, node.Role); err != nil {
				return err
			}
			n.nodes = append(n.nodes, node)
		}
	}
	return nil
}

// bringUp takes the nodes through the stages of a start.
func (n *Network) bringUp(ctx context.Context) error {
	relays, clients, onions := n.withRole(Relay, Exit), n.withRole(Client), n.withRole(Onion)
	type stage struct {
		name string
		run  func() error
	}
	stages := []stage{
		{"keys", n.makeKeys},
		{"authorities", func() error { return n.launchAuthorities(ctx) }},
		{"relays", func() error { return errors.Join(launchEach(ctx, relays), n.waitAuthorities(ctx)) }},
		{"consensus", func() error { return n.WaitConsensus(ctx) }},
		// Clients come last: one that asks a relay for descriptors which the relay lacks yet asks again after ten seconds.
		{"caches", func() error { return errors.Join(waitReady(ctx, relays), n.waitKnown(ctx)) }},
		{"clients", func() error { return errors.Join(launchEach(ctx, clients), waitReady(ctx, clients)) }},
	}
	if len(onions) > 0 {
		stages = append(stages, stage{"onions", func() error { return errors.Join(launchEach(ctx, onions), waitReady(ctx, onions)) }})
	}
	for i, stage := range stages {
		n.cfg.Begin(stage.name, i, len(stages))
		begin := time.Now()
		if err := stage.run(); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
		n.cfg.Progress(stage.name, time.Since(begin))
	}
	return n.status(ready, "").write("")
}

func (n *Network) launchAuthorities(ctx context.Context) error {
	n.offset = votingOffset(time.Now(), lead(n.Nodes()), n.cfg.Voting)
	return launch(ctx, n.withRole(Authority))
}

// waitAuthorities returns when the authorities have made their keys.
func (n *Network) waitAuthorities(ctx context.Context) error {
	return each(n.withRole(Authority), n.cfg.Authorities, func(node *Node) error { return node.process().WaitBootstrap(ctx, 0) })
}

// Close stops all nodes, waits until they are gone, and removes the network's directory unless it was asked for. It may
// be called more than once, but not while Add or Restart runs.
func (n *Network) Close() error {
	n.mu.Lock()
	nodes, closed := n.nodes, n.closed
	n.closed = true
	n.mu.Unlock()
	if closed {
		return nil
	}
	err := each(nodes, len(nodes)+1, (*Node).discard)
	if n.DNS != nil {
		err = errors.Join(err, n.DNS.Close())
	}
	if n.dir != nil {
		err = errors.Join(err, n.dir.close())
	}
	return err
}

// Dir is the network's directory. The files of a node are in its Node.Dir.
func (n *Network) Dir() string { return n.dir.path }

// Nodes are all nodes, those that do not run too, in the order in which they were added.
func (n *Network) Nodes() []*Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.nodes)
}

// Node is the node of a name, or nil.
func (n *Network) Node(name string) *Node {
	for _, node := range n.Nodes() {
		if node.Name == name {
			return node
		}
	}
	return nil
}

// withRole are all nodes that have one of the roles.
func (n *Network) withRole(roles ...Role) []*Node {
	return slices.DeleteFunc(n.Nodes(), func(node *Node) bool { return !slices.Contains(roles, node.Role) })
}

// running are the nodes with one of the roles that have a process.
func (n *Network) running(roles ...Role) []*Node {
	return slices.DeleteFunc(n.withRole(roles...), func(node *Node) bool { return !node.Running() })
}

// Authorities are the DirAuthority lines of the network.
func (n *Network) Authorities() []string {
	var lines []string
	for _, node := range n.withRole(Authority) {
		lines = append(lines, node.dirAuthority())
	}
	return lines
}

// ClientTorrc is the torrc of a client that somebody else starts. Its DataDirectory, ports and log are left to them.
func (n *Network) ClientTorrc() []string { return n.commonTorrc().Torrc }

// ProtocolWarnings are the complaints in the logs of all nodes about their peers, each after the name of its node.
func (n *Network) ProtocolWarnings() ([]string, error) {
	var all []string
	for _, node := range n.Nodes() {
		log, err := node.Log()
		if err != nil {
			return nil, err
		}
		for _, line := range ctor.ProtocolWarnings(log) {
			all = append(all, node.Name+": "+line)
		}
	}
	return all, nil
}

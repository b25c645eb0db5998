package testnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// NodeConfig describes a node that joins a network which is up.
type NodeConfig struct {
	Name  string   // a role and a number: client7
	Bin   string   // as in Config.Bins; "" is what the configuration of the network says
	Path  Path     // of a client
	Torrc []string // more torrc lines, behind those of the configuration
}

// Path pins a client to paths through named nodes of the network. An empty name leaves the choice to the client.
type Path struct{ Entry, Middle, Exit string }

// Add starts a node and returns when its ports are open. WaitReady waits for its bootstrap, WaitConsensus until clients
// can use a relay. No authority can be added, since all nodes have the list of authorities from their start.
func (n *Network) Add(ctx context.Context, cfg NodeConfig) (*Node, error) {
	node, err := n.newNode(cfg)
	if err != nil {
		return nil, fmt.Errorf("add %s: %w", cfg.Name, err)
	}
	if node.Role.relays() {
		if node.Fingerprint, err = newIdentity(node.Dir); err != nil {
			return nil, fmt.Errorf("add %s: %w", cfg.Name, err)
		}
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil, fmt.Errorf("add %s: the network is closed", cfg.Name)
	}
	n.nodes = append(n.nodes, node)
	n.mu.Unlock()
	if node.Role.relays() {
		if err := n.writeBandwidths(); err != nil {
			return node, fmt.Errorf("add %s: %w", cfg.Name, err)
		}
	}
	return node, launch(ctx, []*Node{node})
}

func (n *Network) newNode(cfg NodeConfig) (*Node, error) {
	role, err := roleOf(cfg.Name)
	switch {
	case err != nil:
		return nil, err
	case role == Authority || string(role) == cfg.Name:
		return nil, errors.New("want a relay, exit, client or onion with a number")
	case n.Node(cfg.Name) != nil:
		return nil, errors.New("the network has it already")
	}
	node := &Node{Name: cfg.Name, Role: role, Dir: nodeDir(n.dir.path, cfg.Name), net: n}
	if cfg.Bin != "" {
		node.Bin, err = findBin(node.Name, cfg.Bin)
	} else {
		node.Bin, err = n.cfg.bin(node.Name, role)
	}
	if err != nil {
		return nil, err
	}
	if node.extra, err = n.pin(cfg.Path); err != nil {
		return nil, err
	}
	node.extra = append(node.extra, cfg.Torrc...)
	return node, nil
}

// pin makes the torrc lines that hold a client to a path. Conflux goes, since its second leg needs a second entry.
func (n *Network) pin(path Path) (ctor.Torrc, error) {
	if path == (Path{}) {
		return nil, nil
	}
	var t ctor.Torrc
	for _, hop := range []struct{ option, name string }{
		{"EntryNodes", path.Entry}, {"MiddleNodes", path.Middle}, {"ExitNodes", path.Exit},
	} {
		if hop.name == "" {
			continue
		}
		node := n.Node(hop.name)
		if node == nil || node.Fingerprint == "" {
			return nil, fmt.Errorf("%s: the network has no relay %q", hop.option, hop.name)
		}
		t.Add(hop.option, "$"+node.Fingerprint)
	}
	t.Add("StrictNodes", "1")
	t.Add("ConfluxEnabled", "0")
	return t, nil
}

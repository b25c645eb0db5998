package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

const (
	restartTries = 25                     // how often a node finds its old ports taken
	restartPause = 200 * time.Millisecond // between these
	// How long a relay may take to bootstrap before it is told to look for the consensus again.
	firstPatience = 100 * time.Millisecond
	laterPatience = 2 * time.Second

	enoughDirInfo = 75 // percent of a bootstrap
)

// errPortTaken is the error of a node that ended since another program took a port of it.
var errPortTaken = errors.New("port is taken")

var dirPortOpen = regexp.MustCompile(`Opened Directory listener`)

var addressInUse = regexp.MustCompile(`(?i)address already in use`)

// A Node is a member of the network: a directory, and at most one process at a time. Its methods are safe for concurrent
// use. Its fields do not change once the node has been handed out.
type Node struct {
	Name        string
	Role        Role
	Bin         string // path of the program
	Dir         string // as package ctor lays it out
	Fingerprint string // of the RSA identity, upper-case hex; clients have none

	// Addresses on loopback, host:port. Relays have an ORPort, authorities a DirPort as well, clients SOCKS.
	ORPort, DirPort, SOCKS, ControlPort string

	net     *Network
	v3ident string
	extra   ctor.Torrc
	held    ports // until the first start

	mu   sync.Mutex    // guards proc
	proc *ctor.Process // nil before the first start
}

func (node *Node) process() *ctor.Process {
	node.mu.Lock()
	defer node.mu.Unlock()
	return node.proc
}

// hasControlPort tells whether a program has a control port: Tropea has none yet, and refuses the option.
func hasControlPort(bin string) bool { return !ctor.IsTropea(bin) }

// reservePorts gives the node all its ports.
func (node *Node) reservePorts() error {
	want := []*string{&node.ControlPort}
	switch node.Role {
	case Client:
		want = append(want, &node.SOCKS)
	case Onion:
	case Authority:
		want = append(want, &node.ORPort, &node.DirPort)
	default:
		want = append(want, &node.ORPort)
	}
	held, err := reserve(len(want))
	if err != nil {
		return fmt.Errorf("%s: ports: %w", node.Name, err)
	}
	for i, addr := range want {
		*addr = held.addr(i)
	}
	node.held = held
	return nil
}

// launch starts the process and returns when its ports are open.
func (node *Node) launch(ctx context.Context) error {
	if err := node.held.release(); err != nil {
		return fmt.Errorf("%s: ports: %w", node.Name, err)
	}
	node.held = nil
	proc, err := ctor.Start(ctor.Config{Name: node.Name, Bin: node.Bin, Dir: node.Dir, Torrc: node.net.torrc(node)})
	if err != nil {
		return err
	}
	node.mu.Lock()
	node.proc = proc
	node.mu.Unlock()
	if node.Role == Authority {
		// Relays need not wait until it has made its keys: what they send it is there when it has.
		_, err = proc.Wait(ctx, dirPortOpen)
	} else {
		err = proc.WaitBootstrap(ctx, 0)
	}
	if errors.Is(err, ctor.ErrEnded) {
		if _, e := proc.Wait(ctx, addressInUse); e == nil {
			return fmt.Errorf("%w: %w", errPortTaken, err)
		}
	}
	return err
}

// WaitReady returns when a client has bootstrapped, clients can find an onion service, or a relay knows the network: the only exit of a network can build no
// circuit of its own that ends at an exit. A relay that asked for a consensus before there was one would ask
// again only after half a minute or more, so relays that are late are told to reload.
func (node *Node) WaitReady(ctx context.Context) error {
	percent := 100
	if node.Role.relays() {
		percent = enoughDirInfo
	}
	for patience := firstPatience; ; patience = laterPatience {
		attempt, cancel := context.WithTimeout(ctx, patience)
		err := node.process().WaitBootstrap(attempt, percent)
		cancel()
		if err == nil && node.Role == Onion {
			return node.waitOnion(ctx)
		}
		if err == nil || errors.Is(err, ctor.ErrEnded) || ctx.Err() != nil {
			return err
		}
		if node.Role.relays() {
			node.reload(ctx)
		}
	}
}

// reload does what it can: where there is neither a control port nor a signal, the program just takes its time.
func (node *Node) reload(ctx context.Context) {
	c, err := node.Control(ctx)
	if err != nil {
		node.Kick(syscall.SIGHUP)
		return
	}
	defer c.Close()
	c.Signal("RELOAD")
}

// Control connects to the node's control port.
func (node *Node) Control(ctx context.Context) (*ctor.Control, error) {
	c, err := ctor.DialControl(ctx, node.ControlPort, node.Dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", node.Name, err)
	}
	return c, nil
}

// Wait returns the first log line of the present run that matches.
func (node *Node) Wait(ctx context.Context, pattern *regexp.Regexp) (string, error) {
	return node.process().Wait(ctx, pattern)
}

// Done is closed when the present run ends.
func (node *Node) Done() <-chan struct{} { return node.process().Done() }

// Running says whether the node has a process.
func (node *Node) Running() bool {
	p := node.process()
	if p == nil {
		return false
	}
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// Stop ends the node's process in order, and returns when it is gone. A node that does not run is left alone.
func (node *Node) Stop() error {
	if p := node.process(); p != nil {
		return p.Stop()
	}
	return nil
}

// discard ends the node for good.
func (node *Node) discard() error { return errors.Join(node.held.release(), node.Stop()) }

// Kill ends the node's process at once, as a crash would, and returns when it is gone.
func (node *Node) Kill() {
	if p := node.process(); p != nil {
		p.Kill()
	}
}

// SetTorrc replaces the node's own torrc lines, those of NodeConfig.Torrc, for the next Restart.
func (node *Node) SetTorrc(lines ...string) { node.extra = lines }

// Restart stops the process if it runs and starts it again on the same ports, with what it left on disk. It returns when
// the ports are open.
func (node *Node) Restart(ctx context.Context) error {
	if err := node.Stop(); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := node.launch(ctx)
		if !errors.Is(err, errPortTaken) || try == restartTries {
			return err
		}
		select {
		case <-time.After(restartPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Log is what all runs of the node wrote so far.
func (node *Node) Log() (string, error) {
	b, err := os.ReadFile(ctor.LogPath(node.Dir))
	return string(b), err
}

// Interrupt asks the node's process to end by SIGINT, and does not wait.
func (node *Node) Interrupt() error { return node.Kick(os.Interrupt) }

// Flags asks an authority for the flags of all relays in its consensus, by nickname.
func (node *Node) Flags(ctx context.Context) (map[string][]string, error) {
	return fetchFlags(ctx, node.DirPort)
}

// Kick sends the node's process a signal.
func (node *Node) Kick(sig os.Signal) error {
	p, err := os.FindProcess(node.process().PID())
	if err != nil {
		return err
	}
	return p.Signal(sig)
}

// PID is the id of the node's process.
func (node *Node) PID() int { return node.process().PID() }

// Usage measures the node's process.
func (node *Node) Usage() (ctor.Usage, error) { return node.process().Usage() }

// nodeDir is where the network has a node.
func nodeDir(root, name string) string { return filepath.Join(root, nodesDir, name) }

package simnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/role/hsservice"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// An Onion is an onion service of a node. It is a net.Listener that outlives the node's process: the service comes and goes with
// that, and its key is on the node's disk.
type Onion struct {
	*hsservice.Listener

	node *Node
	dir  string
	host string
	port uint16
	set  hsservice.Settings
	now  atomic.Pointer[hsservice.Service] // of the process; nil if that does not run
	part *part                             // that runs it; guarded by Node.mu
}

type onionAddr string

func (onionAddr) Network() string  { return "onion" }
func (a onionAddr) String() string { return string(a) }

// Addr is where clients connect to, with the first port.
func (o *Onion) Addr() net.Addr {
	return onionAddr(net.JoinHostPort(o.host, strconv.Itoa(int(o.port))))
}

// Host is the name of the service, with ".onion".
func (o *Onion) Host() string { return o.host }

// Service is the service of the process that runs; nil if none does.
func (o *Onion) Service() *hsservice.Service { return o.now.Load() }

// Listen adds an onion service to a client. Its key is in a directory of the node's disk, as C tor has it; a new one is made if
// there is none. set needs no Handler, and ports are 80 if there are none.
func (n *Node) Listen(dir string, set hsservice.Settings, ports ...uint16) (*Onion, error) {
	if len(ports) == 0 {
		ports = []uint16{80}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	key, err := n.onionKey(dir)
	if err != nil {
		return nil, err
	}
	addr, err := onionaddr.FromKey(key.ID())
	if err != nil {
		return nil, err
	}
	o := &Onion{
		Listener: hsservice.NewListener(func(s hsservice.Stream) net.Conn { return s.Stream }, ports...),
		node:     n, dir: dir, host: addr.String(), port: ports[0], set: set,
	}
	o.set.Handler = o.Listener
	if p := n.proc.Load(); p != nil {
		if err := o.start(p); err != nil {
			return nil, err
		}
	}
	n.onions = append(n.onions, o)
	return o, nil
}

// onionKey reads the key of a service, or makes one.
func (n *Node) onionKey(dir string) (*keyfile.EdSecret, error) {
	name := dir + "/" + keyfile.ServiceSecretFile
	text, err := n.files.Read(name)
	if err == nil {
		return keyfile.ParseEdSecret(text, keyfile.TagMaster)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key := keyfile.GenerateEd()
	if text, err = key.AppendTo(nil, keyfile.TagMaster); err != nil {
		return nil, err
	}
	return key, n.files.WriteWhole(name, text)
}

// start makes the service a part of a process: one that is stopped before the client is.
func (o *Onion) start(p *process) error {
	key, err := o.node.onionKey(o.dir)
	if err != nil {
		return err
	}
	s, err := p.client.NewService(key, client.ServiceMode{}, o.set)
	if err != nil {
		return err
	}
	o.part = p.begin("onion service", s.Run)
	p.parts = slices.Insert(p.parts[:len(p.parts)-1], 0, o.part)
	o.now.Store(s)
	return nil
}

// stop takes note that the process has ended.
func (o *Onion) stop() { o.now.Store(nil) }

// WaitUp returns when the service of the process is, or has been, reachable.
func (o *Onion) WaitUp(ctx context.Context) error {
	s := o.Service()
	if s == nil {
		return errStopped
	}
	select {
	case <-s.Up():
		return nil
	case <-s.Done():
		return errStopped
	case <-ctx.Done():
		_, text := s.Status()
		return fmt.Errorf("simnet: onion service: %s: %w", text, context.Cause(ctx))
	}
}

// Close ends the service. Its key stays.
func (o *Onion) Close() error {
	n := o.node
	n.mu.Lock()
	defer n.mu.Unlock()
	o.Listener.Close()
	i := slices.Index(n.onions, o)
	if i < 0 {
		return nil
	}
	n.onions = slices.Delete(n.onions, i, i+1)
	if o.part != nil {
		o.part.end()
	}
	o.stop()
	return nil
}

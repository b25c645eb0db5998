package circmgr

import (
	"context"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
)

// DirServer is a directory cache or authority to ask.
type DirServer struct {
	Target link.Target
	Hop    *circuit.Hop // nil while its onion key is not known: the circuit is then made with CREATE_FAST

	relay *netdir.Relay // whose guard, if it is one, is told how it goes; nil for a server that is not known from the consensus
}

// DirServerOf returns r as a directory server.
func DirServerOf(r *netdir.Relay) DirServer {
	s := DirServer{Target: target(r), relay: r}
	if r.HasDescriptor {
		h := hop(r)
		s.Hop = &h
	}
	return s
}

// dirIdle is how long a directory circuit is kept after its last request.
const dirIdle = time.Minute

// dirPool holds the circuits of one hop that directory requests use, one a relay.
type dirPool struct {
	m   *Manager
	ctx context.Context // of the manager; set by start
	run chan struct{}   // closed when ctx is set

	mu     sync.Mutex // guards the fields below
	circs  map[dirKey]*dirCircuit
	closed bool
}

type dirKey struct {
	rsa [20]byte
	ed  [32]byte
}

// dirCircuit is a directory circuit, or the attempt to make one that several requests may wait for.
type dirCircuit struct {
	ready chan struct{} // closed when circ or err is set
	circ  *circuit.Circuit
	err   error

	users int // guarded by dirPool.mu
	timer *time.Timer
}

func (p *dirPool) init(m *Manager) {
	p.m = m
	p.run = make(chan struct{})
	p.circs = map[dirKey]*dirCircuit{}
}

func (p *dirPool) start(ctx context.Context) {
	p.ctx = ctx
	close(p.run)
}

func (p *dirPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, d := range p.circs {
		p.dropLocked(d)
	}
}

// Dir returns a tunnel of one hop to a directory server. release must be called when the request is over. It waits for
// the manager to run.
func (m *Manager) Dir(ctx context.Context, s DirServer) (t *circuit.Tunnel, release func(), err error) {
	p := &m.dirs
	select {
	case <-p.run:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	key := dirKey{s.Target.RSA, s.Target.Ed}
	d, err := p.get(key, s)
	if err != nil {
		return nil, nil, err
	}
	release = sync.OnceFunc(func() { p.release(key, d) })
	select {
	case <-d.ready:
		if d.err != nil {
			release()
			return nil, nil, d.err
		}
		return d.circ.Tunnel(), release, nil
	case <-ctx.Done():
		release()
		return nil, nil, context.Cause(ctx)
	}
}

// get returns the live circuit for key, or begins one.
func (p *dirPool) get(key dirKey, s DirServer) (*dirCircuit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.ctx.Err() != nil {
		return nil, ErrClosed
	}
	d := p.circs[key]
	if d == nil || d.dead() {
		d = &dirCircuit{ready: make(chan struct{})}
		p.circs[key] = d
		safego.Go(&p.m.wg, p.m.log, "directory circuit", func() { p.build(d, s) })
	}
	d.users++
	if d.timer != nil {
		d.timer.Stop()
	}
	return d, nil
}

// dead tells whether the circuit has failed or ended.
func (d *dirCircuit) dead() bool {
	select {
	case <-d.ready:
		return d.err != nil || d.circ.Err() != nil
	default:
		return false
	}
}

// build makes the circuit, and tells those who wait for it.
func (p *dirPool) build(d *dirCircuit, s DirServer) {
	defer close(d.ready)
	d.err = ErrClosed // should a panic end this
	circ, err := p.create(s)
	switch {
	case p.ctx.Err() == nil:
		p.tellGuard(s.relay, err)
		d.circ, d.err = circ, err
	case circ != nil:
		circ.Close() // the pool has been closed meanwhile
	}
}

// tellGuard tells the guards whether one of them could be reached: the next request is to go to another.
func (p *dirPool) tellGuard(r *netdir.Relay, err error) {
	switch {
	case r == nil:
	case err != nil:
		p.m.cfg.Guards.Failed(r)
	default:
		p.m.cfg.Guards.Succeeded(r)
	}
}

func (p *dirPool) create(s DirServer) (*circuit.Circuit, error) {
	ctx, cancel := context.WithTimeoutCause(p.ctx, p.m.cfg.BuildTimeout, ErrBuildTimeout)
	defer cancel()
	l, err := p.m.cfg.Links.Get(ctx, s.Target)
	if err != nil {
		return nil, err
	}
	if s.Hop != nil {
		return circuit.Create(ctx, l, *s.Hop, circuit.Options{})
	}
	return circuit.CreateFast(ctx, l, circuit.Options{})
}

// release ends a use of d; an idle circuit is closed a while later.
func (p *dirPool) release(key dirKey, d *dirCircuit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.users--; d.users > 0 {
		return
	}
	if p.closed {
		p.dropLocked(d)
		return
	}
	d.timer = time.AfterFunc(dirIdle, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if d.users == 0 {
			if p.circs[key] == d {
				delete(p.circs, key)
			}
			p.dropLocked(d)
		}
	})
}

func (p *dirPool) dropLocked(d *dirCircuit) {
	if d.timer != nil {
		d.timer.Stop()
	}
	select {
	case <-d.ready:
		if d.circ != nil {
			d.circ.Close()
		}
	default: // the build's own context ends it
	}
}

package circmgr

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// DirSource gives the current view of the network. client/dirsync is one.
type DirSource interface {
	// View returns nil while there is not enough to build circuits from.
	View() *netdir.View
	// Changed returns a channel that is closed when View would answer differently.
	Changed() <-chan struct{}
}

// Guards chooses first hops and learns how they fare.
type Guards interface {
	// Pick returns a guard that ok accepts.
	Pick(v *netdir.View, ok func(*netdir.Relay) bool) (*netdir.Relay, error)
	Succeeded(*netdir.Relay)
	Failed(*netdir.Relay)
}

// Config is what a Manager needs. Zero durations and counts mean C tor's defaults.
type Config struct {
	Env    env.Env
	Links  *link.Registry
	Dir    DirSource
	Guards Guards
	Select *pathsel.Selector
	Rand   *rand.Rand // for path choice; only the owner goroutine uses it
	Events *event.Bus // gets Event values; may be nil

	MaxDirtiness  time.Duration           // how long after its first use a circuit takes new streams; 10 min
	BuildTimeout  time.Duration           // 60 s
	MaxPending    int                     // builds at a time for requests; 32
	LongLived     []uint16                // ports whose circuits need Stable relays
	NoPrediction  bool                    // build no circuit ahead of need
	Vanguards     *vanguard.Set           // relays for circuits inside the network; only the owner goroutine uses it
	AvailableTime time.Duration           // how long an unused circuit is kept; 30 min to twice that
	Padding       *circuit.PaddingAccount // of circuits to onion services; nil for none

	SaveVanguards func([]statedoc.Vanguard) // keeps them over restarts
}

// An Event tells of a circuit's life.
type Event struct {
	Circ  uint64 // 0 with Failed if there was no path to begin with
	State EventState
	Path  []*netdir.Relay
	Err   error // of a failed or closed one
}

// EventState is what happened to a circuit.
type EventState uint8

// The states that events tell of.
const (
	Launched EventState = iota + 1
	Built
	Failed
	Closed
)

// A Manager keeps the pool of circuits. Its methods are safe for concurrent use.
type Manager struct {
	cfg  Config
	log  *slog.Logger
	msgs chan func(now time.Time) // run by the owner
	done chan struct{}            // closed when Run returns
	wg   sync.WaitGroup           // builds and directory circuits

	// The goroutine in Run owns the fields below; others reach them through do.
	ctx       context.Context
	pool      map[*entry]struct{}
	waiting   []*request
	ports     predictor
	backoff   backoff
	lastErr   error
	lastCirc  uint64
	available time.Duration
	stock     stock

	dirs dirPool
}

// entry is a circuit in the pool.
//
//	building → clean → dirty → (closed)
type entry struct {
	id     uint64
	need   pathsel.Need // what it was built for
	path   []*netdir.Relay
	circ   *circuit.Circuit // nil while it is being built
	opened time.Time
	key    isolation.Key
	dirty  time.Time // of its first use; zero while clean
}

func (e *entry) exit() *netdir.Relay { return e.path[len(e.path)-1] }

// request is a stream that waits for a circuit.
type request struct {
	need  Need
	reply chan outcome // has room for one
}

// outcome is what a request gets.
type outcome struct {
	lease Lease
	err   error
}

// New returns a manager. Run makes it work.
func New(cfg Config) *Manager {
	if cfg.MaxDirtiness == 0 {
		cfg.MaxDirtiness = 10 * time.Minute
	}
	if cfg.BuildTimeout == 0 {
		cfg.BuildTimeout = time.Minute
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = 32
	}
	if cfg.AvailableTime == 0 {
		cfg.AvailableTime = 30 * time.Minute
	}
	if cfg.Vanguards == nil {
		cfg.Vanguards = vanguard.New(vanguard.Config{OK: cfg.Select.LayerOK, Rand: cfg.Rand})
	}
	m := &Manager{
		cfg: cfg, log: cfg.Env.Log,
		msgs: make(chan func(time.Time)), // without a buffer: what do has handed over is run
		done: make(chan struct{}),
		pool: map[*entry]struct{}{},
	}
	m.available = cfg.AvailableTime + time.Duration(cfg.Rand.Int64N(int64(cfg.AvailableTime)))
	m.dirs.init(m)
	return m
}

// Run serves the manager until ctx ends. It returns when all circuits are closed and all builds have ended.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	m.ctx = ctx
	m.dirs.start(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	changed := m.cfg.Dir.Changed()
	for ctx.Err() == nil {
		now := time.Now()
		timer.Reset(m.work(now))
		select {
		case <-ctx.Done():
		case f := <-m.msgs:
			f(time.Now())
		case <-changed:
			changed = m.cfg.Dir.Changed()
			m.backoff.reset()
		case <-timer.C:
		}
	}
	cancel(ErrClosed)
	close(m.done)
	for e := range m.pool {
		if e.circ != nil {
			e.circ.Close()
		}
	}
	m.stock.drop()
	m.dirs.close()
	m.wg.Wait()
	return context.Cause(ctx)
}

// do runs f in the owner goroutine, and reports whether it will.
func (m *Manager) do(f func(now time.Time)) bool {
	select {
	case m.msgs <- f:
		return true
	case <-m.done:
		return false
	}
}

// call is do that waits until f has run.
func (m *Manager) call(f func(now time.Time)) bool {
	done := make(chan struct{})
	if !m.do(func(now time.Time) { defer close(done); f(now) }) {
		return false
	}
	<-done
	return true
}

// Exit returns a circuit for need: an open one, or a new one. It waits until ctx ends, unless no exit will do. Its errors
// are a *BuildError or ErrClosed.
func (m *Manager) Exit(ctx context.Context, need Need) (Lease, error) {
	need.Stable = need.Stable || m.longLived(need.Port)
	r := &request{need: need, reply: make(chan outcome, 1)}
	if !m.do(func(now time.Time) {
		m.ports.used(need.Port, now)
		m.waiting = append(m.waiting, r)
	}) {
		return Lease{}, ErrClosed
	}
	select {
	case o := <-r.reply:
		return o.lease, o.err
	case <-m.done:
		return Lease{}, ErrClosed
	case <-ctx.Done():
	}
	last := make(chan error, 1)
	if m.do(func(time.Time) { m.forget(r); last <- m.trouble() }) {
		select {
		case err := <-last:
			return Lease{}, &BuildError{Err: err, Cause: context.Cause(ctx)}
		case <-m.done:
		}
	}
	return Lease{}, ErrClosed
}

// trouble returns why there is no circuit yet.
func (m *Manager) trouble() error {
	switch {
	case m.cfg.Dir.View() == nil:
		return ErrNoDirectory
	case m.lastErr == nil:
		return ErrSlow
	}
	return m.lastErr
}

func (m *Manager) forget(r *request) {
	for i, w := range m.waiting {
		if w == r {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			return
		}
	}
}

// NewIdentity keeps streams to come off all circuits that are open now.
func (m *Manager) NewIdentity() {
	m.do(func(now time.Time) {
		for e := range m.pool {
			if e.circ != nil && e.dirty.IsZero() {
				m.remove(e)
			} else if e.circ != nil {
				m.retire(e, now)
			}
		}
		m.stock.drop()
		m.cfg.Vanguards.Forget()
	})
}

func (m *Manager) publish(e Event) {
	if m.cfg.Events != nil {
		m.cfg.Events.Publish(e)
	}
}

// Retire keeps new streams off a circuit that has failed one; those it has go on.
func (m *Manager) Retire(circ uint64) {
	m.do(func(now time.Time) {
		for e := range m.pool {
			if e.id == circ {
				m.retire(e, now)
			}
		}
	})
}

package hsclient

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// Circuits gives out circuits. circmgr.Manager is one.
type Circuits interface {
	Inside(ctx context.Context, need circmgr.InsideNeed) (circmgr.Inside, error)
}

// Config is what a Client needs.
type Config struct {
	Env      env.Env
	Circuits Circuits
	Dir      circmgr.DirSource
	Select   *pathsel.Selector // which relays the user excludes
	Rand     *rand.Rand        // for choices

	Auth         []*keyfile.ClientAuth // of services that know their clients; the first one of a service counts
	LongLived    []uint16              // ports whose circuits need Stable relays
	MaxDirtiness time.Duration         // how long after its last use a circuit takes new streams; 10 min
	Testing      bool                  // it is a test network (TestingTorNetwork)
	AllowPrivate bool                  // introduction points may have internal addresses
}

// A Client connects to onion services. Its methods are safe for concurrent use.
type Client struct {
	cfg Config
	log *slog.Logger
	pow chan struct{} // a token: one proof of work is made at a time

	ctx    context.Context // of Run; set before ready is closed
	ready  chan struct{}
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // a leaf; guards the fields below
	rand     *rand.Rand
	net      *network
	cache    cache
	fetches  map[onionaddr.Address]*fetch
	asked    map[askedKey]time.Time
	failures failures
	sessions map[sessionKey]*session
	auth     map[onionaddr.Address]*x25519.KeyPair
	lastID   uint64
	closed   bool
	renewed  chan struct{} // closed when there is a new identity
}

// New returns a client. Run makes it work.
func New(cfg Config) *Client {
	if cfg.MaxDirtiness == 0 {
		cfg.MaxDirtiness = 10 * time.Minute
	}
	c := &Client{
		cfg: cfg, log: cfg.Env.Log, rand: cfg.Rand,
		pow: make(chan struct{}, 1), ready: make(chan struct{}),
		fetches: map[onionaddr.Address]*fetch{}, asked: map[askedKey]time.Time{}, sessions: map[sessionKey]*session{},
		renewed: make(chan struct{}),
	}
	c.SetAuth(cfg.Auth)
	return c
}

// SetAuth replaces the keys by which services know us.
func (c *Client) SetAuth(list []*keyfile.ClientAuth) {
	auth := map[onionaddr.Address]*x25519.KeyPair{}
	for _, a := range list {
		if auth[a.Service] == nil {
			secret := a.Secret()
			auth[a.Service] = x25519.FromSecret(&secret)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auth = auth
}

// authKey returns the key by which a service knows us, or nil.
func (c *Client) authKey(a onionaddr.Address) *x25519.KeyPair {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.auth[a]
}

// Run serves the client until ctx ends. It returns when all circuits are closed.
func (c *Client) Run(ctx context.Context) error {
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	close(c.ready)
	<-ctx.Done()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(ErrClosed)
	c.wg.Wait()
	return context.Cause(ctx)
}

// A Request is a stream that wants to go to a service.
type Request struct {
	Service   onionaddr.Address
	Port      uint16
	Isolation isolation.Key // only streams with equal keys share a circuit
}

// A Lease is a circuit on which we have met the service.
type Lease struct {
	Tunnel *circuit.Tunnel
	Circ   uint64 // its number in logs
	Fresh  bool   // no stream has used it before
}

// Open returns a circuit to a service: one that is there, or a new one. It waits until ctx ends. Its errors are an *Error where
// something about the service is to blame, a *circmgr.BuildError, or ErrClosed.
func (c *Client) Open(ctx context.Context, r Request) (Lease, error) {
	select {
	case <-c.ready:
	case <-ctx.Done():
		return Lease{}, context.Cause(ctx)
	}
	s, err := c.join(r)
	if err != nil {
		return Lease{}, err
	}
	defer c.leave(s)
	select {
	case <-s.ready:
		if s.err != nil {
			return Lease{}, s.err
		}
		return Lease{s.circ.Tunnel(), s.id, c.use(s)}, nil
	case <-ctx.Done():
		return Lease{}, c.giveUp(s, context.Cause(ctx))
	}
}

// Retire keeps new streams off a circuit that has failed one; those it has go on.
func (c *Client) Retire(circ uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		if s.id == circ {
			c.retireLocked(s)
		}
	}
}

// NewIdentity keeps streams to come off all circuits that are open now, and forgets what was learnt of services.
func (c *Client) NewIdentity() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		c.retireLocked(s)
	}
	c.cache, c.failures = cache{}, failures{}
	clear(c.asked)
	clear(c.fetches) // those under way are for whoever waits already
	close(c.renewed)
	c.renewed = make(chan struct{})
}

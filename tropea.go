package tropea

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/client/bootstrap"
	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// Version is the version of this module.
const Version = client.Version

// Config says how a Client works. The zero value keeps everything in memory and uses the public Tor network.
type Config struct {
	// Dir is a directory for guards and directory cache; it is made, and locked, for this client alone. It may be C tor's
	// data directory while C tor does not run. Without it every start chooses new guards, which is worse for anonymity,
	// and downloads the whole directory.
	Dir string

	// Logger gets what the client has to say; nothing is logged without one. User data is scrubbed.
	Logger *slog.Logger

	// Authorities replace the public network, in the form of the torrc option DirAuthority. Fallbacks, in that of FallbackDir,
	// are whom to ask first; without any, the authorities are asked, or with the public network its own fallbacks.
	Authorities []string
	Fallbacks   []string

	// AllowInternal is for private networks: streams may go to addresses that mean something on the exit's own network only,
	// and relays of one subnet may be in one path.
	AllowInternal bool

	// TestNetwork is for networks with TestingTorNetwork: onion services have other time periods there.
	TestNetwork bool

	// OnionAuth are keys for onion services that let only clients in that they know, in the form of C tor's files:
	// "<address without .onion>:descriptor:x25519:<secret key in base32>".
	OnionAuth []string

	// FullVanguards keeps second and third hops of circuits to and from onion services, in Dir over restarts, and makes
	// these circuits a hop longer. It is for services that are worth a long attack.
	//
	// https://spec.torproject.org/vanguards-spec/full-vanguards.html
	FullVanguards bool

	// MinPaths is the share of all paths, from 0.25 to 0.95, of which relays must be known before circuits are built. The
	// consensus decides if it is zero.
	MinPaths float64
}

// A Client is a Tor client. Its methods are safe for concurrent use.
type Client struct {
	inner   *client.Client
	log     *slog.Logger
	release func() // of the directory's lock

	mu      sync.Mutex // guards the fields below
	cancel  context.CancelCauseFunc
	run     context.Context // ends with the client
	started bool
	status  Status
	problem *Problem
	ready   chan struct{} // closed by readyOnce when there was a circuit
	done    chan struct{} // closed when Run has returned; nil before Start
	runErr  error         // why, once done is closed
	wg      sync.WaitGroup

	readyOnce sync.Once
}

// New makes a client. It does not touch the network before Start.
func New(cfg Config) (*Client, error) {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	inner := client.Config{
		Env:           env.Env{Net: netx.OS{}, Now: time.Now, Log: log},
		AllowInternal: cfg.AllowInternal,
		Select:        pathsel.Config{SharedSubnets: cfg.AllowInternal},
		MinPaths:      cfg.MinPaths,
	}
	inner.AllowPrivate, inner.Testing = cfg.AllowInternal, cfg.TestNetwork
	if cfg.FullVanguards {
		inner.Vanguards = vanguard.Full
	}
	for _, line := range cfg.OnionAuth {
		a, err := keyfile.ParseClientAuth([]byte(line))
		if err != nil {
			return nil, &Error{Kind: BadConfig, Op: "new", Err: err}
		}
		inner.OnionAuth = append(inner.OnionAuth, a)
	}
	for _, line := range cfg.Authorities {
		a, _, err := trusteddirs.ParseAuthority(line)
		if err != nil {
			return nil, &Error{Kind: BadConfig, Op: "new", Err: err}
		}
		inner.Authorities = append(inner.Authorities, a)
	}
	if len(cfg.Authorities) > 0 && !slices.ContainsFunc(inner.Authorities, trusteddirs.Authority.Votes) {
		return nil, &Error{Kind: BadConfig, Op: "new", Err: errors.New("none of the Authorities has a v3ident, so none could sign the directory")}
	}
	if cfg.MinPaths != 0 && !(cfg.MinPaths >= 0.25 && cfg.MinPaths <= 0.95) {
		return nil, &Error{Kind: BadConfig, Op: "new", Err: fmt.Errorf("MinPaths: %v is not from 0.25 to 0.95", cfg.MinPaths)}
	}
	for _, line := range cfg.Fallbacks {
		f, _, err := trusteddirs.ParseFallback(line)
		if err != nil {
			return nil, &Error{Kind: BadConfig, Op: "new", Err: err}
		}
		inner.Fallbacks = append(inner.Fallbacks, f)
	}
	c := &Client{log: log, release: func() {}, ready: make(chan struct{}), status: starting}
	var err error
	if inner.Env.State, err = c.openStore(cfg.Dir); err != nil {
		return nil, &Error{Kind: BadConfig, Op: "new", Err: err}
	}
	if c.inner, err = client.New(inner); err != nil {
		c.release()
		return nil, &Error{Kind: BadConfig, Op: "new", Err: err}
	}
	return c, nil
}

func (c *Client) openStore(dir string) (statefile.Store, error) {
	if dir == "" {
		return new(statefile.Mem), nil
	}
	d, err := statefile.Open(c.log, dir, statefile.Options{})
	if err != nil {
		return nil, err
	}
	unlock, err := d.Lock("lock")
	if err != nil {
		d.Close()
		return nil, err
	}
	c.release = func() { unlock(); d.Close() }
	return d, nil
}

// Start brings the client up and returns when the first circuit is there. The client goes on to work when ctx ends; only
// the wait is over then, and the error says at what it was stuck. Close ends the client.
func (c *Client) Start(ctx context.Context) error {
	c.mu.Lock()
	if !c.started {
		c.started = true
		c.done = make(chan struct{})
		run, cancel := context.WithCancelCause(context.Background())
		c.cancel, c.run = cancel, run
		sub := c.inner.Events().Subscribe(256)
		safego.Go(&c.wg, c.log, "client", func() {
			defer close(c.done)
			c.runErr = errPanic
			c.runErr = c.inner.Run(run)
		})
		safego.Go(&c.wg, c.log, "client progress", func() { c.follow(run, sub) })
	}
	c.mu.Unlock()
	select {
	case <-c.ready:
		return nil
	case <-c.done:
		return &Error{Kind: Closed, Op: "start", Err: c.runErr}
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		return &Error{Kind: NotReady, Op: "start", Err: &stuckError{c.status, c.problem, context.Cause(ctx)}}
	}
}

// follow keeps the status up to date.
func (c *Client) follow(ctx context.Context, sub *event.Sub) {
	for {
		e, err := sub.Next(ctx)
		if errors.Is(err, event.ErrOverrun) {
			sub = c.inner.Events().Subscribe(256)
			continue
		}
		if err != nil {
			return
		}
		c.mu.Lock()
		switch e := e.(type) {
		case bootstrap.Status:
			c.reachLocked(Status{e.Percent, e.Tag, e.Summary})
		case circmgr.Event:
			if e.State == circmgr.Built { // the Status that tells of the first one comes later, or is lost in an overrun
				c.reachLocked(done)
			}
		case bootstrap.Problem:
			c.problem = &Problem{Reason: e.Reason, Advice: e.Advice, Err: e.Err}
		}
		c.mu.Unlock()
	}
}

// reachLocked takes note of how far the start has come. It never goes back.
func (c *Client) reachLocked(s Status) {
	if s.Percent > c.status.Percent {
		c.status = s
	}
	if s == done {
		c.readyOnce.Do(func() { close(c.ready) })
	}
}

// Close ends the client: its streams, circuits, connections and goroutines. It waits for them.
func (c *Client) Close() error {
	c.mu.Lock()
	started := c.started
	c.started = true // Start does nothing from now on
	if c.done == nil {
		c.done = make(chan struct{})
		c.runErr = errClosed
		close(c.done)
		c.inner.Events().Close()
	}
	c.mu.Unlock()
	if started && c.cancel != nil {
		c.cancel(errClosed)
	}
	c.wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release()
	c.release = func() {}
	return nil
}

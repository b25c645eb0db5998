package client

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/client/bootstrap"
	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// Version is the version of this program.
const Version = "0.1.0"

// Program is what files say has written them.
const Program = "Tor " + CompatVersion + " (tropea-" + Version + ")"

// CompatVersion is what programs that parse a version of tor are told: that of the C tor whose behaviour this one has.
const CompatVersion = "0.4.9.11"

// Config is what a client needs. The zero value of everything but Env works, on the public network.
type Config struct {
	Env   env.Env
	Cache statefile.Store // directory documents; Env.State if nil

	Authorities []trusteddirs.Authority // the public ones if empty
	Fallbacks   []trusteddirs.Fallback  // the public ones if Authorities is empty too
	Select      pathsel.Config
	NoGuards    bool // choose first hops anew each time (UseEntryGuards 0)
	MinPaths    float64
	Schedule    dirsync.Schedule
	Padding     Padding
	NoIPv4      bool // reach relays over IPv6 alone
	NoIPv6      bool // or over IPv4 alone
	PreferIPv6  bool

	NoCircuitPadding      bool // do not pad circuits to onion services (CircuitPadding 0)
	ReducedCircuitPadding bool // nor with what costs more than a little: all there is, as yet

	MaxDirtiness   time.Duration
	BuildTimeout   time.Duration
	MaxPending     int
	LongLived      []uint16
	NoPrediction   bool
	Vanguards      vanguard.Mode
	AvailableTime  time.Duration
	StreamTimeout  time.Duration
	AllowInternal  bool // internal addresses may be asked for and answered
	AllowOddNames  bool
	AllowPrivate   bool                  // introduction points of onion services may have internal addresses
	Testing        bool                  // it is a test network (TestingTorNetwork)
	OnionAuth      []*keyfile.ClientAuth // for services that know their clients
	Security       link.Security         // TLS if nil; simulated networks bring their own
	ConnectTimeout time.Duration
	Limits         link.Limits // of bytes on the wire
	MaxMemory      int64       // in queues (MaxMemInQueues); no limit if zero

	// What a client has in common with the relay of the same node; all nil if there is none. The client closes none of them.
	State  *state.File    // the state file of Env.State
	Links  *link.Registry // Security, ConnectTimeout, Limits and MaxMemory are not looked at, then
	Events *event.Bus     // gets the events of Links

	// How a relay fetches documents; see dirsync.Config. A relay asks any caches, and no guards.
	Mirror          *dirsync.Mirror
	FromAuthorities func() bool
	DirPorts        bool
}

// Padding says whether links are padded.
type Padding uint8

// The kinds of padding.
const (
	PadFull Padding = iota
	PadReduced
	PadNone
)

// A Client is a running client. Its methods are safe for concurrent use.
type Client struct {
	cfg      Config
	bus      *event.Bus
	progress *event.Sub
	links    *link.Registry
	memory   *memacct.Account // in queues of links that are the client's own; nil with those of a relay
	circuits *circmgr.Manager
	dirs     *dirsync.Sync
	streams  *attach.Attacher
	onions   *hsclient.Client
	trials   *hsclient.Client // with which our own services find out whether clients reach them
	guards   *guards
	selector *pathsel.Selector
	state    *state.File
	padding  circuit.PaddingAccount
}

// Directory returns what keeps the directory.
func (c *Client) Directory() *dirsync.Sync { return c.dirs }

// Links returns the links of the client.
func (c *Client) Links() *link.Registry { return c.links }

// New puts a client together; Run makes it work. The state file is read here.
func New(cfg Config) (*Client, error) {
	if cfg.Cache == nil {
		cfg.Cache = cfg.Env.State
	}
	if len(cfg.Authorities) == 0 {
		var fallbacks []trusteddirs.Fallback
		cfg.Authorities, fallbacks = trusteddirs.Default()
		if len(cfg.Fallbacks) == 0 { // they belong to these authorities
			cfg.Fallbacks = fallbacks
		}
	}
	c := &Client{cfg: cfg, bus: cfg.Events, state: cfg.State, links: cfg.Links}
	c.padding.SetParams(cfg.circuitPadding(nil))
	if c.bus == nil {
		c.bus = new(event.Bus)
	}
	if c.state == nil {
		var err error
		if c.state, err = state.Open(cfg.Env, Program); err != nil {
			return nil, err
		}
	}
	sel := pathsel.New(cfg.Select)
	c.selector = sel
	c.guards = newGuards(cfg, sel, c.state, newRand())
	c.progress = bootstrap.Subscribe(c.bus)
	if c.links == nil {
		c.memory = memacct.New(memacct.Config{
			Log: cfg.Env.Log, Max: cfg.MaxMemory, Evict: circuit.Evictor(cfg.Env.Log, func() []*link.Link { return c.links.Links() }),
		})
		c.links = link.NewRegistry(link.Config{
			Env:        cfg.Env,
			Security:   cfg.Security,
			NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, cfg.Env.Log) },
			Events:     c.bus,
			Timeout:    cfg.ConnectTimeout,
			Padding:    cfg.Padding.policy(nil),
			Addrs:      cfg.relayAddrs,
			Limits:     cfg.Limits,
			Memory:     c.memory,
		})
	}
	requests := dirclient.Client{Now: cfg.Env.Now}
	caches := c.guards.caches
	if cfg.DirPorts {
		requests.Net = cfg.Env.Net
	}
	if cfg.FromAuthorities != nil {
		caches = anyCaches(newRand())
	}
	cacheEnv := cfg.Env
	cacheEnv.State = cfg.Cache
	c.dirs = dirsync.New(dirsync.Config{
		Env: cacheEnv, Get: &requests,
		Authorities: cfg.Authorities, Fallbacks: cfg.Fallbacks,
		Caches: caches, PathFraction: sel.PathFraction, Rand: newRand(), Events: c.bus,
		Schedule: cfg.Schedule, MinPaths: cfg.MinPaths,
		Mirror: cfg.Mirror, FromAuthorities: cfg.FromAuthorities, DirPorts: cfg.DirPorts, Self: cfg.Select.Self,
	})
	c.circuits = circmgr.New(circmgr.Config{
		Env: cfg.Env, Links: c.links, Dir: c.dirs, Guards: c.guards, Select: sel, Rand: newRand(), Events: c.bus,
		MaxDirtiness: cfg.MaxDirtiness, BuildTimeout: cfg.BuildTimeout, MaxPending: cfg.MaxPending,
		LongLived: cfg.LongLived, NoPrediction: cfg.NoPrediction, AvailableTime: cfg.AvailableTime,
		Vanguards: newVanguards(cfg, sel, c.state), SaveVanguards: saveVanguards(c.state),
		Padding: &c.padding,
	})
	requests.Tunnels = c.circuits
	onions := hsclient.Config{
		Env: cfg.Env, Circuits: c.circuits, Dir: c.dirs, Select: sel, Rand: newRand(),
		LongLived: cfg.LongLived, MaxDirtiness: cfg.MaxDirtiness, Testing: cfg.Testing, AllowPrivate: cfg.AllowPrivate,
	}
	c.trials = hsclient.New(onions)
	onions.Auth, onions.Rand = cfg.OnionAuth, newRand()
	c.onions = hsclient.New(onions)
	c.streams = attach.New(attach.Config{
		Circuits: c.circuits, Onions: c.onions, Log: cfg.Env.Log,
		RejectInternal: !cfg.AllowInternal, OddNames: cfg.AllowOddNames, StreamTimeout: cfg.StreamTimeout,
	})
	return c, nil
}

// relayAddrs leaves out the addresses of a relay that the user does not want to connect to, and sorts the rest.
func (c *Config) relayAddrs(addrs []netip.AddrPort) []netip.AddrPort {
	var v4, v6 []netip.AddrPort
	for _, a := range addrs {
		switch is6 := a.Addr().Is6(); {
		case is6 && !c.NoIPv6:
			v6 = append(v6, a)
		case !is6 && !c.NoIPv4:
			v4 = append(v4, a)
		}
	}
	if c.PreferIPv6 {
		return append(v6, v4...)
	}
	return append(v4, v6...)
}

// newRand returns a generator for choices, seeded as well as keys are.
func newRand() *rand.Rand {
	var seed [32]byte
	crand.Read(seed[:])
	return rand.New(rand.NewChaCha8(seed))
}

// SetOnionAuth replaces the keys by which onion services know us.
func (c *Client) SetOnionAuth(list []*keyfile.ClientAuth) { c.onions.SetAuth(list) }

// Streams returns what opens streams.
func (c *Client) Streams() *attach.Attacher { return c.streams }

// View returns the network as it is believed to be, nil while there is not enough to build circuits from.
func (c *Client) View() *netdir.View { return c.dirs.View() }

// Changed returns a channel that is closed when View answers differently.
func (c *Client) Changed() <-chan struct{} { return c.dirs.Changed() }

// Events returns the bus on which the parts tell what happens: link.Event, dirsync.Event, circmgr.Event,
// bootstrap.Status, bootstrap.Problem and bootstrap.Skew values.
func (c *Client) Events() *event.Bus { return c.bus }

// Nudge makes downloads that wait after a failure try again at once.
func (c *Client) Nudge() {
	if c.dirs.View() == nil {
		c.dirs.Nudge()
	}
}

// Retry makes all downloads that wait after a failure try again at once, as an operator wants it.
func (c *Client) Retry() { c.dirs.Retry() }

// CircuitTo builds a circuit that ends at h, for the caller alone, as a relay does to test itself.
func (c *Client) CircuitTo(ctx context.Context, h circuit.Hop) (*circuit.Circuit, error) {
	return c.circuits.To(ctx, h)
}

// NewIdentity keeps streams to come apart from those so far.
func (c *Client) NewIdentity() {
	c.circuits.NewIdentity()
	c.onions.NewIdentity()
}

// Run works until ctx ends or something fails that no retry can mend. It returns when all that it has started has
// ended.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	log := c.cfg.Env.Log
	var wg sync.WaitGroup
	parts := map[string]func() error{
		"directory": func() error { return c.dirs.Run(ctx) },
		"circuits":  func() error { return c.circuits.Run(ctx) },
		"onions":    func() error { return c.onions.Run(ctx) },
		"trials":    func() error { return c.trials.Run(ctx) },
		"bootstrap": func() error { bootstrap.Run(ctx, c.bus, c.progress, log); return context.Cause(ctx) },
		"padding":   func() error { c.followPadding(ctx); return context.Cause(ctx) },
	}
	if c.cfg.State == nil {
		parts["state"] = func() error { c.state.Run(ctx); return context.Cause(ctx) }
	}
	if c.memory != nil {
		parts["memory"] = func() error { c.memory.Run(ctx); return context.Cause(ctx) }
	}
	for name, run := range parts {
		safego.Go(&wg, log, name, func() {
			err := errPart
			safego.Run(log, name, func() { err = run() })
			cancel(err) // the first one to end tells why; all of them end then
		})
	}
	wg.Wait()
	if c.cfg.Links == nil {
		c.links.Close()
	}
	if c.cfg.Events == nil {
		c.bus.Close()
	}
	c.state.Save()
	return context.Cause(ctx)
}

var errPart = errors.New("a part of the client panicked")

// followPadding keeps the padding of links and circuits as the consensus wants it.
func (c *Client) followPadding(ctx context.Context) {
	for {
		changed := c.dirs.Changed()
		if v := c.dirs.View(); v != nil {
			c.links.SetPadding(c.cfg.Padding.policy(v))
			c.padding.SetParams(c.cfg.circuitPadding(v))
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

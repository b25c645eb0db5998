package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/accounting"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/role/dos"
	"github.com/tropea-net/tropea/internal/role/hsdir"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/role/stats"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Config is what a relay needs.
type Config struct {
	Env   env.Env // its State is the data directory
	State *state.File
	Cache statefile.Store  // directory documents; Env.State if nil
	Keys  relaykeys.Config // without OnionRotated, which State has

	DirCache      bool // serve directory documents
	ExtraInfo     bool // extra-info documents too (DownloadExtraInfo)
	FrontPage     []byte
	DirPolicy     []exitpolicy.Rule // who may use a DirPort; everybody if empty
	Workers       int               // of handshakes (NumCPUs); one for each processor if zero
	MaxDiffAge    time.Duration     // MaxConsensusAgeForDiffs
	Diffs         int               // from how many consensuses; see dircache.CacheConfig.KeepConsensuses
	ExtendPrivate bool              // extend circuits to addresses that are not public
	QueueDelay    time.Duration     // how long a handshake may wait (MaxOnionQueueDelay); the consensus decides if zero
	DoS           dos.Config
	Stats         stats.Config      // without State and Log
	Accounting    accounting.Config // without Identity and Log
	Limits        link.Limits
	HalfLife      time.Duration // of the past traffic of circuits (CircuitPriorityHalflife); the consensus decides if zero
	MaxMemory     int64         // in queues (MaxMemInQueues); no limit if zero
	MaxHSDir      int64         // bytes of onion service descriptors (MaxHSDirCacheBytes); a fifth of MaxMemory if zero
	Heartbeat     time.Duration // HeartbeatPeriod; never if zero
	Exit          Exit
	MaxConns      int                                     // links that others may have with us; 10000 if zero
	Addrs         func([]netip.AddrPort) []netip.AddrPort // see link.Config
	Info          publish.Info                            // Platform, Protocols, DirCache and HSDir are set here
	Version       string                                  // of the C tor whose behaviour we have
	Authorities   []publish.Authority
	Trusted       []link.Target                                                // the authorities, which are believed on addresses
	Lookup        func(ctx context.Context, name string) ([]netip.Addr, error) // names of Info
	Padding       link.PaddingPolicy
	Authority     *Authority // makes the relay a directory authority, which needs DirCache; may be nil

	// For simulated networks.
	Security      link.Security                // TLS if nil
	CountInterval time.Duration                // between two looks at how much has gone through; a second if zero
	LeanCache     bool                         // see dircache.CacheConfig.Lean
	Interfaces    func() ([]netip.Addr, error) // see publish.Config
}

// A Server is a relay. Its methods are safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	bus     event.Bus
	started time.Time
	keys    *keys
	links   *link.Registry
	relay   *relay.Relay
	dos     *dos.DoS
	ends    *ends

	gate      *gate
	publisher *publish.Publisher
	stats     *stats.Stats
	memory    *memacct.Account
	account   *accounting.Account // owned by the goroutine of count, and awake with it
	awake     accounting.State
	leaves    uint64           // of account, as the relay began
	cache     *dircache.Cache  // nil if it serves no documents
	answer    *dircache.Server // answers out of cache
	hsdir     *hsdir.Dir       // descriptors of onion services; nil with cache
	authority *authority       // nil if it is none

	ctx      context.Context // of what connections to us have started; ended by Close
	end      context.CancelCauseFunc
	conns    atomic.Int64
	maxConns int64
	mu       sync.Mutex // guards closed and the adding to wg
	closed   bool
	wg       sync.WaitGroup

	interrupted, stopping atomic.Bool // nothing new is taken: the relay is about to end, or accounting says so

	client    atomic.Pointer[client.Client]
	newClient chan struct{} // holds a token when client has changed

	limits     atomic.Pointer[link.Limits] // the operator's
	period     atomic.Int64                // of heartbeats, a time.Duration
	queueDelay atomic.Int64                // a time.Duration
	skews      skews                       // our clock, as authorities have told
	publishes  atomic.Bool                 // the operator wants the relay in the network
	cc         atomic.Pointer[congestion.Params]
	sendmeMin  atomic.Uint32
}

// New loads the keys, or makes them, and puts the relay together. Run makes it work, and Close must be called in the end.
func New(cfg Config) (*Server, error) {
	cfg.DirCache = cfg.DirCache || cfg.Authority != nil
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 10000
	}
	g := &gate{Network: cfg.Env.Net}
	cfg.Env.Net = g
	s := &Server{cfg: cfg, gate: g, log: cfg.Env.Log, maxConns: int64(cfg.MaxConns), started: cfg.Env.Now(), newClient: make(chan struct{}, 1)}
	s.limits.Store(&cfg.Limits)
	s.publishes.Store(cfg.Info.Publish)
	s.period.Store(int64(cfg.Heartbeat))
	s.queueDelay.Store(int64(s.delay(nil)))
	s.ctx, s.end = context.WithCancelCause(context.Background())
	var report relaykeys.Report
	var err error
	if s.keys, report, err = openKeys(cfg.Env, cfg.State, cfg.Keys); err != nil {
		return nil, err
	}
	for _, err := range report.Warnings {
		s.log.Warn("Keys of the relay", "err", err)
	}
	s.dos = dos.New(cfg.DoS, cfg.Env.Now())
	s.cfg.Stats.State, s.cfg.Stats.Log = cfg.Env.State, s.log
	s.stats, s.memory = s.newStats(), s.newMemory()
	s.account = s.newAccount()
	s.awake = s.account.Update(cfg.Env.Now())
	s.stopping.Store(!s.awake.TakesNew())
	s.leaves = s.account.Leaves()
	exitNet := cfg.Exit.Net
	if exitNet == nil {
		exitNet = cfg.Env.Net
	}
	cfg.Exit.Net = meteredNet{exitNet, s}
	s.ends = newEnds(cfg.Env, cfg.Exit, s.dos, s.hibernating, s.noteStream, s.noteCircuit)
	holdNames(s.memory, s.ends.resolver)
	rc := relay.Config{
		Log: s.log, Ends: s.ends, QueueDelay: func() time.Duration { return time.Duration(s.queueDelay.Load()) }, Workers: cfg.Workers,
		Keys: s.keys.circuits.Load,
		CC:   s.cc.Load,

		SendmeMin: func() uint8 { return uint8(s.sendmeMin.Load()) },
		MayCreate: s.mayCreate, Dropped: s.stats.OnionskinDropped,
	}
	if cfg.ExtendPrivate {
		rc.MayExtend = func(a netip.AddrPort) bool { return a.Port() != 0 }
	}
	if cfg.DirCache {
		disk := cfg.Cache
		if disk == nil {
			disk = cfg.Env.State
		}
		s.cache = dircache.NewCache(dircache.CacheConfig{Env: cfg.Env, Disk: disk, MaxConsensusAge: cfg.MaxDiffAge, KeepConsensuses: cfg.Diffs, Lean: cfg.LeanCache})
		s.hsdir = hsdir.New(hsdir.Config{Env: cfg.Env, MaxBytes: cmp.Or(cfg.MaxHSDir, cfg.MaxMemory/5), Stored: s.stats.OnionStored})
		s.memory.Register(memacct.Holder{Name: "onion service descriptors", Memory: s.hsdir.Memory, Shrink: s.hsdir.Shrink, Limit: s.hsdir.MaxBytes})
		answers := dircache.Config{Env: cfg.Env, FrontPage: cfg.FrontPage, Note: s.stats.DirRequest, Hook: s.hook, MaxUpload: s.maxUpload}
		if cfg.Authority != nil && cfg.Authority.Bridges != nil {
			answers.Bridges = bridgeDocs{s}
		}
		s.answer = dircache.NewServer(answers, s.cache)
		rc.Directory = s.directory
	}
	s.relay = relay.New(rc)
	s.links = link.NewRegistry(link.Config{
		Env:         cfg.Env,
		Security:    cfg.Security,
		NewHandler:  func(l *link.Link) link.Handler { return circuit.NewRelayTable(l, s.log, s.relay) },
		Events:      &s.bus,
		Padding:     cfg.Padding,
		Queues:      s.queueParams(nil),
		Limits:      cfg.Limits,
		Memory:      s.memory,
		KnownRelay:  s.known,
		Credentials: s.keys.creds.Load,
		OwnAddrs:    func() []netip.Addr { return s.publisher.Addrs() },
		Addrs:       cfg.Addrs,
	})
	s.relay.SetLinks(s.links)
	s.cfg.Info = s.info(cfg)
	s.publisher = s.newPublisher()
	if cfg.Authority != nil {
		if s.authority, err = s.newAuthority(cfg.Authority); err != nil {
			return nil, err
		}
	}
	s.keys.changed = func(relaykeys.Report) { s.publisher.Check() }
	return s, nil
}

// Reconfigure takes over what an operator may change while the relay runs: DoS, Exit but for DNS and Net, Info, Limits,
// MaxMemory, Heartbeat, and the families of Keys. The rest of cfg must be as it was.
func (s *Server) Reconfigure(cfg Config) {
	s.dos.SetConfig(cfg.DoS)
	s.ends.reconfigure(cfg.Exit, s.publisher.Addrs())
	s.publisher.SetInfo(s.info(cfg))
	s.publishes.Store(cfg.Info.Publish)
	s.period.Store(int64(cfg.Heartbeat))
	s.limits.Store(&cfg.Limits)
	var p params.List
	if v := s.View(); v != nil {
		p = v.Consensus().Params
	}
	s.setLimits(p)
	s.memory.SetMax(cfg.MaxMemory)
	s.keys.reload(cfg.Keys.Families)
	if s.authority != nil {
		s.authority.reload()
	}
}

// info adds to what the operator says of the relay what the program knows.
func (s *Server) info(cfg Config) publish.Info {
	i := cfg.Info
	i.Platform, i.Protocols, i.DirCache = platform(cfg.Version), protocols, s.cfg.DirCache
	i.AccountingRate = s.leaves
	if i.HSDir = s.cfg.DirCache; i.HSDir {
		i.Protocols = hsdirProtocols
	}
	return i
}

// Net returns the way to the network that all of the node must take: it is shut while accounting has the relay sleep.
func (s *Server) Net() netx.Network { return s.gate }

// Links returns the links of the relay, which its client uses as well.
func (s *Server) Links() *link.Registry { return s.links }

// Events returns the bus of the events of Links.
func (s *Server) Events() *event.Bus { return &s.bus }

// Identities returns the identities of the relay.
func (s *Server) Identities() (rsa [20]byte, ed [32]byte) {
	k := s.keys.current()
	return k.Fingerprint(), k.Ed()
}

// OnionKey returns the public key for ntor handshakes of the moment.
func (s *Server) OnionKey() [32]byte { return s.keys.current().OnionKeys()[0].Public() }

// Close ends all links and circuits. It is for a server whose Run has returned, or was never called.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end(relay.ErrClosed)
	s.links.Close()
	s.wg.Wait()
	s.bus.Close()
}

var errPart = errors.New("a part of the relay panicked")

// Run works until ctx ends or something fails that no retry can mend. Links are open still when it returns; see Close.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	links := s.bus.Subscribe(linkEvents)
	defer links.Close()
	parts := map[string]func() error{
		"keys":      func() error { return s.keys.run(ctx) },
		"circuit":   func() error { s.relay.Run(ctx); return context.Cause(ctx) },
		"exit":      func() error { return s.ends.run(ctx) },
		"counts":    func() error { s.count(ctx); return context.Cause(ctx) },
		"memory":    func() error { s.memory.Run(ctx); return context.Cause(ctx) },
		"publisher": func() error { s.publisher.Run(ctx); return context.Cause(ctx) },
		"links":     func() error { return s.followLinks(ctx, links) },
		"network":   func() error { return s.follow(ctx) },
	}
	if s.cache != nil {
		parts["onion service directory"] = func() error { s.hsdir.Run(ctx); return context.Cause(ctx) }
		parts["directory cache"] = func() error { s.cache.Run(ctx); return context.Cause(ctx) }
	}
	if a := s.authority; a != nil {
		parts["authority"] = func() error { return a.run(ctx) }
		parts["authority's relays"] = func() error { a.tend(ctx); return context.Cause(ctx) }
		parts["reachability tests"] = func() error { a.reach.Run(ctx, a.descriptors); return context.Cause(ctx) }
		parts["history of relays"] = func() error { a.memory.Run(ctx, a.known); return context.Cause(ctx) }
	}
	for name, run := range parts {
		safego.Go(&wg, s.log, name, func() {
			err := errPart
			safego.Run(s.log, name, func() { err = run() })
			cancel(err) // the first one to end tells why; all of them end then
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// hook answers what the cache does not know.
func (s *Server) hook(ctx context.Context, r *dircache.Request) *dircache.Reply {
	reply := s.hsdir.Hook(ctx, r)
	if reply == nil && s.authority != nil {
		reply = s.authority.hook(ctx, r)
	}
	return reply
}

// maxUpload tells how long an upload may be, in bytes.
func (s *Server) maxUpload(path string, from dircache.From) int {
	n := s.hsdir.MaxUpload(path, from)
	if n == 0 && s.authority != nil {
		n = s.authority.maxUpload(path, from)
	}
	return n
}

// directory serves a directory request that came in a circuit.
func (s *Server) directory(ctx context.Context, conn net.Conn, by *link.Link) {
	peer := by.Peer()
	s.answer.Serve(ctx, conn, dircache.From{Addr: peer.Addr.Addr(), Stream: true, Anonymous: peer.Relay})
}

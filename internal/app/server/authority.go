package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/role/dirauth"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/role/dirauth/authkeys"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// Authority makes a relay a directory authority: one that votes, or one for bridges.
type Authority struct {
	// Bridges makes it an authority for bridges, which needs neither what is about votes nor the keys for them.
	Bridges *Bridges

	Keys        authkeys.Config
	Voters      []dirauth.Voter // all authorities that vote, ourselves among them
	Timing      dirauth.Timing  // that we vote for
	Initial     dirauth.Timing  // until there is a consensus
	MinInterval time.Duration   // see vote.Parse
	Intervals   int             // for how many a consensus is valid

	Flags          flags.Config // but for what changes as we run
	Admit          admit.Config // without Own and Approved
	Random         bool         // take part in the shared random protocol
	ClientVersions []string     // recommended; nil for no opinion
	ServerVersions []string
	Params         params.List // ConsensusParams
	AllowPrivate   bool        // exits to private networks count
	TestOff        bool        // all relays count as reachable
	TestEd25519    bool        // see dirauth.ReachConfig
	TestIPv6       bool

	// Bandwidths reads the bandwidth file; nil if there is none.
	Bandwidths func() ([]byte, error)
}

// authority is the part of a server that takes what relays upload, or bridges, and finds out about them.
type authority struct {
	s       *Server
	cfg     *Authority
	relays  *admit.Registry // or bridges
	reach   *dirauth.Reachability
	memory  *dirauth.Memory
	probes  *link.Registry // links that are made to see whether relays are there
	client  chan struct{}  // closed when there is a directory
	started sync.Once      // closes client

	// Of an authority that votes; else nil.
	keys     *authkeys.Keyring
	opinions *dirauth.Opinions
	voting   *dirauth.Authority

	// Of a bridge authority; else nil.
	bridges *dirauth.Bridges
	served  *dirauth.Served
}

// newAuthority reads what an authority has on disk.
func (s *Server) newAuthority(cfg *Authority) (*authority, error) {
	a := &authority{s: s, cfg: cfg, client: make(chan struct{})}
	e := s.cfg.Env
	if cfg.Bridges == nil {
		var err error
		if a.keys, err = authkeys.Load(cfg.Keys, e.State); err != nil {
			return nil, fmt.Errorf("keys of the directory authority: %w", err)
		}
	}
	pins, err := a.openPins()
	if err != nil {
		return nil, err
	}
	admission, err := a.admission()
	if err != nil {
		return nil, err
	}
	a.relays = admit.New(admission, pins)
	a.loadRelays()
	a.memory = dirauth.OpenMemory(s.log, e.State, e.Now, a.live, cfg.Flags.Testing)
	a.probes = link.NewRegistry(link.Config{
		Env: e, Security: s.cfg.Security, NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, s.log) },
		Credentials: s.keys.creds.Load, Padding: link.PaddingPolicy{},
	})
	a.reach = dirauth.NewReachability(dirauth.ReachConfig{
		Log: s.log, Now: e.Now, Off: cfg.TestOff, Ed25519: cfg.TestEd25519, IPv6: cfg.TestIPv6, Cycle: cfg.Flags.TestCycle,
		Connect: a.probe, Reached: a.memory.Reached,
	})
	if cfg.Bridges != nil {
		a.bridges, a.served = a.newBridges(), dirauth.NewServed(e.Now())
	} else {
		a.newVoting()
	}
	return a, nil
}

// trusted are the identities of all authorities.
func (a *authority) trusted() map[[20]byte]bool {
	set := map[[20]byte]bool{}
	for _, t := range a.s.cfg.Trusted {
		set[t.RSA] = true
	}
	return set
}

// directory is the node's; nil while there is none.
func (a *authority) directory() *dirsync.Sync {
	if c := a.s.client.Load(); c != nil {
		return c.Directory()
	}
	return nil
}

func (a *authority) live() *consensus.Consensus {
	if d := a.directory(); d != nil {
		return d.LiveNS()
	}
	return nil
}

// upload takes what a relay sends, or a bridge.
func (a *authority) upload(r *dircache.Request) *dircache.Reply {
	dir, now := a.directory(), a.s.cfg.Env.Now()
	if a.bridges != nil && dir == nil { // it could not be stored, and is nowhere else
		return &dircache.Reply{Status: dirhttp.StatusBusy, Reason: "Directory busy, try again later"}
	}
	res := a.relays.Upload(r.From.Addr, r.Body, now)
	for _, x := range res.Refusals {
		a.s.log.Debug("An uploaded document is not taken", "from", safelog.Of(r.From.Addr), "outcome", x.Outcome, "reason", x.Message, "err", x.Err)
	}
	var journal []byte
	for _, p := range res.Pins {
		journal = p.AppendTo(journal)
	}
	if len(journal) > 0 {
		if err := a.s.cfg.Env.State.Append(pinFile, journal); err != nil {
			a.s.log.Warn("A pair of keys cannot be pinned on disk", "file", pinFile, "err", err)
		}
	}
	if a.bridges != nil {
		a.storeBridges(dir, r.From, &res)
	} else {
		a.giveRelays(dir, &res)
	}
	if res.NotNew {
		res.Reason = "OK"
	}
	return &dircache.Reply{Status: res.Status, Reason: res.Reason, NotNew: res.NotNew}
}

// hook answers requests that only authorities answer.
func (a *authority) hook(ctx context.Context, r *dircache.Request) *dircache.Reply {
	switch {
	case r.Method == "POST" && r.Path == dirhttp.PathUpload:
		return a.upload(r)
	case a.bridges != nil:
		return a.listBridges(r)
	}
	return a.voting.Hook(ctx, r)
}

func (a *authority) maxUpload(path string, from dircache.From) int {
	switch {
	case path == dirhttp.PathUpload:
		return admit.MaxBody
	case a.bridges != nil:
		return 0
	}
	return a.voting.MaxUpload(path, from)
}

// probe connects to a relay to see whether it is there.
func (a *authority) probe(ctx context.Context, t link.Target) error {
	l, err := a.probes.Get(ctx, t)
	if err == nil {
		l.Close(errProbed)
	}
	return err
}

var errProbed = errors.New("the relay is reachable")

// run does what the authority is there for, until ctx ends.
func (a *authority) run(ctx context.Context) error {
	defer a.probes.Close()
	if a.bridges != nil {
		return a.writeBridges(ctx)
	}
	select {
	case <-a.client:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return a.voting.Run(ctx)
}

// tend looks after what an authority keeps, until ctx ends.
func (a *authority) tend(ctx context.Context) {
	tick := time.NewTicker(authkeys.CheckInterval)
	defer tick.Stop()
	for {
		now := a.s.cfg.Env.Now()
		if a.keys != nil {
			if w, ok := a.keys.Check(now); ok {
				a.s.log.Log(ctx, w.Level, w.Text)
			}
		}
		if n := a.relays.Expire(now, a.s.cache.Lists); n > 0 {
			a.s.log.Debug("Descriptors that are too old are forgotten", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// known tells whether a relay is one of those that we know.
func (a *authority) known(id [20]byte) bool { return a.relays.Router(id) != nil }

// descriptors lists those of the relays to test.
func (a *authority) descriptors() (list []*routerdesc.Descriptor) {
	own, _ := a.s.Identities()
	for r := range a.relays.Routers() {
		if r.Descriptor.RSA != own {
			list = append(list, r.Descriptor)
		}
	}
	return list
}

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/role/dirauth"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/role/dirauth/authkeys"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/role/dirauth/srv"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/keypin"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// Authority makes a relay a directory authority that votes.
type Authority struct {
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

const (
	approvedFile = "approved-routers"
	pinFile      = "key-pinning-journal"
)

// authority is the part of a server that votes.
type authority struct {
	s        *Server
	cfg      *Authority
	keys     *authkeys.Keyring
	relays   *admit.Registry
	reach    *dirauth.Reachability
	memory   *dirauth.Memory
	opinions *dirauth.Opinions
	voting   *dirauth.Authority
	probes   *link.Registry // links that are made to see whether relays are there
	client   chan struct{}  // closed when there is a directory
	started  sync.Once      // closes client
}

// newAuthority reads what an authority has on disk.
func (s *Server) newAuthority(cfg *Authority) (*authority, error) {
	a := &authority{s: s, cfg: cfg, client: make(chan struct{})}
	e := s.cfg.Env
	var err error
	if a.keys, err = authkeys.Load(cfg.Keys, e.State); err != nil {
		return nil, fmt.Errorf("keys of the directory authority: %w", err)
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
	rsa, _ := s.Identities()
	trusted := map[[20]byte]bool{}
	for _, t := range s.cfg.Trusted {
		trusted[t.RSA] = true
	}
	a.opinions = dirauth.NewOpinions(dirauth.OpinionConfig{
		Log: s.log, Flags: cfg.Flags, Start: s.started, Source: a.source, Self: rsa, Trusted: trusted,
		Timing: cfg.Timing, IntervalsValid: cfg.Intervals, ClientVersions: cfg.ClientVersions, ServerVersions: cfg.ServerVersions,
		Params: cfg.Params, AllowPrivate: cfg.AllowPrivate, Bandwidths: cfg.Bandwidths, Relays: a.voted, Hibernating: s.hibernating,
		Live: a.live, Microdescs: a.giveMicrodescs,
	}, a.reach, a.memory)
	identity := a.keys.Current().Cert.Fingerprint
	vc := dirauth.Config{
		Env: e, Identity: identity, Voters: cfg.Voters, Keys: a.votingKeys, Initial: cfg.Initial, MinInterval: cfg.MinInterval,
		Opinion: a.opinions.Vote, Bandwidths: cfg.Bandwidths, Live: a.live, Publish: a.publish, Missing: a.missing, Take: a.take,
	}
	if cfg.Random {
		vc.Random = dirauth.NewRandom(s.log, e.State, e.Now, srv.Config{
			Identity: identity, Participate: true, Version: s.cfg.Version,
			Known: func(id [20]byte) bool {
				for _, v := range cfg.Voters {
					if v.V3Ident == id {
						return true
					}
				}
				return false
			},
		}, a.interval)
	}
	a.voting = dirauth.New(vc)
	return a, nil
}

// openPins reads the journal of pinned keys, and begins a new run in it.
func (a *authority) openPins() (*keypin.Pins, error) {
	e := a.s.cfg.Env
	text, err := e.State.Read(pinFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pins, loaded, err := keypin.Load(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pinFile, err)
	}
	if loaded.Corrupt > 0 || loaded.Conflicts > 0 {
		a.s.log.Warn("The journal of pinned keys has lines that are no good", "file", pinFile, "pins", loaded.Pins, "corrupt", loaded.Corrupt, "conflicts", loaded.Conflicts)
	}
	return pins, e.State.Append(pinFile, keypin.AppendOpened(nil, e.Now()))
}

// admission is what the operator says of relays, with the file of single ones.
func (a *authority) admission() (admit.Config, error) {
	cfg := a.cfg.Admit
	cfg.Own, _ = a.s.Identities()
	text, err := a.s.cfg.Env.State.Read(approvedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	var warnings []error
	if err == nil {
		cfg.Approved, warnings, err = approvedrouters.Parse(approvedFile, text)
	}
	for _, w := range warnings {
		a.s.log.Warn("A line of approved-routers is left out", "err", w)
	}
	return cfg, err
}

// reload reads the files of the operator again.
func (a *authority) reload() {
	if err := a.keys.Reload(); err != nil {
		a.s.log.Warn("The keys of the authority stay what they were", "err", err)
	}
	cfg, err := a.admission()
	if err != nil {
		a.s.log.Warn("What the authority thinks of single relays stays what it was", "err", err)
		return
	}
	for _, r := range a.relays.Configure(cfg, a.s.cfg.Env.Now()) {
		a.s.log.Debug("A relay is not taken any more", "relay", r.Descriptor.Nickname)
	}
}

// loadRelays takes the descriptors that the directory cache has on disk.
func (a *authority) loadRelays() {
	disk := a.s.cfg.Cache
	if disk == nil {
		disk = a.s.cfg.Env.State
	}
	store, now := dirstore.Store{Files: disk}, a.s.cfg.Env.Now()
	err := store.ReadSigned(dirstore.Routers, func(d dirstore.Signed) {
		if r, err := routerdesc.Parse(d.Text); err == nil && now.Before(r.KeysExpire) {
			a.relays.Add(r, false, now)
		}
	})
	if err != nil {
		a.s.log.Warn("The stored descriptors cannot be read", "err", err)
	}
}

// source says who we are in votes.
func (a *authority) source() consensus.DirSource {
	d := consensus.DirSource{Nickname: a.s.cfg.Info.Nickname, Contact: a.s.cfg.Info.Contact, DirPort: a.dirPort(), ORPort: a.s.cfg.Info.Port}
	if d.Contact == "" {
		d.Contact = "(none)"
	}
	for _, addr := range a.s.publisher.Addrs() {
		if addr.Is4() {
			d.Addr = addr
			break
		}
	}
	d.Hostname = d.Addr.String()
	for _, name := range a.s.cfg.Info.Names {
		if strings.Contains(name, ".") {
			d.Hostname = name
			break
		}
	}
	return d
}

// dirPort is the one that the others know.
func (a *authority) dirPort() uint16 {
	id := a.keys.Current().Cert.Fingerprint
	for _, v := range a.cfg.Voters {
		if v.V3Ident == id && len(v.Dirs) > 0 {
			return v.Dirs[0].Port()
		}
	}
	return 0
}

func (a *authority) votingKeys() *dirauth.Keys {
	k := a.keys.Current()
	keys := &dirauth.Keys{Cert: k.Cert, Signing: k.Signing.Key()}
	if k.Legacy != nil {
		keys.LegacyCert, keys.LegacySigning = k.Legacy.Cert, k.Legacy.Signing.Key()
	}
	return keys
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

// interval is the time between votes.
func (a *authority) interval() time.Duration {
	if c := a.live(); c != nil {
		return c.FreshUntil.Sub(c.ValidAfter)
	}
	return a.cfg.Initial.Interval
}

var errNoDirectory = errors.New("the directory is not there yet")

func (a *authority) publish(_ consensus.Flavor, text []byte, certs [][]byte) error {
	d := a.directory()
	if d == nil {
		return errNoDirectory
	}
	d.GiveCerts(certs...)
	return d.GiveConsensus(text)
}

func (a *authority) giveMicrodescs(texts [][]byte, at time.Time) {
	if d := a.directory(); d != nil {
		d.GiveMicrodescs(texts, at)
	}
}

// voted lists the relays that a vote is about.
func (a *authority) voted() (list []dirauth.Relay) {
	for r := range a.relays.Routers() {
		list = append(list, dirauth.Relay{Descriptor: r.Descriptor, Status: r.Status})
	}
	return list
}

// missing lists the descriptors that a vote refers to, and that we have not and might take.
func (a *authority) missing(v *vote.Vote) (digests [][20]byte) {
	for i := range v.Relays {
		e := &v.Relays[i]
		digest := [20]byte(e.Status.Digest[:20])
		old := a.relays.Router(e.Status.ID)
		switch {
		case a.s.cache.HasDescriptor(digest):
		case old != nil && old.Descriptor.Published.Unix() >= e.Status.Published:
		case a.relays.WouldReject(admit.Identity{RSA: e.Status.ID, Ed25519: e.Ed25519, OR: e.Status.IPv4()}):
		default:
			digests = append(digests, digest)
		}
	}
	return digests
}

// take takes descriptors that another authority gave us.
func (a *authority) take(text []byte) {
	now := a.s.cfg.Env.Now()
	for d := range dirstore.Split(dirstore.Routers, text) {
		r, err := routerdesc.Parse(d.Text)
		if err != nil || !now.Before(r.KeysExpire) {
			continue
		}
		if outcome, _ := a.relays.Add(r, true, now); outcome == admit.Added {
			a.added(r)
		}
	}
}

// added makes the others know a descriptor that is new.
func (a *authority) added(d *routerdesc.Descriptor) {
	a.reach.Changed(d)
	if dir := a.directory(); dir != nil {
		dir.GiveRouter(d)
	}
}

// upload takes what a relay sends.
func (a *authority) upload(r *dircache.Request) *dircache.Reply {
	now := a.s.cfg.Env.Now()
	res := a.relays.Upload(r.From.Addr, r.Body, now)
	for _, x := range res.Refusals {
		a.s.log.Debug("An uploaded document is not taken", "from", r.From.Addr, "outcome", x.Outcome, "reason", x.Message, "err", x.Err)
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
	for _, x := range res.Routers {
		a.added(x.Descriptor)
	}
	if dir := a.directory(); dir != nil {
		for _, e := range res.Extras {
			dir.GiveExtraInfo(e)
		}
	}
	return &dircache.Reply{Status: res.Status, Reason: res.Reason, NotNew: res.NotNew}
}

// hook answers requests that only authorities answer.
func (a *authority) hook(ctx context.Context, r *dircache.Request) *dircache.Reply {
	if r.Method == "POST" && r.Path == dirhttp.PathUpload {
		return a.upload(r)
	}
	return a.voting.Hook(ctx, r)
}

func (a *authority) maxUpload(path string, from dircache.From) int {
	if path == dirhttp.PathUpload {
		return admit.MaxBody
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

// own takes the descriptor of this very relay.
func (a *authority) own(d *publish.Documents) {
	if r, err := routerdesc.Parse(d.Descriptor); err == nil {
		a.relays.Add(r, true, a.s.cfg.Env.Now())
	}
}

// run votes and tests, until ctx ends.
func (a *authority) run(ctx context.Context) error {
	defer a.probes.Close()
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
		if w, ok := a.keys.Check(now); ok {
			a.s.log.Log(ctx, w.Level, w.Text)
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

package server

import (
	"errors"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/role/dirauth"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/role/dirauth/srv"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// newVoting puts together what votes.
func (a *authority) newVoting() {
	s, cfg, e := a.s, a.cfg, a.s.cfg.Env
	rsa, _ := s.Identities()
	a.opinions = dirauth.NewOpinions(dirauth.OpinionConfig{
		Log: s.log, Flags: cfg.Flags, Start: s.started, Source: a.source, Self: rsa, Trusted: a.trusted(),
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

// giveRelays makes the others know what an upload brought.
func (a *authority) giveRelays(dir *dirsync.Sync, res *admit.Result) {
	for _, x := range res.Routers {
		a.added(x.Descriptor)
	}
	if dir != nil {
		for _, e := range res.Extras {
			dir.GiveExtraInfo(e)
		}
	}
}

// own takes the descriptor of this very relay.
func (a *authority) own(d *publish.Documents) {
	if r, err := routerdesc.Parse(d.Descriptor); err == nil {
		a.relays.Add(r, true, a.s.cfg.Env.Now())
	}
}

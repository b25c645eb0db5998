package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/role/dirauth"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Bridges is what an authority for bridges needs more.
type Bridges struct {
	// Password is what those who may list all bridges send, user:password; empty for nobody (BridgePassword).
	Password string
}

const (
	bridgesFile     = "networkstatus-bridges"
	bridgesInterval = 30 * time.Minute // BRIDGE_STATUSFILE_INTERVAL
	servedFile      = "stats/served-desc-stats"
	servedInterval  = 24 * time.Hour // WRITE_STATS_INTERVAL
)

func (a *authority) newBridges() *dirauth.Bridges {
	return dirauth.NewBridges(dirauth.BridgeConfig{
		Flags: a.cfg.Flags, Start: a.s.started, Trusted: a.trusted(), AllowPrivate: a.cfg.AllowPrivate, Bridges: a.voted, Live: a.live,
	}, a.reach, a.memory)
}

// writeBridges writes what we think of bridges to disk, now and then until ctx ends, and once a day how often they were asked for.
func (a *authority) writeBridges(ctx context.Context) error {
	tick := time.NewTicker(bridgesInterval)
	defer tick.Stop()
	day := time.NewTicker(servedInterval)
	defer day.Stop()
	rsa, _ := a.s.Identities()
	for {
		if err := a.s.cfg.Env.State.WriteWhole(bridgesFile, a.bridges.File(rsa, a.s.cfg.Env.Now())); err != nil {
			a.s.log.Warn("What we think of bridges cannot be written", "file", bridgesFile, "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-day.C:
			if err := a.s.cfg.Env.State.Append(servedFile, a.served.Line(a.s.cfg.Env.Now())); err != nil {
				a.s.log.Warn("How often bridges were asked for cannot be written", "file", servedFile, "err", err)
			}
		case <-tick.C:
		}
	}
}

// storeBridges keeps what an upload brought. The cache does not get it, since it would give it to everybody.
func (a *authority) storeBridges(dir *dirsync.Sync, from dircache.From, res *admit.Result) {
	for _, x := range res.Routers {
		d := x.Descriptor
		a.reach.Changed(d)
		dir.StoreRouter(dirstore.Signed{Annotations: dirstore.AnnotateBridge(a.s.cfg.Env.Now(), from.Addr), Text: d.Text, Digest: d.Digest})
	}
	for _, e := range res.Extras {
		dir.StoreExtraInfo(dirstore.Signed{Text: e.Text, Digest: e.Digest})
	}
}

// listBridges answers who knows the password, and asks in an encrypted connection. All others learn nothing, not even that there
// is a list (handle_get_networkstatus_bridges in C tor, which leaves those without encryption without an answer).
func (a *authority) listBridges(r *dircache.Request) *dircache.Reply {
	if r.Method != "GET" || r.Path != dirhttp.PathBridges || !r.From.Stream || !a.cfg.Bridges.admits(r.Basic) {
		return nil
	}
	return &dircache.Reply{Docs: [][]byte{a.bridges.List(a.s.cfg.Env.Now())}, Plain: true}
}

// admits tells whether credentials by HTTP Basic are the right ones, in a time that does not depend on them.
func (b *Bridges) admits(basic string) bool {
	want := sha256.Sum256([]byte(base64.StdEncoding.EncodeToString([]byte(b.Password))))
	got := sha256.Sum256([]byte(basic))
	return b.Password != "" && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// bridgeDocs gives out the newest descriptors of bridges.
type bridgeDocs struct{ s *Server }

func (b bridgeDocs) ByDigest(digest [20]byte) *dircache.Document {
	return document(b.s.authority.relays.ByDigest(digest))
}

func (b bridgeDocs) ByFingerprint(rsa [20]byte) *dircache.Document {
	return document(b.s.authority.relays.Router(rsa))
}

func (b bridgeDocs) Served(rsa [20]byte) { b.s.authority.served.Note(rsa) }

func document(r *admit.Router) *dircache.Document {
	if r == nil {
		return nil
	}
	d := r.Descriptor
	return &dircache.Document{Fingerprint: d.RSA, Digest: d.Digest, Published: d.Published, Text: d.Text}
}

// bridgeSink is the cache as its files are to be: they have bridges, too.
type bridgeSink struct {
	*dircache.Cache
	bridges *admit.Registry
}

func (s bridgeSink) HasDescriptor(digest [20]byte) bool {
	return s.Cache.HasDescriptor(digest) || s.bridges.ByDigest(digest) != nil
}

func (s bridgeSink) HasExtraInfo(digest [20]byte) bool {
	return s.Cache.HasExtraInfo(digest) || s.bridges.NeedsExtraInfo(digest)
}

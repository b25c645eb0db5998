package dirsync

import (
	"maps"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// Mirror makes a Sync keep all that directory caches serve.
//
// https://spec.torproject.org/dir-spec/directory-cache-operation.html
type Mirror struct {
	Sink      Sink
	ExtraInfo bool // extra-info documents too (DownloadExtraInfo)
	Stored    bool // StoreExtraInfo is used
}

// A Sink takes the documents of a directory cache, all of which have been verified. dircache.Cache is one. Its methods are
// safe for concurrent use, do not wait, and copy the texts that they keep, but for those of consensuses.
type Sink interface {
	SetConsensus(doc []byte, c *consensus.Consensus) error
	AddCert(*authcert.Cert)
	AddMicrodescs([]microdesc.Entry)
	AddDescriptor(*routerdesc.Descriptor)
	AddExtraInfo(*extrainfo.Document)

	// What the sink has decides what is downloaded, and what stays on disk: it may have dropped what is old.
	HasDescriptor(digest [20]byte) bool
	HasExtraInfo(digest [20]byte) bool
	Descriptor(digest [20]byte) []byte
	// MissingDescriptors are the digests of the router descriptors that the newest consensus lists and the sink lacks.
	MissingDescriptors() [][20]byte
	// MissingExtraInfo are the digests of the extra-info documents that the sink lacks, each with that of the router
	// descriptor that refers to it.
	MissingExtraInfo() map[[20]byte][20]byte
}

// mirror is the state of what is kept for others. The owner goroutine of the Sync owns it. A nil mirror keeps nothing.
type mirror struct {
	*Mirror
	ns      *track
	loaded  bool // what was on disk is in the sink
	certs   batch[consensus.KeyID]
	routers signedFetch
	extras  signedFetch
}

func newMirror(m *Mirror) *mirror {
	return &mirror{
		Mirror: m,
		ns: &track{
			flavor: consensus.NS, file: dirstore.FileNSConsensus, unverified: dirstore.FileUnverifiedNSConsensus,
		},
		certs:   newBatch[consensus.KeyID](forCerts),
		routers: signedFetch{batch: newBatch[[20]byte](forRouters), kind: dirstore.Routers, has: m.Sink.HasDescriptor},
		extras:  signedFetch{batch: newBatch[[20]byte](forRouters), kind: dirstore.ExtraInfos, has: m.Sink.HasExtraInfo},
	}
}

func (m *mirror) nudge() {
	if m != nil {
		m.certs.nudge()
		m.routers.nudge()
		m.extras.nudge()
	}
}

// accept hands on a consensus that has become the current one. Of the ns flavor, nothing but the head is needed here.
func (m *mirror) accept(s *Sync, t *track, c *consensus.Consensus, text []byte) {
	if m == nil {
		return
	}
	if err := m.Sink.SetConsensus(text, c); err != nil {
		s.log.Debug("consensus not cached", "flavor", t.flavor.String(), "err", err)
	}
	if t == m.ns {
		c.Relays = nil
		m.routers.forgetBut(m.Sink.MissingDescriptors())
		m.extras.forgetBut(slices.Collect(maps.Keys(m.Sink.MissingExtraInfo())))
	}
}

func (m *mirror) addCert(c *authcert.Cert) {
	if m != nil {
		m.Sink.AddCert(c)
	}
}

func (m *mirror) addMicrodescs(list []microdesc.Entry) {
	if m != nil {
		m.Sink.AddMicrodescs(list)
	}
}

// How long a certificate is kept after it expired, if there is a newer one, and after that one was published.
const (
	deadCert       = 48 * time.Hour
	supersededCert = 48 * time.Hour
)

// dropOldCerts drops certificates that no consensus needs any more (trusted_dirs_remove_old_certs in C tor).
func (m *mirror) dropOldCerts(certs map[consensus.KeyID]*authcert.Cert, wall time.Time) {
	if m == nil {
		return
	}
	all := maps.Clone(certs)
	maps.DeleteFunc(certs, func(_ consensus.KeyID, c *authcert.Cert) bool {
		for _, next := range all {
			if next.Fingerprint == c.Fingerprint && next.Published.After(c.Published) && !next.Published.After(wall) &&
				(c.Expires.Add(deadCert).Before(wall) || next.Published.Add(supersededCert).Before(wall)) {
				return true
			}
		}
		return false
	})
}

// fetchMirrorCerts asks for the certificates of all keys that signed our consensuses, be it of authorities that we do not
// trust, and for the newest of each authority of which we have none in force (authority_certs_fetch_missing in C tor).
func (s *Sync) fetchMirrorCerts(wall, now time.Time) time.Duration {
	m := s.mirror
	if m == nil || !s.md.usable(wall) {
		return maxWait
	}
	due, next := m.certs.due(s.missingCerts(wall), now)
	var newest [][20]byte
	var pairs []dirhttp.KeyPair
	var keys, ids []consensus.KeyID
	for _, k := range due {
		if k.SigningKey == [20]byte{} {
			ids, newest = append(ids, k), append(newest, k.Identity)
			continue
		}
		keys, pairs = append(keys, k), append(pairs, dirhttp.KeyPair{Identity: k.Identity, Signing: k.SigningKey})
	}
	if len(keys) > 0 {
		path, err := dirhttp.KeyPairPath(pairs)
		s.requestMirrorCerts(path, err, keys)
	}
	if len(ids) > 0 {
		path, err := dirhttp.DigestPath(dirhttp.PrefixKeysFP, newest)
		s.requestMirrorCerts(path, err, ids)
	}
	return next
}

// missingCerts lists the certificates to ask for; without a signing key it is the newest of an authority.
func (s *Sync) missingCerts(wall time.Time) (list []consensus.KeyID) {
	seen := map[consensus.KeyID]bool{}
	known := map[[20]byte]bool{} // authorities with a certificate that is in force, or will be asked for
	for id, c := range s.certs {
		known[id.Identity] = known[id.Identity] || wall.Before(c.Expires)
	}
	for _, t := range s.tracks {
		if t.current == nil {
			continue
		}
		for i := range t.current.Signatures {
			sig := &t.current.Signatures[i]
			id := consensus.KeyID{Identity: sig.Identity, SigningKey: sig.SigningKey}
			if s.certs[id] == nil && !seen[id] {
				seen[id], known[id.Identity] = true, true
				list = append(list, id)
			}
		}
	}
	for _, id := range s.trusted() {
		if !known[id] {
			list = append(list, consensus.KeyID{Identity: id})
		}
	}
	return list
}

func (s *Sync) requestMirrorCerts(path string, err error, keys []consensus.KeyID) {
	f := &s.mirror.certs
	if err != nil {
		s.log.Warn("cannot ask for certificates", "err", err)
		return
	}
	src, ok := s.one(&f.fetch)
	if !ok {
		return
	}
	f.ask(keys)
	asked := map[consensus.KeyID]bool{}
	for _, k := range keys {
		asked[k] = true
	}
	s.start(&f.fetch, src, dirclient.Request{Path: path, MaxBody: maxCerts}, nil, func(now time.Time, resp *dirclient.Response, err error) {
		if err == nil {
			err = s.takeCerts(resp.Body, asked)
		}
		missing := map[consensus.KeyID]bool{}
		for _, k := range s.missingCerts(s.cfg.Env.Now()) {
			missing[k] = true
		}
		f.answered(keys, func(k consensus.KeyID) bool { return !missing[k] }, func(r *retry) { r.failed(now, err, s.cfg.Rand) })
		if err != nil {
			s.log.Debug("certificate download failed", "err", err)
			return
		}
		if err := s.retryCandidates(); err != nil {
			s.log.Debug("a consensus waits for certificates", "err", err)
		}
	})
}

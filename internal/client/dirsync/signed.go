package dirsync

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// signedFetch is the state of downloads of one kind of document that relays sign, and of its files.
type signedFetch struct {
	batch[[20]byte]
	kind            dirstore.Kind
	has             func(digest [20]byte) bool // the sink has it
	stored, journal int                        // bytes in the files
}

const (
	maxSigned    = 8 << 20 // bytes in an answer
	maxSignedRun = 6       // requests at a time, if they do not go to authorities

	// maxRouterAge is how old a router descriptor on disk may be that the consensus does not list.
	maxRouterAge = 5 * 24 * time.Hour
)

var (
	errKeysExpired = errors.New("certificates of the router descriptor have expired")
	errNamed       = errors.New("document has another digest than it seemed to have")
)

// fetchRouters asks for the router descriptors that the consensus of the ns flavor lists and the sink lacks.
func (s *Sync) fetchRouters(wall, now time.Time) time.Duration {
	m := s.mirror
	if m == nil || !m.loaded || !m.ns.usable(wall) {
		return maxWait
	}
	due, next := m.routers.due(m.Sink.MissingDescriptors(), now)
	if wait := m.routers.delay(len(due), now); len(due) > 0 && !s.early() && wait > 0 {
		return min(next, wait)
	}
	divide(s, &m.routers.fetch, due, dirhttp.MaxDirectDigests, maxSignedRun, func(src source, part [][20]byte) {
		m.routers.last = now
		s.requestSigned(&m.routers, src, dirhttp.PrefixServer, part, func(d *dirstore.Signed) error { return s.takeRouter(d, wall) })
	})
	return next
}

// takeRouter checks a router descriptor and hands it on. Downloads call it from goroutines of their own.
func (s *Sync) takeRouter(d *dirstore.Signed, wall time.Time) error {
	r, err := routerdesc.Parse(d.Text)
	switch {
	case err != nil:
	case r.Digest != d.Digest:
		err = errNamed
	case !wall.Before(r.KeysExpire):
		err = errKeysExpired
	default:
		s.mirror.Sink.AddDescriptor(r)
	}
	return err
}

// fetchExtraInfo asks for the extra-info documents that router descriptors refer to, when those are there. Authorities have
// them all, other caches need not.
func (s *Sync) fetchExtraInfo(_, now time.Time) time.Duration {
	m := s.mirror
	if m == nil || !m.ExtraInfo || !m.loaded || !s.enough || len(m.routers.asked) > 0 {
		return maxWait
	}
	missing := m.Sink.MissingExtraInfo()
	due, next := m.extras.due(slices.Collect(maps.Keys(missing)), now)
	for len(due) > 0 {
		src, ok := s.pickAuthority(forRouters)
		if !ok {
			break
		}
		n := min(len(due), dirhttp.MaxDirectDigests)
		s.requestSigned(&m.extras, src, dirhttp.PrefixExtra, due[:n:n], func(d *dirstore.Signed) error { return s.takeExtraInfo(d, missing) })
		due = due[n:]
	}
	return next
}

// takeExtraInfo checks an extra-info document by the router descriptor that refers to it, and hands it on. Downloads call it
// from goroutines of their own.
func (s *Sync) takeExtraInfo(d *dirstore.Signed, missing map[[20]byte][20]byte) error {
	r, err := routerdesc.Parse(s.mirror.Sink.Descriptor(missing[d.Digest]))
	if err != nil {
		return err // it has been dropped meanwhile
	}
	e, err := extrainfo.Parse(d.Text)
	if err == nil {
		err = e.Check(r)
	}
	if err == nil {
		s.mirror.Sink.AddExtraInfo(e)
	}
	return err
}

// requestSigned asks a server for documents, and hands those that were asked for to take. They come into the journal; what
// take refuses is not asked for again, unless another copy may be good.
func (s *Sync) requestSigned(f *signedFetch, src source, prefix string, digests [][20]byte, take func(*dirstore.Signed) error) {
	path, err := dirhttp.DigestPath(prefix, digests)
	if err != nil {
		s.log.Warn("cannot ask for descriptors", "err", err)
		return
	}
	f.ask(digests)
	var good []dirstore.Signed // these and the others are what read found
	var useless [][20]byte
	var last error
	read := func(resp *dirclient.Response) {
		wanted := make(map[[20]byte]bool, len(digests))
		for _, d := range digests {
			wanted[d] = true
		}
		for d := range dirstore.Split(f.kind, resp.Body) {
			if !wanted[d.Digest] {
				continue
			}
			err := take(&d)
			switch {
			case err == nil:
				delete(wanted, d.Digest)
				d.Annotations = nil
				good = append(good, d)
				continue
			case hopeless(err):
				delete(wanted, d.Digest)
				useless = append(useless, d.Digest)
			}
			last = err
		}
	}
	s.start(&f.fetch, src, dirclient.Request{Path: path, MaxBody: maxSigned}, read, func(now time.Time, _ *dirclient.Response, err error) {
		if err == nil && len(good) == 0 {
			if err = last; err == nil {
				err = errIncomplete
			}
		}
		for _, d := range useless {
			f.hopeless[d] = true
		}
		s.storeSigned(f, src, good)
		f.answered(digests, f.has, func(r *retry) { r.cacheFailed(now, err, s.enough, s.cfg.Rand) })
		if f.journal >= max(maxJournal, f.stored/2) && len(f.asked) == 0 {
			s.rebuildSigned(f)
		}
		if err != nil {
			s.log.Debug("descriptor download failed", "err", err)
		}
	})
}

// hopeless tells whether err is about what the digest of a document covers, so that no other copy is better. The signature
// is not.
func hopeless(err error) bool {
	for _, other := range []error{routerdesc.ErrRouterSignature, routerdesc.ErrTooLong, extrainfo.ErrCopy, extrainfo.ErrTooLong} {
		if errors.Is(err, other) {
			return false
		}
	}
	at, ok := errors.AsType[*netdoc.Error](err)
	return !ok || at.Keyword != "router-signature"
}

// storeSigned appends documents to the journal.
func (s *Sync) storeSigned(f *signedFetch, src source, list []dirstore.Signed) {
	if len(list) == 0 {
		return
	}
	if f.kind == dirstore.Routers {
		downloaded := dirstore.Annotate(s.cfg.Env.Now(), src.addr())
		for i := range list {
			if list[i].Annotations == nil {
				list[i].Annotations = downloaded
			}
		}
	}
	n, err := s.store.AddSigned(f.kind, list)
	if err != nil {
		s.log.Warn("cannot write to the directory cache", "err", err)
	}
	f.journal += n
}

// addr is where a document came from.
func (src *source) addr() netip.Addr {
	switch {
	case src.dirPort.IsValid():
		return src.dirPort.Addr()
	case len(src.Target.Addrs) > 0:
		return src.Target.Addrs[0].Addr()
	}
	return netip.IPv4Unspecified()
}

// rebuildSigned rewrites a cache with what the sink still has.
func (s *Sync) rebuildSigned(f *signedFetch) {
	f.journal = 0
	stored, err := s.store.RebuildSigned(f.kind, func(d dirstore.Signed) bool { return f.has(d.Digest) })
	if err != nil {
		s.log.Warn("cannot rewrite the directory cache", "err", err)
		return
	}
	f.stored = stored
}

// loadMirror hands the microdescriptors on disk to the sink, before there is a consensus: that will note when it listed them.
func (s *Sync) loadMirror() error {
	if s.mirror == nil {
		return nil
	}
	return s.store.ReadMicrodescs(func(m microdesc.Entry) {
		recent := m.LastListed.IsZero() || s.cfg.Env.Now().Sub(m.LastListed) < mdRetention
		if _, err := microdesc.Parse(m.Text, nil); err == nil && recent {
			s.mirror.addMicrodescs([]microdesc.Entry{m})
		}
	})
}

// loadSigned hands the descriptors on disk to the sink, in the background: signatures take seconds.
func (s *Sync) loadSigned() {
	m := s.mirror
	if m == nil {
		return
	}
	kinds := []*signedFetch{&m.routers}
	if m.ExtraInfo || m.Stored {
		kinds = append(kinds, &m.extras)
	}
	safego.Go(&s.wg, s.log, "directory cache", func() {
		safego.Run(s.log, "directory cache", func() {
			s.readRouters(s.ctx)
			if m.ExtraInfo {
				s.readExtraInfo(s.ctx)
			}
		})
		s.do(func(time.Time) {
			m.loaded = true
			for _, f := range kinds {
				var err error
				if f.stored, f.journal, err = s.store.SignedLen(f.kind); err != nil {
					s.log.Warn("cannot read the directory cache", "err", err)
				}
				if f.journal > 0 {
					s.rebuildSigned(f) // without what the end of a kill may have torn
				}
			}
		})
	})
}

func (s *Sync) readRouters(ctx context.Context) {
	sink, wall := s.mirror.Sink, s.cfg.Env.Now()
	listed := map[[20]byte]bool{}
	for _, d := range sink.MissingDescriptors() {
		listed[d] = true
	}
	err := s.store.ReadSigned(dirstore.Routers, func(d dirstore.Signed) {
		if ctx.Err() != nil || sink.HasDescriptor(d.Digest) || !d.General() {
			return
		}
		r, err := routerdesc.Parse(d.Text)
		if err == nil && wall.Before(r.KeysExpire) && (listed[r.Digest] || wall.Sub(r.Published) < maxRouterAge) {
			sink.AddDescriptor(r)
		}
	})
	if err != nil {
		s.log.Warn("cannot read the directory cache", "err", err)
	}
}

func (s *Sync) readExtraInfo(ctx context.Context) {
	missing := s.mirror.Sink.MissingExtraInfo()
	err := s.store.ReadSigned(dirstore.ExtraInfos, func(d dirstore.Signed) {
		if _, ok := missing[d.Digest]; !ok || ctx.Err() != nil {
			return
		}
		if err := s.takeExtraInfo(&d, missing); err != nil {
			s.log.Debug("cached extra-info document left out", "err", err)
		}
	})
	if err != nil {
		s.log.Warn("cannot read the directory cache", "err", err)
	}
}

package dirsync

import (
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

const maxMicrodescs = 8 << 20 // bytes in an answer

// fetchMicrodescs asks for what the consensus lists and we do not have.
//
// https://spec.torproject.org/dir-spec/client-operation.html
func (s *Sync) fetchMicrodescs(_, now time.Time) time.Duration {
	f := &s.mdFetch
	if s.view == nil {
		return maxWait
	}
	due, next := f.due(s.view.Missing(), now)
	if len(due) == 0 {
		return next
	}
	// A few relays that have changed need not be asked for at once, when circuits can be built without them.
	if wait := f.delay(len(due), now); wait > 0 && s.enough && !s.early() && !s.lacksGuard() {
		return min(next, wait)
	}
	divide(s, &f.fetch, due, dirhttp.MaxDirectMicro, 0, func(src source, part [][32]byte) {
		f.last = now
		s.requestMicrodescs(src, part)
	})
	return next
}

// lacksGuard tells whether the microdescriptor of a guard is missing: no circuit is built without it.
func (s *Sync) lacksGuard() bool {
	return s.cfg.Caches != nil && slices.ContainsFunc(s.cfg.Caches(s.view, requestsAtOnce, nil), func(r *netdir.Relay) bool { return !r.HasDescriptor })
}

func (s *Sync) requestMicrodescs(src source, digests [][32]byte) {
	f := &s.mdFetch
	path, err := dirhttp.MicrodescPath(digests)
	if err != nil {
		s.log.Warn("cannot ask for microdescriptors", "err", err)
		return
	}
	f.ask(digests)
	if !s.enough {
		s.emit(Event{Stage: RequestingDescs})
	}
	s.start(&f.fetch, src, dirclient.Request{Path: path, MaxBody: maxMicrodescs}, nil, func(now time.Time, resp *dirclient.Response, err error) {
		_, refused := errors.AsType[*dirclient.StatusError](err)
		answered := err == nil || refused
		if err == nil {
			err = s.takeMicrodescs(resp.Body, digests)
		}
		if answered && slices.ContainsFunc(digests, func(d [32]byte) bool { return s.mds[d] == nil }) {
			s.noteOutdated(src)
		}
		f.answered(digests, func(d [32]byte) bool { return s.mds[d] != nil }, func(r *retry) {
			if s.fromAuthorities() {
				r.cacheFailed(now, err, s.enough, s.cfg.Rand)
				return
			}
			r.failed(now, err, s.cfg.Rand)
		})
		s.tidy()
		if err != nil {
			s.log.Debug("microdescriptor download failed", "err", err)
			s.emit(Event{Stage: RequestingDescs, Err: err})
		}
	})
}

// takeMicrodescs adds those of the microdescriptors in text that were asked for. A server may send fewer; anything else
// it sends is ignored, since its digest is not one of these.
func (s *Sync) takeMicrodescs(text []byte, digests [][32]byte) error {
	wanted := make(map[[32]byte]bool, len(digests))
	for _, d := range digests {
		wanted[d] = true
	}
	var fresh []microdesc.Entry
	var last error
	for part := range microdesc.Split(text) {
		d := sha256.Sum256(part.Text)
		if !wanted[d] || s.mds[d] != nil {
			continue
		}
		md, err := microdesc.Parse(part.Text, s.intern)
		if err != nil {
			last = err
			continue
		}
		s.mds[d] = &md
		fresh = append(fresh, microdesc.Entry{Text: part.Text, LastListed: s.md.current.ValidAfter})
	}
	if len(fresh) == 0 {
		if last == nil {
			last = errIncomplete
		}
		return last
	}
	if err := s.store.AddMicrodescs(fresh); err != nil {
		s.log.Warn("cannot write to the directory cache", "err", err)
	}
	for _, m := range fresh {
		s.journal += len(m.Text)
	}
	s.mirror.addMicrodescs(fresh)
	s.view = s.view.With(s.lookup)
	s.reconsider()
	return nil
}

func (s *Sync) lookup(d [32]byte) *microdesc.Microdesc { return s.mds[d] }

// reconsider decides whether there is enough to build circuits from, and publishes the view.
func (s *Sync) reconsider() {
	need := s.cfg.MinPaths
	if need == 0 {
		need = float64(s.md.current.Params.Get("min_paths_for_circs_pct", 60, 25, 95)) / 100
	}
	have := s.cfg.PathFraction(s.view)
	was := s.enough
	s.usable = s.md.usable(s.cfg.Env.Now())
	s.enough = s.usable && have >= need
	s.publish()
	switch {
	case s.enough && !was:
		s.emit(Event{Stage: Enough})
	case !s.enough && len(s.mds) > 0:
		s.emit(Event{Stage: LoadingDescs, Fraction: min(have/need, 1)})
	}
}

const (
	maxJournal  = 1 << 20            // bytes in the journal before the cache is rewritten
	mdRetention = 7 * 24 * time.Hour // how long after it was last listed a microdescriptor is kept
)

// tidy rewrites the cache on disk when its journal has grown, without what has not been listed for a week, and forgets
// what the consensus does not list.
func (s *Sync) tidy() {
	if s.journal < maxJournal || len(s.mdFetch.asked) > 0 {
		return
	}
	s.journal = 0
	listed := make(map[[32]byte]bool, len(s.md.current.Relays))
	for i := range s.md.current.Relays {
		listed[s.md.current.Relays[i].Digest] = true
	}
	for d := range s.mds {
		if !listed[d] {
			delete(s.mds, d)
		}
	}
	err := s.store.RebuildMicrodescs(func(text []byte, last time.Time) (time.Time, bool) {
		if listed[sha256.Sum256(text)] {
			return s.md.current.ValidAfter, true
		}
		return last, s.cfg.Env.Now().Sub(last) < mdRetention
	})
	if err != nil {
		s.log.Warn("cannot rewrite the directory cache", "err", err)
	}
}

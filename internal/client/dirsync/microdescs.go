package dirsync

import (
	"crypto/sha256"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

const (
	minPerRequest  = 32 // digests: smaller requests are not worth their circuit
	requestsAtOnce = 3  // servers among which a large download is divided
	delayFewer     = 16 // fewer missing ones than this may wait for more
	delayTime      = 10 * time.Minute
	maxMicrodescs  = 8 << 20 // bytes in an answer
)

// microdescFetch is the state of microdescriptor downloads.
type microdescFetch struct {
	fetch
	asked  map[[32]byte]bool   // in a request that runs
	failed map[[32]byte]*retry // asked for in vain
	last   time.Time           // when a request was sent
}

// forget drops what failed: a new consensus brings new servers and new digests.
func (f *microdescFetch) forget() {
	f.failed = map[[32]byte]*retry{}
	if f.asked == nil {
		f.asked = map[[32]byte]bool{}
	}
}

func (f *microdescFetch) nudge() {
	for _, r := range f.failed {
		r.at = time.Time{}
	}
}

// answered notes that a request is over. Those that it did not bring are to be asked for again, together and after a
// wait that again draws, so that they make one request once more.
func (f *microdescFetch) answered(digests [][32]byte, have map[[32]byte]*microdesc.Microdesc, again func(*retry)) {
	var next retry
	var missed [][32]byte
	for _, d := range digests {
		delete(f.asked, d)
		if have[d] != nil {
			delete(f.failed, d)
			continue
		}
		missed = append(missed, d)
		if old := f.failed[d]; old != nil && old.delay > next.delay {
			next = *old
		}
	}
	if len(missed) == 0 {
		return
	}
	again(&next)
	for _, d := range missed {
		f.failed[d] = &next
	}
}

// fetchMicrodescs asks for what the consensus lists and we do not have.
//
// https://spec.torproject.org/dir-spec/client-operation.html
func (s *Sync) fetchMicrodescs(_, now time.Time) time.Duration {
	f := &s.mdFetch
	if s.view == nil {
		return maxWait
	}
	next := maxWait
	var due [][32]byte
	for _, d := range s.view.Missing() {
		if f.asked[d] {
			continue
		}
		if r := f.failed[d]; r != nil && now.Before(r.at) {
			next = min(next, r.at.Sub(now))
			continue
		}
		due = append(due, d)
	}
	if len(due) == 0 {
		return next
	}
	// A few relays that have changed need not be asked for at once, when circuits can be built without them.
	if wait := f.last.Add(delayTime).Sub(now); s.enough && len(due) < delayFewer && !f.last.IsZero() && wait > 0 {
		return min(next, wait)
	}
	servers := s.caches(requestsAtOnce)
	if len(servers) == 0 {
		return next
	}
	f.last = now
	size := min(max((len(due)+requestsAtOnce-1)/requestsAtOnce, minPerRequest), dirhttp.MaxDigests)
	for i := 0; len(due) > 0; i++ {
		n := min(size, len(due))
		s.requestMicrodescs(servers[i%len(servers)], due[:n:n])
		due = due[n:]
	}
	return next
}

func (s *Sync) requestMicrodescs(server circmgr.DirServer, digests [][32]byte) {
	f := &s.mdFetch
	path, err := dirhttp.MicrodescPath(digests)
	if err != nil {
		s.log.Warn("cannot ask for microdescriptors", "err", err)
		return
	}
	for _, d := range digests {
		f.asked[d] = true
	}
	if !s.enough {
		s.emit(Event{Stage: RequestingDescs})
	}
	s.start(&f.fetch, server, dirclient.Request{Path: path, MaxBody: maxMicrodescs}, func(now time.Time, resp *dirclient.Response, err error) {
		if err == nil {
			err = s.takeMicrodescs(resp.Body, digests)
		}
		f.answered(digests, s.mds, func(r *retry) { r.failed(now, err, s.cfg.Rand) })
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
		fresh = append(fresh, microdesc.Entry{Text: part.Text, LastListed: s.current.ValidAfter})
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
	s.view = s.view.With(s.lookup)
	s.reconsider()
	return nil
}

func (s *Sync) lookup(d [32]byte) *microdesc.Microdesc { return s.mds[d] }

// reconsider decides whether there is enough to build circuits from, and publishes the view.
func (s *Sync) reconsider() {
	need := s.cfg.MinPaths
	if need == 0 {
		need = float64(s.current.Params.Get("min_paths_for_circs_pct", 60, 25, 95)) / 100
	}
	have := s.cfg.PathFraction(s.view)
	was := s.enough
	s.usable = usable(s.current, s.cfg.Env.Now())
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
	listed := make(map[[32]byte]bool, len(s.current.Relays))
	for i := range s.current.Relays {
		listed[s.current.Relays[i].Digest] = true
	}
	for d := range s.mds {
		if !listed[d] {
			delete(s.mds, d)
		}
	}
	err := s.store.RebuildMicrodescs(func(text []byte, last time.Time) (time.Time, bool) {
		if listed[sha256.Sum256(text)] {
			return s.current.ValidAfter, true
		}
		return last, s.cfg.Env.Now().Sub(last) < mdRetention
	})
	if err != nil {
		s.log.Warn("cannot rewrite the directory cache", "err", err)
	}
}

package dirsync

import (
	"errors"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// A source is a server, and how to ask it.
type source struct {
	circmgr.DirServer
	dirPort   netip.AddrPort // to ask in plain HTTP; invalid if within a circuit
	authority *authority     // nil if it is none, or we ask it as we do any other server
}

// none tells whether a document came from no server but from disk.
func (src *source) none() bool { return len(src.Target.Addrs) == 0 && !src.dirPort.IsValid() }

// An authority as relays ask it, and what we know of it.
type authority struct {
	trusteddirs.Authority
	asked [purposes]int // requests that run
	down  bool          // the last request failed
	busy  time.Time     // it has said then that it has no bandwidth for us; zero if it has not
}

// busyTime is how long an authority that is busy is asked only if there is no other.
const busyTime = time.Hour

func (src *source) begin(p purpose) {
	if src.authority != nil {
		src.authority.asked[p]++
	}
}

// end notes how a request went. As in C tor any failure counts, so that another authority is asked next
// (connection_dir_client_request_failed), except that it does not have some of what was listed.
func (src *source) end(p purpose, err error, now time.Time) {
	a := src.authority
	if a == nil {
		return
	}
	a.asked[p]--
	var status *dirclient.StatusError
	switch {
	case errors.Is(err, errSuperseded):
	case p >= forMicrodescs && notFound(err):
	default:
		a.down = err != nil
	}
	if errors.As(err, &status) && status.Status == dirhttp.StatusBusy {
		a.busy = now
	}
}

// fromAuthorities tells whether we ask authorities for everything, as directory caches do.
func (s *Sync) fromAuthorities() bool {
	return s.cfg.FromAuthorities != nil && s.cfg.FromAuthorities() && len(s.authorities) > 0
}

// early tells whether to ask before clients do (dirclient_fetches_dir_info_early in C tor).
func (s *Sync) early() bool { return s.cfg.Schedule.Early || s.fromAuthorities() }

// pickAuthority draws an authority to ask (router_pick_trusteddirserver in C tor): one that works and is not busy, if there
// is one. For lists of documents it takes none that such a request of ours runs at; it is not ok if there is no other.
func (s *Sync) pickAuthority(p purpose) (src source, ok bool) {
	best, waiting := s.bestAuthorities(p)
	if len(best) == 0 && !waiting { // none works: all get another chance
		for _, a := range s.authorities {
			a.down = false
		}
		best, _ = s.bestAuthorities(p)
	}
	if len(best) == 0 {
		return source{}, false
	}
	return s.asRelay(best[s.draw(len(best), func(i int) float64 { return best[i].Weight })]), true
}

// bestAuthorities returns those that work, without those that are busy if there are others, and whether any were left out
// because a request runs.
func (s *Sync) bestAuthorities(p purpose) (best []*authority, waiting bool) {
	var busy []*authority
	for _, a := range s.authorities {
		switch {
		case p >= forMicrodescs && a.asked[p] > 0:
			waiting = true
		case a.down:
		case !a.busy.IsZero() && time.Since(a.busy) < busyTime:
			busy = append(busy, a)
		default:
			best = append(best, a)
		}
	}
	if len(best) == 0 {
		best = busy
	}
	return best, waiting
}

// asRelay returns how a relay asks an authority.
func (s *Sync) asRelay(a *authority) source {
	src := authoritySource(a.Authority)
	src.authority = a
	if s.cfg.DirPorts && a.DirPort.IsValid() && a.DirPort.Port() != 0 {
		src.dirPort = a.DirPort
	}
	return src
}

// draw returns one of n indices, by weight.
func (s *Sync) draw(n int, weight func(int) float64) int {
	total := 0.0
	for i := range n {
		total += weight(i)
	}
	if total <= 0 {
		return s.cfg.Rand.IntN(n)
	}
	at := s.cfg.Rand.Float64() * total
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	return n - 1
}

// fallback draws a server to ask while no relays are known. Fallbacks are drawn by weight; without any, the authorities
// do their work.
func (s *Sync) fallback() (source, bool) {
	total := 0.0
	for _, f := range s.cfg.Fallbacks {
		total += f.Weight
	}
	if total <= 0 {
		return s.anyAuthority()
	}
	f := s.cfg.Fallbacks[s.draw(len(s.cfg.Fallbacks), func(i int) float64 { return s.cfg.Fallbacks[i].Weight })]
	return dirServer(f.RSA, f.Addr, f.IPv6), true
}

// anyAuthority draws an authority to ask while no relays are known.
func (s *Sync) anyAuthority() (source, bool) {
	if len(s.cfg.Authorities) == 0 {
		return source{}, false
	}
	return authoritySource(s.cfg.Authorities[s.cfg.Rand.IntN(len(s.cfg.Authorities))]), true
}

// one returns a server for one document other than the first consensus: an authority, or the best cache, or any of the best
// after a failure.
func (s *Sync) one(f *fetch) (source, bool) {
	if s.fromAuthorities() {
		return s.pickAuthority(f.purpose)
	}
	list := s.caches(f.purpose, requestsAtOnce)
	switch {
	case len(list) == 0:
		return source{}, false
	case f.retry.delay > 0:
		return list[s.cfg.Rand.IntN(len(list))], true
	}
	return list[0], true
}

// caches returns up to n servers for documents other than the first consensus: directory guards if there is a view to
// choose them from, else a fallback. There are none if the configuration has no server at all.
func (s *Sync) caches(p purpose, n int) []source {
	var list []source
	var outdated map[[20]byte]bool
	if p == forMicrodescs {
		outdated = s.outdated
	}
	if s.view != nil && s.cfg.Caches != nil {
		for _, r := range s.cfg.Caches(s.view, n, outdated) {
			list = append(list, source{DirServer: circmgr.DirServerOf(r)})
		}
	}
	if len(list) == 0 {
		if f, ok := s.fallback(); ok {
			list = append(list, f)
		}
	}
	return list
}

// maxOutdated bounds the caches that are left out for lack of microdescriptors (TOO_MANY_OUTDATED_DIRSERVERS in C tor).
const maxOutdated = 30

// noteOutdated remembers that a cache has answered a request for microdescriptors, and not with all of them: it does not have the
// consensus that we have, and others may (microdesc_note_outdated_dirserver in C tor).
func (s *Sync) noteOutdated(src source) {
	for _, a := range s.cfg.Authorities {
		if a.Fingerprint == src.Target.RSA {
			return
		}
	}
	if s.outdated == nil || len(s.outdated) > maxOutdated {
		s.outdated = map[[20]byte]bool{}
	}
	s.outdated[src.Target.RSA] = true
}

func authoritySource(a trusteddirs.Authority) source { return dirServer(a.Fingerprint, a.Addr, a.IPv6) }

// dirServer makes a server of a relay whose RSA identity alone is known. Invalid addresses and those without a port are
// left out.
func dirServer(rsa [20]byte, addrs ...netip.AddrPort) source {
	t := link.Target{RSA: rsa, HasRSA: true}
	for _, a := range addrs {
		if a.IsValid() && a.Port() != 0 {
			t.Addrs = append(t.Addrs, a)
		}
	}
	return source{DirServer: circmgr.DirServer{Target: t}}
}

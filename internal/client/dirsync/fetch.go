package dirsync

import (
	"context"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
)

// fetch is one kind of download.
type fetch struct {
	running int
	retry   retry
	ctx     context.Context // of those that run, if they can be ended together
	cancel  context.CancelCauseFunc
}

// fetchTimeout bounds one download, from the connection to the last byte.
const fetchTimeout = 5 * time.Minute

// start runs a download in the background, and then got in the owner goroutine.
func (s *Sync) start(f *fetch, server circmgr.DirServer, req dirclient.Request, got func(now time.Time, resp *dirclient.Response, err error)) {
	f.running++
	ctx := s.ctx
	if f.ctx != nil {
		ctx = f.ctx
	}
	safego.Go(&s.wg, s.log, "directory download", func() {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		var resp *dirclient.Response
		err := errPanic
		safego.Run(s.log, "directory download", func() { resp, err = s.cfg.Get.Get(ctx, server, req) })
		s.do(func(now time.Time) {
			f.running--
			if s.ctx.Err() == nil {
				got(now, resp, err)
			}
		})
	})
}

// fallback draws a server to ask while no relays are known. Fallbacks are drawn by weight; without any, the authorities
// do their work.
func (s *Sync) fallback() (circmgr.DirServer, bool) {
	total := 0.0
	for _, f := range s.cfg.Fallbacks {
		total += f.Weight
	}
	if total <= 0 {
		return s.authority()
	}
	at := s.cfg.Rand.Float64() * total
	for _, f := range s.cfg.Fallbacks {
		if at -= f.Weight; at < 0 {
			return fallbackServer(f), true
		}
	}
	return fallbackServer(s.cfg.Fallbacks[len(s.cfg.Fallbacks)-1]), true
}

// authority draws an authority to ask.
func (s *Sync) authority() (circmgr.DirServer, bool) {
	if len(s.cfg.Authorities) == 0 {
		return circmgr.DirServer{}, false
	}
	return authorityServer(s.cfg.Authorities[s.cfg.Rand.IntN(len(s.cfg.Authorities))]), true
}

// cache returns a server for one document other than the first consensus: the best, or any of the best after a failure.
func (s *Sync) cache(r *retry) (circmgr.DirServer, bool) {
	list := s.caches(requestsAtOnce)
	switch {
	case len(list) == 0:
		return circmgr.DirServer{}, false
	case r.delay > 0:
		return list[s.cfg.Rand.IntN(len(list))], true
	}
	return list[0], true
}

// caches returns up to n servers for documents other than the first consensus: directory guards if there is a view to
// choose them from, else a fallback. There are none if the configuration has no server at all.
func (s *Sync) caches(n int) []circmgr.DirServer {
	var list []circmgr.DirServer
	if s.view != nil && s.cfg.Caches != nil {
		for _, r := range s.cfg.Caches(s.view, n) {
			list = append(list, circmgr.DirServerOf(r))
		}
	}
	if len(list) == 0 {
		if f, ok := s.fallback(); ok {
			list = append(list, f)
		}
	}
	return list
}

func fallbackServer(f trusteddirs.Fallback) circmgr.DirServer {
	return dirServer(f.RSA, f.Addr, f.IPv6)
}

func authorityServer(a trusteddirs.Authority) circmgr.DirServer {
	return dirServer(a.Fingerprint, a.Addr, a.IPv6)
}

// dirServer makes a server of a relay whose RSA identity alone is known. Invalid addresses and those without a port are
// left out.
func dirServer(rsa [20]byte, addrs ...netip.AddrPort) circmgr.DirServer {
	t := link.Target{RSA: rsa, HasRSA: true}
	for _, a := range addrs {
		if a.IsValid() && a.Port() != 0 {
			t.Addrs = append(t.Addrs, a)
		}
	}
	return circmgr.DirServer{Target: t}
}

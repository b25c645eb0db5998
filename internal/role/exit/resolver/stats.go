package resolver

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"
)

// Stats counts look-ups since the start. Requests that the cache answered are no look-ups, and those for the same name at
// the same time are one.
type Stats struct {
	A, AAAA, PTR uint64 // look-ups that were begun, by type

	Found    uint64
	NotFound uint64
	Failed   uint64 // ErrServer
	TimedOut uint64

	Cached uint64 // requests that the cache answered
	Busy   uint64 // requests that were refused
	Strays uint64 // datagrams that were no answer to the query that the server got
}

type counts struct {
	a, aaaa, ptr, found, notFound, failed, timedOut, cached, busy, strays atomic.Uint64
}

func (c *counts) query(qtype uint16) {
	switch qtype {
	case dns.TypeA:
		c.a.Add(1)
	case dns.TypeAAAA:
		c.aaaa.Add(1)
	case dns.TypePTR:
		c.ptr.Add(1)
	}
}

func (c *counts) outcome(err error, out outcome) {
	switch {
	case errors.Is(err, ErrTimeout):
		c.timedOut.Add(1)
	case err != nil:
		c.failed.Add(1)
	case out.err != nil:
		c.notFound.Add(1)
	default:
		c.found.Add(1)
	}
}

// Stats returns the counts.
func (r *Resolver) Stats() Stats {
	c := &r.counts
	return Stats{
		A: c.a.Load(), AAAA: c.aaaa.Load(), PTR: c.ptr.Load(),
		Found: c.found.Load(), NotFound: c.notFound.Load(), Failed: c.failed.Load(), TimedOut: c.timedOut.Load(),
		Cached: c.cached.Load(), Busy: c.busy.Load(), Strays: c.strays.Load(),
	}
}

// A familyWatch finds out that questions for IPv6 addresses go unanswered, which some servers and firewalls do to them.
type familyWatch struct {
	mu              sync.Mutex // guards the fields below; a leaf
	asked, timeouts int
	broken          bool
}

// note counts a look-up. The bounds are C tor's, in evdns_callback.
func (w *familyWatch) note(timeout bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if timeout {
		w.timeouts++
	}
	w.broken = w.broken || w.timeouts > 10 && w.timeouts > w.asked/2
}

func (w *familyWatch) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked, w.timeouts, w.broken = 0, 0, false
}

// BrokenIPv6 reports whether look-ups of IPv6 addresses mostly time out, so that the exit should not offer IPv6. It stays
// so until the servers change.
func (r *Resolver) BrokenIPv6() bool {
	r.v6.mu.Lock()
	defer r.v6.mu.Unlock()
	return r.v6.broken
}

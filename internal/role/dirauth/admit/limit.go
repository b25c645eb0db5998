package admit

import (
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/tokenbucket"
)

// maxSources bounds the strangers that have a bucket of their own; the others share one. It is 4096 * some 200 bytes.
const maxSources = 4096

// A limiter bounds the documents that are checked. Registry.mu guards it.
type limiter struct {
	Limits
	start     time.Time
	sources   map[netip.Prefix]*source
	swept     time.Duration // when sources was looked through
	rest      source        // for those that there is no room for
	strangers tokenbucket.Bucket
}

type source struct {
	tokenbucket.Bucket
	used time.Duration
}

func newLimiter(l Limits) limiter {
	lim := limiter{sources: map[netip.Prefix]*source{}}
	lim.set(l, 0)
	return lim
}

// set changes the limits.
func (l *limiter) set(limits Limits, at time.Duration) {
	l.Limits = limits
	l.strangers.Set(at, int64(limits.StrangerRate), int64(limits.StrangerBurst))
	l.rest.Set(at, int64(limits.SourceRate), int64(limits.SourceBurst))
	for _, s := range l.sources {
		s.Set(at, int64(limits.SourceRate), int64(limits.SourceBurst))
	}
}

// at is the time of the buckets. What time.Now returns counts by its monotonic part, whatever becomes of the clock.
func (l *limiter) at(now time.Time) time.Duration {
	if l.start.IsZero() {
		l.start = now
	}
	return max(now.Sub(l.start), 0)
}

// take tells whether n documents of a source may be checked. Relays that we know do not compete with strangers.
func (l *limiter) take(from netip.Addr, n int, known bool, now time.Time) bool {
	at := l.at(now)
	s := l.source(from, at, known)
	s.used = at
	if s.Due(at, s.Take(at, n)) > 0 {
		s.Untake(n)
		return false
	}
	if !known && l.strangers.Due(at, l.strangers.Take(at, n)) > 0 {
		l.strangers.Untake(n)
		s.Untake(n)
		return false
	}
	return true
}

// source returns the bucket of an address. A relay that we know never has to share.
func (l *limiter) source(from netip.Addr, at time.Duration, known bool) *source {
	bits := 64
	if from = from.Unmap(); from.Is4() {
		bits = 32
	}
	p, _ := from.Prefix(bits) // of no address, none: they share a bucket
	if s := l.sources[p]; s != nil {
		return s
	}
	if len(l.sources) >= maxSources && at-l.swept >= time.Second {
		l.swept = at
		// A bucket that is full again is as good as a new one.
		full := time.Duration(l.SourceBurst/max(l.SourceRate, 1)+1) * time.Second
		for p, s := range l.sources {
			if at-s.used > full {
				delete(l.sources, p)
			}
		}
	}
	if len(l.sources) >= maxSources && !known {
		return &l.rest
	}
	s := &source{}
	s.Set(at, int64(l.SourceRate), int64(l.SourceBurst))
	l.sources[p] = s
	return s
}

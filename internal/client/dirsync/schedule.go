package dirsync

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Schedule says how eagerly to download. The zero value is C tor's for clients.
type Schedule struct {
	AuthorityDelay time.Duration // while bootstrapping, how long fallbacks have before authorities are asked too; 6 s
	MaxTries       int           // consensus downloads at a time while bootstrapping; 3
	Early          bool          // fetch as early as directory caches do (FetchDirInfoEarly)
	ExtraEarly     bool          // if early, then before directory caches do (FetchDirInfoExtraEarly)
}

func (s *Schedule) setDefaults() {
	if s.AuthorityDelay == 0 {
		s.AuthorityDelay = 6 * time.Second
	}
	if s.MaxTries == 0 {
		s.MaxTries = 3
	}
}

// refreshAt draws the time at which to fetch the consensus after c. It is never before c stops being fresh, late enough
// for the caches to have the next one, and well before c ends.
//
// https://spec.torproject.org/dir-spec/client-operation.html#retry-as-a-client
func (s *Schedule) refreshAt(c *consensus.Consensus, rng *rand.Rand) time.Time {
	interval := c.FreshUntil.Sub(c.ValidAfter)
	start := c.FreshUntil.Add(interval * 3 / 4)
	span := c.ValidUntil.Sub(start) * 7 / 8
	if s.Early {
		slop := max(min(2*time.Minute, interval/16), time.Second)
		start = c.FreshUntil.Add(slop)
		if span = interval / 2; s.ExtraEarly && slop+time.Minute <= interval {
			span = time.Minute
		}
	}
	span = max(span, time.Second) // testing networks vote every few seconds
	if !start.Add(span).Before(c.ValidUntil) {
		start = c.ValidUntil.Add(-span - time.Second)
	}
	return start.Add(time.Duration(rng.Int64N(int64(span))))
}

// retry tells when to try again after failures: each wait is drawn from a range whose end grows threefold with the one
// before, so that clients which fail together do not come back together.
//
// https://spec.torproject.org/dir-spec/client-operation.html#retry-as-a-client
type retry struct {
	delay time.Duration // the last one
	at    time.Time     // not before this
}

const (
	firstDelay = time.Second
	maxDelay   = time.Hour

	maxDeadDelay = 2 * time.Minute // while no server can be reached
)

// again draws the next wait and counts it from now.
func (r *retry) again(now time.Time, rng *rand.Rand) {
	high := min(max(3*r.delay, firstDelay+time.Second), maxDelay)
	r.delay = firstDelay + time.Duration(rng.Int64N(int64(high-firstDelay)))
	r.at = now.Add(r.delay)
}

// failed draws the next wait after a download that ended with err. A server that could not be reached has had no work
// with us, and the network may be back at any time: then the wait is a short one.
func (r *retry) failed(now time.Time, err error, rng *rand.Rand) {
	r.again(now, rng)
	r.unreached(now, err)
}

// unreached shortens a wait that has been drawn already, if err says that no server was reached.
func (r *retry) unreached(now time.Time, err error) {
	if !errors.As(err, new(*link.DialError)) && !errors.Is(err, circmgr.ErrBuildTimeout) {
		return
	}
	r.delay = min(r.delay, maxDeadDelay)
	if last := now.Add(maxDeadDelay); r.at.After(last) {
		r.at = last
	}
}

// none draws the wait after a server had nothing newer than c, as it is with a clock that is ahead.
func (r *retry) none(now time.Time, c *consensus.Consensus, rng *rand.Rand) {
	low := max(c.FreshUntil.Sub(c.ValidAfter)/6, firstDelay)
	r.delay = low + time.Duration(rng.Int64N(int64(low)))
	r.at = now.Add(r.delay)
}

// How soon a cache asks again for descriptors, while it cannot build circuits and otherwise, as in C tor
// (LAZY_DESCRIPTOR_RETRY_INTERVAL): it asks authorities.
const (
	greedyRetry = 10 * time.Second
	lazyRetry   = time.Minute
)

// cacheFailed is failed for the descriptors of caches.
func (r *retry) cacheFailed(now time.Time, err error, enough bool, rng *rand.Rand) {
	r.failed(now, err, rng)
	least := greedyRetry
	if enough {
		least = lazyRetry
	}
	if first := now.Add(least); r.at.Before(first) {
		r.at = first
	}
}

func (r *retry) reset() { *r = retry{} }

// reasonablyLive is how long before and after its validity a consensus is still good enough to build circuits with, for
// clients whose clock is off or whose network was down.
const reasonablyLive = 24 * time.Hour

func usable(c *consensus.Consensus, now time.Time) bool {
	return now.After(c.ValidAfter.Add(-reasonablyLive)) && now.Before(c.ValidUntil.Add(reasonablyLive))
}

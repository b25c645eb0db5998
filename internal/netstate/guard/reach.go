package guard

import "time"

// reach is what we believe of whether a guard can be reached.
//
//	untried → up ⇄ down → untried (when its time has come to be tried again)
type reach uint8

const (
	untried reach = iota
	up
	down
)

func (r reach) String() string { return [...]string{"untried", "up", "down"}[r] }

// retryDelay is how long after its last failure a guard is tried again, if it has been failing for so long.
//
// https://spec.torproject.org/guard-spec/algorithm.html
func retryDelay(failing time.Duration, primary bool) time.Duration {
	const day = 24 * time.Hour
	for _, step := range []struct{ until, primary, other time.Duration }{
		{6 * time.Hour, 10 * time.Minute, time.Hour},
		{4 * day, 90 * time.Minute, 4 * time.Hour},
		{7 * day, 4 * time.Hour, 18 * time.Hour},
	} {
		if failing <= step.until {
			if primary {
				return step.primary
			}
			return step.other
		}
	}
	if primary {
		return 9 * time.Hour
	}
	return 36 * time.Hour
}

// retryAt is when a guard that is down is to be tried again.
func (g *guard) retryAt(now time.Time) time.Time {
	return g.failedAt.Add(retryDelay(now.Sub(g.failing), g.primary))
}

// mayBeUp reports whether g is not known to be down. It forgets failures of long ago, and those of a time that, by a
// clock that was set back, has not come yet.
func (g *guard) mayBeUp(now time.Time) bool {
	if g.reach == down && (!now.Before(g.retryAt(now)) || now.Before(g.failedAt)) {
		g.reach = untried
	}
	return g.reach != down
}

// NextRetry is the earliest time at which a guard that is down now will be tried again; zero if there is none.
func (s *Set) NextRetry(now time.Time) time.Time {
	var next time.Time
	for _, g := range s.current.guards {
		if g.passes && !g.mayBeUp(now) {
			if at := g.retryAt(now); next.IsZero() || at.Before(next) {
				next = at
			}
		}
	}
	return next
}

// Failed notes that the guard could not be reached, or that no circuit could be made with it as its only hop.
func (s *Set) Failed(id [20]byte, now time.Time) {
	g := s.current.find(id)
	if g == nil {
		return
	}
	g.reach, g.failedAt = down, now
	if g.failing.IsZero() {
		g.failing = now
	}
}

// forgive lets guards that are down be tried again.
func forgive(list []*guard) {
	for _, g := range list {
		if g.reach == down {
			g.reach = untried
		}
	}
}

// Succeeded notes that a relay, mostly a guard, was reached and did what was asked of it. If nothing had succeeded for
// long, then the network was down rather than the guards that have failed: the primary ones get another chance.
//
// https://spec.torproject.org/guard-spec/algorithm.html
func (s *Set) Succeeded(id [20]byte, now time.Time) {
	if now.Sub(s.lastSuccess) > s.likelyDown() {
		forgive(s.current.primary)
	}
	s.lastSuccess = now
	g := s.current.find(id)
	if g == nil {
		return
	}
	g.reach, g.failing = up, time.Time{}
	if !g.confirmed() {
		s.current.confirm(g, s.blur(now, s.lifetime()/blurLifetime))
		s.current.choosePrimary(s.primaryCount())
		s.changed = true
	}
}

package guard

import (
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
)

// Numbers come from our user, else from the consensus.
//
// https://spec.torproject.org/param-spec.html

const day = 24 * time.Hour

func (s *Set) count(ours int, p params.Param) int {
	if ours > 0 {
		return ours
	}
	return int(s.params.Of(p))
}

func (s *Set) days(p params.Param) time.Duration { return time.Duration(s.params.Of(p)) * day }

func (s *Set) primaryCount() int { return s.count(s.cfg.Primary, params.GuardNPrimary) }

// lifetime is how long a guard that is not confirmed stays in the sample.
func (s *Set) lifetime() time.Duration {
	if s.cfg.Lifetime >= day {
		return s.cfg.Lifetime
	}
	return s.days(params.GuardLifetime)
}

// confirmedLifetime is how long a guard stays in the sample after it was confirmed.
func (s *Set) confirmedLifetime() time.Duration {
	if s.cfg.Lifetime >= day {
		return s.cfg.Lifetime
	}
	return s.days(params.GuardConfirmedMinLifetime)
}

func (s *Set) likelyDown() time.Duration {
	return time.Duration(s.params.Of(params.GuardInternetLikelyDown)) * time.Second
}

// Dates in the state file are set back by a random part of a period, so that the file does not tell when its owner was
// online (randomize_time in C tor). The part of a lifetime, or of the time that a guard may be unlisted, is one in:
const (
	blurLifetime = 10
	blurUnlisted = 5
)

func (s *Set) blur(now time.Time, back time.Duration) time.Time {
	at := now.Unix() - s.cfg.Rand.Int64N(max(int64(back/time.Second), 1))
	return time.Unix(max(at, 1), 0).UTC()
}

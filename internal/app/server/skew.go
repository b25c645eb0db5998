package server

import (
	"sync"
	"time"
)

// skews are how far our clock is ahead of that of each authority, as far as they have told. Its methods are safe for concurrent
// use.
type skews struct {
	mu   sync.Mutex // a leaf; guards told
	told map[[20]byte]told
}

// told is what an authority has told of our clock.
type told struct {
	ahead time.Duration
	wall  time.Time // by our clock then
	at    time.Time // with the monotonic clock, which nobody sets
}

// clockSet is how far our clock and the monotonic one come apart when it is set, at least.
const clockSet = time.Minute

// note takes what an authority tells.
func (s *skews) note(id [20]byte, ahead time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		s.told = map[[20]byte]told{}
	}
	s.told[id] = told{ahead, now.Round(0), time.Now()}
}

// wrong tells whether our clock is: most of the authorities say so. One of them whose own clock is wrong, or who lies, cannot keep
// us out of the network. What they have told before our clock was set is of no use any more: it may be right now, and nobody may
// tell us for days.
func (s *skews) wrong(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	off := 0
	for id, x := range s.told {
		if set := now.Round(0).Sub(x.wall) - time.Since(x.at); set.Abs() >= clockSet {
			delete(s.told, id)
		} else if x.ahead.Abs() >= maxSkew {
			off++
		}
	}
	return 2*off > len(s.told)
}

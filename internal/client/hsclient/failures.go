package hsclient

import (
	"time"

	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

const (
	failureMemory  = 2 * time.Minute // as in C tor (HS_CACHE_CLIENT_INTRO_STATE_MAX_AGE)
	maxUnreachable = 5               // after that many failures to reach it, a point is given up
	maxFailures    = 4096            // points remembered; a service that names many is not to fill our memory
)

// failures remembers what has gone wrong with introduction points, so that others are tried first. The zero value is empty.
type failures struct{ points map[pointKey]*failure }

type pointKey struct {
	service onionaddr.Address
	authKey [32]byte
}

type failure struct {
	since       time.Time
	refused     bool
	timedOut    bool
	unreachable int
}

// of returns what is known of a point, or nil.
func (f *failures) of(k pointKey, now time.Time) *failure {
	p := f.points[k]
	if p != nil && now.Sub(p.since) >= failureMemory {
		delete(f.points, k)
		return nil
	}
	return p
}

// note returns the entry of a point, to be changed. The time of the first failure counts.
func (f *failures) note(k pointKey, now time.Time) *failure {
	if p := f.of(k, now); p != nil {
		return p
	}
	if f.points == nil {
		f.points = map[pointKey]*failure{}
	}
	if len(f.points) >= maxFailures {
		f.makeRoom(now)
	}
	p := &failure{since: now}
	f.points[k] = p
	return p
}

// makeRoom forgets what is old, and if that is nothing some of the rest.
func (f *failures) makeRoom(now time.Time) {
	for old, p := range f.points {
		if now.Sub(p.since) >= failureMemory || len(f.points) > maxFailures/2 {
			delete(f.points, old)
		}
	}
}

// usable tells whether a point may be tried.
func (f *failures) usable(k pointKey, now time.Time) bool {
	p := f.of(k, now)
	return p == nil || !p.refused && !p.timedOut && p.unreachable < maxUnreachable
}

// timedOut tells whether a point has not answered.
func (f *failures) timedOut(k pointKey, now time.Time) bool {
	p := f.of(k, now)
	return p != nil && p.timedOut
}

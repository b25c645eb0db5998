package publish

import (
	"net/netip"
	"time"
)

// Times of C tor (router.c, relay_periodic.c), by the wall clock: what they are about are the times in documents.
const (
	maxAge          = 18 * time.Hour   // of a descriptor
	retryUnlisted   = 90 * time.Minute // when the consensus does not have it
	bandwidthPause  = 3 * time.Hour    // between two that bandwidth alone is the reason for
	bandwidthUptime = 24 * time.Hour   // after which bandwidth alone is none
	bandwidthFactor = 2                // by which it has to change
	maxBackwards    = time.Minute      // that the clock may go without making a descriptor look like one of the future
)

// minInterval is between two descriptors: changes that come together make one.
const minInterval = time.Minute

// facts are what a descriptor says that may be true no longer.
type facts struct {
	or, or6        netip.AddrPort // or6 is invalid if it is not published
	onion, signing [32]byte
	families       string // keys
	observed       uint64 // bandwidth; 0 while hibernating
	hibernating    bool
	overloaded     bool // lately
}

// outdated tells why a descriptor with these facts must be replaced, now that others are true. Bandwidth and age are not
// looked at. The words go to the authorities, which log them; they are C tor's where it has some.
func (f *facts) outdated(now *facts) string {
	switch {
	case now.or.Addr() != f.or.Addr(), f.or6.IsValid() && now.or6.Addr() != f.or6.Addr():
		return "IP address changed"
	case now.or != f.or, f.or6.IsValid() && now.or6 != f.or6:
		return "Chosen Or/DirPort changed"
	case now.or6 != f.or6:
		return reasonReachable
	case now.onion != f.onion:
		return "rotated onion key"
	case now.signing != f.signing:
		return "new signing key"
	case now.families != f.families:
		return "new family keys"
	case now.hibernating != f.hibernating:
		return "hibernation"
	case now.overloaded && !f.overloaded: // that it is over can wait
		return "overload"
	}
	return ""
}

const reasonReachable = "ORPort found reachable"

// A schedule decides when the descriptor is made anew.
type schedule struct {
	reason    string    // of the first change since the last descriptor; empty if there is none
	bandwidth time.Time // when bandwidth was last the reason
}

// mark takes note of a change.
func (s *schedule) mark(reason string) {
	if s.reason == "" {
		s.reason = reason
	}
}

// check compares a descriptor with what is true, and marks what has changed. uptime is that of the relay; quick says that
// this is a test network.
func (s *schedule) check(d *Documents, f *facts, n *Network, uptime time.Duration, quick bool, now time.Time) {
	if s.reason != "" {
		return
	}
	if s.reason = d.facts.outdated(f); s.reason != "" {
		return
	}
	if s.reason = stale(d.Published, n, now); s.reason != "" {
		return
	}
	if bandwidthChanged(d.facts.observed, f.observed) && (uptime <= bandwidthUptime || f.hibernating) &&
		(quick || d.facts.observed == 0 || now.Sub(s.bandwidth) > bandwidthPause) {
		s.reason, s.bandwidth = "bandwidth has changed", now
	}
}

// stale tells why a descriptor must be replaced although nothing in it has changed (mark_my_descriptor_dirty_if_too_old in
// C tor).
func stale(published time.Time, n *Network, now time.Time) string {
	switch age := now.Sub(published); {
	case age < -maxBackwards:
		return "clock jumped"
	case age > maxAge:
		return "time for new descriptor"
	case age <= retryUnlisted || !n.Live:
		return ""
	case !n.Listed:
		return "not listed in consensus"
	case n.Stale && n.ValidAfter.After(published):
		return "listed as stale in consensus"
	}
	return ""
}

// bandwidthChanged tells whether bandwidth is so different that it is worth a descriptor.
func bandwidthChanged(old, now uint64) bool {
	return (old == 0) != (now == 0) || now > old*bandwidthFactor || now < old/bandwidthFactor
}

package publish

import "time"

// Times of C tor (router.c).
const (
	maxAge          = 18 * time.Hour   // of a descriptor
	retryUnlisted   = 90 * time.Minute // when the consensus does not have it
	minInterval     = time.Minute      // between two descriptors
	bandwidthPause  = 3 * time.Hour    // between two that bandwidth alone is the reason for
	bandwidthUptime = 24 * time.Hour   // after which bandwidth alone is none
	maxPatience     = 20 * time.Minute // until an address that cannot be reached is worth a warning
	retestInterval  = time.Minute
)

// changes are what a descriptor is made anew for.
type changes struct {
	reason string    // of the first change since the last descriptor; empty if there is none
	since  time.Time // when it came
}

// mark takes note of a change.
func (c *changes) mark(reason string, now time.Time) {
	if c.reason == "" {
		c.reason, c.since = reason, now
	}
}

// stale tells why a descriptor must be replaced although nothing has changed. listed is when the one in the consensus was
// published.
func stale(d *Documents, listed time.Time, tell bool, now time.Time) string {
	switch age := now.Sub(d.Published); {
	case age < 0:
		return "clock jumped"
	case age > maxAge:
		return "time for new descriptor"
	case age > retryUnlisted && tell && listed.IsZero():
		return "not listed in consensus"
	case age > retryUnlisted && tell && now.Sub(listed) > maxAge+retryUnlisted:
		return "version listed in consensus is quite old"
	}
	return ""
}

// bandwidthChanged tells whether the observed bandwidth is so different that it is worth a descriptor.
func bandwidthChanged(d *Documents, observed uint64, uptime time.Duration, now time.Time) bool {
	if uptime > bandwidthUptime || now.Sub(d.Published) < bandwidthPause && d.observed != 0 {
		return false
	}
	old := d.observed
	return (old == 0) != (observed == 0) || observed > 2*old || observed < old/2
}

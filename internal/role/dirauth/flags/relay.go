package flags

import (
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// Relay is what an authority knows of a relay. Times are by the wall clock, in whole seconds.
type Relay struct {
	ID       [20]byte
	Nickname string
	Own      bool // it is ourselves
	Trusted  bool // it is an authority of the network

	// From its descriptor.
	Published   time.Time
	Uptime      time.Duration // at that time
	OR          netip.AddrPort
	OR6         netip.AddrPort // invalid if it has none
	Rate        uint32         // bandwidth that its operator allows, bytes per second
	Observed    uint32         // bandwidth that it has seen, bytes per second
	Hibernating bool
	HSDir       bool // wants to hold onion service descriptors
	DirCache    bool // answers directory requests in BEGIN_DIR streams
	GeneralExit bool // its policy lets it be an exit: exitpolicy.Policy.IsGeneralExit

	// From bandwidth authorities.
	Measured   bool
	MeasuredKB uint32 // kilobytes per second

	// When it was last reached; zero if never.
	Reached, Reached6 time.Time

	// From the lists of our operator. Relays with Reject are not given at all.
	Status approvedrouters.Status
}

// FromDescriptor is what a descriptor says of a relay. allowPrivate lets exits to private networks count, as they must in a
// network that consists of them (DirAllowPrivateAddresses).
func FromDescriptor(d *routerdesc.Descriptor, allowPrivate bool) Relay {
	return Relay{
		ID: d.RSA, Nickname: d.Nickname, Published: d.Published, Uptime: d.Uptime, OR: d.OR, OR6: d.OR6, Rate: d.Bandwidth.Rate,
		Observed: d.Bandwidth.Observed, Hibernating: d.Hibernating, HSDir: d.HSDir, DirCache: d.DirCache,
		GeneralExit: !d.RejectsAll() && d.Policy.IsGeneralExit(allowPrivate),
	}
}

// Times in which C tor thinks of relays.
const (
	maxAge           = 24 * time.Hour   // of a descriptor: ROUTER_MAX_AGE_TO_PUBLISH
	staleAge         = 18 * time.Hour   // DESC_IS_STALE_INTERVAL
	reachableTimeout = 45 * time.Minute // since it was last reached: REACHABLE_TIMEOUT
	hibernationSkew  = time.Hour        // HIBERNATION_PUBLICATION_SKEW
)

// TestCycle is the time in which all relays are tested, as in C tor: REACHABILITY_TEST_CYCLE_PERIOD.
const TestCycle = 1280 * time.Second

// maxAdvertised is the highest bandwidth that a relay is believed, in bytes per second (DEFAULT_MAX_BELIEVABLE_BANDWIDTH).
const maxAdvertised = 10_000_000

// AdvertisedKB is the bandwidth that a relay claims, in kilobytes per second. It is the Bandwidth of its entry in a vote.
func (r *Relay) AdvertisedKB() uint32 { return min(r.Rate, r.Observed, maxAdvertised) / 1000 }

// bandwidthKB is what was measured, or else what it claims.
func (r *Relay) bandwidthKB() uint32 {
	if r.Measured {
		return r.MeasuredKB
	}
	return r.AdvertisedKB()
}

// uptimeAt is how long the relay claims to be up now, in seconds.
func (r *Relay) uptimeAt(now time.Time) int64 {
	return int64(r.Uptime/time.Second) + max(now.Unix()-r.Published.Unix(), 0)
}

// Running tells whether a relay is up: reached on all its addresses that we can reach, not too long ago.
// C tor: dirserv_set_router_is_running.
func (r *Relay) Running(cfg *Config, now time.Time) bool {
	switch {
	case r.Own:
		return !cfg.Hibernating
	case r.Hibernating && r.Published.Add(hibernationSkew).After(r.Reached):
		return false
	case !cfg.TestReachability:
		return true
	}
	return now.Before(r.Reached.Add(cfg.reachableTimeout())) &&
		(!cfg.HasIPv6Connectivity || !r.OR6.IsValid() || now.Before(r.Reached6.Add(cfg.reachableTimeout())))
}

// downSince is since when a relay that is not running has probably been down: from the test after the last good one.
func (r *Relay) downSince(cfg *Config, now time.Time) time.Time {
	if missed := r.Reached.Add(cfg.testCycle()); !r.Reached.IsZero() && missed.Before(now) {
		return missed
	}
	return now
}

// publishesIPv6 tells whether the vote has the relay's IPv6 address. C tor: should_publish_node_ipv6.
func (r *Relay) publishesIPv6(cfg *Config, now time.Time) bool {
	return cfg.HasIPv6Connectivity && r.OR6.IsValid() && (r.Own || !r.Reached6.Before(now.Add(-cfg.reachableTimeout())))
}

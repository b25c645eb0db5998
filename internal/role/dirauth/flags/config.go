package flags

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Config are the options of an authority, by the names of torrc without AuthDir. Bandwidths are in bytes per second. The
// defaults are those of package app/config: with the zero value, for one, all relays are stable.
type Config struct {
	Testing     bool          // TestingTorNetwork
	Params      params.List   // of the latest consensus
	Uptime      time.Duration // of this process
	Hibernating bool          // we are

	TestReachability            bool
	TimeToLearnReachability     time.Duration // TestingAuthDirTimeToLearnReachability
	TestCycle                   time.Duration // in which all relays are tested; TestCycle if zero
	HasIPv6Connectivity         bool
	MaxServersPerAddr           int // 0 is no limit
	ListBadExits                bool
	ListMiddleOnly              bool
	MinMeasuredBWs              int // MinMeasuredBWsForAuthToIgnoreAdvertised
	FastGuarantee               uint64
	GuardBWGuarantee            uint64
	VoteGuard                   torrc.NodeSet
	GuardBwThresholdFraction    float64       // VoteGuardBwThresholdFraction
	GuardGuaranteeTimeKnown     time.Duration // VoteGuardGuaranteeTimeKnown
	GuardGuaranteeWFU           float64       // VoteGuardGuaranteeWFU
	StableGuaranteeMinUptime    time.Duration // VoteStableGuaranteeMinUptime
	StableGuaranteeMTBF         time.Duration // VoteStableGuaranteeMTBF
	MinUptimeHidServDirectoryV2 time.Duration

	// For test networks alone.
	TestingMinExitFlagThreshold, TestingMinFastFlagThreshold uint64
	TestingVoteExit, TestingVoteGuard, TestingVoteHSDir      Forced
}

// Forced are the relays of a test network that get a flag in any case.
type Forced struct {
	Set    torrc.NodeSet
	Strict bool // and no others
}

// votesOnRunning tells whether we have been up for long enough to know who is down.
// C tor: running_long_enough_to_decide_unreachable.
func (c *Config) votesOnRunning() bool { return c.Uptime > c.TimeToLearnReachability }

func (c *Config) testCycle() time.Duration { return cmp.Or(c.TestCycle, TestCycle) }

// reachableTimeout is how long a relay counts as running that was reached: a little more than two cycles of tests.
func (c *Config) reachableTimeout() time.Duration {
	if c.TestCycle == 0 {
		return reachableTimeout
	}
	return time.Duration(float64(c.TestCycle) * float64(reachableTimeout) / float64(TestCycle))
}

// contains looks a relay up as C tor's routerset_contains_routerstatus, whose callers take all countries for unknown.
func contains(set torrc.NodeSet, r *Relay) bool {
	return set.Contains(r.ID, r.Nickname, []netip.AddrPort{r.OR}, func(netip.Addr) string { return "??" })
}

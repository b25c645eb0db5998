package config

import (
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/torrc"
	"github.com/tropea-net/tropea/internal/wire/torversion"
)

// Authority is what a daemon needs to be a directory authority. Bandwidths are in bytes per second. What it says is sound
// even if this is none, as in C tor.
type Authority struct {
	Votes          bool   // V3AuthoritativeDirectory
	Bridges        bool   // BridgeAuthoritativeDir
	BridgePassword string // for lists of bridges; empty for nobody

	Admission Admission
	Tests     ReachabilityTests
	Flags     FlagRules
	Voting    Voting

	// RejectUnderLoad says to answer relays first when there is little bandwidth: AuthDirRejectRequestsUnderLoad.
	RejectUnderLoad bool
}

// Enabled tells whether this is an authority.
func (a *Authority) Enabled() bool { return a.Votes || a.Bridges }

// Admission says which relays are taken, and as what.
type Admission struct {
	Reject, Invalid     AddressRule
	BadExit, MiddleOnly AddressRule
	PinKeys             bool               // bind RSA and Ed25519 identities to each other
	MinVersion          torversion.Version // MinimalAcceptedServerVersion
	AllowPrivate        bool               // DirAllowPrivateAddresses
}

// AddressRule is about the relays at some addresses.
type AddressRule struct {
	Policy    exitpolicy.Policy // it rejects whom it is about
	Countries []string          // two letters, of either case
}

// ReachabilityTests says how relays are tested.
type ReachabilityTests struct {
	On          bool          // AuthDirTestReachability; else all relays run
	Ed25519     bool          // their links must prove Ed25519 identities
	IPv6        bool          // AuthDirHasIPv6Connectivity
	TimeToLearn time.Duration // until which the results do not count
}

// FlagRules says what relays must have for flags.
type FlagRules struct {
	MaxServersPerAddr           int // 0 is no limit
	ListBadExits                bool
	ListMiddleOnly              bool
	MinMeasured                 int // MinMeasuredBWsForAuthToIgnoreAdvertised
	FastGuarantee               uint64
	GuardBandwidthGuarantee     uint64
	GuardBandwidthFraction      float64 // AuthDirVoteGuardBwThresholdFraction
	GuardTimeKnownGuarantee     time.Duration
	GuardWFUGuarantee           float64
	StableUptimeGuarantee       time.Duration
	StableMTBFGuarantee         time.Duration
	HSDirMinUptime              time.Duration // MinUptimeHidServDirectoryV2
	VoteGuard                   torrc.NodeSet
	TestMinExit, TestMinFast    uint64 // Testing...FlagThreshold
	TestExit, TestGuard, TestHS ForcedFlag
}

// ForcedFlag is the relays of a test network that get a flag.
type ForcedFlag struct {
	Relays torrc.NodeSet
	Strict bool // and no others
}

// Voting says what votes have, and when.
type Voting struct {
	Schedule       VotingSchedule
	Initial        VotingSchedule // of a test network, until there is a consensus
	StartOffset    time.Duration  // of both
	IntervalsValid int            // how many intervals a consensus is valid
	UseLegacyKey   bool
	SharedRandom   bool
	Params         params.List
	Versioning     bool     // votes have recommended versions
	ClientVersions []string // ascending
	RelayVersions  []string // ascending
	BandwidthsFile string   // empty for none
}

// VotingSchedule is how often to vote, and how long votes and signatures take.
type VotingSchedule struct{ Interval, VoteDelay, DistDelay time.Duration }

func newAuthority(v *Values, host Host) (a Authority, err error) {
	on := v.Bool("AuthoritativeDirectory")
	a = Authority{
		Votes: on && v.Bool("V3AuthoritativeDirectory"), Bridges: on && v.Bool("BridgeAuthoritativeDir"),
		BridgePassword: v.String("BridgePassword"), RejectUnderLoad: v.Bool("AuthDirRejectRequestsUnderLoad"),
		Tests: ReachabilityTests{
			On: v.Bool("AuthDirTestReachability"), Ed25519: v.Bool("AuthDirTestEd25519LinkKeys"),
			IPv6: v.Bool("AuthDirHasIPv6Connectivity"), TimeToLearn: v.Duration("TestingAuthDirTimeToLearnReachability"),
		},
		Flags: newFlagRules(v),
		Voting: Voting{
			Schedule: VotingSchedule{v.Duration("V3AuthVotingInterval"), v.Duration("V3AuthVoteDelay"), v.Duration("V3AuthDistDelay")},
			Initial: VotingSchedule{
				v.Duration("TestingV3AuthInitialVotingInterval"), v.Duration("TestingV3AuthInitialVoteDelay"),
				v.Duration("TestingV3AuthInitialDistDelay"),
			},
			StartOffset: v.Duration("TestingV3AuthVotingStartOffset"), IntervalsValid: v.Int("V3AuthNIntervalsValid"),
			UseLegacyKey: v.Bool("V3AuthUseLegacyKey"), SharedRandom: v.Bool("AuthDirSharedRandomness"),
			Versioning: v.Bool("VersioningAuthoritativeDirectory"),
		},
	}
	for _, step := range []func() error{
		func() (err error) { a.Admission, err = newAdmission(v); return err },
		func() (err error) { a.Voting.Params, err = v.consensusParams(a.Votes); return err },
		func() (err error) { a.Voting.BandwidthsFile, err = v.path("V3BandwidthsFile", host); return err },
		func() error { return a.recommend(v) },
	} {
		if err := step(); err != nil {
			return a, err
		}
	}
	return a, nil
}

func newAdmission(v *Values) (a Admission, err error) {
	a = Admission{PinKeys: v.Bool("AuthDirPinKeys"), AllowPrivate: v.Bool("DirAllowPrivateAddresses")}
	var ok bool
	if a.MinVersion, ok = torversion.Parse(v.String("MinimalAcceptedServerVersion")); !ok {
		return a, v.at("MinimalAcceptedServerVersion").Errorf("%.64q is no version", v.String("MinimalAcceptedServerVersion"))
	}
	for _, r := range []struct {
		name string
		rule *AddressRule
	}{
		{"AuthDirReject", &a.Reject}, {"AuthDirInvalid", &a.Invalid}, {"AuthDirBadExit", &a.BadExit}, {"AuthDirMiddleOnly", &a.MiddleOnly},
	} {
		if r.rule.Policy, err = v.addresses(r.name, exitpolicy.BareReject); err != nil {
			return a, err
		}
		r.rule.Countries = v.CSV(r.name + "CCs")
	}
	return a, nil
}

func newFlagRules(v *Values) FlagRules {
	forced := func(name string) ForcedFlag { return ForcedFlag{v.NodeSet(name), v.Bool(name + "IsStrict")} }
	return FlagRules{
		MaxServersPerAddr: v.Int("AuthDirMaxServersPerAddr"), ListBadExits: v.Bool("AuthDirListBadExits"),
		ListMiddleOnly: v.Bool("AuthDirListMiddleOnly"), MinMeasured: v.Int("MinMeasuredBWsForAuthToIgnoreAdvertised"),
		FastGuarantee: v.Uint64("AuthDirFastGuarantee"), GuardBandwidthGuarantee: v.Uint64("AuthDirGuardBWGuarantee"),
		GuardBandwidthFraction:  v.Float("AuthDirVoteGuardBwThresholdFraction"),
		GuardTimeKnownGuarantee: v.Duration("AuthDirVoteGuardGuaranteeTimeKnown"), GuardWFUGuarantee: v.Float("AuthDirVoteGuardGuaranteeWFU"),
		StableUptimeGuarantee: v.Duration("AuthDirVoteStableGuaranteeMinUptime"), StableMTBFGuarantee: v.Duration("AuthDirVoteStableGuaranteeMTBF"),
		HSDirMinUptime: v.Duration("MinUptimeHidServDirectoryV2"), VoteGuard: v.NodeSet("AuthDirVoteGuard"),
		TestMinExit: v.Uint64("TestingMinExitFlagThreshold"), TestMinFast: v.Uint64("TestingMinFastFlagThreshold"),
		TestExit: forced("TestingDirAuthVoteExit"), TestGuard: forced("TestingDirAuthVoteGuard"), TestHS: forced("TestingDirAuthVoteHSDir"),
	}
}

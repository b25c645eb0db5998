package config

import (
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/torrc"
	"github.com/tropea-net/tropea/internal/wire/torversion"
)

// ownVersion is the version that our own descriptor tells, client.CompatVersion.
const ownVersion = "0.4.9.11"

// checkAuthority checks and completes the options of an authority: first those that must be sound on any node.
// C tor: dirauth_options_validate, options_validate_dirauth_mode, _schedule and _testing.
func (v *Values) checkAuthority() error {
	if f := v.Float("AuthDirVoteGuardBwThresholdFraction"); f < 0 || f > 1 {
		return v.at("AuthDirVoteGuardBwThresholdFraction").Errorf("must be from 0 to 1, but is %v", f)
	}
	if v.Duration("TestingAuthDirTimeToLearnReachability") > 2*time.Hour {
		v.warn("TestingAuthDirTimeToLearnReachability is insanely high.")
	}
	if !v.Bool("AuthoritativeDirectory") {
		return nil
	}
	if !v.Bool("DownloadExtraInfo") && v.Bool("V3AuthoritativeDirectory") {
		v.tell(safelog.LevelInfo, "Authoritative directories always try to download extra-info documents. Setting DownloadExtraInfo.")
		v.put("DownloadExtraInfo", true)
	}
	if err := v.forbid([]contradiction{
		{"AuthoritativeDirectory", v.String("ContactInfo") == "" && !v.Bool("TestingTorNetwork"), "an authority must set ContactInfo"},
		{"AuthoritativeDirectory", !v.Bool("V3AuthoritativeDirectory") && !v.Bool("BridgeAuthoritativeDir"), "set V3AuthoritativeDirectory or BridgeAuthoritativeDir too"},
		{"AuthoritativeDirectory", v.off("DirPort") && v.off("__DirPort"), "an authority needs a DirPort"},
		{"AuthoritativeDirectory", v.off("ORPort") && v.off("__ORPort"), "an authority needs an ORPort"},
		{"ClientOnly", v.Bool("ClientOnly"), "must be 0 on an authority"},
		{"EntryNodes", v.NodeSet("EntryNodes").Len() > 0, "cannot be set on an authority, which uses no entry guards"},
	}); err != nil || !v.Bool("V3AuthoritativeDirectory") {
		return err
	}
	if err := v.checkVoting(); err != nil {
		return err
	}
	return v.checkInitialVoting()
}

// off tells whether a port option is not set, or has no line but 0.
func (v *Values) off(name string) bool {
	return !slices.ContainsFunc(v.Lines(name), func(l torrc.Line) bool { return strings.Trim(l.Value, " \t") != "0" })
}

// Bounds of the schedule: MIN_VOTE_SECONDS and so on, the same in test networks but for the interval.
const (
	minVoteDelay      = 2 * time.Second
	minDistDelay      = 2 * time.Second
	minVotingInterval = 5 * time.Minute
	maxVotingInterval = 24 * time.Hour
	minInitialVoting  = minVoteDelay + minDistDelay + time.Second
)

// checkVoting checks the schedule of votes.
func (v *Values) checkVoting() error {
	test := v.Bool("TestingTorNetwork")
	vote, dist, interval := v.Duration("V3AuthVoteDelay"), v.Duration("V3AuthDistDelay"), v.Duration("V3AuthVotingInterval")
	if err := v.forbid([]contradiction{
		{"V3AuthVotingInterval", vote+dist >= interval/2/time.Second*time.Second, "V3AuthVoteDelay plus V3AuthDistDelay must be less than half of it"},
		{"V3AuthVoteDelay", vote < minVoteDelay, "is way too low: 2 seconds are the least"},
		{"V3AuthDistDelay", dist < minDistDelay, "is way too low: 2 seconds are the least"},
		{"V3AuthNIntervalsValid", v.Int("V3AuthNIntervalsValid") < 2, "must be at least 2"},
		{"V3AuthVotingInterval", interval < minVotingInterval && !test, "is insanely low: 5 minutes are the least"},
		{"V3AuthVotingInterval", interval > maxVotingInterval, "is insanely high: 24 hours are the most"},
	}); err != nil {
		return err
	}
	switch {
	case interval < minVotingInterval:
		v.warn("V3AuthVotingInterval is very low. This may lead to failure to synchronise for a consensus.")
	case maxVotingInterval%interval != 0:
		v.warn("V3AuthVotingInterval does not divide evenly into 24 hours.")
	}
	return nil
}

// checkInitialVoting checks the schedule until a test network has a consensus.
func (v *Values) checkInitialVoting() error {
	vote, dist, interval := v.Duration("TestingV3AuthInitialVoteDelay"), v.Duration("TestingV3AuthInitialDistDelay"), v.Duration("TestingV3AuthInitialVotingInterval")
	return v.forbid([]contradiction{
		{"TestingV3AuthInitialVotingInterval", interval < minInitialVoting, "is insanely low: 5 seconds are the least"},
		{"TestingV3AuthInitialVotingInterval", interval > 0 && 30*time.Minute%interval != 0, "does not divide evenly into 30 minutes"},
		{"TestingV3AuthInitialVoteDelay", vote < minVoteDelay, "is way too low: 2 seconds are the least"},
		{"TestingV3AuthInitialDistDelay", dist < minDistDelay, "is way too low: 2 seconds are the least"},
		{"TestingV3AuthInitialVotingInterval", vote+dist >= interval, "TestingV3AuthInitialVoteDelay plus TestingV3AuthInitialDistDelay must be less than it"},
		{"TestingV3AuthVotingStartOffset", v.Duration("TestingV3AuthVotingStartOffset") > min(interval, v.Duration("V3AuthVotingInterval")), "is higher than the voting interval"},
	})
}

// consensusParams reads the lines of parameters to vote for. C tor copies them into its vote as they are; nobody takes a
// vote with malformed ones or one of them twice.
func (v *Values) consensusParams(votes bool) (params.List, error) {
	var all []byte
	for _, l := range v.Lines("ConsensusParams") {
		all = append(append(all, ' '), l.Value...)
		if _, err := params.ParseUnsorted(netdoc.Args(all)); err != nil && votes {
			return nil, l.Errorf("%w", err)
		}
	}
	list, _ := params.ParseUnsorted(netdoc.Args(all))
	return list, nil
}

// recommend takes the recommended versions.
// C tor: format_recommended_version_list, dirauth_options_validate.
func (a *Authority) recommend(v *Values) error {
	a.Voting.ClientVersions, a.Voting.RelayVersions = v.versions("RecommendedClientVersions"), v.versions("RecommendedServerVersions")
	if a.Voting.Versioning && (a.Voting.ClientVersions == nil || a.Voting.RelayVersions == nil) {
		return v.at("VersioningAuthoritativeDirectory").Errorf("needs RecommendedVersions, or RecommendedClientVersions and RecommendedServerVersions")
	}
	least := a.Admission.MinVersion
	if own, _ := torversion.Parse(ownVersion); own.Compare(&least) < 0 {
		return v.at("MinimalAcceptedServerVersion").Errorf("would reject this node, which is %s", ownVersion)
	}
	for _, s := range a.Voting.RelayVersions {
		if w, ok := torversion.Parse(s); ok && w.Compare(&least) < 0 {
			return v.at("MinimalAcceptedServerVersion").Errorf("would reject %s, which is recommended", s)
		}
	}
	return nil
}

// versions returns the versions of all lines of an option, or else of RecommendedVersions, ascending and each once. They
// are separated by commas, or spaces by mistake.
func (v *Values) versions(name string) (list []string) {
	if !v.IsSet(name) {
		name = "RecommendedVersions"
	}
	for _, l := range v.Lines(name) {
		for _, s := range torrc.CSV(l.Value) {
			words := strings.Fields(s)
			if len(words) > 1 {
				v.warn("Unexpected space in versions list member %q. (These are supposed to be comma-separated; I'll pretend you used commas instead.)", s)
			}
			list = append(list, words...)
		}
	}
	for _, s := range list {
		if _, ok := torversion.Parse(s); !ok {
			v.warn("Recommended version %q does not look valid.  (I'll include it anyway, since you told me to.)", s)
		}
	}
	slices.SortFunc(list, torversion.CompareText)
	return slices.CompactFunc(list, func(a, b string) bool { return torversion.CompareText(a, b) == 0 })
}

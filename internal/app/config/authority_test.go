package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/torrc"
	"github.com/tropea-net/tropea/internal/wire/torversion"
)

// anAuthority is the least that an authority says. An address that is told spares C tor to find one out.
const anAuthority = "Address 192.0.2.1\nORPort 9001\nDirPort 9030\nContactInfo c\nExitRelay 0\nAuthoritativeDirectory 1\n"
const v3Authority = anAuthority + "V3AuthoritativeDirectory 1\n"
const testAuthority = testNetwork + v3Authority

// badAuthorities must be refused, by C tor as well unless ours says that only we do. The error is about the last line.
var badAuthorities = []struct {
	name, torrc, want string
	ours              bool
}{
	{name: "of what", torrc: strings.TrimSpace(anAuthority), want: "AuthoritativeDirectory: set V3AuthoritativeDirectory or"},
	{name: "no contact", torrc: "Address 192.0.2.1\nORPort 9001\nDirPort 9030\nV3AuthoritativeDirectory 1\nAuthoritativeDirectory 1", want: "AuthoritativeDirectory: an authority must set ContactInfo"},
	{name: "no DirPort", torrc: "Address 192.0.2.1\nORPort 9001\nContactInfo c\nV3AuthoritativeDirectory 1\nDirPort 0\nAuthoritativeDirectory 1", want: "AuthoritativeDirectory: an authority needs a DirPort"},
	{name: "no ORPort", torrc: "Address 192.0.2.1\nDirPort 9030\nContactInfo c\nV3AuthoritativeDirectory 1\nAuthoritativeDirectory 1", want: "AuthoritativeDirectory: an authority needs an ORPort"},
	{name: "client only", torrc: v3Authority + "ClientOnly 1", want: "ClientOnly: must be 0"},
	{name: "entry nodes", torrc: v3Authority + "EntryNodes a", want: "EntryNodes: cannot be set"},
	{name: "bridges, no contact", torrc: "Address 192.0.2.1\nORPort 9001\nDirPort 9030\nBridgeAuthoritativeDir 1\nAuthoritativeDirectory 1", want: "AuthoritativeDirectory: an authority must"},

	{name: "versions", torrc: "VersioningAuthoritativeDirectory 1", want: "VersioningAuthoritativeDirectory: needs RecommendedVersions"},
	{name: "half the versions", torrc: "RecommendedClientVersions 0.4.9.11\nVersioningAuthoritativeDirectory 1", want: "VersioningAuthoritativeDirectory: needs"},
	{name: "minimal version", torrc: "MinimalAcceptedServerVersion x", want: `MinimalAcceptedServerVersion: "x" is no version`},
	{name: "minimal version that is ours no more", torrc: "MinimalAcceptedServerVersion 0.4.10.0", want: "MinimalAcceptedServerVersion: would reject this node"},
	{name: "minimal version above a recommended one", torrc: "RecommendedVersions 0.4.9.11,0.4.8.10\nMinimalAcceptedServerVersion 0.4.9.0", want: "MinimalAcceptedServerVersion: would reject 0.4.8.10"},
	{name: "guard fraction", torrc: "AuthDirVoteGuardBwThresholdFraction 1.1", want: "AuthDirVoteGuardBwThresholdFraction: must be from 0 to 1"},
	{name: "negative guard fraction", torrc: "AuthDirVoteGuardBwThresholdFraction -0.1", want: "AuthDirVoteGuardBwThresholdFraction: must be from 0 to 1"},
	{name: "fast", torrc: "AuthDirFastGuarantee 3 GB", want: "AuthDirFastGuarantee: must be at most"},
	{name: "guard bandwidth", torrc: "AuthDirGuardBWGuarantee 3 GB", want: "AuthDirGuardBWGuarantee: must be at most"},
	{name: "servers per address", torrc: "AuthDirMaxServersPerAddr -1", want: "AuthDirMaxServersPerAddr: "},
	{name: "rejected", torrc: "AuthDirReject 1.2.3", want: "AuthDirReject: "},
	{name: "invalid", torrc: "AuthDirInvalid 192.0.2.0/33", want: "AuthDirInvalid: "},
	{name: "bad exits", torrc: "AuthDirBadExit x", want: "AuthDirBadExit: "},
	{name: "middle only", torrc: "AuthDirMiddleOnly accept", want: "AuthDirMiddleOnly: "},
	{name: "guards", torrc: "AuthDirVoteGuard a b", want: "AuthDirVoteGuard: "},

	{name: "delays", torrc: v3Authority + "V3AuthVoteDelay 15 minutes\nV3AuthDistDelay 15 minutes\nV3AuthVotingInterval 1 hour", want: "V3AuthVotingInterval: V3AuthVoteDelay plus"},
	{name: "delays of an odd interval", torrc: testAuthority + "V3AuthVoteDelay 5\nV3AuthDistDelay 5\nV3AuthVotingInterval 21", want: "V3AuthVotingInterval: V3AuthVoteDelay plus"},
	{name: "vote delay", torrc: v3Authority + "V3AuthVoteDelay 1", want: "V3AuthVoteDelay: is way too low"},
	{name: "vote delay of a test", torrc: testAuthority + "V3AuthVoteDelay 1", want: "V3AuthVoteDelay: is way too low"},
	{name: "signature delay", torrc: v3Authority + "V3AuthDistDelay 1", want: "V3AuthDistDelay: is way too low"},
	{name: "intervals", torrc: v3Authority + "V3AuthNIntervalsValid 1", want: "V3AuthNIntervalsValid: must be at least 2"},
	{name: "short interval", torrc: v3Authority + "V3AuthVoteDelay 20\nV3AuthDistDelay 20\nV3AuthVotingInterval 4 minutes", want: "V3AuthVotingInterval: is insanely low"},
	{name: "long interval", torrc: v3Authority + "V3AuthVotingInterval 25 hours", want: "V3AuthVotingInterval: is insanely high"},
	{name: "first interval", torrc: testAuthority + "TestingV3AuthInitialVotingInterval 4", want: "TestingV3AuthInitialVotingInterval: is insanely low"},
	{name: "first interval, none", torrc: testAuthority + "TestingV3AuthInitialVotingInterval 0", want: "TestingV3AuthInitialVotingInterval: is insanely low"},
	{name: "odd first interval", torrc: testAuthority + "TestingV3AuthInitialVotingInterval 7 minutes", want: "TestingV3AuthInitialVotingInterval: does not divide"},
	{name: "first delays", torrc: testAuthority + "TestingV3AuthInitialVotingInterval 40", want: "TestingV3AuthInitialVotingInterval: TestingV3AuthInitialVoteDelay plus"},
	{name: "first vote delay", torrc: testAuthority + "TestingV3AuthInitialVoteDelay 1", want: "TestingV3AuthInitialVoteDelay: is way too low"},
	{name: "first signature delay", torrc: testAuthority + "TestingV3AuthInitialDistDelay 1", want: "TestingV3AuthInitialDistDelay: is way too low"},
	{name: "offset", torrc: testAuthority + "TestingV3AuthVotingStartOffset 151", want: "TestingV3AuthVotingStartOffset: is higher"},
	{name: "offset in public", torrc: v3Authority + "TestingV3AuthVotingStartOffset 1", want: "TestingV3AuthVotingStartOffset: may only be changed"},
	{name: "malformed parameters", torrc: v3Authority + "ConsensusParams a=1 b", want: "ConsensusParams: ", ours: true},
	{name: "one parameter twice", torrc: v3Authority + "ConsensusParams a=1\nConsensusParams a=2", want: "ConsensusParams: ", ours: true},
}

// goodAuthorities are accepted by C tor too, which makes the same of them.
var goodAuthorities = []struct{ name, torrc string }{
	{"votes", v3Authority},
	{"votes in a test network", testAuthority + "TestingDirAuthVoteExit *\nTestingDirAuthVoteGuard $" + fingerprint + "\nTestingDirAuthVoteHSDir a\nTestingDirAuthVoteHSDirIsStrict 1"},
	{"no contact in a test network", testNetwork + "Address 192.0.2.1\nORPort 9001\nDirPort 9030\nExitRelay 0\nAuthoritativeDirectory 1\nV3AuthoritativeDirectory 1"},
	{"bridges", anAuthority + "BridgeAuthoritativeDir 1\nBridgePassword x\nV3AuthNIntervalsValid 1"},
	{"both", v3Authority + "BridgeAuthoritativeDir 1"},
	{"votes, not an authority", "V3AuthoritativeDirectory 1\nV3AuthVoteDelay 1\nClientOnly 1"},
	{"extra-info", v3Authority + "DownloadExtraInfo 0\nUseEntryGuards 1"},
	{"schedule", v3Authority + "V3AuthVotingInterval 35 minutes\nV3AuthVoteDelay 2\nV3AuthDistDelay 2\nV3AuthNIntervalsValid 2"},
	{"fast schedule", testAuthority + "V3AuthVotingInterval 11\nV3AuthVoteDelay 2\nV3AuthDistDelay 2\nTestingV3AuthInitialVotingInterval 5\nTestingV3AuthInitialVoteDelay 2\nTestingV3AuthInitialDistDelay 2\nTestingV3AuthVotingStartOffset 5\nTestingAuthDirTimeToLearnReachability 3 hours"},
	{"versions for all", "VersioningAuthoritativeDirectory 1\nRecommendedVersions 0.4.9.11, 0.4.8.21\nRecommendedVersions 0.4.9.10 0.4.9.9,zzz"},
	{"versions of each", "VersioningAuthoritativeDirectory 1\nRecommendedClientVersions 0.3.5.1\nRecommendedServerVersions 0.4.9.11"},
	{"addresses", "AuthDirReject 192.0.2.0/24, 198.51.100.1\nAuthDirReject accept 203.0.113.0/24\nAuthDirRejectCCs de,FR\nAuthDirInvalid 192.0.2.0/24:80\nAuthDirInvalidCC us\nAuthDirBadExit [2001:db8::]/32\nAuthDirMiddleOnly reject 192.0.2.1\nAuthDirMiddleOnlyCCs ??"},
	{"flags", "AuthDirFastGuarantee 0\nAuthDirGuardBWGuarantee 2147483648\nAuthDirVoteGuard {us},a\nAuthDirVoteGuardGuaranteeTimeKnown 1 day\nAuthDirVoteGuardGuaranteeWFU 2\nAuthDirVoteStableGuaranteeMinUptime 0\nAuthDirListBadExits 1\nMinMeasuredBWsForAuthToIgnoreAdvertised -5\nTestingMinExitFlagThreshold 1 KB"},
	{"files", "V3BandwidthsFile /x\nV3AuthUseLegacyKey 1\nAuthDirPinKeys 0\nAuthDirSharedRandomness 0\nConsensusParams b=2 a=-1\nConsensusParams c=3"},
	{"malformed parameters of no authority", "ConsensusParams a b"},
}

func TestAuthorityErrors(t *testing.T) {
	for _, tt := range badAuthorities {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(tt.torrc)
			want := fmt.Sprintf("etc/torrc:%d: %s", 1+strings.Count(tt.torrc, "\n"), tt.want)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	for _, tt := range goodAuthorities {
		if _, err := load(tt.torrc); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAuthoritiesAsCTor(t *testing.T) {
	var cases []dumpCase
	for _, tt := range goodAuthorities {
		if tt.name == "versions for all" {
			continue // C tor's dump repeats these lines for clients and for relays, so that reading it anew gives something else
		}
		cases = append(cases, dumpCase{name: tt.name, torrc: tt.torrc})
	}
	for _, tt := range badAuthorities {
		if !tt.ours {
			cases = append(cases, dumpCase{name: tt.name, torrc: tt.torrc, bad: true})
		}
	}
	compareDumps(t, cases)
}

func TestAuthority(t *testing.T) {
	a := mustLoad(t, v3Authority+`AuthDirReject 192.0.2.0/24:80
AuthDirRejectCCs de,FR
AuthDirBadExit accept 198.51.100.1,198.51.100.0/24
AuthDirPinKeys 0
AuthDirMaxServersPerAddr 7
MinimalAcceptedServerVersion 0.4.9.1-alpha
VersioningAuthoritativeDirectory 1
RecommendedVersions 0.4.9.11, 0.4.9.9 0.4.9.2-alpha
RecommendedVersions 0.4.9.9
RecommendedClientVersions nonsense,0.4.8.21
ConsensusParams b=2 a=-1
ConsensusParams c=3
V3BandwidthsFile /bw
AuthDirVoteGuard $`+fingerprint+`
TestingDirAuthVoteExit a
TestingDirAuthVoteExitIsStrict 1
AuthDirRejectRequestsUnderLoad 0`).Authority
	minVersion, _ := torversion.Parse("0.4.9.1-alpha")
	set := func(s string) torrc.NodeSet {
		n, err := torrc.ParseNodeSet(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := config.Authority{
		Votes: true,
		Admission: config.Admission{
			Reject:     config.AddressRule{Countries: []string{"de", "FR"}},
			MinVersion: minVersion,
		},
		Tests: config.ReachabilityTests{On: true, Ed25519: true, TimeToLearn: 30 * time.Minute},
		Flags: config.FlagRules{
			MaxServersPerAddr: 7, MinMeasured: 500, FastGuarantee: 100 << 10, GuardBandwidthGuarantee: 2 << 20, GuardBandwidthFraction: 0.75,
			GuardTimeKnownGuarantee: 8 * 24 * time.Hour, GuardWFUGuarantee: 0.98, StableUptimeGuarantee: 30 * 24 * time.Hour,
			StableMTBFGuarantee: 5 * 24 * time.Hour, HSDirMinUptime: 96 * time.Hour, VoteGuard: set("$" + fingerprint),
			TestExit: config.ForcedFlag{Relays: set("a"), Strict: true},
		},
		Voting: config.Voting{
			Schedule:       config.VotingSchedule{Interval: time.Hour, VoteDelay: 5 * time.Minute, DistDelay: 5 * time.Minute},
			Initial:        config.VotingSchedule{Interval: 30 * time.Minute, VoteDelay: 5 * time.Minute, DistDelay: 5 * time.Minute},
			IntervalsValid: 3, SharedRandom: true, Params: params.List{{Name: "a", Value: -1}, {Name: "b", Value: 2}, {Name: "c", Value: 3}},
			Versioning: true, ClientVersions: []string{"0.4.8.21", "nonsense"}, RelayVersions: []string{"0.4.9.2-alpha", "0.4.9.9", "0.4.9.11"},
			BandwidthsFile: "/bw",
		},
	}
	for _, p := range []struct{ got, want string }{
		{fmt.Sprint(a.Admission.Reject.Policy), "[reject 192.0.2.0/24:*]"},
		{fmt.Sprint(a.Admission.BadExit.Policy), "[accept 198.51.100.1:* reject 198.51.100.0/24:*]"},
	} {
		if p.got != p.want {
			t.Errorf("got %s, want %s", p.got, p.want)
		}
	}
	a.Admission.Reject.Policy, a.Admission.BadExit.Policy = nil, nil
	if diff := cmp.Diff(want, a, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(torrc.NodeSet{})); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		torrc string
		want  bool
	}{{v3Authority, true}, {anAuthority + "BridgeAuthoritativeDir 1", true}, {"V3AuthoritativeDirectory 1", false}, {"", false}} {
		if a := mustLoad(t, tt.torrc).Authority; a.Enabled() != tt.want {
			t.Errorf("%q: got %v", tt.torrc, a.Enabled())
		}
	}
}

func TestAuthorityMessages(t *testing.T) {
	for _, tt := range []struct {
		name, torrc string
		want        []string // beginnings
	}{
		{"quiet", v3Authority, nil},
		{"ports", "AuthDirReject 192.0.2.1:80", []string{"Ignoring ports in AuthDirReject option."}},
		{"interval", v3Authority + "V3AuthVotingInterval 35 minutes", []string{"V3AuthVotingInterval does not divide evenly"}},
		{"spaces", "RecommendedServerVersions 0.4.9.11 0.4.9.10", []string{`Unexpected space in versions list member "0.4.9.11 0.4.9.10".`}},
		{"no version", "RecommendedClientVersions x", []string{`Recommended version "x" does not look valid.`}},
		{"short interval", testAuthority + "V3AuthVotingInterval 100", []string{"You have used DirAuthority", "TestingTorNetwork is set", "V3AuthVotingInterval is very low."}},
		{"slow to learn", testNetwork + "TestingAuthDirTimeToLearnReachability 3 hours", []string{"You have used", "TestingTorNetwork is set", "TestingAuthDirTimeToLearnReachability is insanely high."}},
	} {
		got := warnings(mustLoad(t, tt.torrc))
		for _, want := range tt.want {
			if !strings.Contains("\n"+strings.Join(got, "\n"), "\n"+want) {
				t.Errorf("%s: got %q, want %q", tt.name, got, want)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %q, want %d", tt.name, got, len(tt.want))
		}
	}
}

// The version that relays of ours tell must not be one that we refuse.
func TestOwnVersion(t *testing.T) {
	if _, err := load("MinimalAcceptedServerVersion " + client.CompatVersion); err != nil {
		t.Error(err)
	}
	if _, err := load("MinimalAcceptedServerVersion " + client.CompatVersion + "-x"); err == nil {
		t.Error("a later version than our own is accepted")
	}
}

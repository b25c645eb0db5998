package daemon

import (
	"net/netip"
	"os"
	"time"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/role/dirauth"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/role/dirauth/authkeys"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// authorityConfig turns the options of a directory authority into what the relay takes; nil if it is none.
func (d *Daemon) authorityConfig() *server.Authority {
	a, test := &d.cfg.Authority, d.cfg.Client.Process.TestNetwork
	if !a.Enabled() {
		return nil
	}
	s := &server.Authority{
		Keys:   authkeys.Config{Legacy: a.Voting.UseLegacyKey},
		Voters: voters(d.cfg.Client.Dirs.Authorities),
		Timing: timing(a.Voting.Schedule, a.Voting.StartOffset), Initial: timing(a.Voting.Initial, a.Voting.StartOffset),
		MinInterval: vote.MinInterval, Intervals: a.Voting.IntervalsValid,
		Flags: flagsConfig(a, test), Admit: admission(&a.Admission), Random: a.Voting.SharedRandom, Params: a.Voting.Params,
		AllowPrivate: a.Admission.AllowPrivate,
		TestOff:      !a.Tests.On, TestEd25519: a.Tests.Ed25519, TestIPv6: a.Tests.IPv6,
	}
	if a.Bridges {
		s.Bridges = &server.Bridges{Password: a.BridgePassword}
	}
	if test {
		s.MinInterval = vote.MinIntervalTesting
	}
	for _, r := range []*admit.AddressRule{&s.Admit.Reject, &s.Admit.Invalid, &s.Admit.BadExit, &s.Admit.MiddleOnly} {
		if len(r.Countries) > 0 && s.Admit.Country == nil {
			if db := d.countries("rules of the authority about them match no relay"); db != nil {
				s.Admit.Country = db.Country
			}
		}
	}
	if a.Voting.Versioning {
		s.ClientVersions, s.ServerVersions = a.Voting.ClientVersions, a.Voting.RelayVersions
	}
	if name := a.Voting.BandwidthsFile; name != "" {
		s.Bandwidths = func() ([]byte, error) { return os.ReadFile(name) }
	}
	return s
}

func timing(s config.VotingSchedule, offset time.Duration) dirauth.Timing {
	return dirauth.Timing{Interval: s.Interval, VoteDelay: s.VoteDelay, DistDelay: s.DistDelay, Offset: offset}
}

// voters lists the authorities that vote.
func voters(list []trusteddirs.Authority) (to []dirauth.Voter) {
	for _, a := range list {
		if !a.Votes() {
			continue
		}
		v := dirauth.Voter{Nickname: a.Nickname, V3Ident: a.V3Ident, Dirs: a.Vote}
		if len(v.Dirs) == 0 && a.DirPort.IsValid() && a.DirPort.Port() != 0 {
			v.Dirs = []netip.AddrPort{a.DirPort}
		}
		to = append(to, v)
	}
	return to
}

func admission(a *config.Admission) admit.Config {
	rule := func(r config.AddressRule) admit.AddressRule {
		return admit.AddressRule{Policy: r.Policy, Countries: r.Countries}
	}
	return admit.Config{
		Reject: rule(a.Reject), Invalid: rule(a.Invalid), BadExit: rule(a.BadExit), MiddleOnly: rule(a.MiddleOnly),
		PinKeys: a.PinKeys, MinVersion: a.MinVersion, AllowPrivate: a.AllowPrivate,
	}
}

func flagsConfig(a *config.Authority, test bool) flags.Config {
	f := &a.Flags
	forced := func(x config.ForcedFlag) flags.Forced { return flags.Forced{Set: x.Relays, Strict: x.Strict} }
	return flags.Config{
		Testing: test, TestReachability: a.Tests.On, TimeToLearnReachability: a.Tests.TimeToLearn, HasIPv6Connectivity: a.Tests.IPv6,
		MaxServersPerAddr: f.MaxServersPerAddr, ListBadExits: f.ListBadExits, ListMiddleOnly: f.ListMiddleOnly, MinMeasuredBWs: f.MinMeasured,
		FastGuarantee: f.FastGuarantee, GuardBWGuarantee: f.GuardBandwidthGuarantee, VoteGuard: f.VoteGuard,
		GuardBwThresholdFraction: f.GuardBandwidthFraction, GuardGuaranteeTimeKnown: f.GuardTimeKnownGuarantee, GuardGuaranteeWFU: f.GuardWFUGuarantee,
		StableGuaranteeMinUptime: f.StableUptimeGuarantee, StableGuaranteeMTBF: f.StableMTBFGuarantee, MinUptimeHidServDirectoryV2: f.HSDirMinUptime,
		TestingMinExitFlagThreshold: f.TestMinExit, TestingMinFastFlagThreshold: f.TestMinFast,
		TestingVoteExit: forced(f.TestExit), TestingVoteGuard: forced(f.TestGuard), TestingVoteHSDir: forced(f.TestHS),
	}
}

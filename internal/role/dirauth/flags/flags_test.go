package flags

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/role/dirauth/history"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// publicConfig has the defaults of torrc.
func publicConfig() *Config {
	return &Config{
		Uptime: 30 * day, TestReachability: true, TimeToLearnReachability: 30 * time.Minute, MaxServersPerAddr: 2, MinMeasuredBWs: 500,
		FastGuarantee: 100 << 10, GuardBWGuarantee: 2 << 20, GuardBwThresholdFraction: 0.75, GuardGuaranteeTimeKnown: 8 * day, GuardGuaranteeWFU: 0.98,
		StableGuaranteeMinUptime: 30 * day, StableGuaranteeMTBF: 5 * day, MinUptimeHidServDirectoryV2: 96 * time.Hour,
	}
}

// network is eight good relays, of which relay n claims n*10 kilobytes per second and came up n days ago.
func network() []Relay {
	var relays []Relay
	for n := 1; n <= 8; n++ {
		relays = append(relays, Relay{
			ID: [20]byte{byte(n)}, Nickname: "relay" + string(rune('0'+n)), Published: now.Add(-time.Hour), Uptime: time.Duration(n)*day - time.Hour,
			OR: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 9001), Rate: 1 << 30, Observed: uint32(n) * 10_000,
			HSDir: true, DirCache: true, Reached: now.Add(-10 * time.Minute),
		})
	}
	return relays
}

// watched is a history in which relay n was seen up n days ago, and never down.
func watched(relays []Relay) *history.History {
	h := history.New()
	for i := range relays {
		h.Reachable(relays[i].ID, relays[i].OR, time.Hour, now.Add(-time.Duration(i+1)*day))
	}
	return h
}

// best are the flags of a good relay.
const best = consensus.Running | consensus.Valid | consensus.V2Dir | consensus.Fast | consensus.Stable | consensus.HSDir | consensus.Guard

// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
func TestThresholds(t *testing.T) {
	relays := network()
	relays[7].GeneralExit = true
	got := Decide(publicConfig(), relays, watched(relays), now).Thresholds
	want := Thresholds{
		StableUptime: 4 * 86400, StableMTBF: 4 * 86400, EnoughMTBF: true,
		FastKB:   30, // relay2 is too slow, so the quarter counts
		GuardWFU: 0.98, GuardTimeKnown: 2 * day, GuardIncExitsKB: 70, GuardExcExitsKB: 60,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const text = "stable-uptime=345600 stable-mtbf=345600 fast-speed=30000 guard-wfu=98.000% guard-tk=172800 " +
		"guard-bw-inc-exits=70000 guard-bw-exc-exits=60000 enough-mtbf=1 ignoring-advertised-bws=0"
	if got.String() != text {
		t.Errorf("got %s", got)
	}
	for name, tc := range map[string]struct {
		change func(cfg *Config, relays []Relay)
		want   func(th *Thresholds)
	}{
		"nothing":            {func(*Config, []Relay) {}, func(*Thresholds) {}},
		"bad exit":           {func(_ *Config, r []Relay) { r[7].Status = approvedrouters.BadExit }, func(th *Thresholds) { th.GuardExcExitsKB = 70 }},
		"fast guarantee":     {func(c *Config, _ []Relay) { c.FastGuarantee = 20 << 10 }, func(th *Thresholds) { th.FastKB = 20 }},
		"low parameter":      {func(c *Config, _ []Relay) { c.Params = params.List{{Name: "FastFlagMinThreshold", Value: 55_999}} }, func(th *Thresholds) { th.FastKB = 55 }},
		"high parameter":     {func(c *Config, _ []Relay) { c.Params = params.List{{Name: "FastFlagMaxThreshold", Value: 12_000}} }, func(th *Thresholds) { th.FastKB = 12 }},
		"time known":         {func(c *Config, _ []Relay) { c.GuardGuaranteeTimeKnown = day }, func(th *Thresholds) { th.GuardTimeKnown = day }},
		"uptime":             {func(c *Config, _ []Relay) { c.GuardGuaranteeWFU = 0.5 }, func(th *Thresholds) { th.GuardWFU = 0.5 }},
		"whole fraction":     {func(c *Config, _ []Relay) { c.GuardBwThresholdFraction = 1 }, func(th *Thresholds) { th.GuardIncExitsKB, th.GuardExcExitsKB = 80, 70 }},
		"negative fraction":  {func(c *Config, _ []Relay) { c.GuardBwThresholdFraction = -1 }, func(th *Thresholds) { th.GuardIncExitsKB, th.GuardExcExitsKB = 10, 10 }},
		"too slow to count":  {func(_ *Config, r []Relay) { r[0].Observed = 3999 }, func(th *Thresholds) { *th = Thresholds{5 * 86400, 5 * 86400, true, 30, .98, 2 * day, 70, 60, false} }},
		"hibernating":        {func(_ *Config, r []Relay) { r[0].Hibernating = true; r[0].Published = now.Add(-2 * time.Hour) }, func(th *Thresholds) { *th = Thresholds{5 * 86400, 5 * 86400, true, 30, .98, 2 * day, 70, 60, false} }},
		"invalid":            {func(_ *Config, r []Relay) { r[0].Status = approvedrouters.Invalid }, func(th *Thresholds) { *th = Thresholds{5 * 86400, 5 * 86400, true, 30, .98, 2 * day, 70, 60, false} }},
		"descriptor too old": {func(_ *Config, r []Relay) { r[0].Published = now.Add(-day - time.Second) }, func(th *Thresholds) { *th = Thresholds{5 * 86400, 5 * 86400, true, 30, .98, 2 * day, 70, 60, false} }},
		"measured":           {func(_ *Config, r []Relay) { r[7].Measured, r[7].MeasuredKB = true, 65 }, func(th *Thresholds) { th.GuardIncExitsKB = 65 }},
		"measured enough": {func(c *Config, r []Relay) {
			c.MinMeasuredBWs = 1
			for i := range 2 {
				r[i].Measured, r[i].MeasuredKB = true, 1000
			}
		}, func(th *Thresholds) { *th = Thresholds{86400, 86400, true, 102, .98, day, 1000, 1000, true} }},
		"measured not enough": {func(c *Config, r []Relay) { c.MinMeasuredBWs, r[7].Measured, r[7].MeasuredKB = 1, true, 80 }, func(*Thresholds) {}},
		"test network":        {func(c *Config, _ []Relay) { c.Testing, c.TestingMinExitFlagThreshold = true, 75_000 }, func(th *Thresholds) { *th = Thresholds{8 * 86400, 8 * 86400, true, 80, .98, 8 * day, 80, 0, false} }},
		"test network, fast":  {func(c *Config, _ []Relay) { c.Testing, c.TestingMinFastFlagThreshold = true, 1<<40 }, func(th *Thresholds) { th.FastKB = 102 }},
	} {
		cfg, relays := publicConfig(), network()
		relays[7].GeneralExit = true
		tc.change(cfg, relays)
		th := want
		tc.want(&th)
		if diff := cmp.Diff(th, Decide(cfg, relays, watched(relays), now).Thresholds); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	none := Decide(publicConfig(), nil, history.New(), now)
	if diff := cmp.Diff(Thresholds{EnoughMTBF: true}, none.Thresholds); diff != "" || len(none.Relays) != 0 {
		t.Errorf("no relays (-want +got):\n%s", diff)
	}
}

func TestFlags(t *testing.T) {
	const last = 7 // the relay that is changed
	for _, tc := range []struct {
		name   string
		change func(cfg *Config, r *Relay)
		want   consensus.Flags
	}{
		{"good", func(*Config, *Relay) {}, best},
		{"exit", func(_ *Config, r *Relay) { r.GeneralExit = true }, best | consensus.Exit},
		{"authority", func(_ *Config, r *Relay) { r.Trusted = true }, best | consensus.Authority},
		{"stale", func(_ *Config, r *Relay) { r.Published = now.Add(-18*time.Hour - time.Second) }, best | consensus.StaleDesc},
		{"nearly stale", func(_ *Config, r *Relay) { r.Published = now.Add(-18 * time.Hour) }, best},
		{"invalid", func(_ *Config, r *Relay) { r.Status = approvedrouters.Invalid }, best &^ (consensus.Valid | consensus.HSDir)},
		{"no directory cache", func(_ *Config, r *Relay) { r.DirCache = false }, best &^ (consensus.V2Dir | consensus.HSDir | consensus.Guard)},
		{"no HSDir", func(_ *Config, r *Relay) { r.HSDir = false }, best &^ consensus.HSDir},
		{"not reached", func(_ *Config, r *Relay) { r.Reached = now.Add(-45 * time.Minute) }, best &^ (consensus.Running | consensus.HSDir)},
		{"nearly not reached", func(_ *Config, r *Relay) { r.Reached = now.Add(-45*time.Minute + time.Second) }, best},
		{"never reached", func(_ *Config, r *Relay) { r.Reached = time.Time{} }, best &^ (consensus.Running | consensus.HSDir)},
		{"no tests", func(c *Config, r *Relay) { c.TestReachability, r.Reached = false, time.Time{} }, best},
		{"hibernating, no tests", func(c *Config, r *Relay) { c.TestReachability, r.Hibernating = false, true }, best &^ (consensus.Running | consensus.HSDir)},
		{"hibernating", func(_ *Config, r *Relay) { r.Hibernating = true }, best &^ (consensus.Running | consensus.HSDir)},
		{"reached since it hibernated", func(_ *Config, r *Relay) { r.Hibernating, r.Published = true, now.Add(-2*time.Hour) }, best &^ consensus.HSDir},
		{"ourselves", func(_ *Config, r *Relay) { r.Own, r.Reached = true, time.Time{} }, best},
		{"ourselves, hibernating", func(c *Config, r *Relay) { c.Hibernating, r.Own = true, true }, best &^ (consensus.Running | consensus.HSDir)},
		{"IPv6 not reached", func(c *Config, r *Relay) { c.HasIPv6Connectivity, r.OR6 = true, ipv6(1) }, best &^ (consensus.Running | consensus.HSDir)},
		{"IPv6 reached", func(c *Config, r *Relay) { c.HasIPv6Connectivity, r.OR6, r.Reached6 = true, ipv6(1), now }, best},
		{"IPv6 that we do not have", func(_ *Config, r *Relay) { r.OR6 = ipv6(1) }, best},
		{"too young to tell", func(c *Config, _ *Relay) { c.Uptime = 30 * time.Minute }, best &^ consensus.Running},
		{"bad exit", func(c *Config, r *Relay) {
			c.ListBadExits, r.Status, r.GeneralExit = true, approvedrouters.BadExit, true
		}, best | consensus.BadExit | consensus.Exit},
		{"bad exit, not listed", func(_ *Config, r *Relay) { r.Status, r.GeneralExit = approvedrouters.BadExit, true }, best | consensus.Exit},
		{"middle", func(c *Config, r *Relay) {
			c.ListMiddleOnly, r.Status, r.GeneralExit = true, approvedrouters.MiddleOnly, true
		},
			consensus.MiddleOnly | consensus.Running | consensus.Valid | consensus.Fast | consensus.Stable},
		{"middle and bad exits", func(c *Config, r *Relay) {
			c.ListMiddleOnly, c.ListBadExits, r.Status = true, true, approvedrouters.MiddleOnly
		},
			consensus.MiddleOnly | consensus.BadExit | consensus.Running | consensus.Valid | consensus.Fast | consensus.Stable},
		{"middle, not listed", func(_ *Config, r *Relay) { r.Status = approvedrouters.MiddleOnly }, best},
		{"no guard", func(_ *Config, r *Relay) { r.Status = approvedrouters.StripGuard }, best &^ consensus.Guard},
		{"guard in any case", func(c *Config, r *Relay) { c.VoteGuard, r.Status = set(t, "relay8"), approvedrouters.StripGuard }, best},
		{"guard by address", func(c *Config, r *Relay) { c.VoteGuard, r.Status = set(t, "192.0.2.8"), approvedrouters.StripGuard }, best},
		{"guard by fingerprint", func(c *Config, r *Relay) {
			c.VoteGuard, r.Status = set(t, "$0800000000000000000000000000000000000000"), approvedrouters.StripGuard
		}, best},
		{"guard by country", func(c *Config, r *Relay) { c.VoteGuard, r.Status = set(t, "{de}"), approvedrouters.StripGuard }, best &^ consensus.Guard},
		{"no onion services", func(_ *Config, r *Relay) { r.Status = approvedrouters.StripHSDir }, best &^ consensus.HSDir},
		{"no directory", func(_ *Config, r *Relay) { r.Status = approvedrouters.StripV2Dir }, best &^ consensus.V2Dir},
		{"slow", func(_ *Config, r *Relay) { r.Observed = 9_000 }, best &^ (consensus.Fast | consensus.HSDir | consensus.Guard)},
		{"low rate", func(_ *Config, r *Relay) { r.Rate = 9_000 }, best &^ (consensus.Fast | consensus.HSDir | consensus.Guard)},
		{"measured slow", func(_ *Config, r *Relay) { r.Measured, r.MeasuredKB = true, 9 }, best &^ (consensus.Fast | consensus.HSDir | consensus.Guard)},
		{"not fast enough for a guard", func(_ *Config, r *Relay) { r.Observed = 40_000 }, best &^ consensus.Guard},
		{"guaranteed", func(c *Config, r *Relay) { r.Observed, c.GuardBWGuarantee = 40_000, 40_000 }, best},
		{"nobody is measured", func(c *Config, _ *Relay) { c.MinMeasuredBWs = -1 }, best},
		{"test network", func(c *Config, r *Relay) {
			c.Testing, c.VoteGuard, r.Status = true, set(t, "relay8"), approvedrouters.StripGuard
		}, best &^ consensus.Guard},
		{"test network, forced", func(c *Config, r *Relay) {
			c.Testing, c.TestingVoteExit, c.TestingVoteGuard, c.TestingVoteHSDir = true, Forced{Set: set(t, "*")}, Forced{Set: set(t, "*")}, Forced{Set: set(t, "*")}
			r.Status, r.HSDir = approvedrouters.StripGuard, false
		}, best | consensus.Exit},
		{"test network, not forced", func(c *Config, r *Relay) {
			c.Testing, r.GeneralExit = true, true
			c.TestingVoteExit, c.TestingVoteGuard, c.TestingVoteHSDir = Forced{Set: set(t, "other")}, Forced{Set: set(t, "other")}, Forced{Set: set(t, "other")}
		}, best | consensus.Exit},
		{"test network, strict", func(c *Config, r *Relay) {
			c.Testing, r.GeneralExit = true, true
			c.TestingVoteExit, c.TestingVoteGuard, c.TestingVoteHSDir = Forced{Strict: true}, Forced{Strict: true}, Forced{Strict: true}
		}, best &^ (consensus.Guard | consensus.HSDir)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, relays := publicConfig(), network()
			hist := watched(relays)
			tc.change(cfg, &relays[last])
			got := Decide(cfg, relays, hist, now).Relays[last].Flags
			if got != tc.want {
				t.Errorf("got %v, want %v", names(got), names(tc.want))
			}
		})
	}
}

func ipv6(n byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: n}), 9001)
}

func names(f consensus.Flags) []string {
	c := &consensus.Consensus{KnownFlags: (&Config{Uptime: 1, ListBadExits: true, ListMiddleOnly: true}).knownFlags()}
	return c.Names(f)
}

// TestStable has relays that differ in uptime or in their history alone.
func TestStable(t *testing.T) {
	for _, tc := range []struct {
		name     string
		enough   bool
		min      time.Duration // guarantees
		relay    int           // whose flag is asked for; relay n is up for n+1 days
		downtime bool          // it was down half a day ago
		want     bool
	}{
		{"median uptime", false, 30 * day, 3, false, true},
		{"below it", false, 30 * day, 2, false, false},
		{"below it, guaranteed", false, 3 * day, 2, false, true},
		{"median MTBF", true, 30 * day, 3, false, true},
		{"below it", true, 30 * day, 2, false, false},
		{"below it, guaranteed", true, 3 * day, 2, false, true},
		{"long uptime, but a failure", true, 30 * day, 4, true, false},
	} {
		cfg, relays := publicConfig(), network()
		cfg.StableGuaranteeMinUptime, cfg.StableGuaranteeMTBF = tc.min, tc.min
		hist := watched(relays)
		if !tc.enough {
			hist = history.New()
			hist.Reachable(relays[0].ID, relays[0].OR, 0, now.Add(-time.Hour))
		}
		if tc.downtime {
			hist.Unreachable(relays[tc.relay].ID, now.Add(-day/2), now)
			hist.Reachable(relays[tc.relay].ID, relays[tc.relay].OR, 0, now.Add(-day/2+time.Minute))
		}
		v := Decide(cfg, relays, hist, now)
		if v.EnoughMTBF != tc.enough || v.Relays[tc.relay].Flags.Has(consensus.Stable) != tc.want {
			t.Errorf("%s: got %v, enough %v", tc.name, names(v.Relays[tc.relay].Flags), v.EnoughMTBF)
		}
	}
}

func TestHSDirUptime(t *testing.T) {
	for _, tc := range []struct {
		name    string
		process time.Duration
		claimed time.Duration
		seen    time.Duration
		want    bool
	}{
		{"claimed and seen", 30 * day, 5 * day, 5 * day, true},
		{"claimed alone", 30 * day, 5 * day, day, false},
		{"seen alone", 30 * day, 3 * day, 5 * day, false},
		{"claimed, but we are new", 4 * day, 5 * day, day, true},
	} {
		cfg, relays := publicConfig(), network()
		cfg.Uptime, cfg.StableGuaranteeMTBF, cfg.MaxServersPerAddr = tc.process, 1, 0
		r := &relays[7]
		r.Uptime = tc.claimed
		h := history.New()
		h.Reachable(r.ID, r.OR, 0, now.Add(-tc.seen))
		if got := Decide(cfg, relays, h, now).Relays[7].Flags; got.Has(consensus.HSDir) != tc.want {
			t.Errorf("%s: got %v", tc.name, names(got))
		}
	}
}

func TestSybils(t *testing.T) {
	one := netip.MustParseAddrPort("192.0.2.1:1")
	for _, tc := range []struct {
		name   string
		limit  int
		change func(r []Relay)
		want   []int // who is too many
	}{
		{"different addresses", 2, func([]Relay) {}, nil},
		{"slowest", 2, func(r []Relay) { r[2].OR, r[4].OR = one, one }, []int{0}},
		{"other port", 1, func(r []Relay) { r[1].OR = netip.MustParseAddrPort("192.0.2.1:2") }, []int{0}},
		{"down", 1, func(r []Relay) { r[1].OR, r[1].Reached = one, time.Time{} }, []int{1}},
		{"authority", 1, func(r []Relay) { r[1].OR, r[0].Trusted = one, true }, []int{1}},
		{"measured", 1, func(r []Relay) { r[1].OR, r[0].Measured, r[0].MeasuredKB = one, true, 25 }, []int{1}},
		{"by identity", 1, func(r []Relay) { r[1].OR, r[1].Observed = one, r[0].Observed }, []int{1}},
		{"IPv6", 1, func(r []Relay) { r[3].OR6, r[4].OR6 = ipv6(1), ipv6(1) }, []int{3}},
		{"either", 1, func(r []Relay) { r[3].OR6, r[4].OR6, r[4].OR, r[5].OR = ipv6(1), ipv6(1), one, one }, []int{0, 3, 4}},
		{"no limit", 0, func(r []Relay) { r[2].OR, r[4].OR = one, one }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, relays := publicConfig(), network()
			cfg.MaxServersPerAddr = tc.limit
			hist := watched(relays)
			tc.change(relays)
			vote := Decide(cfg, relays, hist, now)
			var got []int
			for i, o := range vote.Relays {
				if o.Flags.Has(consensus.Sybil) {
					got = append(got, i)
					if o.Flags != consensus.Sybil || o.Figures.WFU != 0 || o.Figures.MTBF != 0 {
						t.Errorf("relay %d: %v, %+v", i, names(o.Flags), o.Figures)
					}
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestOthers checks what a vote has beside flags.
func TestOthers(t *testing.T) {
	cfg, relays := publicConfig(), network()
	cfg.HasIPv6Connectivity = true
	relays[0].Published = now.Add(-day - time.Second)
	relays[1].OR6, relays[1].Reached6 = ipv6(1), now.Add(-45*time.Minute)
	relays[2].OR6, relays[2].Reached6 = ipv6(2), now.Add(-46*time.Minute)
	relays[3].OR6, relays[3].Own = ipv6(3), true
	relays[4].Observed, relays[4].Rate = 20_000_000, 10_000_999
	relays[5].Reached = now.Add(-2 * time.Hour)
	hist := watched(relays)
	vote := Decide(cfg, relays, hist, now)
	for i, want := range []struct{ listed, ipv6 bool }{{false, false}, {true, true}, {true, false}, {true, true}, {true, false}} {
		if o := vote.Relays[i]; o.Listed != want.listed || o.IPv6 != want.ipv6 {
			t.Errorf("relay %d: got %+v, want %+v", i, o, want)
		}
	}
	if got := relays[4].AdvertisedKB(); got != 10_000 {
		t.Errorf("advertised: got %d", got)
	}
	// A relay was down from the first test on that it missed.
	if got, want := hist.Figures(relays[5].ID, now).MTBF, (6*day - 2*time.Hour + TestCycle).Seconds(); got != want {
		t.Errorf("MTBF of a relay that is down: got %v, want %v", got, want)
	}
	if diff := cmp.Diff([]string{"Authority", "Exit", "Fast", "Guard", "HSDir", "Running", "Stable", "StaleDesc", "Sybil", "V2Dir", "Valid"}, vote.KnownFlags); diff != "" {
		t.Errorf("known-flags (-want +got):\n%s", diff)
	}
	if got := (Opinion{Figures: history.Figures{MTBF: 0.5, WFU: 1. / 3, TimeKnown: 90 * time.Second}}).Stats(); got != "wfu=0.333333 tk=90 mtbf=0" {
		t.Errorf("stats: got %s", got)
	}
}

package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// check validates values whatever they are used for, and moves some of them into their range. What it demands is what
// C tor demands (options_validate_cb).
func (v *Values) check() error {
	for _, f := range []func() error{v.checkEffects, v.checkRanges, v.checkPorts, v.checkWords, v.checkBandwidth, v.checkAuthority, v.checkTogether, v.checkTesting} {
		if err := f(); err != nil {
			return err
		}
	}
	v.clamp()
	v.remark()
	return nil
}

// ranges are inclusive; times in seconds.
var ranges = []struct {
	name   string
	lo, hi float64
}{
	{"CircuitsAvailableTimeout", 0, 24 * 60 * 60},
	{"ClientBootstrapConsensusMaxInProgressTries", 1, math.MaxInt32},
	{"ConnLimit", 1, math.MaxInt32},
	{"KISTSchedRunInterval", 0, 0.1},
	{"KISTSockBufSizeFactor", 0, math.MaxFloat64},
	{"KeepalivePeriod", 1, math.MaxInt32},
	{"LogTimeGranularity", 0.001, math.MaxInt32},
	{"MaxClientCircuitsPending", 1, 1024},
	{"PathBiasExtremeRate", -math.MaxFloat64, 1},
	{"PathBiasExtremeUseRate", -math.MaxFloat64, 1},
	{"PathBiasNoticeRate", -math.MaxFloat64, 1},
	{"PathBiasNoticeUseRate", -math.MaxFloat64, 1},
	{"PathBiasWarnRate", -math.MaxFloat64, 1},
	{"TestingClientMaxIntervalWithoutRequest", 1, math.MaxInt32},
	{"TestingDirConnectionMaxStall", 5, math.MaxInt32},
	{"TokenBucketRefillInterval", 0.001, 1},
}

func (v *Values) checkRanges() error {
	for _, r := range ranges {
		switch n := v.number(r.name); {
		case n < r.lo:
			return v.at(r.name).Errorf("must be at least %v, but is %v", r.lo, n)
		case n > r.hi:
			return v.at(r.name).Errorf("must be at most %v, but is %v", r.hi, n)
		}
	}
	if v.Duration("DormantClientTimeout") < 10*time.Minute && !v.Bool("TestingTorNetwork") {
		return v.at("DormantClientTimeout").Errorf("must be at least 10 minutes")
	}
	if n := v.Uint64("ConstrainedSockSize"); v.Bool("ConstrainedSockets") && (n < 2048 || n > 256<<10 || n%1024 != 0) {
		return v.at("ConstrainedSockSize").Errorf("must be from 2048 to 262144, in steps of 1024")
	}
	return nil
}

func (v *Values) number(name string) float64 {
	switch x := v.value(option(name)).(type) {
	case int:
		return float64(x)
	case uint64:
		return float64(x)
	case time.Duration:
		return x.Seconds()
	case float64:
		return x
	}
	panic("config: " + name + " is no number")
}

func (v *Values) checkPorts() error {
	for _, name := range []string{"FirewallPorts", "LongLivedPorts", "RejectPlaintextPorts", "WarnPlaintextPorts"} {
		if _, err := v.ports(name); err != nil {
			return err
		}
	}
	return nil
}

func (v *Values) ports(name string) ([]uint16, error) {
	ports, err := torrc.Ports(strings.Join(v.CSV(name), ","))
	if err != nil {
		return nil, v.at(name).Errorf("%w", err)
	}
	return ports, nil
}

// words lists the values of options that have few; the case of letters counts as in C tor.
var words = []struct {
	name    string
	anyCase bool
	allowed []string
}{
	{"SafeLogging", true, []string{"0", "1", "relay", ""}},
	{"AccountingRule", false, []string{"max", "sum", "in", "out", ""}},
	{"ConfluxClientUX", false, []string{"throughput", "latency", "throughput_lowmem", "latency_lowmem", ""}},
	{"TransProxyType", true, []string{"default", "tproxy", "ipfw", "pf-divert", ""}},
	{"Schedulers", true, []string{"KIST", "KISTLite", "Vanilla"}},
}

func (v *Values) checkWords() error {
	for _, w := range words {
		values := []string{v.text(option(w.name))}
		if option(w.name).Kind == CSV {
			values = v.CSV(w.name)
		}
		if len(values) == 0 {
			return v.at(w.name).Errorf("empty list")
		}
		for _, s := range values {
			if !slices.ContainsFunc(w.allowed, func(a string) bool { return a == s || w.anyCase && strings.EqualFold(a, s) }) {
				return v.at(w.name).Errorf("unrecognized value %q: use one of %s", s, strings.Trim(strings.Join(w.allowed, ", "), ", "))
			}
		}
	}
	if n := v.String("Nickname"); n != "" && !torrc.IsNickname(n) {
		return v.at("Nickname").Errorf("%q must have 1 to 19 characters, letters and digits only", n)
	}
	for _, name := range []string{"HashedControlPassword", "__HashedControlSessionPassword"} {
		for _, l := range v.Lines(name) {
			if err := checkHashedPassword(l.Value); err != nil {
				return l.Errorf("%w", err)
			}
		}
	}
	for name, bits := range map[string]int{"VirtualAddrNetworkIPv4": 16, "VirtualAddrNetworkIPv6": 104} {
		if err := checkVirtual(v.String(name), bits); err != nil {
			return v.at(name).Errorf("%w", err)
		}
	}
	if s := v.String("__OwningControllerProcess"); s != "" {
		pid, _, _ := strings.Cut(strings.ReplaceAll(s, ":", " "), " ")
		if _, err := torrc.Int(pid, 1, math.MaxInt32); err != nil {
			return v.at("__OwningControllerProcess").Errorf("invalid PID %q", pid)
		}
	}
	return nil
}

func checkVirtual(s string, bits int) error {
	p, err := netip.ParsePrefix(strings.NewReplacer("[", "", "]", "").Replace(s))
	if err != nil || p.Addr().Is4() != (bits == 16) || p.Bits() > bits {
		return fmt.Errorf("%q is no network of the right family of /%d or larger", s, bits)
	}
	return nil
}

// A contradiction is what must not be: bad tells whether it is, and text, behind the name of an option, says so.
type contradiction struct {
	name string
	bad  bool
	text string
}

func (v *Values) forbid(list []contradiction) error {
	for _, c := range list {
		if c.bad {
			return v.at(c.name).Errorf("%s", c.text)
		}
	}
	return nil
}

// checkTogether finds values that contradict each other.
func (v *Values) checkTogether() error {
	return v.forbid([]contradiction{
		{"AssumeReachable", v.Bool("AssumeReachable") && v.AutoBool("AssumeReachableIPv6") == torrc.No, "cannot be 1 with AssumeReachableIPv6 0"},
		{"EntryNodes", v.NodeSet("EntryNodes").Len() > 0 && !v.Bool("UseEntryGuards"), "needs UseEntryGuards 1"},
		{"FetchDirInfoExtraEarly", v.Bool("FetchDirInfoExtraEarly") && !v.Bool("FetchDirInfoEarly"), "needs FetchDirInfoEarly 1"},
		{"NumEntryGuards", v.Int("NumPrimaryGuards") > 0 && v.Int("NumEntryGuards") > v.Int("NumPrimaryGuards"), "must not be greater than NumPrimaryGuards"},
		{"ClientUseIPv4", !v.Bool("ClientUseIPv4") && !v.Bool("ClientUseIPv6"), "with ClientUseIPv6 0 too, no relay can be reached"},
		{"DirAuthority", v.IsSet("DirAuthority") && (v.IsSet("AlternateDirAuthority") || v.IsSet("AlternateBridgeAuthority")), "cannot be set with AlternateDirAuthority or AlternateBridgeAuthority"},
		{"BridgeDistribution", v.String("BridgeDistribution") != "" && !v.Bool("BridgeRelay"), "needs BridgeRelay 1"},
		{"SigningKeyLifetime", v.Duration("SigningKeyLifetime") < 2*v.Duration("TestingSigningKeySlop"), "must be at least twice TestingSigningKeySlop"},
		{"TestingLinkCertLifetime", v.Duration("TestingLinkCertLifetime") < 2*v.Duration("TestingAuthKeySlop"), "must be at least twice TestingAuthKeySlop"},
		{"TestingAuthKeyLifetime", v.Duration("TestingAuthKeyLifetime") < 2*v.Duration("TestingLinkKeySlop"), "must be at least twice TestingLinkKeySlop"},
	})
}

// clamp moves values that are too low or too high to the nearest that makes sense.
func (v *Values) clamp() {
	if n := v.Float("PathsNeededToBuildCircuits"); n >= 0 && n < 0.25 {
		v.warn("PathsNeededToBuildCircuits is too low. Increasing to 0.25")
		v.put("PathsNeededToBuildCircuits", 0.25)
	} else if n > 0.95 {
		v.warn("PathsNeededToBuildCircuits is too high. Decreasing to 0.95")
		v.put("PathsNeededToBuildCircuits", 0.95)
	}
	if d := v.Duration("MaxCircuitDirtiness"); d > 30*24*time.Hour {
		v.warn("MaxCircuitDirtiness option is too high; setting to 30 days.")
		v.put("MaxCircuitDirtiness", 30*24*time.Hour)
	}
	v.atLeast("MaxCircuitDirtiness", 10*time.Second, false)
	v.atLeast("CircuitStreamTimeout", 10*time.Second, true)
	if !v.Bool("TestingTorNetwork") {
		v.atLeast("HeartbeatPeriod", 30*time.Minute, true)
	}
}

// atLeast raises a time that is shorter than least; 0 stays if it means "choose one".
func (v *Values) atLeast(name string, least time.Duration, zeroOK bool) {
	if d := v.Duration(name); d < least && (d != 0 || !zeroOK) {
		v.warn("%s option is too short; raising to %d seconds.", name, int(least.Seconds()))
		v.put(name, least)
	}
}

// remark warns about values that are allowed and seldom wise.
func (v *Values) remark() {
	if v.NodeSet("ExcludeNodes").Len() > 0 && v.Bool("StrictNodes") {
		v.warn("You have asked to exclude certain relays from all positions in your circuits. Expect onion services and other Tor features to be broken in unpredictable ways.")
	}
	if v.IsSet("DirAuthority") || v.IsSet("AlternateDirAuthority") {
		v.warn("You have used DirAuthority or AlternateDirAuthority to specify alternate directory authorities. This is potentially dangerous: it can make you look different from all other Tor users, and hurt your anonymity. Be sure you know what you're doing.")
	}
	if v.String("SafeLogging") == "0" {
		v.warn("Your log may contain sensitive information: you disabled SafeLogging. Don't log unless it serves an important reason, and overwrite the log afterwards.")
	}
	if v.Bool("LearnCircuitBuildTimeout") {
		return
	}
	if d := v.Duration("CircuitBuildTimeout"); d == 0 {
		v.tell(safelog.LevelNotice, "You disabled LearnCircuitBuildTimeout, but didn't specify a CircuitBuildTimeout. I'll pick a plausible default.")
	} else if d < 10*time.Second {
		v.warn("CircuitBuildTimeout is shorter (%d seconds) than the recommended minimum (10 seconds), and LearnCircuitBuildTimeout is disabled. If tor isn't working, raise this value or enable LearnCircuitBuildTimeout.", int(d.Seconds()))
	}
}

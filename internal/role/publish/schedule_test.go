package publish

import (
	"net/netip"
	"testing"
	"time"
)

func TestOutdated(t *testing.T) {
	or, or6 := netip.MustParseAddrPort("1.2.3.4:9001"), netip.MustParseAddrPort("[2001:db8::1]:9001")
	base := facts{or: or, or6: or6, families: "f"}
	for _, tt := range []struct {
		name string
		f    func(*facts)
		want string
	}{
		{"nothing", func(*facts) {}, ""},
		{"IPv4 address", func(f *facts) { f.or = netip.MustParseAddrPort("1.2.3.5:9001") }, "IP address changed"},
		{"IPv4 port", func(f *facts) { f.or = netip.MustParseAddrPort("1.2.3.4:9002") }, "Chosen Or/DirPort changed"},
		{"IPv6 address", func(f *facts) { f.or6 = netip.MustParseAddrPort("[2001:db8::2]:9001") }, "IP address changed"},
		{"IPv6 port", func(f *facts) { f.or6 = netip.MustParseAddrPort("[2001:db8::1]:9002") }, "Chosen Or/DirPort changed"},
		{"IPv6 gone", func(f *facts) { f.or6 = netip.AddrPort{} }, "IP address changed"},
		{"onion key", func(f *facts) { f.onion[0]++ }, "rotated onion key"},
		{"signing key", func(f *facts) { f.signing[0]++ }, "new signing key"},
		{"family", func(f *facts) { f.families = "" }, "new family keys"},
		{"hibernation", func(f *facts) { f.hibernating = true }, "hibernation"},
		{"overload", func(f *facts) { f.overloaded = true }, "overload"},
		{"bandwidth", func(f *facts) { f.observed = 1 << 40 }, ""},
	} {
		now := base
		tt.f(&now)
		if got := base.outdated(&now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	without := facts{or: or}
	with := facts{or: or, or6: or6}
	if got := without.outdated(&with); got != "ORPort found reachable" {
		t.Errorf("IPv6 found: %q", got)
	}
	overloaded := facts{or: or, overloaded: true}
	if got := overloaded.outdated(&without); got != "" {
		t.Errorf("overload is over: %q", got)
	}
}

// https://spec.torproject.org/dir-spec/uploading-relay-documents.html
func TestStale(t *testing.T) {
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, tt := range []struct {
		name string
		age  time.Duration
		net  Network
		want string
	}{
		{"fresh", time.Hour, Network{Live: true}, ""},
		{"not listed", 91 * time.Minute, Network{Live: true}, "not listed in consensus"},
		{"not listed, for all we know", 91 * time.Minute, Network{}, ""},
		{"listed", 17 * time.Hour, Network{Live: true, Listed: true}, ""},
		{"stale", 91 * time.Minute, Network{Live: true, Listed: true, Stale: true, ValidAfter: ago(time.Hour)}, "listed as stale in consensus"},
		{"stale before", 91 * time.Minute, Network{Live: true, Listed: true, Stale: true, ValidAfter: ago(2 * time.Hour)}, ""},
		{"just 18 hours", 18 * time.Hour, Network{Live: true, Listed: true}, ""},
		{"old", 18*time.Hour + time.Second, Network{Live: true, Listed: true}, "time for new descriptor"},
		{"a second of the future", -time.Second, Network{}, ""},
		{"of the future", -time.Hour, Network{}, "clock jumped"},
	} {
		if got := stale(ago(tt.age), &tt.net, now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// C tor: check_descriptor_bandwidth_changed.
func TestCheckBandwidth(t *testing.T) {
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name        string
		old, new    uint64
		uptime      time.Duration
		since       time.Duration // the last time
		hibernating bool
		quick       bool
		want        bool
	}{
		{"same", 100, 100, time.Hour, time.Hour, false, false, false},
		{"double", 100, 200, time.Hour, 4 * time.Hour, false, false, false},
		{"more than double", 100, 201, time.Hour, 4 * time.Hour, false, false, true},
		{"half", 100, 50, time.Hour, 4 * time.Hour, false, false, false},
		{"less than half", 100, 49, time.Hour, 4 * time.Hour, false, false, true},
		{"too soon", 100, 300, time.Hour, 3 * time.Hour, false, false, false},
		{"too soon, in a test network", 100, 300, time.Hour, time.Minute, false, true, true},
		{"none before", 0, 1, time.Hour, time.Minute, false, false, true},
		{"none now", 1, 0, time.Hour, 4 * time.Hour, false, false, true},
		{"none at all", 0, 0, time.Hour, 4 * time.Hour, false, false, false},
		{"up for long", 100, 300, 25 * time.Hour, 4 * time.Hour, false, false, false},
		{"up for long, hibernating", 100, 0, 25 * time.Hour, 4 * time.Hour, true, false, true},
	} {
		s := schedule{bandwidth: now.Add(-tt.since)}
		d := &Documents{Published: now, facts: facts{observed: tt.old, hibernating: tt.hibernating}}
		s.check(d, &facts{observed: tt.new, hibernating: tt.hibernating}, &Network{}, tt.uptime, tt.quick, now)
		if got := s.reason == "bandwidth has changed"; got != tt.want || got != s.bandwidth.Equal(now) {
			t.Errorf("%s: %q, %v, want %v", tt.name, s.reason, s.bandwidth, tt.want)
		}
	}
}

// The first reason is the one that authorities are told.
func TestMark(t *testing.T) {
	var s schedule
	s.mark("a")
	s.mark("b")
	s.check(&Documents{}, &facts{}, &Network{}, 0, false, time.Now())
	if s.reason != "a" {
		t.Errorf("got %q", s.reason)
	}
}

package admit

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/keypin"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/torversion"
)

// C tor: router_differences_are_cosmetic.
func TestCosmetic(t *testing.T) {
	const h = time.Hour
	start := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	old := routerdesc.Descriptor{
		Nickname: "a", OR: netip.MustParseAddrPort("192.0.2.1:1"), OnionKey: []byte{1}, Platform: "Tor x", Contact: "c", Published: start,
		Bandwidth: routerdesc.Bandwidth{Rate: 10, Burst: 20, Observed: 100}, Family: []string{"b", "c"}, Uptime: 100 * h, DirCache: true,
		Policy: exitpolicy.Policy{{Accept: true, Ports: exitpolicy.AllPorts}},
	}
	for _, tt := range []struct {
		name   string
		change func(d *routerdesc.Descriptor)
		want   bool
	}{
		{"nothing", func(*routerdesc.Descriptor) {}, true},
		{"case", func(d *routerdesc.Descriptor) {
			d.Nickname, d.Platform, d.Contact, d.Family = "A", "tor X", "C", []string{"B", "c"}
		}, true},
		{"HSDir", func(d *routerdesc.Descriptor) { d.HSDir = true }, true},
		{"nickname", func(d *routerdesc.Descriptor) { d.Nickname = "b" }, false},
		{"address", func(d *routerdesc.Descriptor) { d.OR = netip.MustParseAddrPort("192.0.2.2:1") }, false},
		{"port", func(d *routerdesc.Descriptor) { d.OR = netip.MustParseAddrPort("192.0.2.1:2") }, false},
		{"IPv6", func(d *routerdesc.Descriptor) { d.OR6 = netip.MustParseAddrPort("[2001:db8::1]:1") }, false},
		{"DirPort", func(d *routerdesc.Descriptor) { d.DirPort = 1 }, false},
		{"TAP key", func(d *routerdesc.Descriptor) { d.OnionKey = nil }, false},
		{"ntor key", func(d *routerdesc.Descriptor) { d.Ntor[0]++ }, false},
		{"platform", func(d *routerdesc.Descriptor) { d.Platform = "" }, false},
		{"contact", func(d *routerdesc.Descriptor) { d.Contact = "" }, false},
		{"hibernating", func(d *routerdesc.Descriptor) { d.Hibernating = true }, false},
		{"policy", func(d *routerdesc.Descriptor) { d.Policy = nil }, false},
		{"cache", func(d *routerdesc.Descriptor) { d.DirCache = false }, false},
		{"family", func(d *routerdesc.Descriptor) { d.Family = []string{"b"} }, false},
		{"rate", func(d *routerdesc.Descriptor) { d.Bandwidth.Rate = 11 }, false},
		{"burst", func(d *routerdesc.Descriptor) { d.Bandwidth.Burst = 21 }, false},
		{"half", func(d *routerdesc.Descriptor) { d.Bandwidth.Observed = 50 }, true},
		{"less than half", func(d *routerdesc.Descriptor) { d.Bandwidth.Observed = 49 }, false},
		{"double", func(d *routerdesc.Descriptor) { d.Bandwidth.Observed = 201 }, true},
		{"more than double", func(d *routerdesc.Descriptor) { d.Bandwidth.Observed = 202 }, false},
		{"two hours", func(d *routerdesc.Descriptor) { d.Published = start.Add(2 * h) }, true},
		{"more than two hours", func(d *routerdesc.Descriptor) { d.Published = start.Add(2*h + time.Second) }, false},
		{"uptime", func(d *routerdesc.Descriptor) { d.Published, d.Uptime = start.Add(h), 101*h+6*h }, true},
		{"uptime of a restart", func(d *routerdesc.Descriptor) { d.Uptime = 0 }, false},
		{"uptime off by a little", func(d *routerdesc.Descriptor) { d.Uptime = 105 * h }, true},
		{"uptime off by more", func(d *routerdesc.Descriptor) { d.Uptime = 107 * h }, false},
	} {
		d := old
		tt.change(&d)
		if got := cosmetic(&old, &d); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

// Our own descriptor counts however little is new. An Ed25519 identity that is no whole key is refused without a word.
func TestJudgeUpload(t *testing.T) {
	start := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	old := routerdesc.Descriptor{OnionKey: []byte{1}, Published: start, RSA: [20]byte{1}}
	d := old
	d.Published = start.Add(time.Minute)
	for _, tt := range []struct {
		name    string
		own     [20]byte
		goodKey bool
		want    verdict
	}{
		{"another's", [20]byte{}, true, verdict{Known, msgCosmetic}},
		{"our own", [20]byte{1}, true, verdict{}},
		{"bad key", [20]byte{1}, false, verdict{Rejected, msgNoMessage}},
	} {
		cfg := Config{Own: tt.own, PinKeys: true}
		if got := cfg.judgeUpload(&old, &d, keypin.New(), tt.goodKey); got != tt.want {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

// C tor: tor_version_parse_platform.
func TestPlatformVersion(t *testing.T) {
	for _, tt := range []struct {
		platform, want string // no version: no Tor
		ok             bool
	}{
		{"Tor 0.4.9.11 on Linux", "0.4.9.11", true},
		{"Tor 0.4.9.11", "0.4.9.11", true},
		{"Tor   0.4.9.11-alpha (git-0123) on x", "0.4.9.11-alpha (git-0123)", true},
		{"Tor 0.4.9.11 (r123) on x", "0.4.9.11 (r123)", true},
		{"Tor 0.4.9.11 (other) on x", "0.4.9.11", true},
		{"tor 0.1 on x", "", true},
		{"", "", true},
		{"Torx 0.1", "", true},
		{"Tor ", "", false},
		{"Tor x", "", false},
		{"Tor 0.4.9.11 (git-012) on x", "", false},
		{"Tor 0.4.9.11-" + strings.Repeat("x", maxPlatform-9), "0.4.9.11-" + strings.Repeat("x", 31), true},
		{"Tor 0.4.9.11-" + strings.Repeat("x", maxPlatform-8), "", false},
	} {
		got, isTor, ok := platformVersion(tt.platform)
		want, known := torversion.Parse(tt.want)
		if ok != tt.ok || ok && isTor != known || ok && isTor && got != want {
			t.Errorf("%.40q: got %+v %v %v", tt.platform, got, isTor, ok)
		}
	}
}

// However many sources there are, the memory for them is bounded, and those that come late share.
func TestSources(t *testing.T) {
	l := newLimiter(Limits{SourceRate: 1, SourceBurst: 2, StrangerRate: 1 << 20, StrangerBurst: 1 << 20})
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	addr := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}) }
	for n := range maxSources {
		if !l.take(addr(n), 1, false, now) {
			t.Fatal("refused", n)
		}
	}
	shared := 0
	for n := range 10 {
		if l.take(addr(maxSources+n), 1, false, now) {
			shared++
		}
	}
	if shared != 2 || len(l.sources) != maxSources {
		t.Errorf("%d of those that share; %d sources", shared, len(l.sources))
	}
	if !l.take(addr(maxSources), 1, true, now) {
		t.Error("a relay that is known must share")
	}
	if now = now.Add(4 * time.Second); !l.take(addr(maxSources+1), 1, false, now) || len(l.sources) != 1 {
		t.Errorf("%d sources, when all could start anew", len(l.sources))
	}
	// A network of IPv6 is one source, and no address is one too.
	for i, a := range []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), {}, {}} {
		if !l.take(a, 1, false, now) {
			t.Errorf("%d: refused", i)
		}
	}
	if l.take(netip.MustParseAddr("2001:db8::3"), 1, false, now) || l.take(netip.Addr{}, 1, false, now) {
		t.Error("more than the burst")
	}
}

package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const ads = "203.0.113.80"

// liar sends all names that are not in the zone, and those for which all is true, to advertisements.
func liar(all func(name string) bool, rrs ...string) handler {
	truth := zone(rrs...)
	return func(x *exchange) {
		known := slices.ContainsFunc(rrs, func(rr string) bool { return strings.HasPrefix(rr, x.name) })
		if known && !all(x.name) {
			truth(x)
			return
		}
		if x.q.Question[0].Qtype != dns.TypeA {
			x.reply(x.msg())
			return
		}
		x.reply(x.msg(x.name + " 60 IN A " + ads))
	}
}

var wellKnown = []string{
	"www.example. 60 IN A 203.0.113.1", "shared.example. 60 IN A " + ads, "shared.example. 60 IN A 203.0.113.2",
	"www.google.com. 60 IN A 203.0.113.11", "www.mit.edu. 60 IN A 203.0.113.12",
	"www.yahoo.com. 60 IN A 203.0.113.13", "www.slashdot.org. 60 IN A 203.0.113.14",
}

const testsDone = firstTestMax + betweenRounds + 10*time.Second

func TestHonestServer(t *testing.T) {
	inBed(t, 1, zone(wellKnown...), nil, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		time.Sleep(firstTestMin - time.Second)
		if n := b.servers[0].questions(); n != 0 {
			t.Errorf("%d questions right after the start", n)
		}
		time.Sleep(testsDone)
		asked := b.servers[0].got()
		suffixes := map[string]int{}
		for _, x := range asked {
			name := strings.TrimSuffix(x.name, ".")
			suffixes[name[strings.LastIndex(name, ".")+1:]]++
		}
		if len(asked) != 24+8 || suffixes["invalid"] != 4 || suffixes["test"] != 4 || suffixes["edu"] != 2 {
			t.Errorf("%d questions: %v", len(asked), suffixes)
		}
		if b.r.Broken() || len(b.kinds()) > 0 {
			t.Error("an honest server counts as a liar")
		}
		time.Sleep(24 * time.Hour)
		if n := b.servers[0].questions(); n < 2*32 {
			t.Errorf("%d questions after a day; no test?", n)
		}
	})
}

func TestHijackedFailures(t *testing.T) {
	none := func(string) bool { return false }
	inBed(t, 1, liar(none, wellKnown...), nil, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		b.wantAddrs("none.example", both, ads) // not known yet, and cached
		b.wantAddrs("shared.example", both, ads+" 203.0.113.2")
		time.Sleep(testsDone)
		b.wantErr("none.example", both, ErrNotFound, true)
		b.wantErr("other.example", both, ErrNotFound, true)
		b.wantAddrs("www.example", both, good)
		b.wantAddrs("shared.example", both, "203.0.113.2")
		if b.r.Broken() {
			t.Error("broken, though names that exist are answered well")
		}
		if got, want := b.kinds(), []EventKind{Hijacked}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		// The provider stops it, and the address is a site like others again.
		b.servers[0].setHandler(zone(wellKnown...))
		time.Sleep(25 * time.Hour)
		b.wantAddrs("shared.example", both, ads+" 203.0.113.2")
	})
}

func TestHijackedEverything(t *testing.T) {
	all := func(name string) bool { return name != "www.mit.edu." }
	inBed(t, 1, liar(all, wellKnown...), nil, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		time.Sleep(testsDone)
		if !b.r.Broken() {
			t.Fatal("three of four test addresses lead to junk, and it is not broken")
		}
		b.wantErr("www.example", both, ErrNotFound, true)
		if got, want := b.kinds(), []EventKind{Hijacked, Useless}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		// It is tested more often, and found to be well again.
		b.servers[0].setHandler(zone(wellKnown...))
		time.Sleep(brokenRetest + time.Minute)
		if b.r.Broken() {
			t.Error("still broken")
		}
		if got, want := b.kinds(), []EventKind{Useful}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		b.servers[0].setHandler(liar(all, wellKnown...))
		time.Sleep(25 * time.Hour)
		if !b.r.Broken() {
			t.Fatal("not broken again")
		}
		// Other servers begin without a past, and are tested at once.
		other := newFakeServer(t, b.net, "198.51.100.77", zone(wellKnown...))
		b.setConf("nameserver 198.51.100.77\n")
		if err := b.r.Reload(); err != nil || b.r.Broken() {
			t.Errorf("broken after Reload, %v", err)
		}
		time.Sleep(betweenRounds + 10*time.Second)
		if other.questions() != 32 || b.r.Broken() {
			t.Errorf("%d questions, broken %v", other.questions(), b.r.Broken())
		}
	})
}

// Half of the test addresses, but not more, may be wrong.
func TestHalfHijacked(t *testing.T) {
	half := func(name string) bool { return name == "www.google.com." || name == "www.mit.edu." }
	inBed(t, 1, liar(half, wellKnown...), nil, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		time.Sleep(testsDone)
		if b.r.Broken() {
			t.Error("broken")
		}
	})
}

func TestNoHijackTest(t *testing.T) {
	inBed(t, 1, always(ads), func(c *Config) { c.NoHijackTest = true }, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		time.Sleep(48 * time.Hour)
		if n := b.servers[0].questions(); n != 0 {
			t.Errorf("%d questions", n)
		}
	})
	inBed(t, 1, always(ads), func(c *Config) { c.TestAddresses = []string{} }, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		time.Sleep(testsDone)
		if n := b.servers[0].questions(); n != 24 || b.r.Broken() {
			t.Errorf("%d questions without test addresses, broken %v", n, b.r.Broken())
		}
		b.wantErr("www.example", both, ErrNotFound, true)
	})
}

// A server that gives other addresses all the time makes no list grow.
func TestManyLies(t *testing.T) {
	h := newHijack()
	for i := range 10000 {
		addr := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
		if condemned, _, _ := h.bogus([]netip.Addr{addr}); len(condemned) > 0 {
			t.Fatalf("%v is condemned for one answer", condemned)
		}
	}
	if len(h.counts) > maxBogusAddrs {
		t.Errorf("%d addresses are counted", len(h.counts))
	}
}

// An address is condemned by the sixth answer, once eleven names were asked for.
func TestWhenCondemned(t *testing.T) {
	h := newHijack()
	addr := []netip.Addr{netip.MustParseAddr(ads)}
	for i := 1; i <= 11; i++ {
		condemned, first, hijacked := h.bogus(addr)
		if got, want := fmt.Sprint(len(condemned), first, hijacked), fmt.Sprint(i/11, i == 1, i == 11); got != want {
			t.Errorf("answer %d: got %s, want %s", i, got, want)
		}
	}
}

package publish

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/params"
)

func TestPublish(t *testing.T) {
	run(t, nil, func(b *bed) {
		d := b.want(1, 1)
		if d.OR != netip.AddrPortFrom(addr4, 9001) || d.OR6.IsValid() || d.Nickname != "me" || d.Bandwidth.Observed != 60_000 || !d.DirCache || d.Hibernating || d.OnionKey == nil {
			t.Errorf("%+v", d)
		}
		if b.p.Current().Digest != d.Digest || len(b.p.Addrs()) != 1 {
			t.Error("the current documents are others")
		}
		b.wantReason("Tor just started")
		time.Sleep(17 * time.Hour)
		b.want(1, 1)
		time.Sleep(2 * time.Hour)
		b.want(2, 2)
		b.wantReason("time for new descriptor")
		// Changes come together, and not more often than once a minute.
		b.p.Changed("policy")
		b.p.Hibernate(true)
		if d := b.want(3, 3); d.Hibernating {
			t.Error("hibernating before the time")
		}
		b.wantReason("policy")
		time.Sleep(2 * time.Minute)
		if d := b.want(4, 4); !d.Hibernating || d.Bandwidth.Observed != 0 {
			t.Error("does not hibernate")
		}
		b.p.Hibernate(false)
		if d := b.want(5, 5); d.Hibernating || d.Uptime > time.Minute || d.Bandwidth.Observed == 0 {
			t.Errorf("awake: %+v", d)
		}
		b.wantReason("hibernation")
	})
}

// A descriptor that consensuses do not have, or have as a stale one, is made anew more often.
func TestNotListed(t *testing.T) {
	run(t, nil, func(b *bed) {
		time.Sleep(10 * time.Hour)
		b.want(1, 1) // without a consensus nobody knows
		b.set(func() { b.net = Network{Live: true} })
		b.p.Check()
		b.want(2, 2)
		b.wantReason("not listed in consensus")
		time.Sleep(80 * time.Minute)
		b.want(2, 2)
		time.Sleep(12 * time.Minute)
		b.want(3, 3)
		b.set(func() { b.net.Listed, b.net.Stale, b.net.ValidAfter = true, true, time.Now() })
		time.Sleep(92 * time.Minute)
		b.want(4, 4)
		b.wantReason("listed as stale in consensus")
		time.Sleep(10 * time.Hour)
		b.want(4, 4) // that consensus is of before the descriptor
	})
}

// Who does not tell of the network in full may tell what he knows.
func TestListed(t *testing.T) {
	var listed time.Time
	ready, tap := true, true
	c := Config{Listed: func() time.Time { return listed }, Ready: func() bool { return ready }, DummyTAP: func() bool { return tap }}.withDefaults()
	check := func(live, isListed bool, tap int32) {
		t.Helper()
		if n := c.Network(time.Now()); n.Live != live || n.Listed != isListed || n.Params.Of(params.PublishDummyTAP) != tap {
			t.Errorf("%+v", n)
		}
	}
	check(true, false, 1)
	listed, tap = time.Now(), false
	check(true, true, 0)
	ready = false
	check(false, false, 0)
}

// What the publisher can see needs no telling.
func TestFacts(t *testing.T) {
	run(t, nil, func(b *bed) {
		b.want(1, 1)
		b.set(func() { b.overloaded = time.Now() })
		time.Sleep(2 * time.Minute)
		if d := b.want(2, 2); d.OverloadGeneral.IsZero() {
			t.Error("no overload")
		}
		b.wantReason("overload")
		b.set(func() { b.overloaded = time.Time{} })
		time.Sleep(time.Hour)
		b.want(2, 2)
		b.p.SetInfo(b.p.cfg.Info) // nothing new
		b.want(2, 2)
		other := b.p.cfg.Info
		other.Contact = "me@example.org"
		b.p.SetInfo(other)
		if d := b.want(3, 3); d.Contact != other.Contact {
			t.Error("no contact")
		}
		b.wantReason("config change")
		// Links have new keys every two hours, which descriptors do not tell of.
		if keysLinks == keysFirst || keysLinks.Link() == keysFirst.Link() {
			t.Fatal("links have the same keys")
		}
		b.set(func() { b.keys = keysLinks })
		b.p.Check()
		time.Sleep(time.Hour)
		b.want(3, 3)
		b.set(func() { b.keys = keysMonth })
		b.p.Check()
		if d := b.want(4, 4); d.Ntor != keysMonth.OnionKeys()[0].Public() || d.SigningKey != keysMonth.SigningCert().Key {
			t.Error("old keys")
		}
		b.wantReason("rotated onion key")
		time.Sleep(time.Hour)
		b.set(func() { b.net.Params = params.List{{Name: "publish-dummy-tap-key"}} })
		b.p.Changed("test")
		if d := b.want(5, 5); d.OnionKey != nil {
			t.Error("TAP key")
		}
		b.set(func() { b.clock -= 48 * time.Hour })
		time.Sleep(time.Minute)
		b.want(6, 6)
		b.wantReason("clock jumped")
	})
}

// A configuration that says the same makes no other descriptor; another policy does.
func TestSetInfo(t *testing.T) {
	run(t, nil, func(b *bed) {
		b.want(1, 1)
		b.p.SetInfo(b.p.cfg.Info)
		time.Sleep(time.Hour)
		b.want(1, 1)
		b.set(func() { b.policy = exitpolicy.Config{Ending: exitpolicy.EndReject} })
		b.p.SetInfo(b.p.cfg.Info)
		if d := b.want(2, 2); !d.RejectsAll() {
			t.Errorf("policy %v", d.Policy)
		}
		b.wantReason("config change")
	})
}

// The bandwidth that a young relay has shown is told when it is another by far.
func TestBandwidth(t *testing.T) {
	run(t, nil, func(b *bed) {
		bandwidth := func(n uint64) { b.set(func() { b.observed = n }) }
		b.want(1, 1)
		bandwidth(200_000)
		time.Sleep(time.Minute + time.Second)
		b.want(2, 2)
		b.wantReason("bandwidth has changed")
		bandwidth(500_000)
		time.Sleep(2 * time.Hour)
		b.want(2, 2) // not so soon again
		time.Sleep(time.Hour + time.Minute)
		b.want(3, 3)
		bandwidth(600_000)
		time.Sleep(4 * time.Hour)
		b.want(3, 3)
		bandwidth(0)
		time.Sleep(time.Minute + time.Second)
		b.want(4, 4)
		bandwidth(1000) // after nothing, anything is news
		time.Sleep(time.Minute + time.Second)
		b.want(5, 5)
		time.Sleep(19 * time.Hour) // the old relay
		n, _, _ := b.uploads()
		bandwidth(1_000_000)
		time.Sleep(4 * time.Hour)
		b.want(n, n)
	})
}

// Nothing is published that should not be.
func TestUnpublished(t *testing.T) {
	for name, change := range map[string]func(*Info){
		"PublishServerDescriptor 0": func(i *Info) { i.Publish = false },
		"no ORPort is advertised":   func(i *Info) { i.Port = 0 },
		"private address":           func(i *Info) { i.Addrs = []netip.Addr{addr("10.0.0.1")} },
		"no test":                   func(i *Info) { i.AssumeIPv4 = false },
		"no nickname":               func(i *Info) { i.Nickname = "" },
	} {
		run(t, change, func(b *bed) {
			time.Sleep(time.Hour)
			if n, _, _ := b.uploads(); n > 0 {
				t.Errorf("%s: published", name)
			}
		})
	}
	// An address in a private network will do if nobody gets to know it.
	run(t, func(i *Info) { i.Publish, i.Addrs = false, []netip.Addr{addr("10.0.0.1")} }, func(b *bed) {
		b.want(0, 0)
		if d := b.p.Current(); d == nil || d.OR.Addr() != addr("10.0.0.1") {
			t.Error("no descriptor")
		}
	})
	// With a wrong clock, times in descriptors would be wrong.
	run(t, nil, func(b *bed) {
		b.set(func() { b.skewed = true })
		b.p.Changed("test")
		time.Sleep(19 * time.Hour)
		b.want(1, 1)
		b.set(func() { b.skewed = false })
		b.p.Check()
		b.want(2, 2)
	})
}

// A relay starts, tests itself, and is published: all that operators and controllers see of it.
func TestStart(t *testing.T) {
	run(t, func(i *Info) { i.AssumeIPv4 = false }, func(b *bed) {
		b.wantLogged(0, "Guessed our IP address")
		b.wantLogged(1, "Now checking whether IPv4 ORPort 1.2.3.4:9001 is reachable... (this may take up to 20 minutes -- look for log messages indicating success)")
		b.p.Incoming(addr4, addr("9.9.9.9"))
		b.want(1, 1)
		b.wantLogged(1, "Self-testing indicates your ORPort 1.2.3.4:9001 is reachable from the outside. Excellent. Publishing server descriptor.")
		b.wantLogged(1, "Performing bandwidth self-test...done.")
		var names []string
		for _, e := range happened[any](b) {
			switch e := e.(type) {
			case ExternalAddress:
				names = append(names, "address "+e.Addr.String()+" "+string(e.Method))
			case Made:
				names = append(names, "made")
			case Checking:
				names = append(names, "checking "+e.OR.String())
			case Reachable:
				names = append(names, "reachable "+e.OR.String())
			case Accepted:
				names = append(names, "accepted")
			}
		}
		want := []string{"address 1.2.3.4 CONFIGURED", "made", "checking 1.2.3.4:9001", "reachable 1.2.3.4:9001", "accepted", "accepted"}
		if len(names) != len(want) {
			t.Fatalf("events %q, want %q", names, want)
		}
		for i := range want {
			if names[i] != want[i] {
				t.Errorf("events %q, want %q", names, want)
			}
		}
	})
}

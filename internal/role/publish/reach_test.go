package publish

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func same(d time.Duration) time.Duration { return d }

// A family tests every minute, and more seldom after it has complained.
func TestFamilyTests(t *testing.T) {
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	f := family{v6: true}
	if !f.set(netip.AddrPortFrom(addr6, 1), Configured) || f.set(netip.AddrPortFrom(addr6, 1), Interface) || f.method != Interface {
		t.Error("set")
	}
	if !f.due().IsZero() {
		t.Error("due before anything can be tested")
	}
	if !f.begin(now, maxPatience) || f.begin(now, maxPatience) {
		t.Error("tests begin once")
	}
	tests, warnings := 0, 0
	for end := now.Add(2 * time.Hour); now.Before(end); {
		if f.test(now, same) {
			tests++
			if f.test(now, same) {
				t.Fatal("two at a time")
			}
			f.testing = false
		}
		if f.hopeless(now, maxPatience) {
			warnings++
		}
		next := f.due()
		if !next.After(now) {
			t.Fatalf("due at %v, which is not after %v", next, now)
		}
		now = next
	}
	if tests != 20+5 && tests != 20+6 || warnings != 5 {
		t.Errorf("%d tests, %d warnings", tests, warnings)
	}
	f.last, f.next = now, now.Add(lateInterval)
	if f.hurry(same); !f.next.Equal(now.Add(retestInterval)) {
		t.Errorf("next test %v", f.next)
	}
	f.reached = true
	if f.hopeless(now.Add(time.Hour), maxPatience) || !f.due().IsZero() {
		t.Error("more to do although somebody has come in")
	}
}

func TestBandwidthTest(t *testing.T) {
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	const plenty = 1 << 30
	var b bandwidthTest
	if !b.test(0, plenty, now) || b.test(0, plenty, now) {
		t.Fatal("the first test")
	}
	b.ended(false, now, same)
	if b.test(0, plenty, now) || !b.test(0, plenty, now.Add(time.Minute)) {
		t.Error("the second test")
	}
	now = now.Add(time.Hour)
	b.ended(false, now, same)
	if b.test(0, plenty, now.Add(19*time.Minute)) || !b.test(0, plenty, now.Add(20*time.Minute)) {
		t.Error("a late test")
	}
	b.ended(true, now, same)
	for _, tt := range []struct {
		name           string
		observed, rate uint64
		want           bool
	}{
		{"enough", lowBandwidth, plenty, false},
		{"all there is", 1000, 1000, false},
		{"little", lowBandwidth - 1, plenty, true},
	} {
		c := b
		if c.test(0, plenty, now.Add(11*time.Hour)) || c.test(tt.observed, tt.rate, now.Add(12*time.Hour)) != tt.want {
			t.Errorf("%s: after half a day", tt.name)
		}
	}
	if b.again(); !b.test(plenty, plenty, now) {
		t.Error("at another address")
	}
}

// Nothing is published before somebody has come in from outside.
func TestReachability(t *testing.T) {
	or4, or6 := netip.AddrPortFrom(addr4, 9001), netip.AddrPortFrom(addr6, 9001)
	run(t, func(i *Info) { i.AssumeIPv4 = false; i.Addrs = append(i.Addrs, addr6); i.Port6 = 9001 }, func(b *bed) {
		b.want(0, 0)
		time.Sleep(21 * time.Minute)
		b.want(0, 0)
		b.wantLogged(1, "Your server has not managed to confirm reachability for its ORPort(s) at 1.2.3.4:9001 and [2001:db8::1]:9001. Relays do not publish descriptors until their ORPort(s) are reachable.")
		if n := len(happened[Unreachable](b)); n != 2 {
			t.Errorf("%d events", n)
		}
		if b.tested(or4) < 20 || b.tested(or6) < 20 {
			t.Errorf("%d and %d tests", b.tested(or4), b.tested(or6))
		}
		b.p.Reached(false)
		if d := b.want(1, 1); d.OR6.IsValid() {
			t.Error("IPv6 is published untested")
		}
		time.Sleep(20 * time.Minute)
		b.wantLogged(1, `level=WARN msg="IPv6 address [2001:db8::1]:9001 has not been found reachable. However, IPv4 address is reachable.`)
		time.Sleep(10 * time.Hour)
		b.wantLogged(1, "has not been found reachable")
		b.p.Reached(true)
		time.Sleep(2 * time.Minute)
		if d := b.want(2, 2); d.OR6 != or6 {
			t.Errorf("IPv6 address %v", d.OR6)
		}
		b.wantReason("ORPort found reachable")
		b.wantLogged(1, "Self-testing indicates your ORPort [2001:db8::1]:9001 is reachable from the outside. Excellent. Publishing server descriptor.")
		n := b.tested(or4) + b.tested(or6)
		time.Sleep(time.Hour)
		if b.tested(or4)+b.tested(or6) != n {
			t.Error("tests go on")
		}
	})
	for name, unset := range map[string]func(b *bed){
		"no directory": func(b *bed) { b.set(func() { b.unready = true }) },
		"hibernating":  func(b *bed) { b.p.Hibernate(true) },
	} {
		run(t, func(i *Info) { i.AssumeIPv4 = false }, func(b *bed) {
			unset(b)
			before := b.tested(or4)
			time.Sleep(time.Hour)
			if b.tested(or4) > before || get(b, &b.bandwidths) > 0 {
				t.Errorf("%s: %d tests", name, b.tested(or4))
			}
		})
	}
	// The authorities can let relays be published that cannot test themselves.
	for param, n := range map[string]int{"assume-reachable": 1, "assume-reachable-ipv6": 0} {
		run(t, func(i *Info) { i.AssumeIPv4 = false }, func(b *bed) {
			b.set(func() { b.net.Params = append(b.net.Params, paramOf(param)) })
			b.p.Check()
			b.want(n, n)
			if b.tested(or4) == 0 {
				t.Error("no tests")
			}
		})
	}
}

// Directory news bring tests, but not more than one a minute.
func TestCheckHurries(t *testing.T) {
	or := netip.AddrPortFrom(addr4, 9001)
	run(t, func(i *Info) { i.AssumeIPv4 = false }, func(b *bed) {
		b.set(func() { b.testErr = errors.New("no circuit") })
		time.Sleep(50 * time.Minute)
		n := b.tested(or)
		for range 120 {
			b.p.Check()
			time.Sleep(time.Second)
		}
		if more := b.tested(or) - n; more < 2 || more > 3 {
			t.Errorf("%d tests in two minutes", more)
		}
	})
}

// Who came in from where counts.
func TestIncoming(t *testing.T) {
	far := addr("9.9.9.9")
	for _, tt := range []struct {
		name       string
		private    bool
		seen, peer netip.Addr
		want       bool
	}{
		{"from afar", false, addr4, far, true},
		{"mapped", false, netip.AddrFrom16(addr4.As16()), netip.AddrFrom16(far.As16()), true},
		{"to another address", false, addr("1.2.3.5"), far, false},
		{"no address", false, netip.Addr{}, far, false},
		{"nobody", false, addr4, netip.Addr{}, false},
		{"from next door", false, addr4, addr("1.2.3.77"), false},
		{"from inside", false, addr4, addr("192.168.1.1"), false},
		{"from inside, in a test network", true, addr4, addr("127.0.0.1"), true},
		{"other family", false, addr4, addr("2001:db9::1"), false},
		{"IPv6", false, addr6, addr("2001:db9::1"), false},
	} {
		run(t, func(i *Info) { i.AssumeIPv4, i.Private = false, tt.private }, func(b *bed) {
			b.p.Incoming(tt.seen, tt.peer)
			if n, _, _ := b.uploads(); (n > 0) != tt.want {
				t.Errorf("%s: %d uploads", tt.name, n)
			}
		})
	}
	run(t, nil, func(b *bed) {
		b.p.Incoming(addr4, far)
		if n := testing.AllocsPerRun(100, func() { b.p.Incoming(addr4, far) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
	if isNear(addr("2001:db8:1::1"), addr6) || !isNear(addr("2001:db8:0:ffff::1"), addr6) {
		t.Error("IPv6 networks")
	}
}

// Tests begin anew when the address is another one, and what came in before does not count.
func TestMoved(t *testing.T) {
	run(t, func(i *Info) { i.AssumeIPv4, i.Addrs = false, nil }, func(b *bed) {
		b.wantLogged(1, "Unable to find IPv4 address for ORPort 9001. You might want to specify IPv6Only to it or set an explicit address or set Address.")
		b.set(func() { b.system = []netip.Addr{addr("127.0.0.1"), addr("10.0.0.1"), addr4} })
		time.Sleep(time.Minute)
		b.wantLogged(1, "Guessed our IP address as 1.2.3.4 (source: METHOD=INTERFACE).")
		b.p.Incoming(addr4, addr("9.9.9.9"))
		b.want(1, 1)
		time.Sleep(7 * time.Hour)
		b.set(func() { b.system = nil }) // away for a moment
		time.Sleep(time.Hour)
		b.want(1, 1)
		b.set(func() { b.system = []netip.Addr{addr("5.6.7.8")} })
		time.Sleep(time.Minute)
		b.want(1, 1)
		b.wantLogged(1, "Our IP Address has changed from 1.2.3.4 to 5.6.7.8; rebuilding descriptor (source: METHOD=INTERFACE).")
		b.wantLogged(1, "Now checking whether IPv4 ORPort 5.6.7.8:9001 is reachable")
		b.p.Incoming(addr4, addr("9.9.9.9"))
		b.want(1, 1)
		b.p.Incoming(addr("5.6.7.8"), addr("9.9.9.9"))
		d := b.want(2, 2)
		if d.OR.Addr() != addr("5.6.7.8") || d.Uptime > 2*time.Minute {
			t.Errorf("%v, up %v", d.OR, d.Uptime)
		}
		b.wantReason("IP address changed")
		b.wantLogged(2, "Performing bandwidth self-test...done.")
		// Interfaces come in any order.
		b.set(func() { b.system = []netip.Addr{addr4, addr("5.6.7.8")} })
		time.Sleep(time.Hour)
		b.want(2, 2)
	})
}

// A test of bandwidth that fails is made again.
func TestBandwidthRetries(t *testing.T) {
	run(t, func(i *Info) { i.AssumeIPv4 = false }, func(b *bed) {
		b.set(func() { b.testErr = errors.New("no circuit") })
		b.p.Incoming(addr4, addr("9.9.9.9"))
		time.Sleep(10 * time.Minute)
		b.want(1, 1)
		if n := get(b, &b.bandwidths); n < 9 {
			t.Errorf("%d tests", n)
		}
		b.set(func() { b.testErr = nil })
		time.Sleep(24 * time.Hour)
		b.wantLogged(1, "Performing bandwidth self-test...done.")
		b.set(func() { b.observed = 1000 })
		time.Sleep(time.Hour)
		b.wantLogged(2, "Performing bandwidth self-test...done.")
	})
}

package publish

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
)

func paramOf(name string) params.Value { return params.Value{Name: name, Value: 1} }

func list(texts ...string) (l []netip.Addr) {
	for _, s := range texts {
		l = append(l, addr(s))
	}
	return l
}

// C tor: find_my_address, address_can_be_used.
func TestGuess(t *testing.T) {
	hints := func(pairs ...string) (l []hint) {
		for i, s := range pairs {
			l = append(l, hint{addr: addr(s), who: fmt.Sprint(i)})
		}
		return l
	}
	for _, tt := range []struct {
		name string
		info Info
		src  sources
		now  string
		want string
		by   Method
	}{
		{"operator", Info{Addrs: list("1.1.1.1"), Bound: list("2.2.2.2")}, sources{system: list("3.3.3.3")}, "", "1.1.1.1", Configured},
		{"operator's will not do", Info{Addrs: list("10.1.1.1")}, sources{system: list("3.3.3.3")}, "", "", ""},
		{"of the other family", Info{Addrs: list("2001:db8::1")}, sources{system: list("3.3.3.3")}, "", "3.3.3.3", Interface},
		{"name", Info{Names: []string{"x"}}, sources{named: list("2001:db8::1", "1.1.1.1"), system: list("3.3.3.3")}, "", "1.1.1.1", Resolved},
		{"name of the other family", Info{Names: []string{"x"}}, sources{named: list("2001:db8::1"), system: list("3.3.3.3")}, "", "", ""},
		{"name of a private address", Info{Names: []string{"x"}, Private: true}, sources{named: list("10.0.0.1")}, "", "", ""},
		{"bound", Info{Bound: list("2.2.2.2")}, sources{system: list("3.3.3.3")}, "", "2.2.2.2", ORPort},
		{"bound to all", Info{Bound: list("0.0.0.0")}, sources{system: list("3.3.3.3")}, "", "3.3.3.3", Interface},
		{"bound inside", Info{Bound: list("192.168.1.1")}, sources{system: list("3.3.3.3")}, "", "3.3.3.3", Interface},
		{"system", Info{}, sources{system: list("127.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.1.1", "224.0.0.1", "3.3.3.3")}, "", "3.3.3.3", Interface},
		{"the one we have", Info{}, sources{system: list("3.3.3.3", "4.4.4.4")}, "4.4.4.4", "4.4.4.4", Interface},
		{"the one we had", Info{}, sources{system: list("3.3.3.3")}, "4.4.4.4", "3.3.3.3", Interface},
		{"better than the one we have", Info{Bound: list("2.2.2.2")}, sources{system: list("4.4.4.4")}, "4.4.4.4", "2.2.2.2", ORPort},
		{"host", Info{}, sources{system: list("10.0.0.1"), host: list("127.0.1.1", "5.5.5.5")}, "", "5.5.5.5", Hostname},
		{"most voices", Info{}, sources{system: list("192.168.1.1"), hints: hints("4.4.4.4", "5.5.5.5", "4.4.4.4", "10.0.0.1")}, "", "4.4.4.4", DirServer},
		{"as many voices", Info{}, sources{hints: hints("4.4.4.4", "5.5.5.5")}, "", "5.5.5.5", DirServer},
		{"private network", Info{Private: true, Bound: list("127.0.0.1")}, sources{}, "", "127.0.0.1", ORPort},
		{"private network, not told", Info{Private: true}, sources{system: list("10.0.0.1"), hints: hints("10.0.0.1")}, "", "", DirServer},
		{"for friends", Info{AssumeIPv4: true, Addrs: list("10.0.0.1")}, sources{}, "", "10.0.0.1", Configured},
		{"none", Info{}, sources{}, "", "", DirServer},
	} {
		var now netip.Addr
		if tt.now != "" {
			now = addr(tt.now)
		}
		got, by := tt.info.guess(false, &tt.src, now)
		if got.IsValid() != (tt.want != "") || got.IsValid() && got != addr(tt.want) || by != tt.by {
			t.Errorf("%s: %v, %q, want %s, %q", tt.name, got, by, tt.want, tt.by)
		}
	}
	for _, s := range []string{"fe80::1", "fc00::1", "fec0::1", "::1", "::", "ff02::1"} {
		if got, _ := (&Info{Addrs: list(s)}).guess(true, &sources{}, netip.Addr{}); got.IsValid() {
			t.Errorf("%s is taken", s)
		}
	}
}

func TestHints(t *testing.T) {
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	var l []hint
	for i := range 100 {
		l = addHint(l, hint{addr4, fmt.Sprint(i), now})
	}
	if len(l) != maxHints {
		t.Errorf("%d hints", len(l))
	}
	if l = addHint(l, hint{addr("1.2.3.5"), "99", now}); len(l) != maxHints || l[maxHints-1].addr == addr4 {
		t.Errorf("somebody has two voices: %v", l)
	}
	l = addHint(l, hint{addr6, "99", now.Add(2 * time.Hour)})
	if len(l) != maxHints {
		t.Error("families go together")
	}
	l = addHint(l, hint{addr("1.2.3.6"), "5", now.Add(2 * time.Hour)})
	if got, _ := new(Info).guess(false, &sources{hints: l}, netip.Addr{}); got != addr("1.2.3.6") || len(l) != 2 {
		t.Errorf("old voices count: %v of %v", got, l)
	}
}

// A relay behind a NAT learns its address from authorities, in three ways.
func TestAuthoritiesTell(t *testing.T) {
	run(t, func(i *Info) { i.Addrs, i.AssumeIPv4 = nil, true }, func(b *bed) {
		b.set(func() { b.system = list("192.168.1.2") })
		b.want(0, 0)
		time.Sleep(59 * time.Minute)
		b.uploads()
		if n := get(b, &b.learned); n != 3 {
			t.Errorf("%d circuits to learn our address", n)
		}
		for _, nonsense := range []string{"10.0.0.1", "0.0.0.0", "9.0.0.1", "255.255.255.255", "::ffff:10.0.0.1"} {
			b.p.Suggest(addr(nonsense), "a")
		}
		b.want(0, 0)
		b.p.Suggest(addr("::ffff:1.2.3.4"), "a")
		if d := b.want(1, 1); d.OR.Addr() != addr4 {
			t.Errorf("address %v", d.OR)
		}
		b.wantLogged(1, "Guessed our IP address as 1.2.3.4 (source: METHOD=DIRSERV).")
		// It has moved, and those who see that are few at first.
		time.Sleep(2 * time.Hour)
		b.set(func() {
			b.reply = func(netip.AddrPort) (Reply, error) { return Reply{Status: 200, YourAddress: addr("5.6.7.8")}, nil }
		})
		b.p.Changed("test")
		time.Sleep(2 * time.Minute)
		if d := b.want(3, 3); d.OR.Addr() != addr("5.6.7.8") {
			t.Errorf("address %v", d.OR)
		}
	})
}

// Names are looked up again and again. One that does not resolve for a while is no reason to move.
func TestNames(t *testing.T) {
	run(t, func(i *Info) { i.Addrs, i.Names, i.Port6, i.AssumeIPv6 = nil, []string{"relay.example"}, 9001, true }, func(b *bed) {
		b.set(func() { b.system = list("3.3.3.3") }) // which is not what the operator wants
		b.want(0, 0)
		b.wantLogged(1, "Could not resolve local Address 'relay.example': no such name")
		b.set(func() { b.names = map[string][]netip.Addr{"relay.example": {netip.AddrFrom16(addr4.As16()), addr6}} })
		time.Sleep(2 * time.Minute)
		if d := b.want(1, 1); d.OR.Addr() != addr4 || d.OR6.Addr() != addr6 {
			t.Errorf("addresses %v, %v", d.OR, d.OR6)
		}
		b.set(func() { b.names = nil })
		time.Sleep(time.Hour)
		b.want(1, 1)
		b.wantLogged(2, "Could not resolve local Address")
		b.set(func() { b.names = map[string][]netip.Addr{"relay.example": list("5.6.7.8")} })
		time.Sleep(10 * time.Minute)
		if d := b.want(2, 2); d.OR.Addr() != addr("5.6.7.8") || d.OR6.IsValid() {
			t.Errorf("addresses %v, %v", d.OR, d.OR6)
		}
		b.wantLogged(1, "Our IPv6 address 2001:db8::1 is gone.")
		other := b.p.cfg.Info
		other.Names, other.Addrs = nil, list("10.0.0.1")
		b.p.SetInfo(other)
		time.Sleep(10 * time.Minute)
		b.want(2, 2)
		b.wantLogged(1, "Address '10.0.0.1' is a private IP address. Tor relays that use the default DirAuthorities must have public IP addresses.")
	})
}

// The name of the machine is of use when nothing else is.
func TestHostname(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	run(t, func(i *Info) { i.Addrs = nil }, func(b *bed) {
		b.set(func() { b.names = map[string][]netip.Addr{host: list("127.0.1.1", "5.5.5.5")} })
		time.Sleep(10 * time.Minute)
		if d := b.want(1, 1); d.OR.Addr() != addr("5.5.5.5") {
			t.Errorf("address %v", d.OR)
		}
		b.wantLogged(1, "(source: METHOD=GETHOSTNAME)")
		// An interface is better, and names are left alone then.
		b.set(func() { b.system = list("3.3.3.3") })
		time.Sleep(10 * time.Minute)
		b.want(2, 2)
		n := get(b, &b.lookups)
		time.Sleep(time.Hour)
		if get(b, &b.lookups) != n {
			t.Error("names are looked up that nobody needs")
		}
	})
}

// An ORPort that listens elsewhere than at the published address may be a mistake.
func TestOtherAddress(t *testing.T) {
	for text, n := range map[string]int{"10.0.0.1": 1, "0.0.0.0": 0, "1.2.3.4": 0, "::1": 0} {
		run(t, func(i *Info) { i.Bound = list(text) }, func(b *bed) {
			time.Sleep(time.Hour)
			b.wantLogged(n, "The IPv4 ORPort address "+text+" does not match the descriptor address 1.2.3.4.")
		})
	}
}

func TestSystemAddrs(t *testing.T) {
	l, err := systemAddrs()
	if err != nil || slices.ContainsFunc(l, func(a netip.Addr) bool { return !a.IsValid() || a.Is4In6() }) {
		t.Errorf("%v, %v", l, err)
	}
}

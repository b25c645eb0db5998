package exitpolicy

import (
	"net/netip"
	"testing"
)

// https://spec.torproject.org/dir-spec/server-descriptor-format.html
func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name, policy, addr string
		port               uint16
		want               Verdict
	}{
		{"first match wins", "accept *:80,reject *:*", "1.2.3.4", 80, Accepted},
		{"rejected", "accept *:80,reject *:*", "1.2.3.4", 81, Rejected},
		{"nothing matches", "reject *:81", "1.2.3.4", 80, Accepted},
		{"empty policy", "", "1.2.3.4", 80, Accepted},
		{"prefix as written", "reject 10.1.2.3/8:*", "10.9.9.9", 80, Rejected},
		{"other family", "reject *4:*", "2001:db8::1", 80, Accepted},
		{"zone is ignored", "reject private:*", "fe80::1%eth0", 80, Rejected},
		{"mapped, IPv4 rule", "reject 1.2.3.4:*", "::ffff:1.2.3.4", 80, Rejected},
		{"mapped, IPv6 rule", "reject *6:*", "::ffff:1.2.3.4", 80, Rejected},
		{"mapped and accepted twice", "accept *:80,reject *:*", "::ffff:1.2.3.4", 80, Accepted},
		{"address unknown, sure", "accept *:80,reject *:*", "", 80, Accepted},
		{"address unknown, doubt", "reject 1.2.3.4:80,accept *:80", "", 80, ProbablyAccepted},
		{"address unknown, doubt turned", "accept 1.2.3.4:80,reject *:*", "", 80, ProbablyRejected},
		{"address unspecified", "accept *:80,reject *:*", "0.0.0.0", 80, Accepted},
		{"address unknown, no rule", "reject 1.2.3.4:80", "", 80, ProbablyAccepted},
		{"port unknown, sure", "reject 1.2.3.4:*,accept *:*", "1.2.3.4", 0, Rejected},
		{"port unknown, doubt", "reject *:25,accept *:*", "1.2.3.4", 0, ProbablyAccepted},
		{"port unknown, doubt turned", "accept *:80,reject *:*", "1.2.3.4", 0, ProbablyRejected},
		{"nothing known", "accept *:*", "", 0, Rejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var addr netip.Addr
			if tt.addr != "" {
				addr = netip.MustParseAddr(tt.addr)
			}
			if got := mustList(t, tt.policy).Judge(addr, tt.port); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRejectsAll(t *testing.T) {
	for _, tt := range []struct {
		policy            string
		ipv6, orElse, res bool
	}{
		{"reject *:*", false, false, true},
		{"reject *4:*,accept *6:80", false, false, true},
		{"reject *4:*,accept *6:80", true, true, false},
		{"reject *:25,reject *:*", false, false, true},
		{"accept 1.2.3.4:80,reject *:*", false, true, false},
		{"reject 1.2.3.4:*", false, false, false},
		{"", false, true, true},
	} {
		if got := mustList(t, tt.policy).RejectsAll(tt.ipv6, tt.orElse); got != tt.res {
			t.Errorf("%q, IPv6 %v: got %v, want %v", tt.policy, tt.ipv6, got, tt.res)
		}
	}
}

// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
func TestIsGeneralExit(t *testing.T) {
	for _, tt := range []struct {
		policy       string
		allowPrivate bool
		want         bool
	}{
		{"accept *:80,accept *:443,reject *:*", false, true},
		{"accept *:80,reject *:*", false, false},
		{"accept 18.0.0.0/8:*,reject *:*", false, true},
		{"accept 18.0.0.0/9:*,reject *:*", false, false},
		{"reject 18.1.0.0/16:*,accept 18.0.0.0/8:*,reject *:*", false, false},
		{"accept 10.0.0.0/8:*,reject *:*", false, false},
		{"accept 10.0.0.0/8:*,reject *:*", true, true},
		{"reject 0.0.0.0/1:*,accept *:*", false, true},
		{"reject 0.0.0.0/1:*,reject 128.0.0.0/1:*,accept *:*", false, false},
		{"accept *6:*,reject *:*", false, false},
	} {
		if got := mustList(t, tt.policy).IsGeneralExit(tt.allowPrivate); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.policy, got, tt.want)
		}
	}
}

func TestOwn(t *testing.T) {
	addrs := []netip.Addr{
		netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("2001:db8::1"),
	}
	for _, tt := range []struct {
		name string
		c    Config
		want string
	}{
		{"no exit", Config{}, "reject *6:*,reject *4:*"},
		{"own rules end it", Config{IPv6: true, Rules: mustList(t, "accept *:80,reject *:*,accept *:443")},
			"accept *4:80,accept *6:80,reject *4:*,reject *6:*"},
		{"own addresses", Config{RejectAddrs: addrs, Rules: mustList(t, "accept *4:80")},
			"reject *6:*,reject 198.51.100.1:*,accept *4:80,reject *4:*"},
		{"own addresses, IPv6", Config{IPv6: true, RejectAddrs: addrs, Rules: mustList(t, "accept *:*")},
			"reject 198.51.100.1:*,reject [2001:db8::1]:*,accept *4:*,accept *6:*"},
		{"anticipated", Config{IPv6: true, Rules: mustList(t, "reject 1.2.3.4:80,accept *:443,reject 5.6.7.8:443")},
			"accept *4:443,accept *6:443,reject *4:*,reject *6:*"},
	} {
		if got := text(Own(tt.c)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	p := Own(Config{RejectPrivate: true, Ending: EndDefault})
	if s := p.Summarize(false).String(); s != "reject 25,119,135-139,445,563,1214,4661-4666,6346-6429,6699,6881-6999" {
		t.Errorf("default policy: %s", s)
	}
	if !p.Summarize(true).RejectsAll() {
		t.Errorf("default policy without IPv6: %s", p.Summarize(true))
	}
	p = Own(Config{IPv6: true, RejectPrivate: true, Ending: EndReduced})
	for _, port := range []uint16{20, 23, 80, 443, 465, 10000, 64738} {
		if p.Judge(netip.MustParseAddr("192.0.2.1"), port) != Accepted || !p.Summarize(true).Allows(port) {
			t.Errorf("reduced policy: port %d is not accepted", port)
		}
	}
	if p.Summarize(false).Allows(25) {
		t.Error("reduced policy: port 25 is accepted")
	}
}

// Dropping rules must not change what a policy says.
func TestSimplifyKeepsMeaning(t *testing.T) {
	full := mustList(t, "reject 10.0.0.0/8:1-100,accept 10.1.0.0/16:*,accept 10.0.0.0/8:50-200,reject 10.1.2.3:60,"+
		"reject *:100-150,accept *:120,reject 10.0.0.0/7:*,accept 10.1.0.0/16:90,reject *:*,accept *:*")
	short := simplify(append(Policy(nil), full...))
	if len(short) >= len(full) {
		t.Errorf("nothing dropped from %s", text(short))
	}
	for _, a := range []string{"10.1.2.3", "10.1.9.9", "10.9.9.9", "11.0.0.1", "8.8.8.8"} {
		for port := range uint16(210) {
			addr := netip.MustParseAddr(a)
			if got, want := short.Judge(addr, port+1), full.Judge(addr, port+1); got != want {
				t.Fatalf("%v:%d: got %v, want %v", addr, port+1, got, want)
			}
		}
	}
}

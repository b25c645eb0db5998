package attach

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

func TestParseHost(t *testing.T) {
	long := strings.Repeat("abcdefghi.", 25) + "com" // 253 octets
	onion := strings.Repeat("a", 56) + ".onion"
	tests := []struct {
		in      string
		name    string // what exits are asked for
		addr    string // if it is an address
		err     error  // for careful people
		lax     error  // with internal addresses and odd names allowed
		laxName string // if another
	}{
		{in: "example.com", name: "example.com"},
		{in: "EXAMPLE.Com", name: "example.com"},
		{in: "example.com.", name: "example.com"},
		{in: "example.com..", name: "example.com"},
		{in: "a", name: "a"},
		{in: "_dmarc.example.com", name: "_dmarc.example.com"},
		{in: "xn--mnchen-3ya.de", name: "xn--mnchen-3ya.de"},
		{in: "127.1", name: "127.1"}, // not an address here; the exit's answer is looked at
		{in: "0x7f000001", name: "0x7f000001"},
		{in: "1.2.3.4.5", name: "1.2.3.4.5"},
		{in: long, name: long},
		{in: long + ".", name: long},

		{in: "192.0.2.1", name: "192.0.2.1", addr: "192.0.2.1"},
		{in: "192.0.2.1.", name: "192.0.2.1", addr: "192.0.2.1"},
		{in: "2001:db8::1", name: "2001:db8::1", addr: "2001:db8::1"},
		{in: "2001:DB8:0::1", name: "2001:db8::1", addr: "2001:db8::1"},
		{in: "[2001:db8::1]", name: "2001:db8::1", addr: "2001:db8::1"},
		{in: "::ffff:192.0.2.1", name: "192.0.2.1", addr: "192.0.2.1"},
		{in: "[192.0.2.1]", err: ErrBadHost, laxName: "[192.0.2.1]"},

		{in: "", err: ErrBadHost, lax: ErrBadHost},
		{in: ".", err: ErrBadHost, lax: ErrBadHost},
		{in: "...", err: ErrBadHost, lax: ErrBadHost},
		{in: "a" + long, err: ErrBadHost, lax: ErrBadHost},
		{in: strings.Repeat("x", 10000), err: ErrBadHost, lax: ErrBadHost},
		{in: "fe80::1%eth0", err: ErrBadHost, lax: ErrBadHost},
		{in: strings.Repeat("a", 64) + ".com", err: ErrBadHost, laxName: strings.Repeat("a", 64) + ".com"},
		{in: ".example.com", err: ErrBadHost, laxName: ".example.com"},
		{in: "a..b", err: ErrBadHost, laxName: "a..b"},
		{in: "-a.example.com", err: ErrBadHost, laxName: "-a.example.com"},
		{in: "--help", err: ErrBadHost, laxName: "--help"},
		{in: "exa mple.com", err: ErrBadHost, laxName: "exa mple.com"},
		{in: "a/b", err: ErrBadHost, laxName: "a/b"},
		{in: "user@example.com", err: ErrBadHost, laxName: "user@example.com"},
		{in: "example.com:80", err: ErrBadHost, laxName: "example.com:80"},
		{in: "a\x00.example.com", err: ErrBadHost, laxName: "a\x00.example.com"},
		{in: "münchen.de", err: ErrBadHost, laxName: "münchen.de"},
		{in: "$(reboot).example.com", err: ErrBadHost, laxName: "$(reboot).example.com"},

		{in: onion, err: ErrOnion, lax: ErrOnion},
		{in: "www." + strings.ToUpper(onion), err: ErrOnion, lax: ErrOnion},
		{in: onion + ".", err: ErrOnion, lax: ErrOnion},
		{in: onion + "..", err: ErrOnion, lax: ErrOnion},
		{in: onion + " ", err: ErrOnion, lax: ErrOnion},
		{in: onion + ".\x00", err: ErrOnion, lax: ErrOnion},
		{in: "onion", err: ErrOnion, lax: ErrOnion},
		{in: "short.onion", err: ErrOnion, lax: ErrOnion},
		{in: "example.onion.com", name: "example.onion.com"},
		{in: "example.com.nickname.exit", err: ErrExitName, lax: ErrExitName},
		{in: "example.com.$ABCD.exit.", err: ErrExitName, lax: ErrExitName},

		{in: "localhost", err: ErrInternal, laxName: "localhost"},
		{in: "LOCALHOST.", err: ErrInternal, laxName: "localhost"},
		{in: "a.localhost", err: ErrInternal, laxName: "a.localhost"},
		{in: "printer.local", err: ErrInternal, laxName: "printer.local"},
		{in: "notlocal", name: "notlocal"},
		{in: "127.0.0.1", addr: "127.0.0.1", err: ErrInternal, laxName: "127.0.0.1"},
		{in: "127.255.0.1", addr: "127.255.0.1", err: ErrInternal, laxName: "127.255.0.1"},
		{in: "10.1.2.3", addr: "10.1.2.3", err: ErrInternal, laxName: "10.1.2.3"},
		{in: "172.16.0.1", addr: "172.16.0.1", err: ErrInternal, laxName: "172.16.0.1"},
		{in: "172.32.0.1", name: "172.32.0.1", addr: "172.32.0.1"},
		{in: "192.168.0.1", addr: "192.168.0.1", err: ErrInternal, laxName: "192.168.0.1"},
		{in: "169.254.1.1", addr: "169.254.1.1", err: ErrInternal, laxName: "169.254.1.1"},
		{in: "100.64.0.1", addr: "100.64.0.1", err: ErrInternal, laxName: "100.64.0.1"},
		{in: "100.128.0.1", name: "100.128.0.1", addr: "100.128.0.1"},
		{in: "0.0.0.0", addr: "0.0.0.0", err: ErrInternal, laxName: "0.0.0.0"},
		{in: "0.1.2.3", addr: "0.1.2.3", err: ErrInternal, laxName: "0.1.2.3"},
		{in: "224.0.0.1", addr: "224.0.0.1", err: ErrInternal, laxName: "224.0.0.1"},
		{in: "::1", addr: "::1", err: ErrInternal, laxName: "::1"},
		{in: "[::1]", addr: "::1", err: ErrInternal, laxName: "::1"},
		{in: "::", addr: "::", err: ErrInternal, laxName: "::"},
		{in: "::ffff:10.0.0.1", addr: "10.0.0.1", err: ErrInternal, laxName: "10.0.0.1"},
		{in: "[::ffff:7f00:1]", addr: "127.0.0.1", err: ErrInternal, laxName: "127.0.0.1"},
		{in: "fe80::1", addr: "fe80::1", err: ErrInternal, laxName: "fe80::1"},
		{in: "fc00::1", addr: "fc00::1", err: ErrInternal, laxName: "fc00::1"},
		{in: "fec0::1", addr: "fec0::1", err: ErrInternal, laxName: "fec0::1"},
		{in: "ff02::1", addr: "ff02::1", err: ErrInternal, laxName: "ff02::1"},
	}
	careful := New(Config{RejectInternal: true})
	lax := New(Config{OddNames: true})
	for _, tt := range tests {
		addr := netip.Addr{}
		if tt.addr != "" {
			addr = netip.MustParseAddr(tt.addr)
		}
		name, ip, err := careful.parseHost(tt.in)
		if !errors.Is(err, tt.err) || name != tt.name || err == nil && ip != addr {
			t.Errorf("%.80q: %q, %v, %v; want %q, %v, %v", tt.in, name, ip, err, tt.name, addr, tt.err)
		}
		if err != nil && len(tt.in) > 20 && strings.Contains(err.Error(), tt.in) {
			t.Errorf("the error tells where the user goes: %v", err)
		}
		if tt.lax == nil && tt.laxName == "" {
			tt.laxName = tt.name
		}
		if name, _, err := lax.parseHost(tt.in); !errors.Is(err, tt.lax) || name != tt.laxName {
			t.Errorf("lax, %.80q: %q, %v; want %q, %v", tt.in, name, err, tt.laxName, tt.lax)
		}
	}
}

// Whatever the host, nothing leads to an onion service, to an exit of the destination's choice or, for careful people,
// to a machine of the exit's own network.
func FuzzParseHost(f *testing.F) {
	for _, s := range []string{"example.com", "[::1]", "a.onion..", "x.exit.", "127.0.0.1.", "ÿ", "fe80::1%lo", ".exit\v", "a.onion\u2003"} {
		f.Add(s)
	}
	careful, lax := New(Config{RejectInternal: true}), New(Config{OddNames: true})
	f.Fuzz(func(t *testing.T, host string) {
		for _, a := range []*Attacher{careful, lax} {
			name, addr, err := a.parseHost(host)
			switch {
			case err != nil:
			case name == "" || len(name) > maxHost, strings.HasSuffix(name, "."):
				t.Errorf("%q: %q", host, name)
			case strings.HasSuffix(strings.TrimSpace(name), ".onion"), strings.HasSuffix(strings.TrimSpace(name), ".exit"):
				t.Errorf("%q: %q leaves", host, name)
			case addr.IsValid() && name != addr.String(), a == careful && addr.IsValid() && internal(addr):
				t.Errorf("%q: %q, %v", host, name, addr)
			}
			if ip, err := netip.ParseAddr(name); a == careful && err == nil && internal(ip.Unmap()) {
				t.Errorf("%q: %q", host, name)
			}
			if err == nil && addr.IsValid() {
				if _, err := relaymsg.NewBegin(name, 80, 0); err != nil {
					t.Errorf("%q: %v", host, err)
				}
			}
		}
	})
}

func TestJudge(t *testing.T) {
	end := func(r relaymsg.EndReason) error { return &stream.EndError{Reason: r} }
	tests := []struct {
		name                 string
		err                  error
		retry, spoilt, blame bool
	}{
		{"exit policy", end(relaymsg.EndExitPolicy), true, false, true},
		{"hibernating", end(relaymsg.EndHibernating), true, false, true},
		{"resource limit", end(relaymsg.EndResourceLimit), true, false, true},
		{"resolve failed", end(relaymsg.EndResolveFailed), true, true, true},
		{"timeout", end(relaymsg.EndTimeout), true, true, true},
		{"misc", end(relaymsg.EndMisc), true, true, true},
		{"no route", end(relaymsg.EndNoRoute), true, true, true},
		{"protocol", end(relaymsg.EndTorProtocol), true, true, true},
		{"destroy", end(relaymsg.EndDestroy), true, true, true},
		{"internal", end(relaymsg.EndInternal), true, true, true},
		{"refused", end(relaymsg.EndConnectRefused), false, false, false},
		{"reset", end(relaymsg.EndConnReset), false, false, false},
		{"done", end(relaymsg.EndDone), false, false, false},
		{"not a directory", end(relaymsg.EndNotDirectory), false, false, false},
		{"unknown", end(99), false, false, false},
		{"resolved to an internal address", ErrPrivateName, false, false, false},
		{"silence", errSlowExit, true, true, true},
		{"circuit", &circuit.PeerClosedError{}, true, true, false},
	}
	for _, tt := range tests {
		if retry, spoilt, blame := judge(tt.err); retry != tt.retry || spoilt != tt.spoilt || blame != tt.blame {
			t.Errorf("%s: retry %v, spoilt %v, blame %v", tt.name, retry, spoilt, blame)
		}
	}
}

// https://spec.torproject.org/tor-spec/opening-streams.html
func TestBeginFlags(t *testing.T) {
	const v6ok, no4, pref6 = relaymsg.BeginIPv6OK, relaymsg.BeginIPv4NotOK, relaymsg.BeginIPv6Preferred
	for _, tt := range []struct {
		req  Request
		want uint32
		err  error
	}{
		{Request{}, v6ok, nil},
		{Request{NoIPv6: true}, 0, nil},
		{Request{NoIPv4: true}, v6ok | no4, nil},
		{Request{PreferIPv6: true}, v6ok | pref6, nil},
		{Request{NoIPv4: true, NoIPv6: true}, 0, ErrNoFamily},
	} {
		if got, err := beginFlags(tt.req); got != tt.want || err != tt.err {
			t.Errorf("%+v: %b, %v", tt.req, got, err)
		}
	}
}

package exit

import (
	"encoding/binary"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const v6ok, v4not, v6first = relaymsg.BeginIPv6OK, relaymsg.BeginIPv4NotOK, relaymsg.BeginIPv6Preferred

var knownPeer = link.Peer{Relay: true, RSA: [20]byte{1}}

// bodyOf is a BEGIN as a client sends it, but with whatever text.
func bodyOf(addr string, flags uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(addr), 0), flags)
}

// What a BEGIN says, and who may send it.
//
// https://spec.torproject.org/tor-spec/opening-streams.html
func TestAdmit(t *testing.T) {
	long := strings.Repeat("a.", 127) + "aa" // 256 octets
	for _, tt := range []struct {
		name       string
		body       []byte
		peer       link.Peer
		hibernates bool
		policy     exitpolicy.Policy
		want       relaymsg.EndReason
	}{
		{name: "name", body: bodyOf("example.com:80", 0)},
		{name: "IPv6", body: bodyOf("[2001:db8::7]:80", 0)},
		{name: "no flags", body: []byte("example.com:80\x00")},
		{name: "flags cut short", body: []byte("example.com:80\x00\x00\x00\x00")},
		{name: "unknown flags", body: bodyOf("example.com:80", 0xf8)},
		{name: "empty", body: nil, want: relaymsg.EndTorProtocol},
		{name: "no NUL", body: []byte("example.com:80"), want: relaymsg.EndTorProtocol},
		{name: "no port", body: bodyOf("example.com", 0), want: relaymsg.EndTorProtocol},
		{name: "empty port", body: bodyOf("example.com:", 0), want: relaymsg.EndTorProtocol},
		{name: "port 0", body: bodyOf("example.com:0", 0), want: relaymsg.EndTorProtocol},
		{name: "port too large", body: bodyOf("example.com:65536", 0), want: relaymsg.EndTorProtocol},
		{name: "negative port", body: bodyOf("example.com:-80", 0), want: relaymsg.EndTorProtocol},
		{name: "blank before the port", body: bodyOf("example.com: 80", 0), want: relaymsg.EndTorProtocol},
		{name: "name of 256 octets", body: bodyOf(long+":80", 0), want: relaymsg.EndTorProtocol},
		{name: "line break in the name", body: bodyOf("exa\nmple.com:80", 0), want: relaymsg.EndTorProtocol},
		{name: "not ASCII", body: bodyOf("exämple.com:80", 0), want: relaymsg.EndTorProtocol},
		{name: "IPv6 without brackets", body: bodyOf("2001:db8::7:80", 0), want: relaymsg.EndTorProtocol},
		{name: "IPv6 without a port", body: bodyOf("[2001:db8::7]", 0), want: relaymsg.EndTorProtocol},
		{name: "IPv6 with a zone", body: bodyOf("[fe80::1%eth0]:80", 0), want: relaymsg.EndTorProtocol},
		{name: "IPv4 in brackets", body: bodyOf("[192.0.2.1]:80", 0), want: relaymsg.EndTorProtocol},

		{name: "from a client", body: bodyOf("example.com:80", 0), peer: link.Peer{Addr: netip.AddrPortFrom(clientIP, 1)}, want: relaymsg.EndTorProtocol},
		{name: "from an unknown relay", body: bodyOf("example.com:80", 0), peer: link.Peer{Relay: true, RSA: [20]byte{2}}, want: relaymsg.EndMisc},
		{name: "hibernating", body: bodyOf("example.com:80", 0), hibernates: true, want: relaymsg.EndHibernating},

		{name: "IPv6 only", body: bodyOf("example.com:80", v4not|v6ok)},
		{name: "nothing is wanted", body: bodyOf("example.com:80", v4not), want: relaymsg.EndExitPolicy},
		{name: "IPv6 only, without IPv6Exit", body: bodyOf("example.com:80", v4not|v6ok), policy: exitpolicy.Own(exitpolicy.Config{Ending: exitpolicy.EndDefault}), want: relaymsg.EndExitPolicy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.peer == (link.Peer{}) {
				tt.peer = knownPeer
			}
			if tt.policy == nil {
				tt.policy = open(t)
			}
			e := New(Config{
				Policy:      tt.policy,
				KnownRelay:  func(p link.Peer) bool { return p == knownPeer },
				Hibernating: func() bool { return tt.hibernates },
			})
			if _, got := e.admit(tt.peer, tt.body); got != tt.want {
				t.Errorf("refused with %v, want %v", got, tt.want)
			}
		})
	}
}

// No BEGIN and no RESOLVE breaks anything, and what is admitted has a port.
func FuzzBegin(f *testing.F) {
	for _, s := range []string{"example.com:80", "[2001:db8::7]:80", "192.0.2.1:80", "::1:80", "[::ffff:10.0.0.1]:65535", ":80", "1.0.0.10.in-addr.arpa:80"} {
		f.Add(bodyOf(s, 7))
	}
	e := New(Config{Policy: open(f), Resolver: fakeResolver{}})
	f.Fuzz(func(t *testing.T, body []byte) {
		target, reason := e.admit(knownPeer, body)
		if reason == 0 {
			if target.port == 0 {
				t.Error("port 0 is admitted")
			}
			if addrs, end := e.addresses(t.Context(), target); len(addrs) == 0 && end.Reason == 0 {
				t.Error("neither addresses nor a reason")
			}
		}
		if m, err := relaymsg.ParseResolve(body); err == nil {
			if _, err := e.lookUp(t.Context(), m.Name).AppendTo(nil); err != nil {
				t.Error(err)
			}
		}
	})
}

// What need not be looked up, since no address of that port is allowed.
func TestMayAllow(t *testing.T) {
	v4, both := resolver.Want{V4: true}, resolver.Want{V4: true, V6: true}
	for _, tt := range []struct {
		policy string
		want   resolver.Want
		port   uint16
		ok     bool
	}{
		{"accept *:*", v4, 80, true},
		{"reject *:80,accept *:*", both, 80, false},
		{"reject *:80,accept *:*", both, 81, true},
		{"reject 198.0.0.0/8:80,accept *:*", v4, 80, true},
		{"accept 198.0.0.0/8:80,reject *:*", v4, 80, true},
		{"reject *6:*,accept *:*", v4, 80, true},
		{"reject *6:*,accept *:*", both, 80, true},
		{"reject *6:*,accept *:*", resolver.Want{V6: true}, 80, false},
		{"reject *4:80,accept *:*", v4, 80, false},
		{"reject *4:80,accept *:*", both, 80, true},
		{"reject *:*", both, 80, false},
	} {
		if ok := newPolicy(policyOf(t, tt.policy)).mayAllow(tt.want, tt.port); ok != tt.ok {
			t.Errorf("%s, %+v, port %d: %v", tt.policy, tt.want, tt.port, ok)
		}
	}
	if p := newPolicy(exitpolicy.Own(exitpolicy.Config{RejectPrivate: true, Ending: exitpolicy.EndDefault})); !p.mayAllow(v4, 80) || p.mayAllow(v4, 25) {
		t.Error("C tor's default policy, without IPv6Exit, is misjudged")
	}
}

func TestPick(t *testing.T) {
	addrs := func(list ...string) (a []netip.Addr) {
		for _, s := range list {
			a = append(a, netip.MustParseAddr(s))
		}
		return a
	}
	both := addrs("198.51.100.7", "2001:db8::7")
	for _, tt := range []struct {
		name    string
		found   []netip.Addr
		prefer6 bool
		policy  string
		want    []netip.Addr
		refused string
	}{
		{"IPv4 first", both, false, "accept *:*", both, ""},
		{"IPv6 preferred", both, true, "accept *:*", addrs("2001:db8::7", "198.51.100.7"), ""},
		{"IPv6 preferred and rejected", both, true, "reject6 *6:*,accept *:*", both[:1], ""},
		{"IPv4 rejected", both, false, "reject *4:*,accept *:*", both[1:], ""},
		{"the first of a family", addrs("198.51.100.7", "198.51.100.8"), false, "accept *:*", both[:1], ""},
		{"the first that is allowed", addrs("10.0.0.1", "198.51.100.7"), false, "accept *:*", both[:1], ""},
		{"private addresses", addrs("10.0.0.1", "fe80::1"), false, "accept *:*", nil, "10.0.0.1"},
		{"private addresses, IPv6 preferred", addrs("10.0.0.1", "fe80::1"), true, "accept *:*", nil, "fe80::1"},
		{"IPv6 alone, IPv4 would be first", addrs("fe80::1"), false, "accept *:*", nil, "fe80::1"},
		{"own address", addrs("192.0.2.2"), false, "accept *:*", nil, "192.0.2.2"},
		{"port", both, false, "reject *:80,accept *:*", nil, "198.51.100.7"},
		{"IPv4 in IPv6, private", addrs("::ffff:10.0.0.1"), false, "accept *:*", nil, "::ffff:10.0.0.1"},
		{"unspecified", addrs("0.0.0.0"), false, "accept *:*", nil, "0.0.0.0"},
		{"unspecified IPv6", addrs("::"), false, "accept *:*", nil, "::"},
		{"localhost", addrs("127.0.0.1", "::1"), false, "accept *:*", nil, "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, refused := pick(tt.found, target{port: 80, prefer6: tt.prefer6}, newPolicy(policyOf(t, tt.policy)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
			if len(got) == 0 && refused.String() != tt.refused {
				t.Errorf("the client would hear of %v, want %s", refused, tt.refused)
			}
		})
	}
	// Even where private networks are allowed, nothing leads to "any address of this host".
	everything := newPolicy(exitpolicy.Policy{{Accept: true, Prefix: netip.MustParsePrefix("0.0.0.0/0"), Ports: exitpolicy.AllPorts}})
	for _, a := range addrs("0.0.0.0", "::", "::ffff:0.0.0.0") {
		if everything.allows(a, 80) {
			t.Errorf("%v is allowed", a)
		}
	}
	if newPolicy(nil).allows(both[0], 80) || newPolicy(nil).mayAllow(resolver.Want{V4: true, V6: true}, 80) {
		t.Error("an empty policy allows something")
	}
}

// A desk is the end of a circuit that is not there, and keeps what would be sent.
type desk struct {
	mu   sync.Mutex
	mux  stream.Mux
	sent []relaymsg.Msg
}

func (d *desk) SendMsg(m relaymsg.Msg) error {
	m.Body = slices.Clone(m.Body)
	d.sent = append(d.sent, m)
	return nil
}
func (d *desk) SendData(uint16, []byte) (n, cells int, err error) { return 0, 0, nil }
func (d *desk) MaxData() int                                      { return 498 }
func (d *desk) MaxCells() int                                     { return link.ChunkCells }

// open is what begin does, after it knows who asks.
func (d *desk) open(t *testing.T, e *Exit, body []byte) {
	d.mux.Init(d, &d.mu)
	d.mu.Lock()
	d.mux.AcceptLocked()
	_, err := d.mux.DeliverLocked([]relaymsg.Msg{{Cmd: relaymsg.CmdBegin, Stream: 5, Body: body}}, nil)
	in := d.mux.TakeIncomingLocked()
	d.mu.Unlock()
	if err != nil || len(in) != 1 {
		t.Fatal(err, in)
	}
	target, reason := e.admit(knownPeer, body)
	if reason == 0 && !target.mayBeAllowed(e.policy.Load()) {
		e.refuse(in[0].Stream, target, rejected(target.addr))
		return
	}
	if reason != 0 || e.start(nil, in[0].Stream, func(f *flow) func() { return f.open(target) }) != 0 {
		t.Fatal(reason)
	}
	e.wg.Wait()
}

// What END says of a target that is refused, whole.
//
// https://spec.torproject.org/tor-spec/closing-streams.html
func TestEnd(t *testing.T) {
	relay := netip.MustParseAddrPort("198.51.100.9:9001")
	for _, tt := range []struct {
		name, to string
		flags    uint32
		want     relaymsg.End
	}{
		{"address", "10.0.0.1:80", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: netip.MustParseAddr("10.0.0.1"), TTL: 60}},
		{"port of an address", "198.51.100.7:25", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: serverIP, TTL: 60}},
		{"IPv6 address", "[fe80::1]:80", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: netip.MustParseAddr("fe80::1"), TTL: 60}},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:80", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: netip.MustParseAddr("::ffff:10.0.0.1"), TTL: 60}},
		{"own address", "192.0.2.2:80", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: addrOf(1).Addr(), TTL: 60}},
		{"port of a name, which is not looked up", "hangs:25", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy}},
		{"name that leads inside", "liar:80", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: netip.MustParseAddr("127.0.0.1"), TTL: 60}},
		{"name that leads inside, IPv6", "liar:80", v6ok | v6first, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: netip.MustParseAddr("fd00::1"), TTL: 60}},
		{"name that leads to a relay", "relay:9001", 0, relaymsg.End{Reason: relaymsg.EndConnectRefused}},
		{"relay", "198.51.100.9:9001", 0, relaymsg.End{Reason: relaymsg.EndConnectRefused}},
		{"relay, as IPv6", "[::ffff:198.51.100.9]:9001", 0, relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: netip.MustParseAddr("::ffff:198.51.100.9"), TTL: 60}},
		{"other port of a relay", "198.51.100.9:9002", 0, relaymsg.End{Reason: relaymsg.EndNoRoute}},
		{"no such name", "nowhere:80", 0, relaymsg.End{Reason: relaymsg.EndResolveFailed}},
		{"no name at all", ":80", 0, relaymsg.End{Reason: relaymsg.EndResolveFailed}},
		{"nameservers do not answer", "broken:80", 0, relaymsg.End{Reason: relaymsg.EndResolveFailed}},
		{"nobody listens", "198.51.100.7:81", 0, relaymsg.End{Reason: relaymsg.EndConnectRefused}},
		{"no such host", "198.51.100.200:80", 0, relaymsg.End{Reason: relaymsg.EndNoRoute}},
		{"nobody answers", "198.51.100.66:80", 0, relaymsg.End{Reason: relaymsg.EndTimeout}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw := memnet.New(memnet.Link{})
				host := nw.Host("exit", addrOf(1).Addr())
				nw.Host("server", serverIP)
				nw.Cut(host, nw.Host("silent", netip.MustParseAddr("198.51.100.66")))
				names := fakeResolver{}
				names.hangs("hangs")
				names.is("liar", "127.0.0.1", "fd00::1")
				names.is("relay", relay.Addr().String())
				names.fails("broken", &resolver.Error{Err: resolver.ErrTimeout})
				var noted []Event
				e := New(Config{
					Env: env.Env{Net: host, Now: time.Now, Log: slog.New(failing{t})}, Resolver: names, Policy: open(t),
					IsRelayAddr: NewRelayAddrs(nil, relay).Contains,
					Note:        func(ev Event) { noted = append(noted, ev) },
				})
				var d desk
				d.open(t, e, bodyOf(tt.to, tt.flags))
				if len(d.sent) != 1 || d.sent[0].Cmd != relaymsg.CmdEnd {
					t.Fatalf("sent %v, want END", d.sent)
				}
				body := d.sent[0].Body
				if tt.want.TTL == 0 {
					tt.want.TTL = math.MaxUint32 // not told, which is what the parser makes of it
				}
				got, _ := relaymsg.ParseEnd(body)
				if got.Reason != relaymsg.EndExitPolicy || !got.Addr.IsValid() {
					got.TTL = math.MaxUint32
				}
				if got != tt.want {
					t.Errorf("END %+v, want %+v", got, tt.want)
				}
				if len(noted) != 1 || noted[0].Kind != Refused || noted[0].Reason != tt.want.Reason || noted[0].Port == 0 {
					t.Errorf("noted %+v", noted)
				}
			})
		})
	}
}

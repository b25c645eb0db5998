package trusteddirs_test

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
)

// A release of C tor once went out with an empty list of fallback directories.
func TestDefault(t *testing.T) {
	auths, fallbacks := trusteddirs.Default()
	votes, ids, addrs := 0, map[[20]byte]string{}, map[netip.AddrPort]bool{}
	for _, a := range auths {
		if a.Votes() {
			votes++
		}
		if a.Nickname == "" || a.Addr.Port() == 0 || a.Fingerprint == [20]byte{} || ids[a.Fingerprint] != "" || addrs[a.Addr] {
			t.Errorf("%+v: incomplete, or a duplicate", a)
		}
		ids[a.Fingerprint], addrs[a.Addr] = a.Nickname, true
		if !a.Votes() && !a.Bridge {
			t.Errorf("%s: neither votes nor takes bridges", a.Nickname)
		}
	}
	if len(auths) != 10 || votes != 9 {
		t.Errorf("got %d authorities, %d of which vote; want 10 and 9", len(auths), votes)
	}
	ipv6 := 0
	for _, f := range fallbacks {
		if !f.Addr.IsValid() || f.Addr.Port() == 0 || f.RSA == [20]byte{} || f.Weight != 1 || ids[f.RSA] != "" || addrs[f.Addr] {
			t.Errorf("%+v: incomplete, or a duplicate", f)
		}
		ids[f.RSA], addrs[f.Addr] = f.Addr.String(), true
		if f.IPv6.IsValid() {
			ipv6++
		}
	}
	if len(fallbacks) != 200 || ipv6 < 50 {
		t.Errorf("got %d fallbacks, %d with IPv6; want 200 and 50 at least", len(fallbacks), ipv6)
	}
}

func id(s string) (b [20]byte) {
	hex.Decode(b[:], []byte(s))
	return b
}

const (
	hexA = "F533C81CEF0BC0267857C99B2F471ADF249FA232"
	hexB = "1A25C6358DB91342AA51720A5038B72742732498"
)

var compareAddrs = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func TestParseAuthority(t *testing.T) {
	line := "moria1 orport=9201 V3Ident=" + hexA + " ipv6=[2001:db8::1]:443 bridge weight=2.5 no-v2 new=1 upload=http://192.0.2.1:80/ vote=http://192.0.2.2:81 " +
		"128.31.0.39:9231 1A25 C6358DB91342AA51720A5038B7274273 2498"
	got, ignored, err := trusteddirs.ParseAuthority(line)
	if err != nil {
		t.Fatal(err)
	}
	want := trusteddirs.Authority{
		Nickname: "moria1", Addr: netip.MustParseAddrPort("128.31.0.39:9201"), IPv6: netip.MustParseAddrPort("[2001:db8::1]:443"),
		DirPort: netip.MustParseAddrPort("128.31.0.39:9231"), Fingerprint: id(hexB), V3Ident: id(hexA), Bridge: true, Weight: 2.5,
		Upload: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")}, Vote: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:81")},
	}
	if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"new=1"}, ignored); diff != "" {
		t.Error(diff)
	}
}

func TestParseFallback(t *testing.T) {
	for _, tt := range []struct {
		line string
		want trusteddirs.Fallback
	}{
		{"192.0.2.1 orport=443 id=" + hexA, trusteddirs.Fallback{Addr: netip.MustParseAddrPort("192.0.2.1:443"), RSA: id(hexA), Weight: 1}},
		{
			"192.0.2.1:80 orport=443 id=" + hexA + " ipv6=[2001:db8::1]:9001 weight=3 new=x",
			trusteddirs.Fallback{Addr: netip.MustParseAddrPort("192.0.2.1:443"), IPv6: netip.MustParseAddrPort("[2001:db8::1]:9001"), RSA: id(hexA), Weight: 3},
		},
		{"[2001:db8::1] id=" + hexA + " orport=443", trusteddirs.Fallback{Addr: netip.MustParseAddrPort("[2001:db8::1]:443"), RSA: id(hexA), Weight: 1}},
	} {
		got, _, err := trusteddirs.ParseFallback(tt.line)
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
		}
		if diff := cmp.Diff(tt.want, got, compareAddrs); diff != "" {
			t.Errorf("%s: %s", tt.line, diff)
		}
	}
}

func TestParseBad(t *testing.T) {
	auth := func(s string) error { _, _, err := trusteddirs.ParseAuthority(s); return err }
	fall := func(s string) error { _, _, err := trusteddirs.ParseFallback(s); return err }
	for _, tt := range []struct {
		name  string
		parse func(string) error
		line  string
	}{
		{"empty authority", auth, ""},
		{"no fingerprint", auth, "a 192.0.2.1:80"},
		{"short fingerprint", auth, "a 192.0.2.1:80 " + hexA[1:]},
		{"fingerprint of other letters", auth, "a 192.0.2.1:80 " + strings.Replace(hexA, "F", "G", 1)},
		{"no directory port", auth, "a 192.0.2.1 " + hexA},
		{"host name", auth, "a 1.example.com:80 " + hexA},
		{"port too large", auth, "a orport=65536 192.0.2.1:80 " + hexA},
		{"short identity", auth, "a v3ident=ABCD 192.0.2.1:80 " + hexA},
		{"IPv4 as IPv6", auth, "a ipv6=192.0.2.1:80 192.0.2.1:80 " + hexA},
		{"negative weight", auth, "a weight=-1 192.0.2.1:80 " + hexA},
		{"URL with a path", auth, "a upload=http://192.0.2.1:80/x 192.0.2.1:80 " + hexA},
		{"URL of another scheme", auth, "a vote=https://192.0.2.1:80/ 192.0.2.1:80 " + hexA},
		{"empty fallback", fall, ""},
		{"no identity", fall, "192.0.2.1 orport=443"},
		{"identity of zeros", fall, "192.0.2.1 orport=443 id=" + strings.Repeat("0", 40)},
		{"no OR port", fall, "192.0.2.1 id=" + hexA},
		{"OR port 0", fall, "192.0.2.1 orport=0 id=" + hexA},
		{"two addresses", fall, "192.0.2.1 192.0.2.2 orport=443 id=" + hexA},
		{"fallback host name", fall, "example.com orport=443 id=" + hexA},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.parse(tt.line) == nil {
				t.Errorf("%q: want an error", tt.line)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("moria1 orport=9201 v3ident=" + hexA + " ipv6=[2001:db8::1]:443 vote=http://1.2.3.4:5/ 128.31.0.39:9231 " + hexB)
	f.Add("192.0.2.1:80 orport=443 id=" + hexA + " ipv6=[2001:db8::1]:9001 weight=3")
	f.Fuzz(func(t *testing.T, line string) {
		if a, _, err := trusteddirs.ParseAuthority(line); err == nil && (!a.DirPort.IsValid() || a.Weight < 0) {
			t.Errorf("%+v", a)
		}
		if b, _, err := trusteddirs.ParseFallback(line); err == nil && (b.Addr.Port() == 0 || b.RSA == [20]byte{} || b.Weight < 0) {
			t.Errorf("%+v", b)
		}
	})
}

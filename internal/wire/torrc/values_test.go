package torrc_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// parsers by name; each gives the value as text.
var parsers = map[string]func(string) (any, error){
	"bool":     func(s string) (any, error) { return torrc.Bool(s) },
	"autobool": func(s string) (any, error) { return torrc.ParseAutoBool(s) },
	"int":      func(s string) (any, error) { return torrc.Int(s, -5, 5) },
	"float":    func(s string) (any, error) { return torrc.Float(s) },
	"mem":      func(s string) (any, error) { return torrc.MemUnit(s) },
	"interval": func(s string) (any, error) { return torrc.Interval(s) },
	"msec":     func(s string) (any, error) { return torrc.MsecInterval(s) },
	"csv":      func(s string) (any, error) { return fmt.Sprintf("%q", torrc.CSV(s)), nil },
	"ports":    func(s string) (any, error) { return torrc.Ports(s) },
	"nodes":    func(s string) (any, error) { return torrc.ParseNodeSet(s) },
	"addrport": func(s string) (any, error) { return torrc.AddrPort(s) },
	"listen": func(s string) (any, error) {
		l, flags, err := torrc.ParseListen(s, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
		return fmt.Sprintf("%+v %q", l, flags), err
	},
}

const bad = "error"

func TestValues(t *testing.T) {
	for _, tt := range []struct{ kind, in, want string }{
		{"bool", "0", "false"}, {"bool", "1", "true"}, {"bool", "yes", bad}, {"bool", "", bad}, {"bool", "01", bad},
		{"autobool", "AUTO", "auto"}, {"autobool", "1", "1"}, {"autobool", "0", "0"}, {"autobool", "-1", bad},
		{"int", "-5", "-5"}, {"int", "6", bad}, {"int", "", bad}, {"int", "1x", bad}, {"int", "99999999999999999999", bad},
		{"float", "-1.0", "-1"}, {"float", "0x10p0", "16"}, {"float", "nan", bad}, {"float", "inf", bad}, {"float", "1 ", bad},

		{"mem", "0", "0"}, {"mem", "1 kb", "1024"}, {"mem", "1KBytes", "1024"}, {"mem", "8 kbits", "1024"},
		{"mem", "1.5 MB", "1572864"}, {"mem", "2 m", "2097152"}, {"mem", "1 TByte", "1099511627776"}, {"mem", ".5 kb", "512"},
		{"mem", "1 terabit", "137438953472"}, {"mem", "9223372036854775807", "9223372036854775807"},
		{"mem", "9223372036854775808", bad}, {"mem", "99999999 TB", bad}, {"mem", "1e3", bad}, {"mem", "1 XB", bad},
		{"mem", "-1", bad}, {"mem", "", bad}, {"mem", "MB", bad}, {"mem", "1.2.3", bad}, {"mem", ".", bad}, {"mem", "99999999999.0 TB", bad},

		{"interval", "2 days", "48h0m0s"}, {"interval", "90", "1m30s"}, {"interval", "1 month", "730h28m48s"}, {"interval", "1.5 MINUTE", "1m30s"},
		{"interval", "2147483647", "596523h14m7s"}, {"interval", "2147483648", bad}, {"interval", "100 msec", bad},
		{"msec", "100 msec", "100ms"}, {"msec", "7", "7ms"}, {"msec", "1 second", "1s"}, {"msec", "1 month", bad}, {"msec", "52 weeks", bad},

		{"csv", " a ,,b c,", `["a" "b c"]`}, {"csv", "", `[]`},
		{"ports", "22, 80", "[22 80]"}, {"ports", "0", bad}, {"ports", "65536", bad}, {"ports", "a", bad},

		{"nodes", "$0123456789012345678901234567890123456789=foo,{US}, foo,1.2.3.0/24,*:80", "$0123456789012345678901234567890123456789=foo,{US},foo,1.2.3.0/24,*:80"},
		{"nodes", "", ""}, {"nodes", "foo bar", bad}, {"nodes", "{usa}", bad}, {"nodes", "$foo", bad}, {"nodes", "accept 1.2.3.4", bad}, {"nodes", "reject 1.2.3.4", bad},
		{"nodes", "[2001:db8::1]/32:80-90", "[2001:db8::1]/32:80-90"}, {"nodes", "1.2.3.4/33", bad}, {"nodes", "*/8", bad}, {"nodes", "1.2.3.4:90-80", bad},
		{"nodes", "0123456789012345678901234567890123456789=", bad}, {"nodes", "012345678901234567890123456789012345678g", bad},
		{"nodes", "thisnameistwentychar", bad},

		{"addrport", "1.2.3.4:5", "1.2.3.4:5"}, {"addrport", "[::1]:5", "[::1]:5"}, {"addrport", "1.2.3.4", bad}, {"addrport", "1.2.3.4:0", bad}, {"addrport", "[::1%eth0]:5", bad},

		{"listen", "9050", "{Off:false Path: Addr:127.0.0.1:9050 Auto:false} []"},
		{"listen", "0", `{Off:true Path: Addr:invalid AddrPort Auto:false} []`},
		{"listen", "AUTO A b", `{Off:false Path: Addr:127.0.0.1:0 Auto:true} ["A" "b"]`},
		{"listen", "[::1]:auto", `{Off:false Path: Addr:[::1]:0 Auto:true} []`},
		{"listen", "localhost:9050 X", `{Off:false Path: Addr:127.0.0.1:9050 Auto:false} ["X"]`},
		{"listen", "unix:/run/s W", `{Off:false Path:/run/s Addr:invalid AddrPort Auto:false} ["W"]`},
		{"listen", `unix:"/a b/s" W`, `{Off:false Path:/a b/s Addr:invalid AddrPort Auto:false} ["W"]`},
		{"listen", "", bad}, {"listen", "unix:", bad}, {"listen", `unix:"/a`, bad}, {"listen", "65536", bad}, {"listen", "1.2.3.4", bad}, {"listen", "1.2.3.4:0", bad},
		{"listen", "example.com:80", bad}, {"listen", "::1:9050", bad}, {"listen", "[::1:9050", bad}, {"listen", "[1.2.3.4]:80", bad},
	} {
		t.Run(tt.kind+" "+tt.in, func(t *testing.T) {
			v, err := parsers[tt.kind](tt.in)
			got := fmt.Sprint(v)
			if err != nil {
				got = bad
			}
			if got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

func TestNodeSetContains(t *testing.T) {
	set, err := torrc.ParseNodeSet("$0100000000000000000000000000000000000000~x,Alice,{us},10.0.0.0/8:443")
	if err != nil {
		t.Fatal(err)
	}
	countries := map[string]string{"192.0.2.1": "us", "192.0.2.2": "de"}
	in := func(id byte, nick, addr string) bool {
		return set.Contains([20]byte{id}, nick, []netip.AddrPort{netip.MustParseAddrPort(addr)}, func(a netip.Addr) string { return countries[a.String()] })
	}
	for _, tt := range []struct {
		name string
		got  bool
		want bool
	}{
		{"fingerprint", in(1, "bob", "192.0.2.2:1"), true},
		{"nickname in other letters", in(2, "aLICE", "192.0.2.2:1"), true},
		{"country", in(2, "bob", "192.0.2.1:1"), true},
		{"address", in(2, "bob", "10.1.2.3:443"), true},
		{"other port", in(2, "bob", "10.1.2.3:80"), false},
		{"none", in(2, "bob", "192.0.2.2:1"), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if (torrc.NodeSet{}).Contains([20]byte{}, "", nil, nil) {
		t.Error("the empty set contains something")
	}
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"1.5 MB", "{us},*:80,[::1]/8:1-2", `unix:"a\x41" b`, "255.255.0.0", "1.2.3.4/255.0.0.0:*", "auto"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for kind, parse := range parsers {
			v, err := parse(s)
			if err != nil || kind != "nodes" {
				continue
			}
			text := fmt.Sprint(v)
			if again, err := parse(text); err != nil || fmt.Sprint(again) != text {
				t.Errorf("%q: got %v, %v", text, again, err)
			}
		}
	})
}

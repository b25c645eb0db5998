package exitpolicy

import (
	"errors"
	"strings"
	"testing"
)

func mustList(t testing.TB, list string) Policy {
	t.Helper()
	p, ignored, err := ParseList(list, BareRefused)
	if err != nil || len(ignored) != 0 {
		t.Fatalf("ParseList(%q): ignored %q, error %v", list, ignored, err)
	}
	return p
}

func text(p Policy) string {
	var s []string
	for _, r := range p {
		s = append(s, r.String())
	}
	return strings.Join(s, ",")
}

// https://spec.torproject.org/dir-spec/server-descriptor-format.html
func TestParseRule(t *testing.T) {
	for _, tt := range []struct{ keyword, arg, want string }{
		{"accept", "*:*", "accept *4:*"},
		{"reject", "*:25", "reject *4:25"},
		{"reject", "10.0.0.0/8:*", "reject 10.0.0.0/8:*"},
		{"reject", "10.1.2.3/8:*", "reject 10.1.2.3/8:*"}, // kept as written
		{"reject", "1.2.3.4", "reject 1.2.3.4:*"},
		{"reject", "[1.2.3.4]:80", "reject 1.2.3.4:80"},
		{"reject", "1.2.3.4/255.255.0.0:80-90", "reject 1.2.3.4/16:80-90"},
		{"reject", "1.2.3.4/0:80-80", "reject *4:80"},
		{"reject", "1.2.3.4/0.0.0.0:80-80", "reject *4:80"},
	} {
		got, err := ParseRule(tt.keyword, tt.arg)
		if err != nil || text(got) != tt.want {
			t.Errorf("%s %s: got %s, %v, want %s", tt.keyword, tt.arg, text(got), err, tt.want)
		}
	}
	private, err := ParseRule("reject", "private:80")
	if err != nil || len(private) != len(privateNets) || private[0].Ports != (PortRange{80, 80}) {
		t.Errorf("private: got %s, %v", text(private), err)
	}
}

func TestBadRules(t *testing.T) {
	for _, tt := range []struct {
		name, keyword, arg string
		want               error
	}{
		{"port zero", "reject", "*:0", ErrPort},
		{"range from zero", "reject", "*:0-80", ErrPort},
		{"range to zero", "accept", "*:80-0", ErrPort},
		{"reversed range", "accept", "*:90-80", ErrPort},
		{"port too high", "accept", "*:65536", ErrPort},
		{"port sign", "accept", "*:+80", ErrPort},
		{"open range", "accept", "*:80-", ErrPort},
		{"three ports", "accept", "*:1-2-3", ErrPort},
		{"private port zero", "reject", "private:0", ErrPort},
		{"private without colon", "reject", "private", ErrSyntax},
		{"private with mask", "reject", "private/8:*", ErrSyntax},
		{"accept6", "accept6", "[::]:80", ErrSyntax},
		{"IPv6 address", "accept", "[2001:db8::]/32:80", ErrFamily},
		{"IPv6 without brackets", "accept", "2001:db8::1:80", ErrPort},
		{"zone", "accept", "[fe80::1%eth0]:80", ErrAddress},
		{"open bracket", "accept", "[::1:80", ErrAddress},
		{"text after bracket", "accept", "[1.2.3.4]x:80", ErrAddress},
		{"mask on star", "accept", "*/8:80", ErrAddress},
		{"extended star", "accept", "*4:80", ErrAddress},
		{"mask too long", "accept", "1.2.3.4/33:80", ErrAddress},
		{"empty mask", "accept", "1.2.3.4/:80", ErrAddress},
		{"gap in mask", "accept", "1.2.3.4/255.0.255.0:80", ErrAddress},
		{"mask in between on mapped", "accept", "[::ffff:1.2.3.4]/48:80", ErrAddress},
		{"host name", "accept", "example.com:80", ErrAddress},
		{"empty", "accept", "", ErrAddress},
		{"long", "accept", strings.Repeat("1", 1000), ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ParseRule(tt.keyword, tt.arg); !errors.Is(err, tt.want) {
				t.Errorf("got %v, error %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestAppendDescriptor(t *testing.T) {
	p := mustList(t, "reject 10.0.0.0/8:*,accept *:80,reject [2001:db8::]/32:1-2,reject *:*")
	const want = "reject 10.0.0.0/8:*\naccept *:80\nreject *:*\n"
	if got := string(p.AppendDescriptor(nil)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(p[3].AppendDescriptor(nil)); got != "reject6 [2001:db8::]/32:1-2" {
		t.Errorf("got %q", got)
	}
}

func TestParseList(t *testing.T) {
	for _, tt := range []struct {
		list string
		bare Bare
		want string
	}{
		{"accept *:80", BareRefused, "accept *4:80,accept *6:80"},
		{"accept *4:80, reject6 *:*", BareRefused, "accept *4:80,reject *6:*"},
		{"accept6 *6", BareRefused, "accept *6:*"},
		{"reject [2001:db8::1]:80", BareRefused, "reject [2001:db8::1]:80"},
		{"reject6 ::/0", BareRefused, "reject *6:*"},
		{"reject [::ffff:1.2.3.4]/24:80", BareRefused, "reject [::ffff:1.2.3.4]/120:80"},
		{"18.0.0.0/7:*, reject *:80", BareAccept, "accept 18.0.0.0/7:*,reject *4:80,reject *6:80"},
		{"*4:80,[::1]", BareReject, "reject *4:80,reject [::1]:*"},
		{" ,, ", BareRefused, ""},
	} {
		p, _, err := ParseList(tt.list, tt.bare)
		if err != nil || text(p) != tt.want {
			t.Errorf("%q: got %s, %v, want %s", tt.list, text(p), err, tt.want)
		}
	}
	p, ignored, err := ParseList("accept6 1.2.3.4:80,accept6 *4:80,accept 1.2.3.4:80", BareRefused)
	if err != nil || len(p) != 1 || len(ignored) != 2 {
		t.Errorf("got %s, ignored %q, %v", text(p), ignored, err)
	}
	for _, bad := range []string{"*:80", "accept", "accept *:80 x", "permit *:80", "accept *:0", "accept *8:80"} {
		if p, _, err := ParseList(bad, BareRefused); err == nil {
			t.Errorf("%q: got %s, want an error", bad, text(p))
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add(defaultList)
	f.Add("reject private:*,accept *4:80,accept6 [::1]/64:1-2,reject [::ffff:1.2.3.4]/8,reject 1.2.3.4/255.0.0.0:9")
	f.Fuzz(func(t *testing.T, list string) {
		p, _, err := ParseList(list, BareRefused)
		if err != nil {
			return
		}
		if again := mustList(t, text(p)); text(again) != text(p) {
			t.Fatalf("%q is read again as %q", text(p), text(again))
		}
		for _, r := range p {
			if r.Ports.Low == 0 || r.Ports.Low > r.Ports.High {
				t.Fatalf("invalid ports in %v", r)
			}
		}
		for _, ipv6 := range []bool{false, true} {
			s := p.Summarize(ipv6)
			if again, err := ParseSummary(s.String()); err != nil || again != s {
				t.Fatalf("summary %q is read again as %q, %v", s, again, err)
			}
		}
	})
}

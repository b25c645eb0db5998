package exitpolicy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseSummary(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"accept 80,443", "accept 80,443"},
		{"accept 443,80", "accept 80,443"},
		{"accept 1-10,5-20,21", "accept 1-21"},
		{"accept 80,", "accept 80"},
		{"accept x,80", "accept 80"},
		{"reject 1-65535", "reject 1-65535"},
		{"accept 1-65535", "accept 1-65535"},
		{"reject 25,119,135-139", "reject 25,119,135-139"},
	} {
		got, err := ParseSummary(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestBadSummaries(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrSyntax},
		{"unknown keyword", "permit 80", ErrSyntax},
		{"no space", "accept", ErrSyntax},
		{"no port", "accept ", ErrSyntax},
		{"only unknown entries", "accept *,x", ErrSyntax},
		{"port zero", "accept 0", ErrPort},
		{"range from zero", "reject 0-80", ErrPort},
		{"reversed", "accept 90-80", ErrPort},
		{"too high", "accept 65536", ErrPort},
		{"text after port", "accept 80x", ErrPort},
		{"open range", "accept 80-", ErrPort},
		{"space in a range", "accept 80 -90", ErrPort},
		{"too many", "accept " + strings.Repeat("80,", 1001), ErrTooLong},
		{"too long", "accept " + strings.Repeat("x", 20000), ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := ParseSummary(tt.in); !errors.Is(err, tt.want) {
				t.Errorf("got %q, error %v, want %v", s, err, tt.want)
			}
		})
	}
}

func TestSummaryAllows(t *testing.T) {
	for _, tt := range []struct {
		s       string
		yes, no []uint16
	}{
		{"accept 80,443,6660-6669", []uint16{80, 443, 6660, 6669}, []uint16{0, 1, 79, 81, 6659, 6670, 65535}},
		{"reject 25,119-120,65535", []uint16{1, 24, 26, 121, 65534}, []uint16{0, 25, 119, 120, 65535}},
		{"accept 1-65535", []uint16{1, 65535}, []uint16{0}},
		{"reject 1-65535", nil, []uint16{0, 1, 80, 65535}},
	} {
		s, err := ParseSummary(tt.s)
		if err != nil {
			t.Fatal(err)
		}
		ranges := map[uint16]bool{}
		for r := range s.Ranges() {
			for p := int(r.Low); p <= int(r.High); p++ {
				ranges[uint16(p)] = true
			}
		}
		for _, port := range tt.yes {
			if !s.Allows(port) || !ranges[port] {
				t.Errorf("%s: port %d is not allowed", s, port)
			}
		}
		for _, port := range tt.no {
			if s.Allows(port) || ranges[port] {
				t.Errorf("%s: port %d is allowed", s, port)
			}
		}
	}
	if s, _ := ParseSummary("reject 1-65535"); s != (Summary{}) || !s.RejectsAll() {
		t.Error("the zero summary does not reject everything")
	}
}

// Cases of C tor, src/test/test_policy.c.
// https://spec.torproject.org/dir-spec/computing-consensus.html
func TestSummarize(t *testing.T) {
	var every2nd strings.Builder
	for i := 1; i < 2000; i += 2 {
		fmt.Fprintf(&every2nd, "reject *:%d,", i)
	}
	truncated := "accept 2"
	for i := 4; i <= 522; i += 2 {
		truncated += fmt.Sprintf(",%d", i)
	}
	for _, tt := range []struct{ name, policy, want4, want6 string }{
		{"private nets do not count", "reject 192.168.0.0/16:*,reject 0.0.0.0/8:*,reject 10.0.0.0/8:*,accept *:10-30," +
			"accept *:90,reject *:*", "accept 10-30,90", "accept 10-30,90"},
		{"two /8", "reject 11.0.0.0/9:80,reject 12.0.0.0/9:80,reject 13.0.0.0/9:80,reject 14.0.0.0/9:80,accept *:*",
			"accept 1-65535", "accept 1-65535"},
		{"two /8 and another port", "reject 11.0.0.0/9:80,reject 12.0.0.0/9:80,reject 13.0.0.0/9:80," +
			"reject 14.0.0.0/9:80,reject 15.0.0.0:81,accept *:*", "accept 1-65535", "accept 1-65535"},
		{"two /8 and one address", "reject 11.0.0.0/9:80,reject 12.0.0.0/9:80,reject 13.0.0.0/9:80," +
			"reject 14.0.0.0/9:80,reject 15.0.0.0:80,accept *:*", "reject 80", "accept 1-65535"},
		{"narrow accept", "accept 11.0.0.0/9:80,reject *:*", "reject 1-65535", "reject 1-65535"},
		{"merging", "accept *:80,accept *:81,accept *:100-110,accept *:111,reject *:*", "accept 80-81,100-111",
			"accept 80-81,100-111"},
		{"borders", "accept *:1,accept *:3,accept *:65535,reject *:*", "accept 1,3,65535", "accept 1,3,65535"},
		{"holes", "reject *:1,reject *:3,reject *:5,reject *:7,accept *:*", "reject 1,3,5,7", "reject 1,3,5,7"},
		{"netblocks", "reject 149.56.0.0/16,reject6 2607:5300::/32,reject6 2608:5300::/64,reject6 2609:5300::/96," +
			"accept *:80,accept *:443,reject *:*", "accept 80,443", "accept 80,443"},
		{"just not too large", "reject 148.0.0.0/7,reject6 2600::/16,accept *:80,accept *:443,reject *:*",
			"accept 80,443", "accept 80,443"},
		{"too large", "reject 148.0.0.0/6,reject6 2600::/15,accept *:80,accept *:443,reject *:*", "reject 1-65535",
			"reject 1-65535"},
		{"half of all", "reject 128.0.0.0/1,reject6 8000::/1,accept *:80,accept *:443,reject *:*", "reject 1-65535",
			"reject 1-65535"},
		{"everything, repeatedly", strings.Repeat("reject 0.0.0.0/0,reject6 ::/0,", 5) + "accept *:80,reject *:*",
			"reject 1-65535", "reject 1-65535"},
		{"truncated", every2nd.String() + "accept *:*", truncated, truncated},
		{"private net with other bits counts", "reject 10.1.2.3/8:80,reject 11.0.0.0/8:80,reject 12.0.0.0/8:80,accept *:80",
			"reject 1-65535", "accept 80"},
		{"no rule", "reject 1.2.3.4:1", "reject 1-65535", "reject 1-65535"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustList(t, tt.policy)
			if got := p.Summarize(false).String(); got != tt.want4 {
				t.Errorf("IPv4: got %s, want %s", got, tt.want4)
			}
			if got := p.Summarize(true).String(); got != tt.want6 {
				t.Errorf("IPv6: got %s, want %s", got, tt.want6)
			}
		})
	}
}

func FuzzParseSummary(f *testing.F) {
	f.Add("accept 80,443", uint16(80))
	f.Add("reject 1-65535", uint16(1))
	f.Add("accept 1-10,5-20,21,*", uint16(21))
	f.Fuzz(func(t *testing.T, text string, port uint16) {
		s, err := ParseSummary(text)
		if err != nil {
			return
		}
		again, err := ParseSummary(s.String())
		if err != nil || again != s {
			t.Fatalf("%q is read again as %q, %v", s, again, err)
		}
		inRanges := false
		for r := range s.Ranges() {
			inRanges = inRanges || r.Contains(port)
		}
		if inRanges != s.Allows(port) {
			t.Fatalf("%q: Allows(%d) = %v, but Ranges says %v", s, port, s.Allows(port), inRanges)
		}
	})
}

func BenchmarkSummaryAllows(b *testing.B) {
	s, err := ParseSummary("accept " + reducedPorts)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Allows(443)
	}
}

func BenchmarkParseSummary(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseSummary("accept " + reducedPorts)
	}
}

// A policy of many rules must not cost more than linear time or so.
func BenchmarkSummarizeLong(b *testing.B) {
	var list strings.Builder
	for i := 1; i < 5000; i++ {
		fmt.Fprintf(&list, "reject 1.2.0.0/16:%d-%d,", i, 65535-i)
	}
	p := mustList(b, list.String()+"accept *:*")
	b.ReportAllocs()
	for b.Loop() {
		p.Summarize(false)
	}
}

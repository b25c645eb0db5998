package protover

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// vectors has the cases of C tor 0.4.9.11, src/test/test_protover.c.
type vectors struct {
	Vote []struct {
		Votes     []string
		Threshold int
		Output    string
	}
	Roundtrip []struct {
		Input  string
		Output *string // nil: malformed
	}
}

func readVectors(t testing.TB) (v vectors) {
	data, err := os.ReadFile("testdata/protover.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// https://spec.torproject.org/tor-spec/subprotocol-versioning.html
func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Vote {
		var sets []Set
		for _, text := range c.Votes {
			if s, err := Parse([]byte(text)); err == nil {
				sets = append(sets, s)
			}
		}
		got := Vote(sets, c.Threshold)
		if got.String() != c.Output {
			t.Errorf("vote of %q, %d: got %q, want %q", c.Votes, c.Threshold, got.String(), c.Output)
		}
	}
	for _, c := range v.Roundtrip {
		got, err := Parse([]byte(c.Input))
		switch {
		case c.Output == nil && !errors.Is(err, ErrSyntax):
			t.Errorf("%q: got %q, %v, want an error", c.Input, got.String(), err)
		case c.Output != nil && (err != nil || got.String() != *c.Output):
			t.Errorf("%q: got %q, %v, want %q", c.Input, got.String(), err, *c.Output)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"spaces", "Link=4   Cons=2 ", "Cons=2 Link=4"},
		{"the first of a name counts", "Link=1 Link=2 X=1 X=2 Y= Y=3", "Link=1 X=1"},
		{"all versions", "Link=0-63 X=0-63", "Link=0-63 X=0-63"},
		{"overlap", "Link=1-5,3-8", "Link=1-8"},
		{"holes", "Link=0,2,4-6,63", "Link=0,2,4-6,63"},
		{"unknown between known", "Relay=2 Foo=1 Cons=1", "Cons=1 Foo=1 Relay=2"},
		{"case matters", "link=4", "link=4"},
	}
	for _, tt := range tests {
		s, err := Parse([]byte(tt.text))
		if err != nil || s.String() != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, s.String(), err, tt.want)
		}
		if again, _ := Parse([]byte(s.String())); again != s {
			t.Errorf("%s: %q is not equal to itself", tt.name, s.String())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       error
	}{
		{"space first", " Link=1", ErrSyntax},
		{"tab", "Link=1\tCons=2", ErrSyntax},
		{"version 64", "Link=64", ErrSyntax},
		{"version that overflows", "Link=18446744073709551617", ErrSyntax},
		{"long name", strings.Repeat("x", MaxNameLen+1) + "=1", ErrSyntax},
		{"long list", strings.Repeat("x=1 ", MaxTextLen/4+1), ErrTooLong},
	}
	for _, tt := range tests {
		if s, err := Parse([]byte(tt.text)); !errors.Is(err, tt.want) || !s.IsEmpty() {
			t.Errorf("%s: %q, %v, want %v", tt.name, s.String(), err, tt.want)
		}
	}
}

func TestSupports(t *testing.T) {
	for p, v := range map[Protocol]uint{Relay: 6, Link: 5, Conflux: 1, Desc: 4} {
		if !Supported.Supports(p, v) || Supported.Supports(p, v+1) || Supported.Supports(p, 64) {
			t.Errorf("%v: want versions up to %d", p, v)
		}
	}
	for _, set := range []*Set{&RecommendedClient, &RecommendedRelay, &RequiredClient, &RequiredRelay} {
		if m := Supported.Missing(set); !m.IsEmpty() {
			t.Errorf("we lack %v", m.String())
		}
	}
	have, need := MustParse("Link=3-5 Foo=1,2"), MustParse("Link=5-6 Foo=2-3 Bar=1 Cons=2")
	if m := have.Missing(&need); m.String() != "Bar=1 Cons=2 Foo=3 Link=6" {
		t.Errorf("missing %q", m.String())
	}
}

func TestCaps(t *testing.T) {
	tests := []struct {
		text      string
		has, lack Caps
	}{
		{Supported.String(), CapConsDiff<<1 - 1, 0},
		{"FlowCtrl=2 Relay=4", CapCongestionControl | CapNtorV3, CapConflux | CapCGO | CapNtor},
		{"FlowCtrl=1 Relay=4-6 Conflux=1", CapNtorV3, CapCongestionControl | CapConflux | CapCGO},
		{"FlowCtrl=2 Relay=6", 0, CapCGO | CapNtorV3},
		{"FlowCtrl=2 Relay=5-6", CapCGO, CapCongestionControl},
		{"LinkAuth=1", 0, CapEdLink},
		{"LinkAuth=4", CapEdLink, 0},
	}
	for _, tt := range tests {
		s := MustParse(tt.text)
		if c := s.Caps(); !c.Has(tt.has) || c&tt.lack != 0 {
			t.Errorf("%s: %b", tt.text, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range readVectors(f).Roundtrip {
		f.Add([]byte(c.Input))
	}
	f.Add([]byte(Supported.String()))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		out := s.String()
		again, err := Parse([]byte(out))
		if err != nil || again != s || again.String() != out {
			t.Fatalf("%q: %q, then %q, %v", text, out, again.String(), err)
		}
		if v := Vote([]Set{s, s, {}}, 2); v != s {
			t.Fatalf("vote of two equal sets: %q, want %q", v.String(), out)
		}
		if m := s.Missing(&again); !m.IsEmpty() {
			t.Fatalf("%q lacks %q of itself", out, m.String())
		}
	})
}

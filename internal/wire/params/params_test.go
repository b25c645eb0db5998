package params

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

func TestParse(t *testing.T) {
	const text = "circwindow=1000 guard-n-primary-guards-to-use=1 guard-n-primary-guards=-3 x=2147483647 y=-2147483648"
	l, err := Parse(netdoc.Args(text))
	if err != nil {
		t.Fatal(err)
	}
	want := List{{"circwindow", 1000}, {"guard-n-primary-guards-to-use", 1}, {"guard-n-primary-guards", -3}, {"x", 1<<31 - 1}, {"y", -1 << 31}}
	if d := cmp.Diff(want, l); d != "" {
		t.Errorf("list (-want +got):\n%s", d)
	}
	if got := string(l.AppendTo(nil)); got != " "+text {
		t.Errorf("written: %q", got)
	}
	for _, v := range l {
		if got, ok := l.Lookup(v.Name); !ok || got != v.Value {
			t.Errorf("%s: %d, %v", v.Name, got, ok)
		}
	}
	if _, ok := l.Lookup("guard-n-primary"); ok {
		t.Error("found a prefix")
	}
}

func TestGet(t *testing.T) {
	l, err := ParseUnsorted(netdoc.Args("circwindow=5 cc_alg=9 cbtquantile=50"))
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[Param]int32{CircWindow: 100, CCAlg: 3, CBTQuantile: 50, CBTNumModes: 10} {
		if got := l.Of(p); got != want {
			t.Errorf("%s: %d, want %d", p.Name, got, want)
		}
	}
	if got := List(nil).Of(CircWindow); got != 1000 {
		t.Errorf("of an empty list: %d", got)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       error
	}{
		{"no value", "a", ErrSyntax},
		{"empty value", "a=", ErrSyntax},
		{"no name", "=1", ErrSyntax},
		{"no number", "a=x", ErrSyntax},
		{"plus sign", "a=+1", ErrSyntax},
		{"two equals signs", "a=1=2", ErrSyntax},
		{"too large", "a=2147483648", ErrSyntax},
		{"too small", "a=-2147483649", ErrSyntax},
		{"underscore", "a=1_0", ErrSyntax},
		{"not in order", "b=1 a=1", ErrOrder},
		{"in order of names alone", "a=1 a-b=1", ErrOrder},
		{"twice", "a=1 a=2", ErrTwice},
	}
	for _, tt := range tests {
		if l, err := Parse(netdoc.Args(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v", tt.name, l, err)
		}
	}
	if l, err := ParseUnsorted(netdoc.Args("b=1 a=1 b=1")); !errors.Is(err, ErrTwice) {
		t.Errorf("unsorted, twice: %v, %v", l, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a-b=1 a=-2 b=3")
	f.Add("a1=1 a=2 aA=3")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseUnsorted(netdoc.Args(text))
		if err != nil {
			return
		}
		words := strings.Split(string(l.AppendTo(nil)), " ")
		if !slices.IsSorted(words) {
			t.Fatalf("words are not sorted as bytes: %q", words)
		}
		again, err := Parse(l.AppendTo(nil))
		if err != nil || !slices.Equal(l, again) {
			t.Fatalf("%v, then %v, %v", l, again, err)
		}
	})
}

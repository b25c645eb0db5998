package dirhttp

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// https://spec.torproject.org/dir-spec/general-use-http-urls.html
func TestParseResource(t *testing.T) {
	a, b := [20]byte{0xaa}, [20]byte{0xbb}
	aText, bText := "aa"+strings.Repeat("00", 19), "BB"+strings.Repeat("00", 19)
	micro := [32]byte{}
	for _, tt := range []struct {
		path string
		want Resource
	}{
		{"/", Resource{Kind: FrontPage}},
		{"", Resource{Kind: FrontPage}},
		{"/tor/", Resource{Kind: FrontPage}},
		{"/robots.txt", Resource{Kind: Robots}},
		{"/tor", Resource{}},
		{"/tor/bytes.txt", Resource{}},
		{"/tor/status-vote/next/authority", Resource{}},
		{"/tor/hs/3/abc", Resource{}},
		{"/tor/server/", Resource{}},
		{"/tor/server/allx", Resource{}},
		{"/tor/status-vote/current/consensus", Resource{Kind: Consensus}},
		{"/tor/status-vote/current/consensus-microdesc/0232AF", Resource{Kind: Consensus,
			Consensus: ConsensusPath{Flavor: "microdesc", Signers: []string{"0232AF"}}}},
		{"/tor/keys/all", Resource{Kind: KeysAll}},
		{"keys/authority", Resource{Kind: KeysOwn}},
		{"/tor/keys/fp/" + aText, Resource{Kind: KeysFP, Digests: [][20]byte{a}}},
		{"/tor/keys/sk/" + bText, Resource{Kind: KeysSK, Digests: [][20]byte{b}}},
		{"/tor/keys/fp-sk/" + aText + "-" + bText, Resource{Kind: KeysFPSK, Pairs: []KeyPair{{a, b}}}},
		{"/tor/server/all", Resource{Kind: ServerAll}},
		{"/tor/server/authority", Resource{Kind: ServerOwn}},
		{"/tor/server/fp/" + bText + "+" + aText + "+" + aText, Resource{Kind: ServerFP, Digests: [][20]byte{a, b}}},
		{"/tor/server/d/zz", Resource{Kind: ServerDigest}},
		{"/tor/extra/all", Resource{Kind: ExtraAll}},
		{"/tor/extra/authority", Resource{Kind: ExtraOwn}},
		{"/tor/extra/fp/" + aText, Resource{Kind: ExtraFP, Digests: [][20]byte{a}}},
		{"/tor/extra/d/" + aText, Resource{Kind: ExtraDigest, Digests: [][20]byte{a}}},
		{"/tor/micro/d/" + strings.Repeat("A", 43), Resource{Kind: Micro, Microdescs: [][32]byte{micro}}},
	} {
		got, err := ParseResource(FullPath(tt.path))
		if err != nil {
			t.Errorf("%q: %v", tt.path, err)
		} else if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q: %s", tt.path, diff)
		}
	}
}

func TestParseResourceRefuses(t *testing.T) {
	var many strings.Builder
	for i := range MaxListed + 1 {
		many.WriteString(upperHex([]byte{byte(i >> 8), byte(i)}) + strings.Repeat("0", 36) + "+")
	}
	for name, tt := range map[string]struct {
		path string
		want error
	}{
		"unknown keys":         {"/tor/keys/xx/", ErrSyntax},
		"keys without a list":  {"/tor/keys/", ErrSyntax},
		"diff of bad digest":   {"/tor/status-vote/current/consensus/diff/AB", ErrSyntax},
		"consensus.new":        {"/tor/status-vote/current/consensus.new", ErrSyntax},
		"too many descriptors": {"/tor/server/d/" + many.String(), ErrList},
		"too many signers":     {"/tor/status-vote/current/consensus/" + strings.Repeat("A+", MaxSigners+1), ErrList},
	} {
		if got, err := ParseResource(tt.path); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", name, got.Kind, err, tt.want)
		}
	}
}

func TestKindNames(t *testing.T) {
	if Micro.String() != "micro/d" || (Micro+1).String() != "unknown" || len(kindNames) != int(Micro)+1 {
		t.Errorf("names are out of step: %v", Micro)
	}
}

// Whatever a path holds, it is cheap to parse and names no more than the bounds allow.
func FuzzParseResource(f *testing.F) {
	for path := range fixed {
		f.Add(path)
	}
	for _, l := range lists {
		f.Add(l.prefix + strings.Repeat("ab", 20) + "+" + strings.Repeat("CD", 20))
	}
	f.Add(PrefixMicro + strings.Repeat("A", 43))
	f.Add(PrefixKeysFPSK + strings.Repeat("a", 40) + "-" + strings.Repeat("b", 40))
	f.Add("/tor/status-vote/current/consensus-microdesc/diff/" + strings.Repeat("ab", 32) + "/0232AF+ED03BB")
	f.Fuzz(func(t *testing.T, path string) {
		full := FullPath(path)
		if !strings.HasPrefix(full, "/tor/") || FullPath(full) != full {
			t.Fatalf("%q becomes %q", path, full)
		}
		r, err := ParseResource(full)
		if err != nil {
			if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrList) {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		if max(len(r.Digests), len(r.Microdescs), len(r.Pairs)) > MaxListed || len(r.Consensus.Signers) > MaxSigners {
			t.Fatalf("%q names too much", path)
		}
	})
}

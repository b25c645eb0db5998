package dirhttp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// https://spec.torproject.org/dir-spec/general-use-http-urls.html
func TestConsensusPath(t *testing.T) {
	digest := [32]byte{0xab}
	digestText := "AB" + strings.Repeat("00", 31)
	for _, tt := range []struct {
		c    ConsensusPath
		want string
	}{
		{ConsensusPath{}, "/tor/status-vote/current/consensus"},
		{ConsensusPath{Flavor: "microdesc"}, "/tor/status-vote/current/consensus-microdesc"},
		{ConsensusPath{Signers: []string{"0232AF", "14C131"}}, "/tor/status-vote/current/consensus/0232AF+14C131"},
		{ConsensusPath{Flavor: "microdesc", Signers: []string{"0232AF"}, DiffFrom: &digest},
			"/tor/status-vote/current/consensus-microdesc/diff/" + digestText + "/0232AF"},
	} {
		if got := tt.c.String(); got != tt.want+".z" {
			t.Errorf("got %s, want %s.z", got, tt.want)
		}
		if got, ok := ParseConsensusPath(tt.want); !ok || !cmp.Equal(got, tt.c) {
			t.Errorf("%s: got %+v, %v", tt.want, got, ok)
		}
	}
	for _, bad := range []string{"", "/tor/", "/tor/status-vote/current/consensusx", "/tor/status-vote/next/consensus",
		"/tor/status-vote/current/consensus/diff/AB/", "/tor/status-vote/current/consensus/diff/"} {
		if got, ok := ParseConsensusPath(bad); ok {
			t.Errorf("%s: got %+v", bad, got)
		}
	}
	if got := SignerPrefix([20]byte{0xed, 0x03, 0xbb, 0x61}); got != "ED03BB" {
		t.Errorf("SignerPrefix: %s", got)
	}
}

func TestListPaths(t *testing.T) {
	a, b := [20]byte{0xaa}, [20]byte{0xbb}
	aText, bText := "AA"+strings.Repeat("00", 19), "BB"+strings.Repeat("00", 19)
	got, err := DigestPath(PrefixServer, [][20]byte{b, a})
	if want := "/tor/server/d/" + aText + "+" + bText + ".z"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if got := ParseDigests(bText + "+" + aText + "+xx+" + bText); !slices.Equal(got, [][20]byte{a, b}) {
		t.Errorf("got %x", got)
	}

	got, err = KeyPairPath([]KeyPair{{b, a}, {a, b}})
	if want := "/tor/keys/fp-sk/" + aText + "-" + bText + "+" + bText + "-" + aText + ".z"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if got := ParseKeyPairs(bText + "-" + aText + "+" + aText + "+" + aText + "-" + bText); !slices.Equal(got, []KeyPair{{a, b}, {b, a}}) {
		t.Errorf("got %x", got)
	}

	// 0xf8 makes base64 begin with '+', which sorts before 'A' as text but after it as a digest.
	m, n := [32]byte{0x00}, [32]byte{0xf8}
	got, err = MicrodescPath([][32]byte{n, m})
	mText, nText := strings.Repeat("A", 43), "+"+strings.Repeat("A", 42)
	if want := "/tor/micro/d/" + mText + "-" + nText + ".z"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if got := ParseMicrodescs(nText + "-" + mText + "-" + mText[1:] + "-" + mText + "="); !slices.Equal(got, [][32]byte{m, n}) {
		t.Errorf("got %x", got)
	}
	if got, ok := ParseHSDesc(strings.TrimPrefix(HSDescPath(n), PrefixHSDesc)); !ok || got != n {
		t.Errorf("onion service descriptor: %x, %v", got, ok)
	}

	for _, n := range []int{0, MaxDigests + 1} {
		if got, err := MicrodescPath(make([][32]byte, n)); !errors.Is(err, ErrList) {
			t.Errorf("%d digests: got %s, %v", n, got, err)
		}
	}
	if got, err := MicrodescPath(make([][32]byte, MaxDigests)); err != nil || len(got) > MaxHead/2 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func FuzzPaths(f *testing.F) {
	f.Add("/tor/status-vote/current/consensus-microdesc/diff/" + strings.Repeat("ab", 32) + "/0232AF+ED03BB")
	f.Add(strings.Repeat("A", 43) + "-" + strings.Repeat("+", 43))
	f.Add(strings.Repeat("A", 40) + "-" + strings.Repeat("B", 40) + "+" + strings.Repeat("C", 40))
	f.Fuzz(func(t *testing.T, path string) {
		if c, ok := ParseConsensusPath(path); ok {
			slices.Sort(c.Signers)
			if again, ok := ParseConsensusPath(strings.TrimSuffix(c.String(), ".z")); !ok || !cmp.Equal(again, c) {
				t.Fatalf("%s is read again as %+v, %v", c, again, ok)
			}
		}
		if list := ParseMicrodescs(path); len(list) > 0 && len(list) <= MaxDigests {
			p, err := MicrodescPath(list)
			if again := ParseMicrodescs(strings.TrimSuffix(strings.TrimPrefix(p, PrefixMicro), ".z")); err != nil || !slices.Equal(again, list) {
				t.Fatalf("%x is read again as %x, %v", list, again, err)
			}
		}
		ParseDigests(path)
		ParseKeyPairs(path)
	})
}

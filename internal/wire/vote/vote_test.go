package vote_test

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/srstate"
	"github.com/tropea-net/tropea/internal/wire/vote"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

// ctorVotes are the votes of three C tor 0.4.9.11, as one of them wrote them to v3-status-votes.
func ctorVotes(t testing.TB) [][]byte {
	data, err := os.ReadFile("testdata/votes.txt")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(vote.Split(data))
}

func parse(t testing.TB, doc []byte) *vote.Vote {
	t.Helper()
	v, err := vote.Parse(doc, vote.MinIntervalTesting)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// https://spec.torproject.org/dir-spec/vote-formats.html
func TestParse(t *testing.T) {
	docs := ctorVotes(t)
	if len(docs) != 3 {
		t.Fatalf("%d votes", len(docs))
	}
	v := parse(t, docs[0])
	if !slices.Equal(v.Methods, []int{32, 33, 34, 35}) || v.FreshUntil.Sub(v.ValidAfter) != 20*time.Second || v.VoteDelay != 4*time.Second {
		t.Errorf("methods %v, valid after %v, fresh until %v, vote delay %v", v.Methods, v.ValidAfter, v.FreshUntil, v.VoteDelay)
	}
	if v.ClientVersions != nil || v.Source.Nickname != "authority2" || v.Source.Contact != "testnet@example.test" ||
		v.Source.Legacy || v.Source.Identity != v.Cert.Fingerprint || len(v.Relays) != 6 || len(v.SharedRandom.Commits) != 3 {
		t.Errorf("got %+v", v)
	}
	r := &v.Relays[1]
	digest, ok := r.Microdesc(35)
	if r.Status.Nickname() != "exit1" || r.Flags != v.FlagsOf("Exit", "Fast", "Guard", "HSDir", "Running", "Stable", "V2Dir", "Valid") ||
		!r.HasMeasured || r.Measured != 1000 || r.Status.Bandwidth != 4 || !r.HasEd25519 || r.Ed25519[0] != 0x44 || !ok || digest[0] != 0xba ||
		r.Status.Policy != "accept 1-65535" || r.Stats != "wfu=1.000000 tk=71 mtbf=71" {
		t.Errorf("relay %+v", r)
	}
	if _, ok := r.Microdesc(36); ok {
		t.Error("there is a microdescriptor for method 36")
	}
	if !v.Measures() {
		t.Error("no bandwidth was measured")
	}
}

// What C tor writes comes out of Sign as it was, but for the signature, which needs the key.
func TestRoundTrip(t *testing.T) {
	for _, doc := range ctorVotes(t) {
		got, err := parse(t, doc).Sign(consensustest.Authorities(1)[0].Signing)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(consensus.SignedPart(doc)), string(consensus.SignedPart(got))); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// What the votes of C tor in a test network do not have.
func TestRoundTripRare(t *testing.T) {
	v := votetest.Make(2, 6, 1)[1]
	v.Methods = []int{1, 34, 35, 99}
	v.ClientVersions, v.ServerVersions = nil, []string{}
	v.Packages = []string{"tor 1.0 http://x/ sha256=00"}
	v.LegacyKey[3] = 7
	v.Bandwidths.Digest = [32]byte{}
	v.SharedRandom = &vote.SharedRandom{
		Commits: []srstate.Commit{srstate.NewCommit([20]byte{1}, v.ValidAfter, [32]byte{2}), srstate.NewCommit([20]byte{3}, v.ValidAfter, [32]byte{4})},
		Reveal:  true, Current: &consensus.SRV{Reveals: 3, Value: [32]byte{5}},
	}
	v.SharedRandom.Commits[1].Reveal = "" // not known
	r := v.Relays
	r[0].Ed25519, r[0].Status.Version, r[0].Stats = [32]byte{}, "", ""
	r[1].HasEd25519, r[1].Ed25519 = false, [32]byte{}
	r[1].Microdescs = []vote.Microdesc{{Methods: 7 << 32, Digest: [32]byte{1}}, {Methods: 1 << 35, Digest: [32]byte{2}}}
	r[2].HasMeasured, r[2].Measured, r[2].MeasuredAuthority = false, 0, 77
	r[2].Status.HasGuardFraction, r[2].Status.GuardFraction = true, 34
	r[3].Status.Policy, r[3].Flags = "", 0
	r[3].Status.Addr6, r[3].Status.ORPort6 = [16]byte{0x20, 1, 15: 1}, 9001
	r[4].Status.HasBandwidth, r[4].Status.Bandwidth, r[4].HasMeasured, r[4].Measured = false, 0, false, 0
	r[4].Microdescs = nil
	doc := votetest.Sign(v)
	again, err := parse(t, doc).Sign(consensustest.Authorities(2)[1].Signing)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(doc), string(again)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, line := range []string{
		"consensus-methods 1 34 35 99", "server-versions ", "package tor 1.0 http://x/ sha256=00", "legacy-dir-key 00000007",
		"shared-rand-commit 1 sha3-256 01", " AAAAAGlVuQB", "shared-rand-current-value 3 BQAA", "id ed25519 none", "m 32,33,34 sha256=AQ", "m 35 sha256=Ag",
		"MeasuredButAuthority=77 GuardFraction=34", "a [2001::1]:9001", "s\n",
	} {
		if !bytes.Contains(doc, []byte(line)) {
			t.Errorf("no %q", line)
		}
	}
}

func TestSplitNothing(t *testing.T) {
	for range vote.Split([]byte("hello\nvote-status vote\n")) {
		t.Error("found a vote")
	}
}

func TestIntervals(t *testing.T) {
	doc := ctorVotes(t)[0]
	if _, err := vote.Parse(doc, vote.MinInterval); err == nil {
		t.Error("an interval of twenty seconds is none for the public network")
	}
}

func TestWrongKey(t *testing.T) {
	v := votetest.Make(1, 1, 1)[0]
	doc, err := v.Sign(consensustest.Authorities(2)[1].Signing)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vote.Parse(doc, vote.MinInterval); err == nil {
		t.Error("accepted a signature by another key")
	}
}

func TestUnsafeText(t *testing.T) {
	for name, change := range map[string]func(v *vote.Vote){
		"contact":   func(v *vote.Vote) { v.Source.Contact = "a\nb" },
		"host":      func(v *vote.Vote) { v.Source.Hostname = "a b" },
		"no digest": func(v *vote.Vote) { v.Cert = &authcert.Cert{Text: []byte("dir-key\r\n")} },
	} {
		v := votetest.Make(1, 1, 1)[0]
		change(v)
		if _, err := v.Sign(consensustest.Authorities(1)[0].Signing); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	doc := votetest.Sign(votetest.Make(1, 8000, 1)[0])
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vote.Parse(doc, vote.MinInterval); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	v := votetest.Make(1, 8000, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		votetest.Sign(v)
	}
}

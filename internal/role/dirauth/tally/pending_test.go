package tally_test

import (
	"crypto/rsa"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

// gatherers are the pending consensuses of authorities that computed the same, of both flavors, each signed by one.
func gatherers(t *testing.T, n int) [][]*tally.Pending {
	t.Helper()
	r := compute(t, votetest.Make(n, 5, 1))
	var all [][]*tally.Pending
	for _, a := range consensustest.Authorities(n) {
		own := []*tally.Pending{r.Pending(consensus.NS), r.Pending(consensus.Microdesc)}
		for _, p := range own {
			if err := p.Sign(a.ID(), a.Signing); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, own)
	}
	return all
}

func noKey(consensus.KeyID) *rsa.PublicKey { return nil }

// https://spec.torproject.org/dir-spec/exchanging-signatures.html
func TestGather(t *testing.T) {
	all := gatherers(t, 3)
	keys := consensustest.Keyring(consensustest.Authorities(3))
	for _, other := range all[1:] {
		d := tally.Detached(other...)
		for _, p := range all[0] {
			if n, err := p.Add(d, keys.Key); n != 1 || err != nil {
				t.Fatalf("%v: added %d, %v", p.Flavor(), n, err)
			}
			if n, err := p.Add(d, keys.Key); n != 0 || err != nil {
				t.Errorf("%v: added %d again, %v", p.Flavor(), n, err)
			}
		}
	}
	for _, p := range all[0] {
		text, err := p.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := consensus.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if v := c.Verify(keys); v.Result != consensus.Good || len(v.Good) != 3 {
			t.Errorf("%v: %+v", p.Flavor(), v)
		}
	}
	if d := tally.Detached(all[0]...); len(d.Signatures) != 6 || len(d.Digests) != 2 {
		t.Errorf("%d signatures, %d digests", len(d.Signatures), len(d.Digests))
	}
}

// How the signature that we have and the one that comes change each other.
func TestAddReplaces(t *testing.T) {
	keys := consensustest.Keyring(consensustest.Authorities(2)).Key
	for _, tt := range []struct {
		name  string
		steps string // signature and whether the key is known: g good, b bad, G and B without the key
		added int
		want  int // signatures of the other authority in the end; -1: the changed one
	}{
		{"good", "g", 1, 1},
		{"bad", "b", 1, 0}, // it counts as news, though nobody is told of it
		{"bad, then good", "bg", 2, 1},
		{"good, then bad", "gb", 1, 1},
		{"unchecked", "G", 1, 1},
		{"unchecked, then good", "Gg", 2, 1},
		{"unchecked bad, then good", "Bg", 2, 1},
		{"unchecked bad, then bad", "Bb", 1, -1},
		{"unchecked, then unchecked", "GB", 1, 1},
		{"good, then unchecked", "gB", 1, 1},
		{"bad, then unchecked", "bG", 2, 1},
	} {
		all := gatherers(t, 2)
		p, good := all[0][0], tally.Detached(all[1]...)
		bad := tally.Detached(all[1]...)
		for i := range bad.Signatures {
			bad.Signatures[i].Signature.Signature = append([]byte{1}, bad.Signatures[i].Signature.Signature[1:]...)
		}
		added := 0
		for _, step := range tt.steps {
			d, key := good, keys
			if step == 'b' || step == 'B' {
				d = bad
			}
			if step == 'B' || step == 'G' {
				key = noKey
			}
			n, err := p.Add(d, key)
			if err != nil {
				t.Fatal(err)
			}
			added += n
		}
		got := 0
		for _, s := range tally.Detached(p).Signatures {
			switch {
			case s.Identity != lastOf(2).ID():
			case cmp.Equal(s.Signature.Signature, good.Signatures[0].Signature.Signature):
				got = 1
			default:
				got = -1
			}
		}
		if added != tt.added || got != tt.want {
			t.Errorf("%s: added %d, signature %d, want %d and %d", tt.name, added, got, tt.added, tt.want)
		}
	}
}

// lastOf is the last of n authorities.
func lastOf(n int) *consensustest.Authority { return &consensustest.Authorities(n)[n-1] }

func TestAddRefuses(t *testing.T) {
	keys := consensustest.Keyring(consensustest.Authorities(2)).Key
	for _, tt := range []struct {
		name   string
		change func(d *detachedsig.Document)
		want   error
	}{
		{"other time", func(d *detachedsig.Document) { d.ValidUntil = d.ValidUntil.Add(1e9) }, tally.ErrOtherTimes},
		{"other digest", func(d *detachedsig.Document) { d.Digests[0].Sum = make([]byte, 20) }, tally.ErrOtherDigest},
		{"one right digest, one wrong", func(d *detachedsig.Document) {
			d.Digests = append(d.Digests, detachedsig.Digest{Algorithm: consensus.SHA256, Sum: make([]byte, 32)})
		}, tally.ErrOtherDigest},
		{"digest of the other flavor alone", func(d *detachedsig.Document) { d.Digests = d.Digests[1:] }, tally.ErrNoneOfThis},
		{"signatures of the other flavor alone", func(d *detachedsig.Document) { d.Signatures = d.Signatures[1:] }, tally.ErrNoneOfThis},
		{"other flavor differs", func(d *detachedsig.Document) { d.Digests[1].Sum = make([]byte, 32) }, nil},
		{"other algorithm", func(d *detachedsig.Document) { d.Signatures[0].Algorithm = consensus.SHA256 }, nil},
		{"stranger", func(d *detachedsig.Document) { d.Signatures[0].Identity = [20]byte{1} }, nil},
	} {
		all := gatherers(t, 2)
		d := tally.Detached(all[1]...)
		tt.change(d)
		n, err := all[0][0].Add(d, keys)
		want := 0
		if tt.name == "other flavor differs" {
			want = 1
		}
		if !errors.Is(err, tt.want) || n != want {
			t.Errorf("%s: added %d, %v, want %d, %v", tt.name, n, err, want, tt.want)
		}
	}
}

func TestSignNothing(t *testing.T) {
	r := compute(t, votetest.Make(2, 1, 1))
	p := r.Pending(consensus.NS)
	if _, err := p.AppendTo(nil); !errors.Is(err, netdoc.ErrMissing) {
		t.Errorf("without signatures: %v", err)
	}
	if err := p.Sign([20]byte{1}, lastOf(1).Signing); !errors.Is(err, consensus.ErrSigner) {
		t.Errorf("one that did not vote: %v", err)
	}
}

// A legacy identity signs with a key of its own.
func TestSignLegacy(t *testing.T) {
	legacy := lastOf(3)
	votes := votetest.Make(2, 1, 1)
	votes[0].LegacyKey = legacy.ID()
	p := compute(t, votes).Pending(consensus.Microdesc)
	for _, a := range []*consensustest.Authority{lastOf(1), legacy} {
		if err := p.Sign(a.ID(), a.Signing); err != nil {
			t.Fatal(err)
		}
	}
	text, err := p.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := consensus.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if v := c.Verify(consensustest.Keyring(consensustest.Authorities(3))); len(v.Good) != 2 {
		t.Errorf("%+v", v)
	}
}

package detachedsig_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// readFile returns what one of three C tor 0.4.9.11 served as status-vote/next/consensus-signatures.
func readFile(t testing.TB) []byte {
	data, err := os.ReadFile("testdata/signatures.txt")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, doc []byte) *detachedsig.Document {
	t.Helper()
	d, err := detachedsig.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// https://spec.torproject.org/dir-spec/exchanging-signatures.html
func TestRoundTrip(t *testing.T) {
	doc := readFile(t)
	d := parse(t, doc)
	if len(d.Signatures) != 6 || len(d.Digests) != 2 || d.FreshUntil.Sub(d.ValidAfter) != 20*time.Second {
		t.Errorf("got %+v", d)
	}
	got, err := d.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(doc), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// make writes a document with signatures of zeros.
func makeDoc(t *testing.T, change func(d *detachedsig.Document)) []byte {
	t.Helper()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ns, md := sha1.Sum(nil), sha256.Sum256(nil)
	sig := func(f consensus.Flavor, a consensus.Algorithm) detachedsig.Signature {
		return detachedsig.Signature{Flavor: f, Signature: consensus.Signature{Algorithm: a, Signature: make([]byte, 128)}}
	}
	d := &detachedsig.Document{
		ValidAfter: at, FreshUntil: at.Add(time.Hour), ValidUntil: at.Add(3 * time.Hour),
		Digests: []detachedsig.Digest{
			{Flavor: consensus.NS, Algorithm: consensus.SHA1, Sum: ns[:]}, {Flavor: consensus.Microdesc, Algorithm: consensus.SHA256, Sum: md[:]},
		},
		Signatures: []detachedsig.Signature{sig(consensus.NS, consensus.SHA1), sig(consensus.Microdesc, consensus.SHA256)},
	}
	change(d)
	doc, err := d.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestParseLenient(t *testing.T) {
	good := string(makeDoc(t, func(*detachedsig.Document) {}))
	want := parse(t, []byte(good))
	sig := good[strings.Index(good, "additional-signature"):strings.Index(good, "directory-signature")]
	for name, doc := range map[string]string{
		"unknown item":         strings.Replace(good, "valid-after", "hello x\nvalid-after", 1),
		"unknown flavor":       strings.Replace(good, sig, strings.Replace(sig, "microdesc", "x", 1)+sig, 1),
		"unknown algorithm":    strings.Replace(good, sig, strings.Replace(sig, "sha256", "sha3-256", 1)+sig, 1),
		"signature twice":      strings.Replace(good, sig, sig+sig, 1),
		"digest of a stranger": strings.Replace(good, "additional-digest", "additional-digest x sha1 zz\nadditional-digest", 1),
		"digest twice": strings.Replace(good, "additional-signature", "additional-digest microdesc sha256 "+strings.Repeat("0", 64)+
			"\nadditional-signature", 1),
	} {
		if d := cmp.Diff(want, parse(t, []byte(doc))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestOtherAlgorithms(t *testing.T) {
	doc := makeDoc(t, func(d *detachedsig.Document) {
		d.Signatures[0].Algorithm, d.Signatures[1].Algorithm = consensus.SHA256, consensus.SHA1
		d.Signatures = append(d.Signatures, detachedsig.Signature{Signature: d.Signatures[1].Signature})
		d.Digests = append(d.Digests, detachedsig.Digest{Flavor: consensus.Microdesc, Algorithm: consensus.SHA1, Sum: make([]byte, 20)})
	})
	d := parse(t, doc)
	if len(d.Signatures) != 3 || len(d.Digest(consensus.Microdesc, consensus.SHA1)) != 20 {
		t.Errorf("got %+v", d)
	}
	again, err := d.AppendTo(nil)
	if err != nil || !bytes.Equal(doc, again) {
		t.Errorf("%v, (-want +got):\n%s", err, cmp.Diff(string(doc), string(again)))
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(makeDoc(t, func(*detachedsig.Document) {}))
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"no digest", "consensus-digest", "x", netdoc.ErrMisplaced},
		{"digest is not the first", "consensus-digest", "x\nconsensus-digest", netdoc.ErrMisplaced},
		{"short digest", "consensus-digest DA", "consensus-digest ", detachedsig.ErrDigest},
		{"digest that is no hex", "consensus-digest DA", "consensus-digest XX", detachedsig.ErrDigest},
		{"other digest", "additional-digest microdesc sha256", "additional-digest microdesc sha1", detachedsig.ErrDigest},
		{"arguments of digest", "additional-digest microdesc", "additional-digest", netdoc.ErrMissing},
		{"no time", "fresh-until", "x", netdoc.ErrMissing},
		{"time", "fresh-until 2026", "fresh-until 20x6", netdoc.ErrBadValue},
		{"time twice", "fresh-until", "fresh-until 2026-01-01 01:00:00\nfresh-until", netdoc.ErrTooMany},
		{"no signature", "directory-signature", "x", netdoc.ErrMissing},
		{"arguments of signature", "additional-signature microdesc", "additional-signature", netdoc.ErrMissing},
		{"identity", "directory-signature 00", "directory-signature x0", netdoc.ErrBadValue},
		{"tag", "SIGNATURE", "SIGNATORE", netdoc.ErrBadObject},
		{"no object", "additional-signature", "additional-signature microdesc sha256 0 0\nadditional-signature", netdoc.ErrMissing},
	} {
		if !strings.Contains(good, tt.old) {
			t.Fatalf("%s: no %q", tt.name, tt.old)
		}
		if d, err := detachedsig.Parse([]byte(strings.Replace(good, tt.old, tt.new, 1))); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, error %v, want %v", tt.name, d, err, tt.want)
		}
	}
	if _, err := detachedsig.Parse(make([]byte, detachedsig.MaxLen+1)); !errors.Is(err, netdoc.ErrTooLong) {
		t.Errorf("long: %v", err)
	}
	if _, err := new(detachedsig.Document).AppendTo(nil); !errors.Is(err, netdoc.ErrMissing) {
		t.Errorf("written without a digest: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(readFile(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := detachedsig.Parse(data)
		if err != nil {
			return
		}
		doc, err := d.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := detachedsig.Parse(doc)
		if err != nil {
			t.Fatalf("what we wrote: %v\n%s", err, doc)
		}
		twice, err := again.AppendTo(nil)
		if err != nil || !bytes.Equal(doc, twice) {
			t.Fatalf("%v: not the same:\n%s\n%s", err, doc, twice)
		}
	})
}

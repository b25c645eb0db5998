package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

func file(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wire(t testing.TB, pkg, name string) []byte {
	return file(t, "..", "..", "wire", pkg, "testdata", name)
}

// golden compares what was written with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := file(t, path); !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// certs are those of the test authorities.
func certs(n int) (b []byte) {
	for _, a := range consensustest.Authorities(n) {
		b = append(b, a.Cert(time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))...)
	}
	return b
}

const bandwidths = `1767225600
version=1.4.0
software=sbws
=====
bw=38000 node_id=$68A483E05A2ABDCA6DA5A3EF8DB5177638A27F80 nick=one
bw=1 node_id=$96C15995F30895689291F455587BD94CA427B6FC nick=two vote=0
`

// detachedSigs are those of both flavors of a consensus; the last signature is another's.
func detachedSigs(t *testing.T) []byte {
	authorities := consensustest.Authorities(3)
	d := &detachedsig.Document{}
	for _, flavor := range []consensus.Flavor{consensus.NS, consensus.Microdesc} {
		n := consensustest.New(consensustest.Options{Relays: 3, Seed: 1, Flavor: flavor, Authorities: authorities})
		c := n.Consensus
		d.ValidAfter, d.FreshUntil, d.ValidUntil = c.ValidAfter, c.FreshUntil, c.ValidUntil
		sum, alg := c.Digests.SHA1[:], consensus.SHA1
		if flavor == consensus.Microdesc {
			sum, alg = c.Digests.SHA256[:], consensus.SHA256
		}
		d.Digests = append(d.Digests, detachedsig.Digest{Flavor: flavor, Algorithm: alg, Sum: slices.Clone(sum)})
		for _, s := range c.Signatures {
			d.Signatures = append(d.Signatures, detachedsig.Signature{Flavor: flavor, Signature: s})
		}
	}
	last := &d.Signatures[len(d.Signatures)-1]
	last.Signature.Signature = d.Signatures[0].Signature.Signature
	b, err := d.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is written of each kind of document.
//
// https://spec.torproject.org/dir-spec/
func TestDocuments(t *testing.T) {
	made := func(o consensustest.Options) []byte { return consensustest.New(o).Doc }
	for _, tt := range []struct {
		name        string
		data, certs []byte
		at          string // 2026-01-01 01:30:00 if empty
		sound       bool
	}{
		{"consensus", file(t, "..", "..", "role", "dirauth", "tally", "testdata", "weights-testnet.txt"), file(t, "testdata", "testnet-certs.txt"), "2026-11-26 23:29:15", true},
		{"consensus-uncertified", made(consensustest.Options{Relays: 40, Flavor: consensus.NS, Authorities: consensustest.Authorities(3)}), certs(2)[:0], "", false},
		{"certificates", certs(2), nil, "2026-12-03 00:00:00", true},
		{"vote", votetest.Sign(votetest.Make(2, 30, 1)[0]), nil, "", true},
		{"detached", detachedSigs(t), certs(2), "", true},
		{"detached-wrong", detachedSigs(t), certs(3), "", false},
		{"descriptor", wire(t, "routerdesc", "two-families.txt"), nil, "", true},
		{"descriptors", wire(t, "routerdesc", "cached-descriptors.txt"), nil, "", true},
		{"extra-info", wire(t, "extrainfo", "ctor.txt"), nil, "", true},
		{"microdescriptors", wire(t, "microdesc", "concatenated.txt"), nil, "", false},
		{"microdescriptor", wire(t, "microdesc", "policy-and-family.txt"), nil, "", true},
		{"onion-service", wire(t, "hsdesc", "ctor.txt"), nil, "", true},
		{"bandwidths", []byte(bandwidths), nil, "", true},
		{"bandwidths-old", []byte(bandwidths), nil, "2026-01-09 00:00:00", true},
	} {
		if tt.at == "" {
			tt.at = "2026-01-01 01:30:00"
		}
		now, err := time.Parse(time.DateTime, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		in := Inspector{Now: now}
		in.AddCerts(tt.certs)
		docs, err := in.Documents(tt.data)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		golden(t, tt.name, AppendText(nil, docs, false))
		unsound := slices.IndexFunc(docs, func(d *Document) bool { return !d.Sound() })
		if (unsound < 0) != tt.sound {
			t.Errorf("%s: document %d is unsound", tt.name, unsound)
		}
		for _, d := range docs {
			if b, err := json.Marshal(d); err != nil || !json.Valid(b) {
				t.Errorf("%s: JSON %s, %v", tt.name, b, err)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	in := Inspector{Now: time.Date(2026, 1, 1, 1, 30, 0, 0, time.UTC)}
	n := consensustest.New(consensustest.Options{Relays: 2})
	docs, err := in.Documents(n.Doc)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(docs[0], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "json", append(b, '\n'))
}

func one(t *testing.T, in *Inspector, data []byte) *Document {
	t.Helper()
	docs, err := in.Documents(data)
	if err != nil || len(docs) != 1 {
		t.Fatalf("got %d documents, %v", len(docs), err)
	}
	return docs[0]
}

// What is wrong with a consensus is told, and by whom.
func TestSignatures(t *testing.T) {
	n := consensustest.New(consensustest.Options{Relays: 5, Authorities: consensustest.Authorities(3)})
	forge := func(wrong int) []byte {
		c := *n.Consensus
		c.Signatures = slices.Clone(c.Signatures)
		for i := range wrong {
			c.Signatures[i].Signature = n.Consensus.Signatures[2].Signature
		}
		doc, err := c.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	for _, tt := range []struct {
		name  string
		doc   []byte
		certs int
		want  Verdict
		note  string
	}{
		{"all", n.Doc, 3, OK, "3 of 3 voters, 2 are needed"},
		{"enough certificates", n.Doc, 2, OK, "2 of 3 voters, 2 are needed; 1 certificates are missing"},
		{"too few certificates", n.Doc, 1, Unknown, "1 of 3 voters, 2 are needed; 2 certificates are missing"},
		{"one is wrong", forge(1), 3, Bad, "2 of 3 voters, 2 are needed; 1 signatures are wrong"},
		{"two are wrong", forge(2), 3, Bad, "1 of 3 voters, 2 are needed; 2 signatures are wrong"},
	} {
		in := Inspector{Now: n.Consensus.ValidAfter}
		in.AddCerts(certs(tt.certs))
		d := one(t, &in, tt.doc)
		if got := d.Checks[0]; got != (Check{"signatures", tt.want, tt.note}) {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
	// A certificate that was not in force counts for nothing.
	in := Inspector{Now: n.Consensus.ValidAfter}
	late := n.Consensus.ValidAfter.AddDate(0, 1, 0)
	for _, a := range n.Authorities {
		in.AddCerts(a.Cert(late, late.AddDate(1, 0, 0)))
	}
	if got := one(t, &in, n.Doc).Checks[0]; got.Result != Unknown {
		t.Errorf("certificates of later: got %+v", got)
	}
}

// Weights that do not follow from the relays are told.
func TestWeights(t *testing.T) {
	doc := file(t, "..", "..", "role", "dirauth", "tally", "testdata", "weights-testnet.txt")
	var in Inspector
	d := one(t, &in, bytes.Replace(doc, []byte("Wgd=809"), []byte("Wgd=810"), 1))
	if got := d.Checks[1]; got != (Check{"bandwidth-weights", Bad, "from the relays follows Wgd=809"}) {
		t.Errorf("got %+v", got)
	}
}

// An extra-info document needs its router descriptor, which may be in the same file or come from elsewhere.
func TestExtraInfo(t *testing.T) {
	both := wire(t, "extrainfo", "ctor.txt")
	i := bytes.Index(both, []byte("\nextra-info ")) + 1
	router, extra := both[:i], both[i:]
	var alone, with Inspector
	with.AddRouters(router)
	other := bytes.Replace(router, []byte("\nextra-info-digest "), []byte("\nextra-info-digest 0"), 1)
	for _, tt := range []struct {
		name string
		in   *Inspector
		data []byte
		want Verdict
	}{
		{"alone", &alone, extra, Unknown},
		{"with a descriptor", &with, extra, OK},
		{"with a broken descriptor", &alone, slices.Concat(other, extra), Unknown},
		{"in one file", new(Inspector), both, OK},
		{"in one file, the other way round", new(Inspector), slices.Concat(extra, router), OK},
		{"damaged signature", new(Inspector), damage(both), Bad},
	} {
		for _, d := range must(tt.in.Documents(tt.data)) {
			if d.Kind != "extra-info document" {
				continue
			}
			if c := d.Checks[len(d.Checks)-1]; c.Name != "router-signature" || c.Result != tt.want {
				t.Errorf("%s: got %+v, want %v", tt.name, c, tt.want)
			}
		}
	}
}

// damage changes a letter of the last object.
func damage(text []byte) []byte {
	text = bytes.Clone(text)
	i := bytes.LastIndex(text, []byte("-----BEGIN SIGNATURE-----\n")) + 40
	text[i] ^= 'A' ^ 'B'
	if c := text[i]; c < 'A' || c > 'z' {
		text[i] = 'C'
	}
	return text
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCompare(t *testing.T) {
	var in Inspector
	votes := votetest.Make(2, 40, 7)
	a, b := one(t, &in, votetest.Sign(votes[0])), one(t, &in, votetest.Sign(votes[1]))
	d := must(Compare(a, b))
	golden(t, "diff-votes", d.AppendText(nil, false))
	if out, err := json.Marshal(d); err != nil || !json.Valid(out) {
		t.Errorf("JSON: %s, %v", out, err)
	}
	same := must(Compare(a, a))
	if got := string(same.AppendText(nil, false)); strings.Count(got, "\n") != 1 {
		t.Errorf("a vote and itself: got %s", got)
	}
	ns := one(t, &in, wire(t, "consensus", "ns.txt"))
	microdesc := one(t, &in, wire(t, "consensus", "microdesc.txt"))
	if d := must(Compare(ns, microdesc)); d.Identical != d.Both || d.Both == 0 {
		t.Errorf("two flavors: got\n%s", d.AppendText(nil, true))
	}
	cert := must(in.Documents(certs(1)))[0]
	if _, err := Compare(a, cert); !errors.Is(err, ErrCompare) {
		t.Errorf("a vote and a certificate: got %v", err)
	}
}

// Errors name the line of the file, not of the document.
func TestErrors(t *testing.T) {
	first := wire(t, "routerdesc", "two-families.txt")
	lines := bytes.Count(first, []byte("\n"))
	var in Inspector
	docs := must(in.Documents(slices.Concat([]byte("@source x\n"), first, bytes.Replace(first, []byte("\npublished "), []byte("\npublished x"), 1))))
	if len(docs) != 2 || !docs[0].Sound() || docs[0].Line != 2 || docs[1].Line != lines+2 {
		t.Fatalf("got %+v", docs)
	}
	at := bytes.Count(first[:bytes.Index(first, []byte("\npublished "))+1], []byte("\n")) + 1
	if want := fmt.Sprintf("line %d, item \"published\": ", lines+1+at); !strings.HasPrefix(docs[1].Err, want) {
		t.Errorf("got %q, want %q", docs[1].Err, want)
	}
	for _, data := range []string{"", "\n\n", "@type x\n", "hello\n", "-----BEGIN RSA PUBLIC KEY-----\n", "\x1b[2J"} {
		_, err := in.Documents([]byte(data))
		if !errors.Is(err, ErrKind) || strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%q: got %v", data, err)
		}
	}
}

// What strangers write does not reach the terminal as it is.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Zoë <z@example.com>": "Zoë <z@example.com>", "a\x1b[31mb": `a\x1b[31mb`, "a\tb": `a\tb`, "\xff\"": `\xff"`, "a\u202eb": `a\u202eb`, "": "",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// No document makes it panic, and all that is told can be written.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(bandwidths))
	f.Add(certs(1))
	f.Add(wire(f, "consensus", "microdesc.txt"))
	f.Add(wire(f, "routerdesc", "two-families.txt"))
	f.Add(wire(f, "microdesc", "concatenated.txt"))
	f.Add(wire(f, "hsdesc", "ctor.txt"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := Inspector{Now: time.Unix(1767225600, 0)}
		docs, err := in.Documents(b)
		if err != nil {
			return
		}
		for _, r := range string(AppendText(nil, docs, true)) {
			if r < ' ' && r != '\n' {
				t.Fatalf("%q is in the text", r)
			}
		}
		for _, d := range docs {
			if _, err := json.Marshal(d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

package consdiff

import (
	"bytes"
	"crypto/sha3"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// vectors are from Arti's tests of its crate tor-consdiff.
type vectors struct {
	Consensus1 string
	Consensus2 string
	Diff       string
}

func readVectors(t testing.TB) (v vectors) {
	data, err := os.ReadFile("testdata/consdiff.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestApplyVector(t *testing.T) {
	v := readVectors(t)
	got, err := Apply([]byte(v.Consensus1), []byte(v.Diff))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v.Consensus2, string(got)); d != "" {
		t.Errorf("target (-want +got):\n%s", d)
	}
	h, _, err := ParseHeader([]byte(v.Diff))
	if err != nil || h.Base != BaseDigest([]byte(v.Consensus1)) || h.Target != sha3.Sum256(got) || !IsDiff([]byte(v.Diff)) {
		t.Errorf("header %x, %v", h, err)
	}
	// Our own diff may differ from the vector, but leads to the same.
	diff, err := Make([]byte(v.Consensus1), got)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Apply([]byte(v.Consensus1), diff); err != nil || !bytes.Equal(again, got) {
		t.Errorf("our diff: %v\n%s", err, diff)
	}
	if len(diff) > len(v.Diff) {
		t.Errorf("our diff has %d bytes, the vector %d:\n%s", len(diff), len(v.Diff), diff)
	}
}

// The commands, on a base of five lines.
//
// https://spec.torproject.org/proposals/140-consensus-diffs.html
func TestRun(t *testing.T) {
	const base = "1\n2\n3\n4\n5\n"
	tests := []struct{ name, script, want string }{
		{"nothing", "", base},
		{"delete", "3d\n", "1\n2\n4\n5\n"},
		{"delete a range", "2,4d\n", "1\n5\n"},
		{"delete to the end", "4,$d\n", "1\n2\n3\n"},
		{"delete all", "1,5d\n", ""},
		{"change", "2c\na\nb\n.\n", "1\na\nb\n3\n4\n5\n"},
		{"change a range", "4,5c\na\n.\n", "1\n2\n3\na\n"},
		{"append", "5a\na\n.\n", "1\n2\n3\n4\n5\na\n"},
		{"append before all", "0a\na\n.\n", "a\n1\n2\n3\n4\n5\n"},
		{"empty line", "5a\n\n.\n", "1\n2\n3\n4\n5\n\n"},
		{"several", "5d\n3a\na\n.\n3c\nb\n.\n1d\n", "2\nb\na\n4\n"},
		{"lines that look like commands", "5a\n3d\n..\n.\n", "1\n2\n3\n4\n5\n3d\n..\n"},
	}
	for _, tt := range tests {
		if got, err := run([]byte(base), []byte(tt.script)); err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	tests := []struct {
		name, base, script string
		want               error
	}{
		{"base without newline", "1\n2", "1d\n", ErrSyntax},
		{"no newline", "1\n", "1d", ErrSyntax},
		{"empty command", "1\n", "\n", ErrSyntax},
		{"no address", "1\n", "d\n", ErrSyntax},
		{"no command", "1\n", "1\n", ErrSyntax},
		{"other command", "1\n", "1x\n", ErrSyntax},
		{"long command", "1\n", "1dd\n", ErrSyntax},
		{"space", "1\n", " 1d\n", ErrSyntax},
		{"minus", "1\n", "-1d\n", ErrSyntax},
		{"line 0 deleted", "1\n", "0d\n", ErrSyntax},
		{"line 0 changed", "1\n", "0c\na\n.\n", ErrSyntax},
		{"past the end", "1\n", "2d\n", ErrSyntax},
		{"number that overflows", "1\n", "18446744073709551617d\n", ErrSyntax},
		{"range of one", "1\n2\n", "2,2d\n", ErrSyntax},
		{"range backwards", "1\n2\n", "2,1d\n", ErrSyntax},
		{"range past the end", "1\n2\n", "1,3d\n", ErrSyntax},
		{"empty range end", "1\n2\n", "1,d\n", ErrSyntax},
		{"last line to the end", "1\n2\n", "2,$d\n", ErrSyntax},
		{"change to the end", "1\n2\n", "1,$c\na\n.\n", ErrSyntax},
		{"append after a range", "1\n2\n", "1,2a\na\n.\n", ErrSyntax},
		{"no text", "1\n", "1a\n.\n", ErrSyntax},
		{"text without end", "1\n", "1a\na\n", ErrSyntax},
		{"end without newline", "1\n", "1a\na\n.", ErrSyntax},
		{"ascending", "1\n2\n", "1d\n2d\n", ErrOrder},
		{"line deleted twice", "1\n2\n", "2d\n2d\n", ErrOrder},
		{"append after a deleted line", "1\n2\n", "2d\n2a\na\n.\n", ErrOrder},
	}
	for _, tt := range tests {
		if got, err := run([]byte(tt.base), []byte(tt.script)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %q, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	v := readVectors(t)
	tests := []struct {
		name, old, new string
		want           error
	}{
		{"version", "version 1", "version 2", ErrSyntax},
		{"no digests", "hash ", "hush ", ErrSyntax},
		{"short digest", "hash B0", "hash B", ErrSyntax},
		{"one digest", " F6789F35B6B3BA58BB23D29E53A8ED6CBB995543DBE075DD5671481C4BA677FB", "", ErrSyntax},
		{"three digests", "FB\n", "FB 00\n", ErrSyntax},
		{"other base", "hash B0", "hash B1", ErrBase},
		{"other target", " F6", " F7", ErrTarget},
		{"script that leads elsewhere", "w Bandwidth=3", "w Bandwidth=4", ErrTarget},
		{"cut", "\n.\n4,6c", "\n4,6c", ErrOrder},
	}
	for _, tt := range tests {
		diff := strings.Replace(v.Diff, tt.old, tt.new, 1)
		if diff == v.Diff && tt.name != "cut" {
			t.Fatalf("%s: nothing replaced", tt.name)
		}
		if tt.name == "cut" {
			diff, tt.want = diff[:len(diff)-2], ErrSyntax
		}
		if _, err := Apply([]byte(v.Consensus1), []byte(diff)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// two returns two consensuses, an hour apart, that share most relays.
func two(relays int) (a, b []byte) {
	n := consensustest.New(consensustest.Options{Relays: relays, Authorities: consensustest.Authorities(3)})
	c := *n.Consensus
	c.ValidAfter, c.FreshUntil, c.ValidUntil = c.ValidAfter.Add(time.Hour), c.FreshUntil.Add(time.Hour), c.ValidUntil.Add(time.Hour)
	c.Relays = nil
	for i, r := range n.Consensus.Relays {
		switch {
		case i%31 == 3: // gone
			continue
		case i%29 == 5: // new
			fresh := r
			fresh.ID[19]--
			if i == 0 || bytes.Compare(fresh.ID[:], n.Consensus.Relays[i-1].ID[:]) > 0 && fresh.ID[19] != 0xff {
				c.Relays = append(c.Relays, fresh)
			}
		case i%3 == 0:
			r.Bandwidth++
		}
		c.Relays = append(c.Relays, r)
	}
	return n.Doc, consensustest.Sign(&c, n.Authorities)
}

func TestMake(t *testing.T) {
	a, b := two(400)
	diff, err := Make(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(diff) > len(b)/4 {
		t.Errorf("diff of %d bytes for a consensus of %d", len(diff), len(b))
	}
	if got, err := Apply(a, diff); err != nil || !bytes.Equal(got, b) {
		t.Fatal(err)
	}
	// The base may have other signatures, even another number of them.
	signed := consensus.SignedPart(a)
	other := append(bytes.Clone(signed), a[len(signed):len(signed)+600]...)
	other = append(other[:bytes.LastIndexByte(other, '\n')+1], "x\ny\n"...)
	if got, err := Apply(other, diff); err != nil || !bytes.Equal(got, b) {
		t.Errorf("with other signatures: %v", err)
	}
	back, err := Make(b, a)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Apply(b, back); err != nil || !bytes.Equal(got, a) {
		t.Errorf("back: %v", err)
	}
	same, err := Make(a, a)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Apply(a, same); err != nil || !bytes.Equal(got, a) {
		t.Errorf("to itself: %v", err)
	}
}

func TestMakeRefuses(t *testing.T) {
	a, _ := two(3)
	relays := bytes.Index(a, []byte("\nr ")) + 1
	tests := []struct {
		name, base, target string
		want               error
	}{
		{"no newline in the base", "a", "a\n", ErrSyntax},
		{"no newline in the target", "a\n", "a", ErrSyntax},
		{"relay twice", string(a[relays:]), string(a[relays:relays+100]) + "\n" + string(a[relays:]), ErrOrder},
		{"footer twice", "directory-footer\ndirectory-footer\n", "a\n", ErrOrder},
		{"malformed identity", "r x y\n", "a\n", netdoc.ErrBadValue},
		{"dot", "a\n", "b\n.\n", ErrNoDiff},
		{"signature of one line", "directory-signature\n", "a\n", ErrNoDiff},
	}
	for _, tt := range tests {
		if diff, err := Make([]byte(tt.base), []byte(tt.target)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %q, %v, want %v", tt.name, diff, err, tt.want)
		}
	}
}

func FuzzApply(f *testing.F) {
	v := readVectors(f)
	_, script, err := ParseHeader([]byte(v.Diff))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(v.Consensus1), script)
	f.Add([]byte("1\n2\n3\n"), []byte("3d\n1,2c\na\n.\n"))
	f.Fuzz(func(t *testing.T, base, script []byte) {
		got, err := run(base, script)
		if err != nil {
			return
		}
		if len(got) > len(base)+len(script) {
			t.Fatalf("%d bytes out of %d and %d", len(got), len(base), len(script))
		}
		// Commands that apply to a base apply to a longer one too, unless they reach for its end.
		if longer, err := run(append(bytes.Clone(base), "x\n"...), script); !bytes.Contains(script, []byte("$")) &&
			(err != nil || !bytes.Equal(longer, append(bytes.Clone(got), "x\n"...))) {
			t.Fatalf("%q, then %q, %v", got, longer, err)
		}
	})
}

func FuzzMake(f *testing.F) {
	v := readVectors(f)
	f.Add([]byte(v.Consensus1), []byte(v.Consensus2))
	f.Add([]byte("a\nb\nc\n"), []byte("b\nx\nc\n"))
	f.Add([]byte("h\nr n AAAAAAAAAAAAAAAAAAAAAAAAAAA\ns\ndirectory-footer\n"), []byte("h\ndirectory-footer\ndirectory-signature\nx\n"))
	f.Fuzz(func(t *testing.T, base, target []byte) {
		diff, err := Make(base, target)
		if err != nil {
			return
		}
		if got, err := Apply(base, diff); err != nil || !bytes.Equal(got, target) {
			t.Fatalf("%q: %q, %v, want %q", diff, got, err, target)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	base, target := two(9000)
	diff, err := Make(base, target)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(base)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Apply(base, diff); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMake(b *testing.B) {
	base, target := two(9000)
	b.SetBytes(int64(len(base)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Make(base, target); err != nil {
			b.Fatal(err)
		}
	}
}

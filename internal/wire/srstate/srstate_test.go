package srstate

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// sample is a file of C tor 0.4.9.11, with commits in order.
const sample = `# Tor shared random state file last generated on 2026-11-26 23:24:12 local time
# Other times below are in UTC
# Please *do not* edit this file.

Commit 1 sha3-256 0817E4A3A019C5F6AE277A14EC87B45D4A871BF8 AAAAAGsIveJMekQI+F71iZvQjkQVQar8zm4QhKRplEPzxtcqKRVNOA== AAAAAGsIveLWfbYwglgqDsdbsAAOG6zcpuadV25PJ/Nljp664cN1sw==
Commit 1 sha3-256 A63295118A7C044A5CB50040CDE79E02B95DEF2B AAAAAGsIveLlli2HeL05x/+Ns6mSPgvCZTnQFFxeBVYNrgizsbOIpw==
SharedRandPreviousValue 2 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=
SharedRandCurrentValue 3 aJSyyeEZ0797bVd+rKlTtOCwBjocPt8etXElg0xoots=
TorVersion 0.4.9.11
ValidAfter 2026-11-26 23:24:20
ValidUntil 2026-11-26 23:27:50
Version 1
`

func TestFile(t *testing.T) {
	f, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if f.Version != 1 || f.TorVersion != "0.4.9.11" || f.PreviousSRV.Reveals != 2 || f.CurrentSRV.Reveals != 3 || len(f.Commits) != 2 ||
		!f.Commits[0].Opens() || f.Commits[1].Opens() || f.ValidUntil != time.Date(2026, 11, 26, 23, 27, 50, 0, time.UTC) {
		t.Errorf("got %+v", f)
	}
	got := string(f.AppendTo(nil, time.Date(2026, 11, 26, 23, 24, 12, 0, time.UTC)))
	if diff := cmp.Diff(sample, got); diff != "" {
		t.Errorf("written again (-want +got):\n%s", diff)
	}
}

func TestBadFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		old, new string // replaced in the sample
		err      error
	}{
		"short commit":        {"Version 1\n", "Commit 1 sha3-256\n", netdoc.ErrMissing},
		"second value":        {"Version 1\n", "SharedRandCurrentValue 3 aJSyyeEZ0797bVd+rKlTtOCwBjocPt8etXElg0xoots=\n", netdoc.ErrTooMany},
		"value without count": {"Value 3 ", "Value ", netdoc.ErrMissing},
		"negative count":      {"Value 3 ", "Value -3 ", netdoc.ErrBadValue},
		"count overflows":     {"Value 3 ", "Value 18446744073709551616 ", netdoc.ErrBadValue},
		"short value":         {"aJSyyeEZ", "aJSy", netdoc.ErrBadValue},
		"value of no base64":  {"aJSyyeEZ", "aJSyye.Z", netdoc.ErrBadValue},
	} {
		text := strings.Replace(sample, tc.old, tc.new, 1)
		if f, err := Parse([]byte(text)); !errors.Is(err, tc.err) || f != nil {
			t.Errorf("%s: got %+v, error %v, want error %v", name, f, err, tc.err)
		}
	}
	for _, text := range []string{"\x00", "Commit \"\n", strings.Repeat("#\n", 3<<20)} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%.10q: no error", text)
		}
	}
}

func TestParseCommit(t *testing.T) {
	const (
		fp     = "0817E4A3A019C5F6AE277A14EC87B45D4A871BF8 "
		commit = "AAAAAGsIveJMekQI+F71iZvQjkQVQar8zm4QhKRplEPzxtcqKRVNOA=="
		reveal = "AAAAAGsIveLWfbYwglgqDsdbsAAOG6zcpuadV25PJ/Nljp664cN1sw=="
	)
	for name, tc := range map[string]struct {
		args  string
		err   error
		opens bool
	}{
		"commit":                {"1 sha3-256 " + fp + commit, nil, false},
		"reveal":                {"1 sha3-256 " + fp + commit + " " + reveal, nil, true},
		"more":                  {"1 sha3-256 " + fp + commit + " " + reveal + " more", nil, true},
		"other number":          {"1 sha3-256 " + fp + commit + " " + commit, nil, false},
		"lower case":            {"1 sha3-256 " + strings.ToLower(fp) + commit, nil, false},
		"no number":             {"one sha3-256 " + fp + commit, nil, false}, // as C tor
		"padding missing":       {"1 sha3-256 " + fp + commit[:54], nil, false},
		"padding malformed":     {"1 sha3-256 " + fp + commit[:54] + "=x", nil, false},
		"reveal without":        {"1 sha3-256 " + fp + commit + " " + reveal[:54], nil, false},
		"nothing":               {"", netdoc.ErrMissing, false},
		"three":                 {"1 sha3-256 " + fp, netdoc.ErrMissing, false},
		"later version":         {"2 sha3-256 " + fp + commit, netdoc.ErrBadValue, false},
		"other digest":          {"1 sha256 " + fp + commit, netdoc.ErrBadValue, false},
		"short fingerprint":     {"1 sha3-256 0817E4 " + commit, netdoc.ErrBadValue, false},
		"no fingerprint":        {"1 sha3-256 X" + fp[1:] + commit, netdoc.ErrBadValue, false},
		"short commit":          {"1 sha3-256 " + fp + commit[4:], netdoc.ErrBadValue, false},
		"long commit":           {"1 sha3-256 " + fp + "AAAA" + commit, netdoc.ErrBadValue, false},
		"long padding":          {"1 sha3-256 " + fp + commit + "=", netdoc.ErrBadValue, false},
		"commit of no base64":   {"1 sha3-256 " + fp + "-" + commit[1:], netdoc.ErrBadValue, false},
		"reveal of no base64":   {"1 sha3-256 " + fp + commit + " -" + reveal[1:], netdoc.ErrBadValue, false},
		"reveal too long":       {"1 sha3-256 " + fp + commit + " " + strings.Repeat("A", 1000), netdoc.ErrBadValue, false},
		"reveal of another key": {"1 sha3-256 " + fp + commit + " " + reveal[:40] + "AAAAAAAAAAAAAA==", nil, false},
	} {
		c, err := ParseCommit(tc.args)
		if !errors.Is(err, tc.err) || c.Opens() != tc.opens {
			t.Errorf("%s: got %+v, error %v, opens %v", name, c, err, c.Opens())
		}
		if err != nil && c != (Commit{}) {
			t.Errorf("%s: got %+v beside an error", name, c)
		}
	}
}

// TestUnpadded checks a commit of an authority that leaves the padding out: its digest is over zero bytes there.
func TestUnpadded(t *testing.T) {
	c := NewCommit([20]byte{1}, time.Unix(1, 0), [32]byte{2})
	c.Reveal = strings.TrimRight(c.Reveal, "=")
	if c.Opens() {
		t.Error("opens a commit to another text")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("TorVersion \"a \\n\"\nVersion 99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(s.AppendTo(nil, time.Unix(0, 0)))
		if err != nil {
			t.Fatal(err)
		}
		if s.ValidAfter.IsZero() || s.ValidUntil.IsZero() { // no time has no form
			again.ValidAfter, again.ValidUntil = s.ValidAfter, s.ValidUntil
		}
		sortCommits := cmp.Transformer("sort", func(list []Commit) map[[20]byte]Commit {
			m := map[[20]byte]Commit{}
			for _, c := range list {
				m[c.Authority] = c
			}
			return m
		})
		if !cmp.Equal(s, again, sortCommits) {
			t.Fatalf("%s", cmp.Diff(s, again))
		}
	})
}

func FuzzParseCommit(f *testing.F) {
	for line := range strings.Lines(sample) {
		if args, ok := strings.CutPrefix(line, "Commit "); ok {
			f.Add(args)
		}
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseCommit(args)
		if err != nil {
			return
		}
		c.Opens()
		again, err := ParseCommit(c.Args() + " " + c.Reveal)
		if err != nil || again != c {
			t.Fatalf("got %+v, %v, want %+v", again, err, c)
		}
		if bytes.ContainsAny([]byte(c.Args()), "\n\x00") {
			t.Fatalf("breaks its line: %q", c.Args())
		}
	})
}

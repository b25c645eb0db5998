package netdoc

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dump lists the items of a document in a form that is easy to compare.
func dump(doc string, opts Options) ([]string, error) {
	var out []string
	s := NewScanner([]byte(doc), opts)
	for s.Next() {
		it := s.Item()
		line := fmt.Sprintf("%d [%d,%d,%d) %s", it.Line, it.Start, it.LineEnd, it.End, it.Keyword)
		for args := it.Args; ; {
			arg := args.Next()
			if arg == nil {
				break
			}
			line += fmt.Sprintf(" <%s>", arg)
		}
		if it.Object.Tag != nil {
			line += fmt.Sprintf(" {%s: %q}", it.Object.Tag, it.Object.Text)
		}
		out = append(out, line)
	}
	return out, s.Err()
}

// https://spec.torproject.org/dir-spec/netdoc.html
func TestScanner(t *testing.T) {
	tests := []struct {
		name, doc string
		opts      Options
		want      []string
	}{
		{name: "empty"},
		{name: "blank lines", doc: "\n\nr a\n\n", want: []string{"3 [2,6,6) r <a>"}},
		{name: "keyword alone", doc: "onion-key\n", want: []string{"1 [0,10,10) onion-key"}},
		{name: "space and tab", doc: "s  Fast\tGuard \n", want: []string{"1 [0,15,15) s <Fast> <Guard>"}},
		{name: "opt", doc: "opt hibernating 1\n", want: []string{"1 [0,18,18) hibernating <1>"}},
		{name: "opt alone", doc: "opt\n", want: []string{"1 [0,4,4) opt"}},
		{name: "object", doc: "k a\n-----BEGIN A KEY-----\nAAAA\nBB==\n-----END A KEY-----\nl\n",
			want: []string{`1 [0,4,56) k <a> {A KEY: "AAAA\nBB==\n"}`, "6 [56,58,58) l"}},
		{name: "empty object", doc: "k\n-----BEGIN A-----\n-----END A-----\n", want: []string{`1 [0,2,36) k {A: ""}`}},
		{name: "annotation", doc: "@downloaded-at x\nr\n", opts: Options{Annotations: true},
			want: []string{"1 [0,17,17) @downloaded-at <x>", "2 [17,19,19) r"}},
		{name: "first line", doc: "r\n", opts: Options{FirstLine: 40}, want: []string{"40 [0,2,2) r"}},
		{name: "UTF-8", doc: "contact é\n", want: []string{"1 [0,11,11) contact <é>"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := dump(tt.doc, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("items (-want +got):\n%s", d)
			}
		})
	}
}

func TestScannerRefuses(t *testing.T) {
	tests := []struct {
		name, doc string
		want      error
		line      int
	}{
		{"no final newline", "r a\nr b", ErrTruncated, 2},
		{"NUL", "r a\x00b\n", ErrBadByte, 1},
		{"carriage return", "r a\r\n", ErrBadByte, 1},
		{"NUL in object", "k\n-----BEGIN A-----\nAA\x00A\n-----END A-----\n", ErrBadByte, 1},
		{"space first", " r a\n", ErrBadKeyword, 1},
		{"keyword with underscore", "a_b\n", ErrBadKeyword, 1},
		{"keyword with dash first", "-a\n", ErrBadKeyword, 1},
		{"keyword after opt", "opt _\n", ErrBadKeyword, 1},
		{"keyword too long", strings.Repeat("k", MaxKeywordLen+1) + "\n", ErrBadKeyword, 1},
		{"line too long", "r\nk " + strings.Repeat("a", MaxLineLen) + "\n", ErrTooLong, 2},
		{"object too long", "k\n-----BEGIN A-----\n" + strings.Repeat(strings.Repeat("A", 63)+"\n", MaxObjectLen/64+1) + "-----END A-----\n", ErrTooLong, 1},
		{"annotation not wanted", "@a\n", ErrMisplaced, 1},
		{"object without item", "-----BEGIN A-----\n-----END A-----\n", ErrBadKeyword, 1},
		{"object after a blank line", "k\n\n-----BEGIN A-----\n-----END A-----\n", ErrBadKeyword, 3},
		{"object without end", "k\n-----BEGIN A-----\nAAAA\n", ErrTruncated, 1},
		{"tags differ", "k\n-----BEGIN A-----\n-----END B-----\n", ErrBadObject, 1},
		{"empty tag", "k\n-----BEGIN -----\n-----END -----\n", ErrBadObject, 1},
		{"bad tag", "k\n-----BEGIN A_B-----\n-----END A_B-----\n", ErrBadObject, 1},
		{"begin twice", "k\n-----BEGIN A-----\n-----BEGIN A-----\n-----END A-----\n", ErrBadObject, 1},
		{"too few dashes", "k\n-----BEGIN A----\n-----END A----\n", ErrBadObject, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dump(tt.doc, Options{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Line != tt.line {
				t.Errorf("got %v, want line %d", err, tt.line)
			}
		})
	}
	if _, err := dump("r\n@a\n", Options{Annotations: true}); !errors.Is(err, ErrMisplaced) {
		t.Errorf("annotation after an item: %v", err)
	}
}

func TestScannerAllocs(t *testing.T) {
	doc := []byte(strings.Repeat("r a b c\nk\n-----BEGIN A-----\nAAAA\n-----END A-----\n", 100))
	if n := testing.AllocsPerRun(10, func() {
		for s := NewScanner(doc, Options{}); s.Next(); {
			for args := s.Item().Args; args.Next() != nil; {
			}
		}
	}); n > 1 {
		t.Errorf("%v allocations for 200 items", n)
	}
}

// What the scanner accepts, the encoder can write, and scanning that gives the same items again.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("r a b\nopt k\n-----BEGIN A KEY-----\nAAAA\n-----END A KEY-----\n\nx y \n"))
	f.Add([]byte("@a b\nrouter x 1.2.3.4 9001 0 0\n"))
	f.Add([]byte("k\n-----BEGIN A-----\n-----END A-----"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		opts := Options{Annotations: true}
		e := NewEncoder(nil)
		var kinds []string
		s := NewScanner(doc, opts)
		for s.Next() {
			it := s.Item()
			if it.Start >= it.LineEnd || it.LineEnd > it.End || it.End != s.Offset() {
				t.Fatalf("offsets %d %d %d, %d", it.Start, it.LineEnd, it.End, s.Offset())
			}
			if it.Is("opt") {
				continue
			}
			kinds = append(kinds, string(it.Keyword)+string(it.Args.Trimmed()))
			e.Item(string(it.Keyword))
			for args := it.Args; ; {
				arg := args.Next()
				if arg == nil {
					break
				}
				e.Str(string(arg))
			}
			if it.Object.Tag != nil {
				body, err := it.Object.Decode(string(it.Object.Tag), 0, MaxObjectLen)
				if err == nil {
					e.Object(string(it.Object.Tag), body)
				}
			}
		}
		if s.Err() != nil {
			return
		}
		out, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		s = NewScanner(out, opts)
		for ; s.Next(); n++ {
		}
		if s.Err() != nil || n != len(kinds) {
			t.Fatalf("wrote %q: %d items of %d, %v", out, n, len(kinds), s.Err())
		}
	})
}

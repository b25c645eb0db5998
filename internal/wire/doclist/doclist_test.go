package doclist

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       []string // annotations and text by turns
	}{
		{"empty", "", nil},
		{"junk", "junk\n\n\n", nil},
		{"annotations alone", "@a\n@b\n", nil},
		{"one", "a 1\nb\n", []string{"", "a 1\nb\n"}},
		{"no newline at the end", "a 1\nb", []string{"", "a 1\nb"}},
		{"keyword cut short", "a", nil},
		{"longer keyword", "ab\n", nil},
		{"keyword alone", "a\n", []string{"", "a\n"}},
		{"junk before", "x\na 1\n", []string{"", "a 1\n"}},
		{"two", "a 1\nx\na 2\ny\n", []string{"", "a 1\nx\n", "", "a 2\ny\n"}},
		{"two kinds", "a 1\nother\t2\na 3\n", []string{"", "a 1\n", "", "other\t2\n", "", "a 3\n"}},
		{"annotated", "@n\n@m\na 1\n@o\n\nx\na 2\n", []string{"@n\n@m\n", "a 1\n", "@o\n\nx\n", "a 2\n"}},
		{"annotations behind", "a 1\n@n\n", []string{"", "a 1\n"}},
		{"blank lines", "\na 1\n\n\na 2\n\n", []string{"", "a 1\n\n\n", "", "a 2\n\n"}},
	} {
		var got []string
		for e := range Split([]byte(tt.data), "a", "other") {
			got = append(got, string(e.Annotations), string(e.Text))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	for range Split([]byte("a\na\n"), "a") {
		break
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("@n\na 1\nx\n@m\nother\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rest := data
		for e := range Split(data, "a", "other") {
			doc := append(e.Annotations[:len(e.Annotations):len(e.Annotations)], e.Text...)
			i := bytes.Index(rest, doc)
			if i < 0 || !strings.HasPrefix(string(e.Text), "a") && !strings.HasPrefix(string(e.Text), "other") {
				t.Fatalf("%q is no part of %q", doc, rest)
			}
			rest = rest[i+len(doc):]
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	data := []byte(strings.Repeat("onion-key\n"+strings.Repeat("x", 64)+"\nntor-onion-key\np accept 80\n", 1000))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		for range Split(data, "onion-key") {
		}
	}
}

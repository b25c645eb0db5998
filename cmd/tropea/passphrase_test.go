package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// Of a long passphrase C tor takes 255 bytes, wherever it comes from.
func TestLongPassphrase(t *testing.T) {
	long, want := strings.Repeat("x", 300), strings.Repeat("x", 255)
	got, err := fdPassphrase{strings.NewReader(long)}.New()
	if err != nil || string(got) != want {
		t.Errorf("from a file: %d bytes, %v", len(got), err)
	}
	in := strings.NewReader(long + "\nrest")
	got, err = readLine(in, maxPassphrase)
	if rest, _ := io.ReadAll(in); err != nil || string(got) != want || string(rest) != "rest" {
		t.Errorf("from a line: %d bytes, %v; then %q", len(got), err, rest)
	}
}

func TestPassphraseErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		get  func() ([]byte, error)
		want error
	}{
		{"empty file", fdPassphrase{strings.NewReader("")}.New, errNone},
		{"file that cannot be read", fdPassphrase{badReader{broken}}.New, broken},
		{"zero byte", fdPassphrase{strings.NewReader("a\x00b")}.New, errZero},
		{"wrong", func() ([]byte, error) { return fdPassphrase{strings.NewReader("a")}.Old(1) }, errWrong},
	} {
		if got, err := tt.get(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %q, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	if got, err := (fdPassphrase{bytes.NewReader([]byte("a\x00b\n"))}).Old(0); err != nil || string(got) != "a\x00b\n" {
		t.Errorf("an old one: got %q, %v", got, err)
	}
}

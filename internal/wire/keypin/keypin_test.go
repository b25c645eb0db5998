package keypin

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// sample begins like the journal of C tor 0.4.9.11.
const sample = "\n@opened-at 2026-11-26 23:17:16\n" +
	"MMgXYpAPC+8nTjjeZdRth2ED9UQ CP2EHvt5WslOMVyAzVVzGMUzHB55odX2tf8wab6sMMU\n" +
	"OQdnTyt9gr1fUSmLK7UZ0eg3Uws zfrpC3BJDX2VhEZjbDzNAZQ234lBeiyG/Pl7KHXiclE\n"

func pin(rsa, ed byte) Pin { return Pin{[20]byte{rsa}, [32]byte{ed}} }

func TestJournal(t *testing.T) {
	line := strings.Split(sample, "\n")[2] + "\n"
	for name, tc := range map[string]struct {
		text string
		want Loaded
		len  int
	}{
		"empty":            {"", Loaded{}, 0},
		"sample":           {sample, Loaded{Pins: 2}, 2},
		"twice":            {sample + sample, Loaded{Pins: 4, Duplicates: 2}, 2},
		"comments":         {"# a comment\n@later version\n \t \n\n" + line, Loaded{Pins: 1}, 1},
		"torn tail":        {sample + line[:50], Loaded{Pins: 2, Corrupt: 1}, 2},
		"torn in between":  {line[:50] + sample, Loaded{Pins: 2, Corrupt: 1}, 2},
		"no line end":      {strings.TrimSuffix(sample, "\n"), Loaded{Pins: 2}, 2},
		"long line":        {strings.TrimSuffix(line, "\n") + "A\n", Loaded{Corrupt: 1}, 0},
		"no space":         {strings.Replace(line, " ", "A", 1), Loaded{Corrupt: 1}, 0},
		"no base64":        {"-" + line[1:], Loaded{Corrupt: 1}, 0},
		"carriage return":  {strings.TrimSuffix(line, "\n") + "\r\n", Loaded{Corrupt: 1}, 0},
		"contradiction":    {string(pin(1, 2).AppendTo(pin(1, 1).AppendTo(nil))), Loaded{Pins: 2, Conflicts: 1}, 1},
		"two at once":      {string(pin(1, 2).AppendTo(pin(2, 2).AppendTo(pin(1, 1).AppendTo(nil)))), Loaded{Pins: 3, Conflicts: 1}, 1},
		"and then as ever": {string(pin(1, 1).AppendTo(pin(1, 2).AppendTo(pin(1, 1).AppendTo(nil)))), Loaded{Pins: 3, Conflicts: 2}, 1},
	} {
		p, got, err := Load([]byte(tc.text))
		if err != nil || got != tc.want || p.Len() != tc.len || len(p.byEd25519) != tc.len {
			t.Errorf("%s: got %+v, %d pins, error %v, want %+v, %d pins", name, got, p.Len(), err, tc.want, tc.len)
		}
	}
	if _, _, err := Load(make([]byte, MaxLen+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}

// TestAppend writes what C tor wrote.
func TestAppend(t *testing.T) {
	got := AppendOpened(nil, time.Date(2026, 11, 26, 23, 17, 16, 0, time.UTC))
	for _, line := range strings.Split(sample, "\n")[2:4] {
		p, ok := parsePin([]byte(line))
		if !ok {
			t.Fatalf("%q", line)
		}
		got = p.AppendTo(got)
	}
	if string(got) != sample {
		t.Errorf("got\n%s\nwant\n%s", got, sample)
	}
}

// https://spec.torproject.org/dir-spec/key-pinning.html
func TestRules(t *testing.T) {
	p := New()
	for _, step := range []struct {
		what    string
		pin     Pin
		add     bool
		replace bool
		want    Result
	}{
		{"unknown", pin(1, 1), false, false, NotFound},
		{"still unknown", pin(1, 1), true, false, Added},
		{"known", pin(1, 1), false, false, Found},
		{"added again", pin(1, 1), true, false, Found},
		{"replaced by itself", pin(1, 1), true, true, Found},
		{"other Ed25519 key", pin(1, 2), false, false, Mismatch},
		{"other RSA key", pin(2, 1), false, false, Mismatch},
		{"not added", pin(1, 2), true, false, Mismatch},
		{"still unknown", pin(2, 2), false, false, NotFound},
		{"second", pin(2, 2), true, false, Added},
		{"both known, not together", pin(1, 2), false, false, Mismatch},
		{"replaces two", pin(1, 2), true, true, Added},
		{"its RSA key is free", pin(2, 3), false, false, NotFound},
		{"its Ed25519 key is free", pin(3, 1), false, false, NotFound},
		{"new with replace", pin(4, 4), true, true, Added},
	} {
		got := p.Check(step.pin)
		if step.add {
			got = p.Add(step.pin, step.replace)
		}
		if got != step.want {
			t.Errorf("%s: got %v, want %v", step.what, got, step.want)
		}
	}
	if p.CheckLone([20]byte{1}) != Mismatch || p.CheckLone([20]byte{2}) != NotFound {
		t.Error("relay without an Ed25519 key")
	}
	if p.Len() != 2 || len(p.byEd25519) != 2 {
		t.Errorf("%d pins", p.Len())
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, n, err := Load(data)
		if err != nil {
			t.Fatal(err)
		}
		if p.Len() > n.Pins || p.Len() != len(p.byEd25519) {
			t.Fatalf("%d pins of %+v, %d Ed25519 keys", p.Len(), n, len(p.byEd25519))
		}
		var again bytes.Buffer
		for rsa, ed := range p.byRSA {
			again.Write(Pin{rsa, ed}.AppendTo(nil))
		}
		if _, m, _ := Load(again.Bytes()); m != (Loaded{Pins: p.Len()}) {
			t.Fatalf("written again: %+v, want %d pins", m, p.Len())
		}
	})
}

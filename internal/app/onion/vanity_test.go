package onion

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/vanity"
)

func compiled(t testing.TB, prefixes ...string) *vanity.Matcher {
	t.Helper()
	m, err := vanity.Compile(prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestHunt(t *testing.T) {
	h := Hunt{Matcher: compiled(t, "to", "q7"), Threads: 3, Before: Progress{Tries: 1000, Spent: time.Hour}, Every: time.Hour, Log: quiet}
	s, p, err := h.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if label := s.Address().Label(); !strings.HasPrefix(label, "to") && !strings.HasPrefix(label, "q7") {
		t.Errorf("found %s", label)
	}
	if p.Tries <= 1000 || p.Spent <= time.Hour {
		t.Errorf("progress %+v", p)
	}
	same(t, s, s) // its files can be made
}

// A search ends with its context, and tells how far it came.
func TestHuntStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var reported Progress
	h := Hunt{Matcher: compiled(t, strings.Repeat("z", 20)), Threads: 2, Every: time.Millisecond, Log: quiet}
	h.Report = func(p Progress, rate float64) {
		if p.Tries > 0 && rate > 0 {
			reported = p
			cancel()
		}
	}
	s, p, err := h.Run(ctx)
	if s != nil || !errors.Is(err, context.Canceled) || p.Tries < reported.Tries || reported.Tries == 0 {
		t.Errorf("got %v, %+v, %v after %+v", s, p, err, reported)
	}
}

func TestProgress(t *testing.T) {
	m := compiled(t, "tor", "pea")
	want := Progress{m.Prefixes(), 1 << 60, 90 * time.Minute}
	b, err := want.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseProgress(b, m)
	if err != nil || got.Tries != want.Tries || got.Spent != want.Spent {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, text := range []string{
		"", "{}", "null", "[]", `{"prefixes":["tor"],"tries":1,"seconds":1}`, `{"prefixes":["tor","pea"],"tries":-1,"seconds":1}`,
		`{"prefixes":["tor","pea"],"tries":1,"seconds":-1}`, `{"prefixes":["tor","pea"],"tries":1,"seconds":1e300}`, string(b) + "x",
		strings.Repeat(" ", maxProgress) + string(b),
	} {
		if _, err := ParseProgress([]byte(text), m); !errors.Is(err, ErrProgress) {
			t.Errorf("%.80q: got %v", text, err)
		}
	}
}

func FuzzParseProgress(f *testing.F) {
	f.Add([]byte(`{"prefixes":["tor"],"tries":1,"seconds":1}`))
	m := compiled(f, "tor")
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParseProgress(b, m); err == nil && p.Spent < 0 {
			t.Errorf("%+v", p)
		}
	})
}

package vanity

import (
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"filippo.io/edwards25519"

	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

func testSearch(t testing.TB, span int, seed byte, prefixes ...string) *Search {
	t.Helper()
	m, err := Compile(prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(NewTable(span), m, rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a search finds is a key with such an address, in the form that C tor keeps and that signs.
func TestSearch(t *testing.T) {
	for _, prefixes := range [][]string{{"ab"}, {"7z"}, {"q2", "pet"}, {"TOR"}} {
		s := testSearch(t, 64, 1, prefixes...)
		seen := map[[32]byte]bool{}
		for len(seen) < 8 {
			_, key, err := s.Step()
			if err != nil {
				t.Fatal(err)
			}
			if key == nil {
				continue
			}
			addr, err := onionaddr.FromKey(key.ID())
			if err != nil {
				t.Fatal(err)
			}
			ok := false
			for _, p := range prefixes {
				ok = ok || strings.HasPrefix(addr.String(), strings.ToLower(p))
			}
			if !ok || seen[key.ID()] {
				t.Fatalf("%v: found %s", prefixes, addr)
			}
			seen[key.ID()] = true
			expanded, err := key.Expanded()
			if err != nil {
				t.Fatal(err)
			}
			if expanded[0]&7 != 0 || expanded[31]&0xc0 != 0x40 {
				t.Errorf("scalar %x is not clamped", expanded[:32])
			}
			sig, err := key.Sign(nil, []byte("message"), ed25519Options{})
			id := key.ID()
			if err != nil || !ed25519.Verify(id[:], []byte("message"), sig) {
				t.Errorf("signature: %v", err)
			}
		}
	}
}

// Each key of three batches is looked at: found by its own address, by a search that starts at the same place.
func TestEveryNeighbour(t *testing.T) {
	const span = 3
	start := testSearch(t, span, 2, "a").first
	for batch := range int64(3) {
		for at := int64(-span); at <= span; at++ {
			scalar, ok := addEights(start, 0, uint64(batch)*(2*span+1), at)
			if !ok {
				t.Fatal("not clamped")
			}
			a, err := new(edwards25519.Scalar).SetBytesWithClamping(scalar[:])
			if err != nil {
				t.Fatal(err)
			}
			id := [32]byte(new(edwards25519.Point).ScalarBaseMult(a).Bytes())
			s := testSearch(t, span, 2, onionaddr.Address(id).Label()[:MaxPrefix])
			for i := range batch + 1 {
				_, key, err := s.Step()
				if err != nil {
					t.Fatal(err)
				}
				if found := key != nil; found != (i == batch) {
					t.Fatalf("batch %d, neighbour %d: in step %d found is %v", batch, at, i, found)
				}
				if key != nil && key.ID() != id {
					t.Errorf("batch %d, neighbour %d: found %v", batch, at, key)
				}
			}
		}
	}
}

func TestAddEights(t *testing.T) {
	low, high := [32]byte{31: 64}, [32]byte{31: 127}
	for i := range 31 {
		high[i] = 255
	}
	high[0] = 248
	one := low
	one[8], one[0] = 1, 0
	for _, tt := range []struct {
		name   string
		scalar [32]byte
		hi, lo uint64
		at     int64
		want   [32]byte
		ok     bool
	}{
		{"nothing", low, 0, 0, 0, low, true},
		{"up", low, 0, 5, -4, [32]byte{0: 8, 31: 64}, true},
		{"into the next word", low, 0, 1 << 61, 0, one, true},
		{"back from there", one, 0, 0, -1 << 61, low, true},
		{"far", low, 1, 0, 0, [32]byte{8: 8, 31: 64}, true},
		{"over the top", high, 0, 1, 0, [32]byte{31: 128}, false},
		{"under the bottom", low, 0, 0, -1, [32]byte{}, false},
	} {
		got, ok := addEights(tt.scalar, tt.hi, tt.lo, tt.at)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: got %x, %v", tt.name, got, ok)
		}
	}
}

func TestCompile(t *testing.T) {
	for _, tt := range []struct {
		prefixes []string
		want     string
		tries    float64
		err      error
	}{
		{[]string{"tor"}, "tor", 32768, nil},
		{[]string{"TOR", "tor"}, "tor", 32768, nil},
		{[]string{"tor", "torpedo", "to"}, "to", 1024, nil},
		{[]string{"ab", "cd"}, "ab cd", 512, nil},
		{nil, "", 0, ErrNone},
		{[]string{""}, "", 0, ErrPrefix},
		{[]string{"tor1"}, "", 0, ErrPrefix},
		{[]string{"tör"}, "", 0, ErrPrefix},
		{[]string{strings.Repeat("a", MaxPrefix+1)}, "", 0, ErrPrefix},
	} {
		m, err := Compile(tt.prefixes...)
		if !errors.Is(err, tt.err) || err == nil && (strings.Join(m.Prefixes(), " ") != tt.want || m.Tries() != tt.tries) {
			t.Errorf("%v: got %v, %v", tt.prefixes, m, err)
		}
	}
}

// A source of randomness that ends is an error, not a key that others know.
func TestNoRandomness(t *testing.T) {
	m, err := Compile("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(NewTable(1), m, strings.NewReader("short")); err == nil {
		t.Error("a search began")
	}
}

// FuzzMatch compares a Matcher with the text of addresses.
func FuzzMatch(f *testing.F) {
	f.Add(make([]byte, 32), "aa")
	f.Add([]byte("01234567890123456789012345678901"), "gaytemzu")
	f.Add([]byte("01234567890123456789012345678901"), "b")
	f.Fuzz(func(t *testing.T, key []byte, prefix string) {
		m, err := Compile(prefix)
		if err != nil || len(key) != 32 {
			return
		}
		want := strings.HasPrefix(onionaddr.Address(key).Label(), strings.ToLower(prefix))
		if got := m.Match(key) != ""; got != want {
			t.Errorf("%x and %q: got %v, want %v", key, prefix, got, want)
		}
	})
}

package history

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is a file of C tor 0.4.9.11, with three of its relays and in order of their identities.
const sample = `format 2
stored-at 2026-11-26 23:22:47
tracked-since 2026-10-17 23:20:54
last-downrated 2026-11-26 21:20:54
data
R 384CC71D6A6AD182E0649D8CC0AD62901A240A4F
+MTBF 51807 3.10000
+WFU 51807 301807 S=2026-11-26 23:21:04
R 3920F38647FC8F3BAA5A9A467F1ED2982213E6C5
+MTBF 300000 4.00000 S=2026-11-26 22:51:03
+WFU 300000 500000
R F47D35345C83F41042EB6EE281649292445176BB
+MTBF 0 0.00000
+WFU 0 0
.
`

var stored = time.Date(2026, 11, 26, 23, 22, 47, 0, time.UTC)

func TestFile(t *testing.T) {
	h, warnings, err := Parse([]byte(sample), stored)
	if err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	if diff := cmp.Diff(sample, string(h.Append(nil, stored))); diff != "" {
		t.Errorf("written again (-want +got):\n%s", diff)
	}
	id := [20]byte{0x39, 0x20, 0xF3, 0x86, 0x47, 0xFC, 0x8F, 0x3B, 0xAA, 0x5A, 0x9A, 0x46, 0x7F, 0x1E, 0xD2, 0x98, 0x22, 0x13, 0xE6, 0xC5}
	was := h.Figures(id, stored)
	if was.MTBF != (300000+1904)/5. || was.Uptime != 1904*time.Second {
		t.Errorf("figures: got %+v", was)
	}

	// A day later nothing has happened to the relays.
	h, _, err = Parse([]byte(sample), stored.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Figures(id, stored.Add(24*time.Hour)); got != was {
		t.Errorf("a day later: got %+v, want %+v", got, was)
	}
}

func TestFormat1(t *testing.T) {
	const text = "format 1\nstored-at 2026-11-26 23:22:47\ntracked-since 2026-10-17 23:20:54\ndata\n" +
		"384CC71D6A6AD182E0649D8CC0AD62901A240A4F 51807 3.10000\n3920F38647FC8F3BAA5A9A467F1ED2982213E6C5 300000 4.00000 S=2026-11-26 22:51:03\nX 1 1\n.\n"
	h, warnings, err := Parse([]byte(text), stored)
	if err != nil || len(warnings) != 1 || len(h.routers) != 2 {
		t.Fatalf("%d relays, warnings %v, error %v", len(h.routers), warnings, err)
	}
	for _, r := range h.routers {
		if r.runWeights != 3.1 && r.runStart != stored.Unix()-1904 {
			t.Errorf("got %+v", r)
		}
	}
}

func TestDamage(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new string // replaced in the sample
		warnings []error
		err      error
		relays   int
	}{
		{"other format", "format 2", "format 3", nil, ErrFormat, 0},
		{"no format", "format 2\n", "", nil, ErrFormat, 0},
		{"no time", "stored-at", "Stored-at", nil, ErrNoTime, 0},
		{"bad time", "stored-at 2026-11", "stored-at 2026-13", nil, ErrNoTime, 0},
		{"bad other time", "since 2026-10-17", "since 2026-10-", []error{ErrSyntax}, nil, 3},
		{"unknown lines", "data\n", "later version\ndata\n+LATER 5\n", nil, nil, 3},
		{"no end", ".\n", "", []error{ErrTruncated}, nil, 3},
		{"bad identity", "R 384C", "R 384", []error{ErrSyntax}, nil, 2},
		{"zero identity", "384CC71D6A6AD182E0649D8CC0AD62901A240A4F", strings.Repeat("0", 40), []error{ErrSyntax}, nil, 2},
		{"negative", "+MTBF 51807", "+MTBF -51807", []error{ErrSyntax}, nil, 3},
		{"overflow", "+MTBF 51807", "+MTBF 9223372036854775807", []error{ErrSyntax}, nil, 3},
		{"weight overflows", "51807 3.1", "51807 9e999", []error{ErrSyntax}, nil, 3},
		{"weight is no number", "51807 3.10000", "51807 NaN", []error{ErrSyntax}, nil, 3},
		{"negative weight", "51807 3.1", "51807 -3.1", []error{ErrSyntax}, nil, 3},
		{"one figure", "+WFU 51807 301807 S=2026-11-26 23:21:04", "+WFU 51807", []error{ErrSyntax}, nil, 3},
		{"half a time", "S=2026-11-26 23:21:04", "S=2026-11-26", []error{ErrSyntax}, nil, 3},
		{"bad start", "S=2026-11-26 23:21:04", "S=2026-11-26 25:21:04", []error{ErrSyntax}, nil, 3},
		{"start without S", "S=2026-11-26 23:21:04", "2026-11-26 23:21:04", []error{ErrSyntax}, nil, 3},
		{"before 1970", "S=2026-11-26 23:21:04", "S=1900-11-26 23:21:04", nil, nil, 3},
	} {
		text := strings.Replace(sample, tc.old, tc.new, 1)
		h, warnings, err := Parse([]byte(text), stored)
		if !errors.Is(err, tc.err) || len(warnings) != len(tc.warnings) || len(h.routers) != tc.relays {
			t.Errorf("%s: got %d relays, warnings %v, error %v", tc.name, len(h.routers), warnings, err)
			continue
		}
		for i := range warnings {
			if !errors.Is(warnings[i], tc.warnings[i]) {
				t.Errorf("%s: warning %v", tc.name, warnings[i])
			}
		}
	}
	if _, _, err := Parse(make([]byte, maxLen+1), stored); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	if _, warnings, err := Parse([]byte(strings.Replace(sample, "data\n", "data\n"+strings.Repeat("R \n", 1000), 1)), stored); err != nil || len(warnings) != maxWarnings {
		t.Errorf("%d warnings, error %v", len(warnings), err)
	}
}

// TestTimes moves times from one clock to another.
func TestTimes(t *testing.T) {
	since := time.Date(2026, 10, 17, 23, 20, 54, 0, time.UTC)
	for _, tc := range []struct {
		name  string
		start string
		now   time.Time
		want  time.Time // zero for none
	}{
		{"at once", "2026-11-26 22:51:03", stored, stored.Add(-1904 * time.Second)},
		{"later", "2026-11-26 22:51:03", stored.Add(time.Hour), stored.Add(time.Hour - 1904*time.Second)},
		{"clock set back", "2026-11-26 22:51:03", stored.Add(-time.Hour), stored.Add(-time.Hour - 1904*time.Second)},
		{"far back", "2026-11-26 22:51:03", since.Add(time.Minute), since},
		{"after it was stored", "2026-11-26 23:22:48", stored, time.Time{}},
		{"before tracking", "2026-01-26 22:51:03", stored, since},
		{"long before tracking", "2020-01-26 22:51:03", stored, time.Time{}},
	} {
		text := strings.Replace(sample, "2026-11-26 22:51:03", tc.start, 1)
		h, _, err := Parse([]byte(text), tc.now)
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		for id, r := range h.routers {
			if id[0] == 0x39 {
				got = r.runStart
			}
		}
		if want := max(tc.want.Unix(), 0); got != want {
			t.Errorf("%s: got %v, want %v", tc.name, time.Unix(got, 0).UTC(), tc.want)
		}
	}
	// Without a credible beginning, tracking began with the first run that is known.
	h, _, err := Parse([]byte(strings.Replace(sample, "tracked-since 2026", "tracked-since 1970", 1)), stored)
	if err != nil || h.since != stored.Unix()-1904-300000 {
		t.Errorf("since: got %v, error %v", time.Unix(h.since, 0).UTC(), err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("format 1\nstored-at 2026-11-26 23:22:47\ndata\n384CC71D6A6AD182E0649D8CC0AD62901A240A4F 51807 3.10000\n.\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, _, err := Parse(data, stored)
		h.Fade(stored)
		for id := range h.routers {
			if f := h.Figures(id, stored); f.MTBF < 0 || f.TimeKnown < 0 || f.WFU != f.WFU {
				t.Fatalf("figures %+v", f)
			}
		}
		if err != nil {
			return
		}
		since := int64(-1)
		for range 3 { // the first time, tracking may turn out to have begun later
			again, warnings, err := Parse(h.Append(nil, stored), stored)
			if err != nil || warnings != nil {
				t.Fatalf("written again: %v, %v", warnings, err)
			}
			if got, want := string(again.Append(nil, stored)), string(h.Append(nil, stored)); got != want && since == h.since {
				t.Fatalf("written again: %s", cmp.Diff(want, got))
			}
			since, h = h.since, again
		}
	})
}

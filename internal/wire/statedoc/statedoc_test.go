package statedoc

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

const sample = `# Tor state file last generated on 2026-08-20 15:14:15 local time
# Other times below are in UTC
# You *do not* need to edit this file.

CircuitBuildTimeBin 625 3
CircuitBuildTimeBin 675 7
Dormant 0
Guard in=default rsa_id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA nickname=one sampled_on=2026-08-12T01:02:03 sampled_idx=0 sampled_by=0.4.9.11 listed=1 confirmed_on=2026-08-14T05:06:07 confirmed_idx=0 pb_use_attempts=3.000000 pb_use_successes=2.500000 pb_circ_attempts=5.000000 pb_circ_successes=5.000000 pb_successful_circuits_closed=4.000000 pb_timeouts=1.000000
Guard in=bridges rsa_id=BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB bridge_addr=[2001:db8::1]:443 sampled_on=2026-08-12T01:02:03 sampled_idx=1 sampled_by=0.4.9.11 unlisted_since=2026-08-19T00:00:00 listed=0 later=field word
LastWritten 2026-08-20 13:14:15
SomethingOfTheFuture "a \"value\" # with a hash"
TorVersion Tor 0.4.9.11 (git-0123456789abcdef)
TotalBuildTimes 10
`

func mustParse(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRoundTrip(t *testing.T) {
	for name, text := range map[string]string{
		"sample":           sample,
		"empty":            "",
		"comment alone":    "# nothing\n",
		"no final newline": "Dormant 0\nTotalBuildTimes 10",
		"other line ends":  "Dormant 0\r\n\r\nTotalBuildTimes 10\r\n",
		"comments between": "\n#a\nDormant 0\n# c\n\nTotalBuildTimes 10\n\n#end",
		"odd keys":         "+Dormant 0\n/Dormant 0\n",
		"space and case":   "  dormant\t0  # yes\n",
	} {
		d := mustParse(t, text)
		if got := string(d.AppendTo(nil)); got != text {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestContinuedLinesBecomeWhole(t *testing.T) {
	d := mustParse(t, "Dormant \\\n0\n# c\nTotalBuildTimes 1\\\r\n# d\n")
	if got := string(d.AppendTo(nil)); got != "Dormant 0\nTotalBuildTimes 1\n" {
		t.Errorf("got %q", got)
	}
}

func TestGetAndSet(t *testing.T) {
	d := mustParse(t, sample)
	if v, ok := d.Get("totalbuildtimes"); !ok || v != "10" || d.Int("TotalBuildTimes") != 10 {
		t.Errorf("TotalBuildTimes: %q, %v", v, ok)
	}
	if v, _ := d.Get("SomethingOfTheFuture"); v != `a "value" # with a hash` {
		t.Errorf("quoted value: %q", v)
	}
	if got := d.Time("LastWritten"); !got.Equal(time.Date(2026, 8, 20, 13, 14, 15, 0, time.UTC)) {
		t.Errorf("LastWritten: %v", got)
	}
	if !d.Time("TorVersion").IsZero() || d.Int("TorVersion") != 0 || d.Int("Nothing") != 0 {
		t.Error("a malformed value is read as something")
	}

	d.Set("CircuitBuildTimeBin", "1 1", "2 2", "3 3")
	d.Set("Dormant", "0") // no change
	d.Set("TransportProxy", "obfs4 127.0.0.1:1")
	d.SetInt("AAA", 7)
	d.SetTime("LastWritten", time.Time{})
	d.Set("Guard")
	want := `# Tor state file last generated on 2026-08-20 15:14:15 local time
# Other times below are in UTC
# You *do not* need to edit this file.

AAA 7
CircuitBuildTimeBin 1 1
CircuitBuildTimeBin 2 2
CircuitBuildTimeBin 3 3
Dormant 0
SomethingOfTheFuture "a \"value\" # with a hash"
TorVersion Tor 0.4.9.11 (git-0123456789abcdef)
TotalBuildTimes 10
TransportProxy obfs4 127.0.0.1:1
`
	if got := string(d.AppendTo(nil)); got != want {
		t.Error(cmp.Diff(want, got))
	}
}

func TestSetOnEntriesApart(t *testing.T) {
	d := mustParse(t, "B 1\nA 1\nB 2\nC 1")
	d.Set("B", "3")
	d.Set("D", `odd \`)
	if got := string(d.AppendTo(nil)); got != "B 3\nA 1\nC 1\nD \"odd \\\\\"\n" {
		t.Errorf("got %q", got)
	}
	if v, _ := mustParse(t, string(d.AppendTo(nil))).Get("D"); v != `odd \` {
		t.Errorf("got %q", v)
	}
}

func TestStamp(t *testing.T) {
	d := mustParse(t, "# old\nEntryGuard x\nDormant 0\n")
	now := time.Date(2026, 8, 20, 15, 14, 15, 0, time.FixedZone("", 7200))
	d.Stamp(now, "Tor 0.4.9.11")
	want := "# Tor state file last generated on 2026-08-20 15:14:15 local time\n# Other times below are in UTC\n" +
		"# You *do not* need to edit this file.\n\nDormant 0\nLastWritten 2026-08-20 13:14:15\nTorVersion Tor 0.4.9.11\n"
	if got := string(d.AppendTo(nil)); got != want {
		t.Error(cmp.Diff(want, got))
	}
	var empty Document
	empty.Stamp(now, "Tor 0.4.9.11")
	if !empty.Time("LastWritten").Equal(now) {
		t.Error("LastWritten of an empty document is not set")
	}
}

func TestBadDocuments(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       error
	}{
		{"too long", strings.Repeat("#\n", MaxLen/2+1), ErrTooLong},
		{"zero byte", "Dormant 0\x00", torrc.ErrNUL},
		{"open quote", `Dormant "0`, torrc.ErrQuote},
		{"bad name", "Dorm\x01ant 0", torrc.ErrName},
	} {
		if _, err := Parse([]byte(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// https://spec.torproject.org/guard-spec/appendices.html
func TestGuards(t *testing.T) {
	d := mustParse(t, sample)
	guards, errs := d.Guards()
	if len(guards) != 2 || len(errs) != 0 {
		t.Fatalf("got %d guards, errors %v", len(guards), errs)
	}
	date := func(day, h, m, s int) time.Time { return time.Date(2026, 8, day, h, m, s, 0, time.UTC) }
	want := []*Guard{
		{
			Selection: "default", RSA: [20]byte(slices.Repeat([]byte{0xaa}, 20)), Nickname: "one", SampledOn: date(12, 1, 2, 3),
			SampledBy: "0.4.9.11", Listed: true, ConfirmedOn: date(14, 5, 6, 7),
			PathBias: PathBias{UseAttempts: 3, UseSuccesses: 2.5, CircAttempts: 5, CircSuccesses: 5, SuccessfulClosed: 4, Late: 1},
		},
		{
			Selection: "bridges", RSA: [20]byte(slices.Repeat([]byte{0xbb}, 20)),
			Bridge: netip.MustParseAddrPort("[2001:db8::1]:443"), SampledOn: date(12, 1, 2, 3), SampledIdx: 1,
			SampledBy: "0.4.9.11", UnlistedSince: date(19, 0, 0, 0), ConfirmedIdx: -1, Extra: []string{"later=field", "word"},
		},
	}
	if diff := cmp.Diff(want, guards, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
	if err := d.SetGuards(guards); err != nil {
		t.Fatal(err)
	}
	if got := string(d.AppendTo(nil)); got != sample {
		t.Error(cmp.Diff(sample, got))
	}
	guards[0].Nickname = "not a nickname"
	guards[1].SampledIdx = 3
	if err := d.SetGuards(guards[:2]); err != nil {
		t.Fatal(err)
	}
	if again, errs := d.Guards(); len(errs) != 0 || again[0].Nickname != "" || again[1].SampledIdx != 3 {
		t.Errorf("got %+v, %v", again, errs)
	}
}

func TestGuardDamage(t *testing.T) {
	const id = "rsa_id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	g, err := ParseGuard("in=default " + id + " sampled_on=2026-13-12T01:02:03 sampled_idx=x confirmed_idx=-1 nickname=$x " +
		"bridge_addr=example.com:443 pb_timeouts=-1 pb_use_attempts=NaN pb_circ_attempts=1e10 in=bridges")
	if err != nil {
		t.Fatal(err)
	}
	want := &Guard{Selection: "default", RSA: g.RSA, SampledIdx: -1, ConfirmedIdx: -1}
	if diff := cmp.Diff(want, g, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
	if g, err := ParseGuard("in=default " + id + " confirmed_idx=4"); err != nil || g.SampledIdx != 4 {
		t.Errorf("a line of an old version: %+v, %v", g, err)
	}
	for name, tt := range map[string]struct {
		line string
		want error
	}{
		"no sample":         {id, ErrMissing},
		"empty sample":      {"in= " + id, ErrMissing},
		"no fingerprint":    {"in=default", ErrMissing},
		"short fingerprint": {"in=default rsa_id=AAAA", ErrSyntax},
		"no hex":            {"in=default rsa_id=" + strings.Repeat("x", 40), ErrSyntax},
	} {
		if g, err := ParseGuard(tt.line); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %+v, %v, want %v", name, g, err, tt.want)
		}
	}
	for name, g := range map[string]*Guard{
		"no sample":        {},
		"space in sample":  {Selection: "a b"},
		"line in version":  {Selection: "a", SampledBy: "1\nGuard"},
		"empty extra":      {Selection: "a", Extra: []string{""}},
		"zero byte within": {Selection: "a\x00"},
	} {
		if line, err := g.Encode(); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: got %q, %v", name, line, err)
		}
		if err := new(Document).SetGuards([]*Guard{g}); err == nil {
			t.Errorf("%s: SetGuards takes it", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("a \\\n#c\nb\\\n\"c\" \"d\\\"\" # e"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		if got := d.AppendTo(nil); string(got) != string(data) && !continued(string(data)) {
			t.Fatalf("got %q, want %q", got, data)
		}
		d.Set("Zz", "1", "2")
		d.Set("Dormant", "x y")
		again, err := Parse(d.AppendTo(nil))
		if err != nil {
			t.Fatalf("%q: %v", d.AppendTo(nil), err)
		}
		if v, _ := again.Get("dormant"); v != "x y" || again.Int("Zz") != 2 {
			t.Fatalf("%q: got %q and %d", d.AppendTo(nil), v, again.Int("Zz"))
		}
	})
}

func FuzzParseGuard(f *testing.F) {
	for line := range mustParse(f, sample).All("Guard") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		g, err := ParseGuard(line)
		if err != nil {
			return
		}
		text, err := g.Encode()
		if err != nil {
			return // a zero byte, which a file cannot hold
		}
		again, err := ParseGuard(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if g.ConfirmedIdx < 0 {
			g.ConfirmedOn = time.Time{} // not written then
		}
		if g.SampledIdx < 0 {
			g.SampledIdx = g.ConfirmedIdx // as for an old version's line
		}
		near := cmpopts.EquateApprox(0, 1e-6)
		if diff := cmp.Diff(g, again, cmpopts.EquateComparable(netip.AddrPort{}), near); diff != "" || math.IsNaN(again.PathBias.Late) {
			t.Fatal(diff)
		}
	})
}

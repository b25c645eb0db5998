package stats

import (
	_ "embed"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// ctorState is what C tor 0.4.9.11 wrote for a relay of a private network, whose clock was set ahead.
//
//go:embed testdata/state.txt
var ctorState string

// ctorSaved is when it did.
var ctorSaved = time.Date(2026, 11, 28, 16, 10, 23, 0, time.UTC)

func parseState(t testing.TB, text string) *statedoc.Document {
	t.Helper()
	doc, err := statedoc.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestStateOfCTor(t *testing.T) {
	doc := parseState(t, ctorState)
	s := New(Config{MinTime: -1}, doc, ctorSaved)
	// All but those of IPv6 are in the document that the relay had published by then.
	want := "write-history 2026-11-27 21:07:43 (86400 s) 5272576\nread-history 2026-11-27 21:07:43 (86400 s) 5255168\n" +
		"ipv6-write-history 2026-11-27 21:07:43 (86400 s) 0\nipv6-read-history 2026-11-27 21:07:43 (86400 s) 0\n" +
		"dirreq-write-history 2026-11-27 21:07:43 (86400 s) 4096\ndirreq-read-history 2026-11-27 21:07:43 (86400 s) 0\n"
	if got := string(s.ExtraInfo(ctorSaved)[0]); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got := s.Observed(ctorSaved); got != 202752 {
		t.Errorf("observed %d, want 202752", got)
	}
	s.Save(doc, ctorSaved)
	for _, l := range strings.Split(string(doc.AppendTo(nil)), "\n") {
		// C tor lets a history stand still while there are no bytes.
		if strings.HasPrefix(l, keyPrefix) && !strings.HasPrefix(l, keyPrefix+"IPv6") && !strings.Contains(ctorState, l+"\n") {
			t.Errorf("C tor had no line %s", l)
		}
	}
}

// TestStateRoundTrip restarts a relay every few hours for a week.
func TestStateRoundTrip(t *testing.T) {
	doc := new(statedoc.Document)
	one, many := New(Config{}, doc, began), New(Config{}, doc, began)
	now := began
	for i := range uint64(7 * 4) {
		for range 3 {
			now = now.Add(2 * time.Hour)
			for _, s := range []*Stats{one, many} {
				s.AddRead(i<<20, false, now)
				s.AddWritten(i<<21, true, now)
				s.AddDir(i<<11, i<<12, now)
			}
		}
		many.Save(doc, now)
		many = New(Config{}, parseState(t, string(doc.AppendTo(nil))), now)
	}
	want, got := string(one.ExtraInfo(now)[0]), string(many.ExtraInfo(now)[0])
	if got != want || strings.Count(got, ",") != int(flows)*(kept-1) {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got, want := many.Observed(now), one.Observed(now); got != want>>10<<10 {
		t.Errorf("observed %d, want %d", got, want)
	}
}

func TestStateTooOldOrNew(t *testing.T) {
	for name, now := range map[string]time.Time{
		"old":    time.Date(2026, 12, 3, 21, 7, 44, 0, time.UTC),
		"future": time.Date(2026, 11, 26, 21, 7, 42, 0, time.UTC),
	} {
		s := New(Config{}, parseState(t, ctorState), now)
		if parts := s.ExtraInfo(now); len(parts) != 0 {
			t.Errorf("%s: %q", name, parts)
		}
	}
}

// TestStateHostile has files that C tor could not have written, and that must neither stop nor hang us.
func TestStateHostile(t *testing.T) {
	set := func(name, value string) string {
		var lines []string
		for l := range strings.Lines(ctorState) {
			if !strings.HasPrefix(l, keyPrefix+"Write"+name) {
				lines = append(lines, l)
			}
		}
		return strings.Join(lines, "") + keyPrefix + "Write" + name + " " + value + "\n"
	}
	for name, tt := range map[string]struct {
		text  string
		warns bool
		want  string // of write-history
	}{
		"no number":        {set("Values", "x,1"), true, ""},
		"negative":         {set("Values", "-1,1"), true, ""},
		"too large":        {set("Values", "18446744073709551616,1"), true, ""},
		"many":             {set("Values", strings.Repeat("1,", maxSaved+1)), true, ""},
		"bad maxima":       {set("Maxima", "1,x"), true, ""},
		"no interval":      {set("Interval", "0"), true, ""},
		"interval of ages": {set("Interval", "9223372036854775807"), true, ""},
		"no values":        {set("Values", ""), false, ""},
		"no end":           {set("Ends", "soon"), false, ""},
		"end far away":     {set("Ends", "9999-12-31 23:59:59"), false, ""},
		"long interval":    {set("Interval", fmt.Sprint(maxInterval)), false, "0,0,0,0,0"},
		"short intervals":  {set("Interval", "900"), false, ""},
		"fewer maxima":     {set("Maxima", "1"), false, "5272576"},
		"spaces":           {set("Values", " 5272576 , 87040,"), false, "5272576"},
		"largest":          {set("Values", "18446744073709551615,18446744073709551615"), false, "18446744073709550592"},
		"largest maxima":   {set("Maxima", "18446744073709551615,18446744073709551615"), false, "5272576"},
		"of intervals long ago": {set("Values", strings.Repeat("86400,", 900)+"2048"), false,
			"86016,86016,86016,86016,86016"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			s := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Countries: countries{}}, parseState(t, tt.text), ctorSaved)
			if warned := strings.Contains(log.String(), "WARN"); warned != tt.warns {
				t.Errorf("log: %s", log.String())
			}
			text := ""
			for _, part := range s.ExtraInfo(ctorSaved) {
				text += string(part)
			}
			_, rest, _ := strings.Cut("\n"+text, "\nwrite-history ")
			line, _, _ := strings.Cut(rest, "\n")
			_, got, _ := strings.Cut(line, "s) ")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if !strings.Contains(text, "read-history 2026-11-27 21:07:43 (86400 s) 5255168\n") {
				t.Error("other histories are lost")
			}
			s.Save(new(statedoc.Document), ctorSaved)
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("2026-11-28 21:07:43", int64(86400), "5272576,87040", "202752,5120")
	f.Add("2026-11-28 16:10:00", int64(900), "1,2,3", "1")
	f.Fuzz(func(t *testing.T, ends string, interval int64, values, maxima string) {
		doc := new(statedoc.Document)
		doc.Set("BWHistoryReadEnds", ends)
		doc.SetInt("BWHistoryReadInterval", interval)
		doc.Set("BWHistoryReadValues", values)
		doc.Set("BWHistoryReadMaxima", maxima)
		s := New(Config{}, doc, ctorSaved)
		s.AddRead(5000, false, ctorSaved)
		s.Save(doc, ctorSaved)
		again := New(Config{}, doc, ctorSaved)
		a, b := s.bandwidth.lines(ctorSaved.Unix(), 0), again.bandwidth.lines(ctorSaved.Unix(), 0)
		if string(a) != string(b) {
			t.Errorf("saved\n%s, loaded\n%s", a, b)
		}
	})
}

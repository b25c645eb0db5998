package accounting

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

const rfc = time.RFC3339

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(rfc, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestInterval(t *testing.T) {
	month := func(day, hour, minute int) Start { return Start{Month, day, hour, minute} }
	week := func(day, hour, minute int) Start { return Start{Week, day, hour, minute} }
	day := func(hour, minute int) Start { return Start{Day, 0, hour, minute} }
	for _, tc := range []struct {
		name, zone      string
		s               Start
		now, start, end string
	}{
		{"month", "UTC", month(1, 0, 0), "2026-02-14T12:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"first moment", "UTC", month(1, 0, 0), "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"last second", "UTC", month(1, 0, 0), "2026-01-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"before the day", "UTC", month(28, 4, 30), "2026-03-28T04:29:59Z", "2026-02-28T04:30:00Z", "2026-03-28T04:30:00Z"},
		{"on the day", "UTC", month(28, 4, 30), "2026-02-28T04:30:00Z", "2026-02-28T04:30:00Z", "2026-03-28T04:30:00Z"},
		{"end of a long month", "UTC", month(28, 0, 0), "2026-01-31T00:00:00Z", "2026-01-28T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"leap day", "UTC", month(1, 0, 0), "2028-02-29T10:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"new year", "UTC", month(5, 0, 0), "2027-01-02T00:00:00Z", "2026-12-05T00:00:00Z", "2027-01-05T00:00:00Z"},
		{"month in local time", "Pacific/Auckland", month(1, 0, 0), "2026-06-30T12:00:00Z", "2026-06-30T12:00:00Z", "2026-07-31T12:00:00Z"},
		{"month over a change", "Europe/Berlin", month(15, 6, 0), "2026-03-20T00:00:00Z", "2026-03-15T05:00:00Z", "2026-04-15T04:00:00Z"},

		{"monday", "UTC", week(1, 0, 0), "2026-11-26T20:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
		{"sunday", "UTC", week(7, 12, 0), "2026-11-26T20:00:00Z", "2026-11-22T12:00:00Z", "2026-11-29T12:00:00Z"},
		{"today, earlier", "UTC", week(4, 21, 0), "2026-11-26T20:00:00Z", "2026-11-19T21:00:00Z", "2026-11-26T21:00:00Z"},
		{"today, later", "UTC", week(4, 19, 59), "2026-11-26T20:00:00Z", "2026-11-26T19:59:00Z", "2026-12-03T19:59:00Z"},
		{"week of 167 hours", "America/New_York", week(1, 0, 0), "2026-03-08T12:00:00Z", "2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"week of 169 hours", "America/New_York", week(1, 0, 0), "2026-11-01T12:00:00Z", "2026-10-26T04:00:00Z", "2026-11-02T05:00:00Z"},

		{"day", "Asia/Kathmandu", day(0, 0), "2026-01-01T18:14:59Z", "2025-12-31T18:15:00Z", "2026-01-01T18:15:00Z"},
		{"day of 23 hours", "Europe/Berlin", day(0, 0), "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"day of 25 hours", "Europe/Berlin", day(0, 0), "2026-10-25T10:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		// 02:30 does not come on 29 March; 02:00 is followed by 03:00 at 01:00 UTC.
		{"jumped over, before", "Europe/Berlin", day(2, 30), "2026-03-29T00:59:59Z", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"},
		{"jumped over, after", "Europe/Berlin", day(2, 30), "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		// 02:30 comes twice on 25 October, at 00:30 and 01:30 UTC.
		{"twice, the first", "Europe/Berlin", day(2, 30), "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"twice, between", "Europe/Berlin", day(2, 30), "2026-10-25T01:10:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"twice, before both", "Europe/Berlin", day(2, 30), "2026-10-25T00:29:59Z", "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z"},
		{"no midnight", "America/Sao_Paulo", day(0, 0), "2017-10-15T03:00:00Z", "2017-10-15T03:00:00Z", "2017-10-16T02:00:00Z"},
		{"half an hour", "Australia/Lord_Howe", day(1, 45), "2026-04-04T15:00:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"},
		// Samoa left out 30 December 2011.
		{"no such day", "Pacific/Apia", day(12, 0), "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"},
		{"no such week day", "Pacific/Apia", week(5, 12, 0), "2012-01-01T00:00:00Z", "2011-12-30T10:00:00Z", "2012-01-05T22:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			start, end := tc.s.interval(at(t, tc.now), zone(t, tc.zone))
			if got := start.UTC().Format(rfc); got != tc.start {
				t.Errorf("start: got %s, want %s", got, tc.start)
			}
			if got := end.UTC().Format(rfc); got != tc.end {
				t.Errorf("end: got %s, want %s", got, tc.end)
			}
		})
	}
}

// TestIntervalsMeet checks that intervals neither overlap nor leave gaps, whatever a zone does.
func TestIntervalsMeet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "America/Sao_Paulo",
		"Asia/Beirut", "Africa/Casablanca", "Antarctica/Troll", "Asia/Pyongyang", "America/St_Johns", "Africa/Cairo"}
	for range 20000 {
		z := zone(t, zones[rng.IntN(len(zones))])
		s := Config{Start: Start{Unit(rng.IntN(3)), rng.IntN(40), rng.IntN(24), rng.IntN(60)}}.valid().Start
		now := time.Unix(rng.Int64N(80*365*86400), 0)
		start, end := s.interval(now, z)
		if start.After(now) || !end.After(now) {
			t.Fatalf("%v in %v: %v is not in %v to %v", s, z, now, start, end)
		}
		for what, m := range map[string]time.Time{"start": start, "end": end.Add(-time.Second)} {
			if b, e := s.interval(m, z); !b.Equal(start) || !e.Equal(end) {
				t.Fatalf("%v in %v: interval of %s %v is %v to %v, want %v to %v", s, z, what, m, b, e, start, end)
			}
		}
		if b, _ := s.interval(end, z); !b.Equal(end) {
			t.Fatalf("%v in %v: the interval after %v begins at %v", s, z, end, b)
		}
		if l := start.In(z); l.Hour() != s.Hour || l.Minute() != s.Minute {
			if jump, _ := l.ZoneBounds(); !jump.Equal(start) {
				t.Fatalf("%v in %v: begins at %v without reason", s, z, l)
			}
		}
	}
}

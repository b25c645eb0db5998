package hskeys

import (
	"errors"
	"testing"
	"time"
)

const clockSpec = "https://spec.torproject.org/rend-spec/deriving-keys.html#TIME-PERIODS"

func at(day, hour, minute int) time.Time {
	return time.Date(2016, 4, day, hour, minute, 0, 0, time.UTC)
}

func clock(t *testing.T, validAfter time.Time) Clock {
	t.Helper()
	c, err := NewClock(validAfter, time.Hour, 1440, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The numbers are those of the specification and of C tor's test_time_period.
func TestPeriod(t *testing.T) {
	for _, tt := range []struct {
		at  time.Time
		num uint64
	}{
		{at(13, 11, 0), 16903},
		{at(13, 11, 59), 16903},
		{at(13, 12, 0), 16904},
		{at(14, 11, 0), 16904},
		{at(14, 12, 0), 16905},
	} {
		c := clock(t, tt.at)
		p := c.Period()
		if p.Num != tt.num || p.Minutes != 1440 {
			t.Errorf("%v: got %+v, want %d\nsee %s", tt.at, p, tt.num, clockSpec)
		}
		if start, next := c.PeriodStart(p), c.PeriodStart(p.Next()); tt.at.Before(start) || !tt.at.Before(next) {
			t.Errorf("%v is not from %v to %v", tt.at, start, next)
		}
	}
}

// Descriptor and directories fit together at any two hours that are less than a day apart: what a client looks for, a service
// has stored. That is the reason for having two descriptors.
func TestUse(t *testing.T) {
	for _, tt := range []struct {
		at            time.Time
		between       bool
		fetch         Use
		first, second Use
	}{
		{at(13, 0, 0), false, Use{Period{16903, 1440}, PreviousSRV, at(12, 0, 0)}, Use{Period{16903, 1440}, PreviousSRV, at(12, 0, 0)}, Use{Period{16904, 1440}, CurrentSRV, at(13, 0, 0)}},
		{at(13, 11, 0), false, Use{Period{16903, 1440}, PreviousSRV, at(12, 0, 0)}, Use{Period{16903, 1440}, PreviousSRV, at(12, 0, 0)}, Use{Period{16904, 1440}, CurrentSRV, at(13, 0, 0)}},
		{at(13, 12, 0), true, Use{Period{16904, 1440}, CurrentSRV, at(13, 0, 0)}, Use{Period{16903, 1440}, PreviousSRV, at(12, 0, 0)}, Use{Period{16904, 1440}, CurrentSRV, at(13, 0, 0)}},
		{at(13, 23, 0), true, Use{Period{16904, 1440}, CurrentSRV, at(13, 0, 0)}, Use{Period{16903, 1440}, PreviousSRV, at(12, 0, 0)}, Use{Period{16904, 1440}, CurrentSRV, at(13, 0, 0)}},
		{at(14, 0, 0), false, Use{Period{16904, 1440}, PreviousSRV, at(13, 0, 0)}, Use{Period{16904, 1440}, PreviousSRV, at(13, 0, 0)}, Use{Period{16905, 1440}, CurrentSRV, at(14, 0, 0)}},
	} {
		c := clock(t, tt.at)
		first, second := c.Store()
		if c.between() != tt.between || c.Fetch() != tt.fetch || first != tt.first || second != tt.second {
			t.Errorf("%v: between %v, fetch %+v, store %+v and %+v, want %+v\nsee %s", tt.at, c.between(), c.Fetch(), first, second, tt, clockSpec)
		}
		if next := c.NextSRV(); next != c.SRVStart().Add(24*time.Hour) || !next.After(tt.at) {
			t.Errorf("%v: next value at %v, current since %v", tt.at, next, c.SRVStart())
		}
	}
	for hours := range 48 {
		service := clock(t, at(13, 0, 0).Add(time.Duration(hours)*time.Hour))
		first, second := service.Store()
		for skew := -11; skew <= 11; skew++ {
			client := clock(t, at(13, 0, 0).Add(time.Duration(hours+skew)*time.Hour)).Fetch()
			if !sameRing(client, first) && !sameRing(client, second) {
				t.Errorf("service at hour %d stores %+v and %+v, client %d hours off looks for %+v", hours, first, second, skew, client)
			}
		}
	}
}

// sameRing compares values by the time they came into being: one consensus calls current what another calls previous.
func sameRing(a, b Use) bool { return a.Period == b.Period && a.Since.Equal(b.Since) }

// In a test network of C tor with a consensus every 10 or 8 seconds.
func TestTestNetwork(t *testing.T) {
	for _, tt := range []struct {
		interval time.Duration
		minutes  uint64
		offset   int64
	}{
		{10 * time.Second, 4, 2},
		{20 * time.Second, 8, 4},
		{8 * time.Second, 3, 1},
		{time.Hour, 1440, 720},
	} {
		c, err := NewClock(time.Unix(1461000000, 0), tt.interval, 777, true)
		if err != nil {
			t.Fatal(err)
		}
		want := (1461000000/60 - tt.offset) / int64(tt.minutes)
		if p := c.Period(); p.Minutes != tt.minutes || p.Num != uint64(want) {
			t.Errorf("%v: got %+v, want number %d of %d minutes", tt.interval, p, want, tt.minutes)
		}
	}
}

func TestBadClock(t *testing.T) {
	now := time.Unix(1461000000, 0)
	for _, tt := range []struct {
		name     string
		at       time.Time
		interval time.Duration
		minutes  int64
		testing  bool
		want     error
	}{
		{"good", now, time.Hour, 1440, false, nil},
		{"shortest periods", now, time.Hour, 5, false, nil},
		{"longest periods", now, time.Hour, 14400, false, nil},
		{"no interval", now, 0, 1440, false, ErrClock},
		{"negative interval", now, -time.Hour, 1440, false, ErrClock},
		{"less than a second", now, time.Millisecond, 1440, false, ErrClock},
		{"no length", now, time.Hour, 0, false, ErrClock},
		{"negative length", now, time.Hour, -1440, false, ErrClock},
		{"test network too fast", now, 2 * time.Second, 1440, true, ErrClock},
		{"1970", time.Unix(0, 0), time.Hour, 1440, false, ErrClock},
		{"before 1970", time.Unix(-1e9, 0), time.Hour, 1440, false, ErrClock},
		{"centuries between consensuses", now, 1 << 62, 1440, false, ErrClock},
	} {
		c, err := NewClock(tt.at, tt.interval, tt.minutes, tt.testing)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %+v, error %v, want %v", tt.name, c, err, tt.want)
		}
		if err == nil {
			c.Fetch()
			c.Store()
		}
	}
}

package dirauth

import (
	"testing"
	"time"
)

func TestNextSchedule(t *testing.T) {
	hourly := Timing{Interval: time.Hour, VoteDelay: 5 * time.Minute, DistDelay: 5 * time.Minute}
	for _, tt := range []struct {
		name, now string
		timing    Timing
		want      [5]string // in the order of the fields
	}{
		{"hourly", "10:20:00", hourly, [5]string{"10:50:00", "10:52:30", "10:55:00", "10:57:30", "11:00:00"}},
		{"at its beginning", "11:00:00", hourly, [5]string{"11:50:00", "11:52:30", "11:55:00", "11:57:30", "12:00:00"}},
		{"last of the day", "23:10:00", hourly, [5]string{"23:50:00", "23:52:30", "23:55:00", "23:57:30", "24:00:00"}},
		{"offset", "10:20:00", Timing{time.Hour, 5 * time.Minute, 5 * time.Minute, 30 * time.Minute},
			[5]string{"10:20:00", "10:22:30", "10:25:00", "10:27:30", "10:30:00"}},
		{"delays that are too long", "10:00:01", Timing{Interval: 20 * time.Second, VoteDelay: 8 * time.Second, DistDelay: 4 * time.Second},
			[5]string{"10:00:10", "10:00:13", "10:00:15", "10:00:18", "10:00:20"}},
		{"half seconds are left out", "10:00:01", Timing{Interval: 20 * time.Second, VoteDelay: 3 * time.Second, DistDelay: 3 * time.Second},
			[5]string{"10:00:14", "10:00:16", "10:00:17", "10:00:19", "10:00:20"}},
		{"intervals do not divide the day", "22:00:00", Timing{Interval: 7 * time.Hour, VoteDelay: time.Minute, DistDelay: time.Minute},
			[5]string{"23:58:00", "23:58:30", "23:59:00", "23:59:30", "24:00:00"}},
	} {
		day := time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC)
		at := func(text string) time.Time {
			c, err := time.Parse(time.TimeOnly, text)
			if text == "24:00:00" {
				return day.Add(24 * time.Hour)
			}
			if err != nil {
				t.Fatal(err)
			}
			return day.Add(c.Sub(c.Truncate(24 * time.Hour)))
		}
		s := NextSchedule(at(tt.now), tt.timing)
		for i, got := range []time.Time{s.Vote, s.FetchVotes, s.Compute, s.FetchSignatures, s.ValidAfter} {
			if !got.Equal(at(tt.want[i])) {
				t.Errorf("%s: time %d is %v, want %v", tt.name, i, got, tt.want[i])
			}
		}
	}
}

package accounting

import "time"

// interval returns the bounds of the interval that contains a moment: start ≤ now < end.
func (s Start) interval(now time.Time, zone *time.Location) (start, end time.Time) {
	local := now.In(zone)
	year, month, day := local.Date()
	back := (7 + int(local.Weekday()) - s.Day%7) % 7 // days since the week began; Sunday is 0 in Go
	edge := func(n int) time.Time {
		switch s.Unit {
		case Week:
			return s.edge(year, month, day-back+7*n, zone)
		case Day:
			return s.edge(year, month, day+n, zone)
		}
		return s.edge(year, month+time.Month(n), s.Day, zone)
	}
	n := 1
	for start = edge(n); start.After(now); start = edge(n) {
		n--
	}
	for end = start; !end.After(start); end = edge(n) { // a zone may leave out a day: then two edges are one
		n++
	}
	return start, end
}

// edge returns when, on a day, the local clock first shows the hour and minute of s, or jumps over them.
func (s Start) edge(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, s.Hour, s.Minute, 0, 0, zone)
	begin, end := t.ZoneBounds()
	shown, want := clock(t), time.Date(year, month, day, s.Hour, s.Minute, 0, 0, time.UTC)
	switch {
	case shown.Before(want): // t is before the jump
		return end
	case shown.After(want):
		return begin
	case !begin.IsZero():
		_, offset := t.Zone()
		_, former := begin.Add(-time.Second).Zone()
		if first := t.Add(time.Duration(offset-former) * time.Second); first.Before(begin) {
			return first // the clock was set back, and t is the second time that it shows this
		}
	}
	return t
}

// clock returns what a local clock shows, as if it were UTC.
func clock(t time.Time) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
}

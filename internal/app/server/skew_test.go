package server

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSkews(t *testing.T) {
	const ok, off = time.Minute, -3 * time.Hour
	for _, tt := range []struct {
		name string
		told []time.Duration
		want bool
	}{
		{"nobody has told", nil, false},
		{"the only one", []time.Duration{off}, true},
		{"one of two", []time.Duration{ok, off}, false},
		{"one of five", []time.Duration{ok, ok, ok, ok, off}, false},
		{"most", []time.Duration{off, ok, off}, true},
		{"an hour", []time.Duration{maxSkew}, true},
	} {
		var s skews
		for i, d := range tt.told {
			s.note([20]byte{byte(i)}, d, time.Now())
		}
		if got := s.wrong(time.Now()); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A clock that was wrong and is set right counts as right, though no authority has said so.
func TestClockSetRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s skews
		s.note([20]byte{1}, 3*time.Hour, time.Now().Add(3*time.Hour))
		time.Sleep(5 * time.Hour)
		if !s.wrong(time.Now().Add(3 * time.Hour)) {
			t.Error("the clock is as wrong as it was, and counts as right")
		}
		if s.wrong(time.Now()) {
			t.Error("the clock was set right, and counts as wrong")
		}
	})
}

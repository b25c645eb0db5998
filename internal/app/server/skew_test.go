package server

import (
	"testing"
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
		s := skews{}
		for i, d := range tt.told {
			s[[20]byte{byte(i)}] = d
		}
		if got := s.wrong(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

package dirauth

import (
	"testing"
	"time"
)

func TestServed(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 22, 11, 0, time.UTC)
	s := NewServed(now.Add(-24 * time.Hour))
	for id, n := range []int{5, 1, 2, 9, 3, 7} {
		for range n {
			s.Note([20]byte{byte(id)})
		}
	}
	for _, want := range []string{
		"served-descs-stats-end 2026-11-27 00:22:11 (86400 s) total=27 unique=6 max=9 q3=7 md=3 q1=2 min=1\n",
		"served-descs-stats-end 2026-11-27 00:22:11 (0 s) total=0 unique=0 max=0 q3=0 md=0 q1=0 min=0\n",
	} {
		if got := string(s.Line(now)); got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
	s.Note([20]byte{1})
	if got, want := string(s.Line(now.Add(time.Second))), "served-descs-stats-end 2026-11-27 00:22:12 (1 s) total=1 unique=1 max=1 q3=1 md=1 q1=1 min=1\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

package testnet

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth"
)

func TestVotingOffset(t *testing.T) {
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name                      string
		phase, lead, voting, want time.Duration
	}{
		{"whole second", 0, 2 * time.Second, 10 * time.Second, 6 * time.Second},
		{"rounded up", time.Millisecond, 2 * time.Second, 10 * time.Second, 7 * time.Second},
		{"beyond the interval", 8 * time.Second, 2500 * time.Millisecond, 10 * time.Second, 5 * time.Second},
		{"longer interval", 25 * time.Second, 2 * time.Second, 20 * time.Second, 11 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := midnight.Add(tt.phase)
			got := votingOffset(now, tt.lead, tt.voting)
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			// What authorities make of it.
			s := dirauth.NextSchedule(now, dirauth.Timing{Interval: tt.voting, VoteDelay: firstDelay, DistDelay: firstDelay, Offset: got})
			n := Network{cfg: Config{Voting: tt.voting}, offset: got}
			if next := n.NextConsensus(now); !next.Equal(s.ValidAfter) {
				t.Errorf("next consensus at %v, and authorities have it at %v", next, s.ValidAfter)
			}
			if wait := s.Vote.Sub(now); wait < tt.lead || wait >= tt.lead+time.Second {
				t.Errorf("the vote is after %v, want %v and less than a second more", wait, tt.lead)
			}
		})
	}
}

// https://spec.torproject.org/control-spec/commands.html#getinfo
func TestStreamPath(t *testing.T) {
	streams := []string{"torn", "11 SUCCEEDED 2 127.0.0.1:80", "12 SUCCEEDED 3 127.0.0.1:35011", "13 NEW 0 x:81"}
	circuits := []string{
		"1 LAUNCHED",
		"2 BUILT $A~a PURPOSE=GENERAL",
		"3 BUILT $ED41~relay2,$550D~authority3,$0F83 BUILD_FLAGS=NEED_CAPACITY",
	}
	got, err := streamPath(streams, circuits, "page.test:35011")
	if want := []string{"relay2", "authority3", "$0F83"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, target := range []string{"page.test:81", "page.test:82"} {
		if _, err := streamPath(streams, circuits, target); !errors.Is(err, errNoPath) {
			t.Errorf("%s: got %v, want errNoPath", target, err)
		}
	}
}

func TestHopNames(t *testing.T) {
	if got, want := hopNames("$A~a, $B~b\t$C\r"), []string{"a", "b", "$C"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReserve(t *testing.T) {
	p, err := reserve(3)
	if err != nil {
		t.Fatal(err)
	}
	if p.addr(0) == p.addr(1) || p.addr(1) == p.addr(2) {
		t.Error("a port was given twice")
	}
	if err := p.release(); err != nil {
		t.Error(err)
	}
}

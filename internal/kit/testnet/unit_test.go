package testnet

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestUntilStart(t *testing.T) {
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name                string
		phase, voting, want time.Duration
	}{
		{"on the grid", 0, 10 * time.Second, 0},
		{"just in time", 3500 * time.Millisecond, 10 * time.Second, 0},
		{"relays would be late", 3501 * time.Millisecond, 10 * time.Second, 6499 * time.Millisecond},
		{"the vote is due", 7 * time.Second, 10 * time.Second, 3 * time.Second},
		{"longer interval", 9 * time.Second, 20 * time.Second, 0},
		{"longer interval, late", 10 * time.Second, 20 * time.Second, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := untilStart(midnight.Add(tt.phase), tt.voting); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
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

package congestion

import (
	"errors"
	"testing"
	"time"
)

func flowParams() FlowParams { return ReadParams(nil, ExitPath).Flow }

// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
func TestDrain(t *testing.T) {
	p := flowParams()
	d := NewDrain(p, p.XoffClient)
	now, waiting := time.Duration(0), 0
	arrive := func(n int) bool {
		t.Helper()
		waiting += n
		xoff, err := d.OnArrived(now, waiting)
		if err != nil {
			t.Fatal(err)
		}
		return xoff
	}
	if arrive(p.XoffClient) {
		t.Error("XOFF at the limit")
	}
	if arrive(1) {
		t.Error("XOFF without grace")
	}
	now += xoffGrace
	if arrive(1) {
		t.Error("XOFF at the end of the grace")
	}
	now += time.Microsecond
	if !arrive(1) {
		t.Error("no XOFF after the grace")
	}
	now += time.Hour
	if arrive(1) {
		t.Error("XOFF twice")
	}
	// It drains at a million bytes a second.
	d.timing = false
	arrive(1)
	for waiting > 0 {
		n := min(waiting, 50_000)
		now += 50 * time.Millisecond
		waiting -= n
		xon, kbps := d.OnDrained(now, n, waiting)
		if xon != (waiting == 0) {
			t.Fatalf("XON %v with %d bytes waiting", xon, waiting)
		}
		if xon && (kbps < 900 || kbps > 1100) && kbps != 0 {
			t.Errorf("XON with %d kB/s", kbps)
		}
	}
	if _, err := d.OnArrived(now, MaxBuffered+1); !errors.Is(err, ErrFlood) {
		t.Errorf("flood: %v", err)
	}
}

// When the reader becomes slower or faster than the other end was told, it is told again.
func TestDrainRateChanges(t *testing.T) {
	p := flowParams()
	d := NewDrain(p, p.XoffClient)
	now := time.Duration(0)
	rate := 1000 // bytes a millisecond
	var told []uint32
	const waiting = 100_000 // always something, and never too much
	d.OnArrived(now, waiting)
	d.sent, d.ewma = 1000, 1000 // an earlier XON
	for range 3000 {
		now += time.Millisecond
		if xon, kbps := d.OnDrained(now, rate, waiting); xon {
			told = append(told, kbps)
			rate = 1000
		}
		if now == time.Second {
			rate = 3000
		}
	}
	if len(told) == 0 || told[0] <= 1250 {
		t.Errorf("told %v kB/s, want more than 1250 at first", told)
	}
}

func TestThrottle(t *testing.T) {
	p := flowParams()
	limit := p.XoffExit
	tr := NewThrottle(p, limit)
	now := time.Second
	room, _ := tr.Room(now)
	if room < limit {
		t.Errorf("room for %d bytes at first", room)
	}
	tr.OnSent(2 * limit)
	if err := tr.OnXoff(); err != nil {
		t.Fatal(err)
	}
	if room, after := tr.Room(now); room != 0 || after != 0 {
		t.Errorf("stopped: room %d, after %v", room, after)
	}
	if err := tr.OnXon(now, 100); err != nil {
		t.Fatal(err)
	}
	// 100 kB/s, and as much in a burst.
	sent := 0
	for end := now + 10*time.Second; now < end; {
		room, after := tr.Room(now)
		tr.OnSent(room)
		sent += room
		if room == 0 && after <= 0 {
			t.Fatal("no room and no time when there is")
		}
		now += max(after, time.Millisecond)
	}
	if want := 1_100_000; sent < want*98/100 || sent > want*102/100 {
		t.Errorf("%d bytes in ten seconds, want %d", sent, want)
	}
	if err := tr.OnXon(now, 0); err != nil {
		t.Fatal(err)
	}
	if room, _ := tr.Room(now); room < limit {
		t.Errorf("room for %d bytes without a rate", room)
	}
}

// Messages that the data on the stream does not explain carry information that we have not asked for.
func TestThrottleLimits(t *testing.T) {
	p := flowParams()
	limit := p.XoffExit
	for _, tt := range []struct {
		name string
		do   func(*Throttle) error
		want error
	}{
		{"XOFF before enough data", func(t *Throttle) error { t.OnSent(limit - 1); return t.OnXoff() }, ErrXoffCount},
		{"XOFF after enough data", func(t *Throttle) error { t.OnSent(limit); return t.OnXoff() }, nil},
		{"XOFF twice", func(t *Throttle) error {
			t.OnSent(10 * limit)
			t.OnXoff()
			return t.OnXoff()
		}, ErrTwiceXoff},
		{"XON before enough data", func(t *Throttle) error { t.OnSent(limit / 2); return t.OnXon(0, 1) }, ErrXonCount},
		{"many of both", func(t *Throttle) (err error) {
			for range 1000 {
				t.OnSent(limit)
				err = errors.Join(err, t.OnXoff(), t.OnXon(0, 1))
			}
			return err
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := NewThrottle(p, limit)
			if err := tt.do(&tr); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

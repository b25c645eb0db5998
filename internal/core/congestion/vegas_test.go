package congestion

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/vectors.txt
var vectors string

// rows calls f with the number of each row under a header, and its words. A header begins a new Control.
func rows(t *testing.T, header string, f func(c *Control, row int, line string)) {
	var c Control
	within, row, seen := false, 0, 0
	for line := range strings.Lines(vectors) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] < '0' || line[0] > '9':
			within, row = line == header, 0
			c = NewVegas(ReadParams(nil, ExitPath), 31)
		case within:
			row++
			seen++
			f(&c, row, line)
		}
	}
	if seen == 0 {
		t.Fatalf("no vector under %q", header)
	}
}

func usec(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
func TestRoundTrips(t *testing.T) {
	rows(t, "rtt", func(c *Control, row int, line string) {
		var sent, got, rtt int64
		var cwnd, slow int
		var want, ewma, least uint64
		if _, err := fmt.Sscan(line, &sent, &got, &cwnd, &slow, &rtt, &ewma, &least); err != nil {
			t.Fatal(err)
		}
		want = uint64(rtt)
		c.cwnd, c.vegas.slowStart = cwnd, slow == 1
		if ok := c.vegas.roundTrip(c, usec(got-sent)); !ok || want != uint64(got-sent) || c.vegas.ewma != ewma || c.vegas.min != least {
			t.Errorf("row %d: %v, average %d, least %d, want %d, %d", row, ok, c.vegas.ewma, c.vegas.min, ewma, least)
		}
	})
}

func TestVegasVectors(t *testing.T) {
	rows(t, "vegas", func(c *Control, row int, line string) {
		var sent, got int64
		var inflight, blocked, slow, full, wasBlocked, cwnd int
		var ewma, least uint64
		if _, err := fmt.Sscan(line, &sent, &got, &blocked, &inflight, &ewma, &least, &cwnd, &slow, &full, &wasBlocked); err != nil {
			t.Fatal(err)
		}
		c.inflight = inflight
		c.marks.push(nil, usec(sent))
		if err := c.OnSendme(0, nil, 0, usec(got), blocked == 1); err != nil {
			t.Fatal(err)
		}
		v := &c.vegas
		if v.ewma != ewma || v.min != least || c.cwnd != cwnd || v.slowStart != (slow == 1) || v.full != (full == 1) || v.blocked != (wasBlocked == 1) {
			t.Errorf("row %d: average %d, least %d, cwnd %d, slow start %v, full %v, blocked %v; want %s", row,
				v.ewma, v.min, c.cwnd, v.slowStart, v.full, v.blocked, line)
		}
		if c.inflight != inflight-31 {
			t.Errorf("row %d: %d in flight, want %d", row, c.inflight, inflight-31)
		}
	})
}

// A clock that stands still, or jumps, moves nothing but what is acknowledged.
func TestClockJumps(t *testing.T) {
	c := NewVegas(ReadParams(nil, ExitPath), 31)
	now := time.Duration(0)
	sendme := func(rtt time.Duration) {
		t.Helper()
		for range 31 {
			c.OnSent(cellTag(1), now)
		}
		now += rtt
		if err := c.OnSendme(1, cellTag(1), 1, now, false); err != nil {
			t.Fatal(err)
		}
	}
	sendme(100 * time.Millisecond)
	c.vegas.slowStart = false
	for _, rtt := range []time.Duration{0, time.Hour, time.Microsecond} { // the last one since the clock has just stood still
		before := c.vegas
		cwnd := c.cwnd
		sendme(rtt)
		if c.vegas.ewma != before.ewma || c.vegas.min != before.min || c.cwnd != cwnd || c.inflight != 0 {
			t.Errorf("round trip of %v: average %d, cwnd %d, in flight %d", rtt, c.vegas.ewma, c.cwnd, c.inflight)
		}
	}
}

// On a path that carries a cell a millisecond and takes 200 ms, the window settles such that between alpha and delta
// cells wait in it, whatever the path's jitter.
func TestVegasSettles(t *testing.T) {
	const perCell, base = time.Millisecond, 200 * time.Millisecond
	p := ReadParams(nil, ExitPath)
	c := NewVegas(p, 31)
	rnd := rand.New(rand.NewPCG(1, 2))
	type sendme struct{ at time.Duration }
	var due []sendme
	now, free := time.Duration(0), time.Duration(0) // free: when the bottleneck has sent all
	cells := 0
	for now < 10*time.Minute {
		for c.CanSend() > 0 {
			c.OnSent(cellTag(0), now)
			free = max(free, now) + perCell
			if cells++; cells%31 == 0 {
				due = append(due, sendme{free + base + time.Duration(rnd.IntN(4000))*time.Microsecond})
			}
		}
		now = max(now, due[0].at)
		due = due[1:]
		if err := c.OnSendme(1, cellTag(0), 1, now, false); err != nil {
			t.Fatal(err)
		}
	}
	const onTheWay = int(base / perCell)
	if queue := c.cwnd - onTheWay; queue < p.alpha-p.cwndInc || queue > p.delta {
		t.Errorf("window of %d cells on a path of %d: a queue of %d, want %d to %d", c.cwnd, onTheWay, queue, p.alpha, p.delta)
	}
	if c.vegas.slowStart {
		t.Error("still in slow start")
	}
}

func TestGoodInc(t *testing.T) {
	p := ReadParams(nil, ExitPath)
	for inc, want := range map[int]bool{0: false, 29: false, 30: true, 31: true, 32: true, 33: false, 255: false} {
		if p.GoodInc(inc) != want {
			t.Errorf("increment %d: %v", inc, !want)
		}
	}
}

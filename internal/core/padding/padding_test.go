package padding

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const spec = "https://spec.torproject.org/padding-spec/circuit-level-padding.html"

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func draw() Rand { return rand.New(rand.NewPCG(1, 2)).Int64N }

// outcome is what a machine has done in its life.
type outcome struct {
	drops int
	gaps  []time.Duration
	stop  bool
}

// live runs a machine that begins with one cell to the client, until it is done.
func live(r *Relay, rnd Rand, allowed func(drops int) bool) (o outcome) {
	now := start
	r.Carried(1, now, rnd)
	for !r.Next().IsZero() {
		o.gaps = append(o.gaps, r.Next().Sub(now))
		if early := r.Next().Add(-time.Nanosecond); !early.Before(now) {
			if drop, stop := r.Fire(early, true, rnd); drop || stop {
				panic("padding before its time")
			}
		}
		now = r.Next()
		drop, stop := r.Fire(now, allowed(o.drops), rnd)
		if drop {
			o.drops++
		}
		o.stop = o.stop || stop
	}
	return o
}

func always(int) bool { return true }

// What the machines send, and when.
func TestRelay(t *testing.T) {
	rnd := draw()
	for _, tt := range []struct {
		machine     Machine
		least, most int
		from, to    time.Duration
		stop        bool
	}{
		{Intro, 7, 9, time.Millisecond, 10 * time.Millisecond, true},
		{Rend, 1, 1, 0, time.Millisecond, false},
	} {
		counts := map[int]int{}
		for range 1000 {
			r := NewRelay(tt.machine, 1)
			o := live(&r, rnd, always)
			counts[o.drops]++
			for _, gap := range o.gaps {
				if gap < tt.from || gap >= tt.to {
					t.Fatalf("%v: a gap of %v (%s)", tt.machine, gap, spec)
				}
			}
			if o.stop != tt.stop {
				t.Fatalf("%v: stop %v, want %v (%s)", tt.machine, o.stop, tt.stop, spec)
			}
		}
		for n := tt.least; n <= tt.most; n++ {
			if share := counts[n] * (tt.most - tt.least + 1); share < 800 || share > 1200 {
				t.Errorf("%v: %d cells in %d of 1000 lives", tt.machine, n, counts[n])
			}
			delete(counts, n)
		}
		if len(counts) > 0 {
			t.Errorf("%v: other numbers of cells: %v", tt.machine, counts)
		}
	}
}

// Nothing happens before PADDING_NEGOTIATED goes out; cells of others put padding off in one machine, and not in the other.
func TestRelayCarried(t *testing.T) {
	rnd := draw()
	for m, rearmed := range map[Machine]bool{Intro: true, Rend: false} {
		r := NewRelay(m, 1)
		if drop, stop := r.Fire(start.Add(time.Hour), true, rnd); drop || stop || !r.Next().IsZero() {
			t.Errorf("%v: padding before the answer", m)
		}
		r.Carried(1, start, rnd)
		first := r.Next()
		r.Carried(3, start.Add(100*time.Microsecond), rnd)
		if r.Next().Equal(first) == rearmed {
			t.Errorf("%v: next at %v, after cells of others at %v", m, first, r.Next())
		}
	}
}

// A machine that may not pad any more comes to its end, and says so.
func TestRelayStopped(t *testing.T) {
	rnd := draw()
	r := NewRelay(Intro, 1)
	if o := live(&r, rnd, func(drops int) bool { return drops < 3 }); o.drops != 3 || !o.stop {
		t.Errorf("%d cells, stop %v", o.drops, o.stop)
	}
	// Too much of it: none of the two gets there, so one that would send more is made.
	greedy := kinds[Intro]
	greedy.cells = span[int64]{50, 51}
	r = NewRelay(Intro, 1)
	r.kind = &greedy
	if o := live(&r, rnd, always); o.drops != 10 || !o.stop {
		t.Errorf("%d cells of 50, stop %v; the limit is 10", o.drops, o.stop)
	}
	r = NewRelay(Intro, 1)
	r.kind = &greedy
	r.Carried(5000, start, rnd)
	if o := live(&r, rnd, always); o.drops != 50 || !o.stop {
		t.Errorf("%d cells of 50 among 5000", o.drops)
	}
}

func TestParams(t *testing.T) {
	if p := ReadParams(nil); p != (Params{Queued: 1000}) || p.Over(1<<40, 1) {
		t.Errorf("by default %+v", p)
	}
	p := ReadParams(params.List{
		{Name: "circpad_global_allowed_cells", Value: 100}, {Name: "circpad_global_max_padding_pct", Value: 5},
		{Name: "circpad_max_circ_queued_cells", Value: 7}, {Name: "circpad_padding_disabled", Value: 1}, {Name: "circpad_padding_reduced", Value: 1},
	})
	if p != (Params{true, true, 100, 5, 7}) {
		t.Errorf("read %+v", p)
	}
	for _, tt := range []struct {
		padding, other uint64
		want           bool
	}{{0, 0, false}, {99, 0, false}, {100, 0, true}, {100, 2000, false}, {106, 1640, true}} {
		if got := p.Over(tt.padding, tt.other); got != tt.want {
			t.Errorf("%d of padding and %d others: over %v", tt.padding, tt.other, got)
		}
	}
}

// What a client says and believes, line by line.
func TestClient(t *testing.T) {
	said := func(command, response uint8, m Machine, ctr uint32) relaymsg.PaddingNegotiated {
		return relaymsg.PaddingNegotiated{Command: command, Response: response, MachineType: uint8(m), MachineCtr: ctr}
	}
	type step struct {
		name             string
		do               func(c *Client) bool // whether it was possible
		fails            bool
		running, expects bool
	}
	begin := func(m Machine, ctr uint32) func(*Client) bool {
		return func(c *Client) bool {
			ask, ok := c.Start(m)
			return ok && ask == relaymsg.PaddingNegotiate{Command: relaymsg.PaddingStart, MachineType: uint8(m), MachineCtr: ctr}
		}
	}
	end := func(m Machine, ctr uint32) func(*Client) bool {
		return func(c *Client) bool {
			ask, ok := c.Stop()
			return ok && ask == relaymsg.PaddingNegotiate{Command: relaymsg.PaddingStop, MachineType: uint8(m), MachineCtr: ctr}
		}
	}
	hear := func(m relaymsg.PaddingNegotiated) func(*Client) bool {
		return func(c *Client) bool { return c.Negotiated(m) == nil }
	}
	const startCmd, stopCmd, ok, bad = relaymsg.PaddingStart, relaymsg.PaddingStop, relaymsg.PaddingOK, relaymsg.PaddingErr
	for name, steps := range map[string][]step{
		"a life": {
			{"start", begin(Intro, 1), false, true, true},
			{"start again", begin(Intro, 2), true, true, true},
			{"accepted", hear(said(startCmd, ok, Intro, 1)), false, true, true},
			{"stopped", hear(said(stopCmd, ok, Intro, 1)), false, false, false},
			{"stop what has stopped", end(Intro, 1), true, false, false},
			{"stopped again", hear(said(stopCmd, ok, Intro, 1)), false, false, false},
		},
		"stopped here": {
			{"start", begin(Intro, 1), false, true, true},
			{"stop", end(Intro, 1), false, false, true},
			{"stop again", end(Intro, 1), true, false, true},
			{"accepted", hear(said(startCmd, ok, Intro, 1)), false, false, true},
			{"start another", begin(Intro, 2), false, true, true},
			{"the first has stopped", hear(said(stopCmd, ok, Intro, 1)), false, true, true},
			{"another machine has stopped", hear(said(stopCmd, ok, Rend, 2)), false, true, true},
			{"the second has stopped", hear(said(stopCmd, ok, Intro, 2)), false, false, false},
		},
		"any machine": {
			{"start", begin(Rend, 1), false, true, true},
			{"stopped", hear(said(stopCmd, ok, Rend, 0)), false, false, false},
		},
		"refused": {
			{"start", begin(Rend, 1), false, true, true},
			{"refused", hear(said(startCmd, bad, Rend, 1)), false, false, false},
			{"start again", begin(Rend, 2), true, false, false},
		},
		"unasked": {
			{"stopped", hear(said(stopCmd, ok, Intro, 1)), true, false, false},
			{"accepted", hear(said(startCmd, ok, Intro, 0)), true, false, false},
		},
	} {
		var c Client
		for _, s := range steps {
			if done := s.do(&c); done == s.fails || c.Running() != s.running || c.Expects() != s.expects {
				t.Errorf("%s, %s: done %v, running %v, expects %v (%s)", name, s.name, done, c.Running(), c.Expects(), spec)
			}
		}
	}
	c := Client{ctr: 1<<32 - 1}
	if ask, _ := c.Start(Intro); ask.MachineCtr != 1 {
		t.Errorf("after the last count comes %d", ask.MachineCtr)
	}
}

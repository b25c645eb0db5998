package sched

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

type circuit struct {
	Place
	name  string
	exact float64 // what sent is, by the definition
}

func newQueue() *Queue[circuit] {
	q := new(Queue[circuit])
	q.SetHalfLife(0, DefaultHalfLife)
	return q
}

func (c *circuit) push(q *Queue[circuit]) { q.Push(&c.Place, c) }

// send lets the first circuit send cells.
func send(q *Queue[circuit], now time.Duration, cells int) *circuit {
	w := q.Weight(now)
	c := q.First()
	q.Sent(cells, w)
	return c
}

// Circuits that send all the time take turns.
func TestTurns(t *testing.T) {
	q := newQueue()
	for range 10 {
		new(circuit).push(q)
	}
	for round := range 20 {
		seen := map[*circuit]bool{}
		for i := range 10 {
			seen[send(q, time.Duration(round*10+i)*time.Millisecond, 1)] = true
		}
		if len(seen) != 10 {
			t.Errorf("round %d: %d of 10 circuits had a turn", round, len(seen))
		}
	}
}

// What was sent counts for half after a half-life.
func TestHalfLife(t *testing.T) {
	for _, c := range []struct {
		name   string
		early  int           // cells of the first circuit, at 0
		late   int           // of the second
		at     time.Duration // when
		winner string
	}{
		{"sooner", 100, 90, 4 * time.Second, "late"},
		{"a half-life", 100, 49, 30 * time.Second, "late"},
		{"a half-life and more", 100, 51, 30 * time.Second, "early"},
		{"two", 100, 26, 60 * time.Second, "early"},
		{"two, less", 100, 24, 60 * time.Second, "late"},
		{"past an era", 1 << 30, 1, 31 * 30 * time.Second, "early"}, // 2^30 cells count for a half
		{"far past eras", 1 << 20, 1, 100 * time.Hour, "early"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueue()
			early, late := &circuit{name: "early"}, &circuit{name: "late"}
			early.push(q)
			send(q, 0, c.early)
			q.Remove(&early.Place)
			late.push(q)
			send(q, c.at, c.late)
			early.push(q)
			if got := q.First(); got.name != c.winner {
				t.Errorf("first is %s; counts %g, %g", got.name, early.sent, late.sent)
			}
		})
	}
}

// Another half-life holds from the moment on when it is set.
func TestSetHalfLife(t *testing.T) {
	q := newQueue()
	a, b := new(circuit), new(circuit)
	a.push(q)
	send(q, 0, 64)
	q.SetHalfLife(30*time.Second, time.Second) // 32 are left of a
	b.push(q)
	send(q, 30*time.Second, 1)
	if send(q, 34*time.Second, 1) != b || q.First() != a { // of a 2, of b 1/16 + 1
		if q.First() != b {
			t.Errorf("counts %g, %g", a.sent, b.sent)
		}
	}
	if q.HalfLife() != time.Second {
		t.Error(q.HalfLife())
	}
}

// The queue does what the definition says, whatever circuits do.
func FuzzQueue(f *testing.F) {
	f.Add(uint64(1), uint16(2000))
	f.Add(uint64(2), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		q := newQueue()
		circuits := make([]*circuit, 1+rnd.IntN(40))
		for i := range circuits {
			circuits[i] = new(circuit)
		}
		last, now := time.Duration(0), time.Duration(0)
		for range steps {
			if rnd.IntN(50) == 0 {
				now += time.Duration(rnd.Int64N(int64(20 * time.Minute)))
			}
			now += time.Duration(rnd.Int64N(int64(time.Second)))
			switch c := circuits[rnd.IntN(len(circuits))]; {
			case q.Len() > 0 && rnd.IntN(2) == 0:
				n := 1 + rnd.IntN(31)
				for _, c := range circuits {
					c.exact *= math.Exp2(-float64(now-last) / float64(DefaultHalfLife))
				}
				last = now
				first := q.First()
				if rnd.IntN(4) == 0 {
					q.Done(n, q.Weight(now))
				} else {
					send(q, now, n)
				}
				for _, c := range circuits {
					if c.Waiting() && c.exact < first.exact*(1-1e-9)-1e-9 {
						t.Fatalf("%g sends before %g", first.exact, c.exact)
					}
				}
				first.exact += float64(n)
			case c.Waiting():
				q.Remove(&c.Place)
			default:
				c.push(q)
			}
			waiting := 0
			for _, c := range circuits {
				if c.Waiting() {
					waiting++
					if e := q.heap[c.index-1]; e.owner != c {
						t.Fatal("a circuit is not in its place")
					}
				}
			}
			if waiting != q.Len() {
				t.Fatalf("%d circuits wait, %d are in the queue", waiting, q.Len())
			}
		}
	})
}

// BenchmarkSent measures a decision among n circuits.
func BenchmarkSent(b *testing.B) {
	for _, n := range []int{1, 16, 1000, 30000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			q := newQueue()
			for range n {
				new(circuit).push(q)
			}
			w := q.Weight(0)
			for b.Loop() {
				q.Sent(1, w)
			}
		})
	}
}

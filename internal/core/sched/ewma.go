package sched

import (
	"math"
	"time"
)

// DefaultHalfLife is what CircuitPriorityHalflifeMsec is by default.
const DefaultHalfLife = 30 * time.Second

// eraHalfLives is the length of an era: a cell at its end weighs 2^16 times as much as one at its start.
const eraHalfLives = 16

// A Place is a circuit's place in a Queue, whether it has cells to send or not. The zero value is that of a circuit that
// has never sent any.
type Place struct {
	sent  float64 // cells, each with the weight of its time
	era   uint32  // whose weights these are
	index int32   // in Queue.heap plus one; 0 while the circuit has nothing to send
}

// Waiting tells whether the circuit is in the queue.
func (p *Place) Waiting() bool { return p.index != 0 }

// A Queue holds the circuits of one link that have cells to send. Times count from any moment that stays the same. The
// zero value has no half-life yet: see SetHalfLife.
//
// A cell weighs 1 at the start of an era, and twice as much with each half-life after it: to weigh new cells more costs
// less than to weigh old ones less. When an era is over, all counts are scaled down to the start of the next one.
type Queue[T any] struct {
	heap     []entry[T] // the least first
	halfLife time.Duration
	start    time.Duration // of the era
	era      uint32
}

type entry[T any] struct {
	place *Place
	owner *T
}

// SetHalfLife says after how long a cell counts for half. Circuits that do not wait then lose what they have sent.
func (q *Queue[T]) SetHalfLife(now, d time.Duration) {
	if d == q.halfLife {
		return
	}
	if q.halfLife > 0 {
		q.rescale(1, math.Exp2(-float64(now-q.start)/float64(q.halfLife)))
	}
	q.halfLife, q.start = d, now
}

// HalfLife returns what SetHalfLife was called with last.
func (q *Queue[T]) HalfLife() time.Duration { return q.halfLife }

// Len returns how many circuits wait.
func (q *Queue[T]) Len() int { return len(q.heap) }

// Push adds a circuit that has something to send now. p is its place; it must not wait already.
func (q *Queue[T]) Push(p *Place, owner *T) {
	if n := q.era - p.era; n != 0 {
		p.sent *= math.Exp2(-eraHalfLives * float64(n))
		p.era = q.era
	}
	q.heap = append(q.heap, entry[T]{})
	q.up(len(q.heap)-1, entry[T]{p, owner})
}

// Remove takes out a circuit, which must be waiting.
func (q *Queue[T]) Remove(p *Place) {
	i, last := int(p.index)-1, len(q.heap)-1
	e := q.heap[last]
	q.heap[last] = entry[T]{}
	q.heap = q.heap[:last]
	p.index = 0
	if i == last {
		return
	}
	if i > 0 && e.place.sent < q.heap[(i-1)/2].place.sent {
		q.up(i, e)
	} else {
		q.down(i, e)
	}
}

// First returns the circuit that is to send next, nil if there is none.
func (q *Queue[T]) First() *T {
	if len(q.heap) == 0 {
		return nil
	}
	return q.heap[0].owner
}

// Weight returns what a cell that is sent now adds to the count of its circuit, and begins a new era when it is time.
func (q *Queue[T]) Weight(now time.Duration) float64 {
	passed := float64(now-q.start) / float64(q.halfLife)
	if passed >= eraHalfLives {
		eras := math.Floor(passed / eraHalfLives)
		// uint32 of a large float is not defined; after so long a time nothing is left of any count
		q.rescale(uint32(min(eras, 1<<20)), math.Exp2(-eraHalfLives*eras))
		passed -= eras * eraHalfLives
		q.start = now - time.Duration(passed*float64(q.halfLife))
	}
	return math.Exp2(passed)
}

// Sent counts cells that the first circuit has sent, each of the given weight.
func (q *Queue[T]) Sent(cells int, weight float64) {
	e := q.heap[0]
	e.place.sent += float64(cells) * weight
	q.down(0, e)
}

// Done counts cells likewise, and takes the first circuit out: they were its last.
func (q *Queue[T]) Done(cells int, weight float64) {
	p := q.heap[0].place
	q.Remove(p)
	p.sent += float64(cells) * weight
}

// rescale begins an era. The order stays what it is.
func (q *Queue[T]) rescale(eras uint32, factor float64) {
	q.era += eras
	for _, e := range q.heap {
		e.place.sent *= factor
		e.place.era = q.era
	}
}

// up puts e into the hole at i, or further up.
func (q *Queue[T]) up(i int, e entry[T]) {
	for i > 0 {
		parent := (i - 1) / 2
		if q.heap[parent].place.sent <= e.place.sent {
			break
		}
		q.set(i, q.heap[parent])
		i = parent
	}
	q.set(i, e)
}

// down puts e into the hole at i, or further down.
func (q *Queue[T]) down(i int, e entry[T]) {
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			break
		}
		if r := child + 1; r < len(q.heap) && q.heap[r].place.sent < q.heap[child].place.sent {
			child = r
		}
		if e.place.sent <= q.heap[child].place.sent {
			break
		}
		q.set(i, q.heap[child])
		i = child
	}
	q.set(i, e)
}

func (q *Queue[T]) set(i int, e entry[T]) {
	q.heap[i] = e
	e.place.index = int32(i) + 1
}

package hsservice

import (
	"cmp"
	"slices"
	"time"
)

// Bounds of the queue without a rate.
const (
	defaultLow  = 16
	defaultHigh = 16384
)

// maxAge is how long a client waits in the queue before there is no use in meeting it any more.
const maxAge = meetTime / 2

// A queue has the clients that want to be met: those whose proof of work is worth more come first, and among equals those that
// came first.
//
// https://spec.torproject.org/hspow-spec/common-protocol.html
type queue[T any] struct {
	low, high int
	heap      []waiting[T]
	next      uint64 // number of the next to come
	effort    effort
}

type waiting[T any] struct {
	client T
	effort uint32
	number uint64
	since  time.Time
}

func (w waiting[T]) compare(o waiting[T]) int {
	return cmp.Or(cmp.Compare(o.effort, w.effort), cmp.Compare(w.number, o.number))
}

// setRate fits the bounds to how fast the queue is served.
func (q *queue[T]) setRate(p *PoW) {
	q.low, q.high = defaultLow, defaultHigh
	if p != nil && p.Rate > 0 && p.Burst >= p.Rate {
		q.low = max(8, p.Rate/4)
		q.high = p.Burst + p.Rate*int(2*meetTime/time.Second)
	}
}

// push adds a client. When there are too many, the worse half goes.
func (q *queue[T]) push(client T, effort uint32, now time.Time) {
	w := waiting[T]{client, effort, q.next, now}
	q.next++
	q.heap = append(q.heap, w)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if q.heap[parent].compare(q.heap[i]) <= 0 {
			break
		}
		q.heap[parent], q.heap[i] = q.heap[i], q.heap[parent]
		i = parent
	}
	if len(q.heap) >= q.high {
		q.trim(now)
	}
}

// trim keeps the better half, without those that have waited too long.
func (q *queue[T]) trim(now time.Time) {
	slices.SortFunc(q.heap, waiting[T].compare) // a sorted list is a heap, too
	kept := q.heap[:0]
	for _, w := range q.heap {
		if len(kept) < q.high/2 && now.Sub(w.since) <= maxAge {
			kept = append(kept, w)
		} else {
			q.effort.trimmed = max(q.effort.trimmed, w.effort)
		}
	}
	clear(q.heap[len(kept):])
	q.heap = kept
}

// worthwhile tells whether the best client has made the effort that is asked for.
func (q *queue[T]) worthwhile() bool {
	return len(q.heap) > 0 && q.heap[0].effort >= q.effort.suggested
}

// pop takes the best client that has not waited too long.
func (q *queue[T]) pop(now time.Time) (client T, ok bool) {
	for len(q.heap) > 0 && !ok {
		w := q.remove()
		if ok = now.Sub(w.since) <= maxAge; ok {
			client = w.client
			q.effort.handled++
			q.effort.total += uint64(w.effort)
		}
	}
	q.effort.busy = q.effort.busy || len(q.heap) >= q.low
	return client, ok
}

func (q *queue[T]) remove() waiting[T] {
	last := len(q.heap) - 1
	w := q.heap[0]
	q.heap[0] = q.heap[last]
	q.heap[last] = waiting[T]{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		best := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.heap[child].compare(q.heap[best]) < 0 {
				best = child
			}
		}
		if best == i {
			return w
		}
		q.heap[i], q.heap[best] = q.heap[best], q.heap[i]
		i = best
	}
}

// effortPeriod is how often the suggested effort is looked at.
const effortPeriod = 5 * time.Minute

// effort computes which effort to ask clients for, by what has happened in a period.
//
// https://spec.torproject.org/hspow-spec/common-protocol.html
type effort struct {
	suggested uint32
	handled   uint64 // clients that were met
	total     uint64 // their effort
	trimmed   uint32 // the most that somebody has made in vain
	busy      bool   // the queue was long
}

// review ends a period, with what waits now.
func (q *queue[T]) review() {
	e := &q.effort
	switch {
	case e.trimmed > e.suggested, e.busy && q.worthwhile():
		average := uint64(0)
		if e.handled > 0 {
			average = e.total / e.handled
		}
		e.suggested = uint32(min(max(uint64(e.suggested)+1, average), 1<<32-1))
	case !e.busy && len(q.heap) < q.low:
		e.suggested = uint32(2 * uint64(e.suggested) / 3)
	}
	*e = effort{suggested: e.suggested}
}

// differs tells whether a suggested effort is so far from the published one that it is worth a new descriptor: by 15 percent.
func differs(published, now uint32) bool {
	p, n := uint64(published), uint64(now)
	return n*100 < p*85 || p*115 < n*100
}

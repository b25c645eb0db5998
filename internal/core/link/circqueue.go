package link

import (
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/core/sched"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// ErrQueueFull says that too many cells wait on a circuit, which is to be closed for it.
var ErrQueueFull = errors.New("too many cells wait on the circuit")

// A Drainer is told that its circuit may go on packaging: few cells are left of those that have blocked it. The link's writer
// calls it, and holds no lock.
type Drainer interface{ Drained() }

// A CircQueue holds the cells of one circuit that wait for a link's writer, in the order of their encryption. The zero value
// belongs to no link, and drops what it gets. The link's OutQueue.mu guards the fields.
type CircQueue struct {
	out     *OutQueue // set by Open, under the mutex of whoever owns the queue
	drainer Drainer
	place   sched.Place
	chunks  chunkList
	cells   int32
	sent    uint64 // cells that have left
	waited  uint64 // milliseconds that they had spent here, all together
	outward bool   // away from the client
	blocked bool   // it has been full, and has not drained since
	closed  bool
}

// Open makes q the queue of a circuit on the link of out. outward says which direction it is. The queue must be new or
// closed.
func (q *CircQueue) Open(out *OutQueue, outward bool) {
	*q = CircQueue{out: out, outward: outward}
}

// SetDrainer says who hears of it when the queue has drained.
func (q *CircQueue) SetDrainer(d Drainer) {
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	q.drainer = d
}

// Append takes c; the writer recycles it. It does not wake the writer: whoever calls does that by OutQueue.Signal when all is
// added, since a writer that wakes up for each of many cells writes each alone. The only error is ErrQueueFull, and then
// the cells are dropped; so they are when the queue or the link is closed.
func (q *CircQueue) Append(c *Chunk) error {
	out := q.out
	if c.n == 0 || out == nil {
		c.recycle()
		return nil
	}
	s := out.shared
	c.at = s.clock.Load()
	size := c.size()
	out.mu.Lock()
	if q.closed || out.closed {
		out.mu.Unlock()
		c.recycle()
		return nil
	}
	if q.cells+c.n > q.limit() {
		out.mu.Unlock()
		c.recycle()
		return ErrQueueFull
	}
	q.chunks.push(c)
	q.cells += c.n
	out.cells += c.Len()
	if !q.place.Waiting() {
		out.circuits.Push(&q.place, q)
	}
	if q.cells >= s.high.Load() {
		q.blocked = true
	}
	out.mu.Unlock()
	s.cells.Add(size)
	return nil
}

// AppendCell is Append for one cell with the given body, zero-padded, and wakes the writer.
func (q *CircQueue) AppendCell(id cell.CircID, cmd cell.Command, body []byte) error {
	if q.out == nil {
		return nil
	}
	defer q.out.Signal()
	return q.Append(q.out.oneCell(id, cmd, body))
}

// Blocked tells whether nothing is to be packaged for the circuit until it has drained.
func (q *CircQueue) Blocked() bool {
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	return q.blocked
}

// Full tells whether one more cell would be too many. Appends must not happen meanwhile.
func (q *CircQueue) Full() bool {
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	return q.cells >= q.limit()
}

// Room tells whether one more cell may go to a circuit that could do without it: no more than most wait already, and the
// circuit is not blocked. Appends must not happen meanwhile.
func (q *CircQueue) Room(most int) bool {
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	return !q.blocked && int(q.cells) <= most && q.cells < q.limit()
}

// limit returns how many cells may wait.
func (q *CircQueue) limit() int32 {
	if q.outward {
		return q.out.shared.maxOut.Load()
	}
	return q.out.shared.max.Load()
}

// Sent returns how many cells have left the queue, and how long they had waited, all together.
func (q *CircQueue) Sent() (cells uint64, waited time.Duration) {
	if q.out == nil {
		return 0, 0
	}
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	return q.sent, time.Duration(q.waited) * time.Millisecond
}

// Waiting returns how many bytes of memory wait, and for how long the first of them has.
func (q *CircQueue) Waiting(now time.Time) (bytes int64, age time.Duration) {
	if q.out == nil {
		return 0, 0
	}
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	if q.cells == 0 {
		return 0, 0
	}
	for c := q.chunks.head; c != nil; c = c.next {
		bytes += c.size()
	}
	return bytes, q.out.shared.age(now, q.chunks.head.at)
}

// Close drops what waits and makes Append drop from now on. C tor does so too: the peer would drop what comes before
// DESTROY a moment later.
func (q *CircQueue) Close() {
	if q.out == nil {
		return
	}
	q.out.mu.Lock()
	q.closed, q.drainer = true, nil
	if q.place.Waiting() {
		q.out.circuits.Remove(&q.place)
	}
	cells, bytes := q.chunks.drop()
	q.cells = 0
	q.out.cells -= cells
	q.out.mu.Unlock()
	q.out.shared.cells.Add(-bytes)
}

package link

import (
	"sync"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// mergeBelow is the length up to which a chunk is copied into its predecessor instead of queued: a chunk takes 16 KB of
// memory whatever it holds, so lone control cells should share one.
const mergeBelow = 8

// An OutQueue holds the cells that wait for a link's writer, in the order of their encryption. Append never blocks; what
// bounds the queue are the windows of the circuits that feed it.
type OutQueue struct {
	framing cell.Framing
	ready   chan struct{} // holds a token while the writer has something to do

	mu         sync.Mutex // a leaf but for nothing below it: see docs/owners.md
	head, tail *Chunk
	cells      int
	closed     bool
}

func newOutQueue(f cell.Framing) *OutQueue {
	return &OutQueue{framing: f, ready: make(chan struct{}, 1)}
}

// NewChunk returns an empty chunk for Append.
func (q *OutQueue) NewChunk() *Chunk { return newChunk(q.framing) }

// Append takes c; the writer recycles it after the flush. It never blocks. On a closed queue the cells are dropped: the
// circuits learn of the link's end by Handler.Closed.
func (q *OutQueue) Append(c *Chunk) {
	if q.AppendQuietly(c) {
		q.Signal()
	}
}

// AppendQuietly is Append for who has more to add and calls Signal when that is done: a writer that wakes up for each
// of many cells writes each alone. It reports whether there was anything to add.
func (q *OutQueue) AppendQuietly(c *Chunk) bool {
	if c.n == 0 {
		c.recycle()
		return false
	}
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		c.recycle()
		return false
	case q.tail == nil:
		q.head, q.tail = c, c
		q.cells += c.n
	case c.n < mergeBelow && q.tail.merge(c):
		q.cells += c.n
		defer c.recycle()
	default:
		q.tail.next = c
		q.tail = c
		q.cells += c.n
	}
	q.mu.Unlock()
	return true
}

// AppendCell adds one cell with the given body, zero-padded. It panics when the body is too long for a cell.
func (q *OutQueue) AppendCell(id cell.CircID, cmd cell.Command, body []byte) {
	c := q.NewChunk()
	slot := c.Next(id, cmd)
	if len(body) > len(slot) {
		panic("link: body too long for a cell")
	}
	clear(slot[copy(slot[:], body):])
	q.Append(c)
}

// Len returns the number of cells that wait.
func (q *OutQueue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.cells
}

// Signal wakes the writer.
func (q *OutQueue) Signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns all chunks that wait, linked by next, or nil.
func (q *OutQueue) take() *Chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.head
	q.head, q.tail, q.cells = nil, nil, 0
	return c
}

// close drops what waits and makes Append drop from now on.
func (q *OutQueue) close() {
	q.mu.Lock()
	q.closed = true
	c := q.head
	q.head, q.tail, q.cells = nil, nil, 0
	q.mu.Unlock()
	for c != nil {
		next := c.next
		c.recycle()
		c = next
	}
}

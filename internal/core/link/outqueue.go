package link

import (
	"errors"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/sched"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// An OutQueue holds the cells that wait for a link's writer: those of circuits, each of which has a CircQueue, and those of
// the link itself, which go first. Which circuit is next is decided when the writer takes a write's worth, and no earlier.
// Nothing here blocks.
type OutQueue struct {
	framing cell.Framing
	shared  *shared
	ready   chan struct{} // holds a token while the writer has something to do

	mu       sync.Mutex // a leaf but for nothing below it: see docs/owners.md
	own      chunkList  // cells of the link
	ends     []end      // circuits that the peer is to hear the end of
	circuits sched.Queue[CircQueue]
	cells    int // in all of these
	closed   bool
}

// An end is a DESTROY cell. A peer that asks for circuits and reads no answers must not cost a whole cell for each.
type end struct {
	id     cell.CircID
	reason cell.DestroyReason
}

// maxEnds bounds OutQueue.ends to a megabyte; whoever does not read so much for so long gets nothing more.
const maxEnds = 1 << 17

var errEnds = errors.New("peer does not read that its circuits are over")

func newOutQueue(f cell.Framing, s *shared) *OutQueue {
	return &OutQueue{framing: f, shared: s, ready: make(chan struct{}, 1)}
}

// NewChunk returns an empty chunk for ChunkCells.
func (q *OutQueue) NewChunk() *Chunk { return newChunk(q.framing, ChunkCells) }

// ChunkFor returns an empty chunk that has room for so many cells, or for ChunkCells.
func (q *OutQueue) ChunkFor(cells int) *Chunk { return newChunk(q.framing, cells) }

// Append takes c, whose cells leave before those of any circuit's queue. On a closed queue the cells are dropped: the
// circuits learn of the link's end by Handler.Closed.
func (q *OutQueue) Append(c *Chunk) {
	q.mu.Lock()
	if q.closed || c.n == 0 {
		q.mu.Unlock()
		c.recycle()
		return
	}
	q.own.push(c)
	q.cells += c.Len()
	q.mu.Unlock()
	q.shared.cells.Add(c.size())
	q.Signal()
}

// AppendCell is Append for one cell with the given body, zero-padded. It panics when the body is too long for a cell.
func (q *OutQueue) AppendCell(id cell.CircID, cmd cell.Command, body []byte) {
	q.Append(q.oneCell(id, cmd, body))
}

func (q *OutQueue) oneCell(id cell.CircID, cmd cell.Command, body []byte) *Chunk {
	c := newChunk(q.framing, 1)
	slot := c.Next(id, cmd)
	if len(body) > len(slot) {
		panic("link: body too long for a cell")
	}
	clear(slot[copy(slot[:], body):])
	return c
}

// destroy queues a DESTROY cell. It leaves before all cells of circuits, so that the ID may be used again at once. An error
// says that there are too many, and the link is to be closed.
func (q *OutQueue) destroy(id cell.CircID, reason cell.DestroyReason) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil
	case len(q.ends) == maxEnds:
		return errEnds
	}
	q.ends = append(q.ends, end{id, reason})
	q.cells++
	q.Signal()
	return nil
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

// A catch is what the writer took at once. The slices are kept from one time to the next.
type catch struct {
	chunks  []*Chunk
	cells   int
	drained []Drainer // circuits that may go on packaging
}

// reset forgets what was taken.
func (c *catch) reset() {
	clear(c.chunks)
	clear(c.drained)
	c.chunks, c.drained, c.cells = c.chunks[:0], c.drained[:0], 0
}

// take moves cells into c, which is empty: at least one if there are any, and no more than most unless the first chunk has
// more. now is the time since the link opened.
func (q *OutQueue) take(now time.Duration, most int, c *catch) {
	q.mu.Lock()
	var bytes int64
	bytes += q.takeOwnLocked(most, c)
	bytes += q.takeCircuitsLocked(now, most, c)
	q.cells -= c.cells
	q.mu.Unlock()
	if bytes != 0 {
		q.shared.cells.Add(-bytes)
	}
}

func (q *OutQueue) takeOwnLocked(most int, c *catch) (bytes int64) {
	for len(q.ends) > 0 && c.cells < most {
		n := min(len(q.ends), most-c.cells, ChunkCells)
		chunk := newChunk(q.framing, n)
		for _, e := range q.ends[:n] {
			body := chunk.Next(e.id, cell.CmdDestroy)
			clear(body[:])
			body[0] = byte(e.reason)
		}
		if q.ends = q.ends[n:]; len(q.ends) == 0 {
			q.ends = nil
		}
		c.add(chunk)
	}
	for q.own.head != nil && c.fits(q.own.head, most) {
		chunk := q.own.pop()
		bytes += chunk.size()
		c.add(chunk)
	}
	return bytes
}

func (q *OutQueue) takeCircuitsLocked(now time.Duration, most int, c *catch) (bytes int64) {
	circ := q.circuits.First()
	if circ == nil || c.cells >= most {
		return 0
	}
	q.circuits.SetHalfLife(now, time.Duration(q.shared.halfLife.Load()))
	weight, low, clock := q.circuits.Weight(now), q.shared.low.Load(), q.shared.clock.Load()
	for ; circ != nil && c.fits(circ.chunks.head, most); circ = q.circuits.First() {
		chunk := circ.chunks.pop()
		bytes += chunk.size()
		c.add(chunk)
		circ.cells -= chunk.n
		circ.sent += uint64(chunk.n)
		circ.waited += uint64(max(int32(clock-chunk.at), 0)) * uint64(chunk.n)
		if circ.cells == 0 {
			q.circuits.Done(chunk.Len(), weight)
		} else {
			q.circuits.Sent(chunk.Len(), weight)
		}
		if circ.blocked && circ.cells <= low {
			circ.blocked = false
			if circ.drainer != nil {
				c.drained = append(c.drained, circ.drainer)
			}
		}
	}
	return bytes
}

func (c *catch) fits(chunk *Chunk, most int) bool { return c.cells == 0 || c.cells+chunk.Len() <= most }

func (c *catch) add(chunk *Chunk) {
	c.chunks = append(c.chunks, chunk)
	c.cells += chunk.Len()
}

// close drops the cells of the link and makes all appending drop from now on. The circuits close their own queues.
func (q *OutQueue) close() {
	q.mu.Lock()
	q.closed = true
	cells, bytes := q.own.drop()
	q.cells -= cells + len(q.ends)
	q.ends = nil
	q.mu.Unlock()
	q.shared.cells.Add(-bytes)
}

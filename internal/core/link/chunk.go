package link

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"unsafe"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// ChunkCells is how many cells a Chunk holds at most: as many as fit into one TLS record of 16 KiB.
const ChunkCells = 31

const maxCellLen = 5 + cell.BodyLen

// A Chunk is a run of fixed-length cells in the form that they have on the wire. Whoever got it owns it, until it is
// given to a queue; the writer recycles it.
type Chunk struct {
	next   *Chunk // in a queue
	buf    []byte
	n      int32  // cells in use
	at     uint32 // when it came into its queue, by shared.clock
	header uint8  // bytes before the body of a cell
	class  uint8  // of chunkPools
	wide   bool   // circuit IDs of four bytes (link protocol 4 and later)
}

// chunkPools have chunks for 1, 2, 4, 8, 16 and 31 cells. A run of one circuit is often short, and a circuit whose far end does
// not read keeps what it has: a chunk that came with room for as many cells as its run has is at least half full.
var chunkPools [6]sync.Pool

func newChunk(f cell.Framing, cells int) *Chunk {
	class := min(bits.Len(uint(max(cells, 1)-1)), len(chunkPools)-1)
	c, _ := chunkPools[class].Get().(*Chunk)
	if c == nil {
		room := min(1<<class, ChunkCells)
		c = &Chunk{buf: make([]byte, room*maxCellLen), class: uint8(class)}
	}
	c.next, c.n = nil, 0
	c.header = uint8(f.HeaderLen())
	c.wide = c.header == 5
	return c
}

func (c *Chunk) recycle() { chunkPools[c.class].Put(c) }

// size returns how many bytes of memory c takes.
func (c *Chunk) size() int64 { return int64(cap(c.buf)) + int64(unsafe.Sizeof(*c)) }

// Len returns the number of cells in c.
func (c *Chunk) Len() int { return int(c.n) }

// Full tells whether there is no room for another cell.
func (c *Chunk) Full() bool { return (int(c.n)+1)*c.cellLen() > len(c.buf) }

func (c *Chunk) cellLen() int { return int(c.header) + cell.BodyLen }

// Next adds a cell and returns its body for the caller to fill, all of it: the chunk is recycled memory. It panics when
// the chunk is full.
func (c *Chunk) Next(id cell.CircID, cmd cell.Command) *[cell.BodyLen]byte {
	start := int(c.n) * c.cellLen()
	if start+c.cellLen() > len(c.buf) {
		panic("link: Next on a full chunk")
	}
	slot := c.buf[start:]
	if c.wide {
		binary.BigEndian.PutUint32(slot, uint32(id))
	} else {
		binary.BigEndian.PutUint16(slot, uint16(id))
	}
	slot[c.header-1] = byte(cmd)
	c.n++
	return (*[cell.BodyLen]byte)(slot[c.header:])
}

// Drop takes back the last cell that Next added.
func (c *Chunk) Drop() { c.n-- }

// bytes returns the cells as they go on the wire; it aliases c.
func (c *Chunk) bytes() []byte { return c.buf[:int(c.n)*c.cellLen()] }

// A chunkList is a queue of chunks.
type chunkList struct{ head, tail *Chunk }

func (l *chunkList) push(c *Chunk) {
	if l.tail == nil {
		l.head = c
	} else {
		l.tail.next = c
	}
	l.tail = c
}

func (l *chunkList) pop() *Chunk {
	c := l.head
	if l.head = c.next; l.head == nil {
		l.tail = nil
	}
	c.next = nil
	return c
}

// drop recycles all, and returns what they held.
func (l *chunkList) drop() (cells int, bytes int64) {
	for l.head != nil {
		c := l.pop()
		cells, bytes = cells+c.Len(), bytes+c.size()
		c.recycle()
	}
	return cells, bytes
}

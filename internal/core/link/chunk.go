package link

import (
	"encoding/binary"
	"sync"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// ChunkCells is how many cells a Chunk holds: as many as fit into one TLS record of 16 KiB.
const ChunkCells = 31

const maxCellLen = 5 + cell.BodyLen

// A Chunk is a run of fixed-length cells in the form that they have on the wire. Whoever got it owns it, until it is
// given to [OutQueue.Append]; the writer recycles it.
type Chunk struct {
	next   *Chunk // in an OutQueue
	wide   bool   // circuit IDs of four bytes (link protocol 4 and later)
	header int    // bytes before the body of a cell
	n      int    // cells in use
	buf    [ChunkCells * maxCellLen]byte
}

var chunkPool = sync.Pool{New: func() any { return new(Chunk) }}

func newChunk(f cell.Framing) *Chunk {
	c := chunkPool.Get().(*Chunk)
	c.next, c.n = nil, 0
	c.header = f.HeaderLen()
	c.wide = c.header == 5
	return c
}

func (c *Chunk) recycle() { chunkPool.Put(c) }

// Len returns the number of cells in c.
func (c *Chunk) Len() int { return c.n }

// Full tells whether there is no room for another cell.
func (c *Chunk) Full() bool { return c.n == ChunkCells }

// Next adds a cell and returns its body for the caller to fill, all of it: the chunk is recycled memory. It panics when
// the chunk is full.
func (c *Chunk) Next(id cell.CircID, cmd cell.Command) *[cell.BodyLen]byte {
	if c.n == ChunkCells {
		panic("link: Next on a full chunk")
	}
	slot := c.buf[c.n*(c.header+cell.BodyLen):]
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
func (c *Chunk) bytes() []byte { return c.buf[:c.n*(c.header+cell.BodyLen)] }

// merge appends the cells of d if all of them fit, and tells whether it did. Both must be of one link.
func (c *Chunk) merge(d *Chunk) bool {
	if c.n+d.n > ChunkCells {
		return false
	}
	copy(c.buf[len(c.bytes()):], d.bytes())
	c.n += d.n
	return true
}

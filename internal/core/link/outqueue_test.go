package link

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

func TestChunk(t *testing.T) {
	for _, proto := range []uint16{3, 4} {
		f := cell.FramingFor(proto)
		c := newChunk(f)
		var want []byte
		for i := range ChunkCells {
			body := bytes.Repeat([]byte{byte(i)}, cell.BodyLen)
			copy(c.Next(cell.CircID(i+300), cell.CmdRelay)[:], body)
			var err error
			if want, err = f.AppendCell(want, cell.Cell{Circ: cell.CircID(i + 300), Cmd: cell.CmdRelay, Body: body}); err != nil {
				t.Fatal(err)
			}
		}
		if !c.Full() || c.Len() != ChunkCells || !bytes.Equal(c.bytes(), want) {
			t.Errorf("link protocol %d: %d cells, full %v", proto, c.Len(), c.Full())
		}
		if c.Drop(); c.Full() || !bytes.Equal(c.bytes(), want[:len(want)-f.FixedLen()]) {
			t.Errorf("link protocol %d: the last cell was not dropped", proto)
		}
		c.recycle()
	}
	defer func() {
		if recover() == nil {
			t.Error("Next on a full chunk does not panic")
		}
	}()
	c := newChunk(cell.FramingFor(4))
	for range ChunkCells + 1 {
		c.Next(1, cell.CmdRelay)
	}
}

// chunkOf returns a chunk of n cells that are numbered from first.
func chunkOf(q *OutQueue, first, n int) *Chunk {
	c := q.NewChunk()
	for i := range n {
		binary.BigEndian.PutUint32(c.Next(1, cell.CmdRelay)[:], uint32(first+i))
	}
	return c
}

// Cells come out in the order in which they went in, and small chunks share one.
func TestOutQueue(t *testing.T) {
	for _, c := range []struct {
		name   string
		sizes  []int
		chunks int
	}{
		{"nothing", nil, 0},
		{"empty chunks", []int{0, 0}, 0},
		{"one cell", []int{1}, 1},
		{"single cells", []int{1, 1, 1, 1, 1, 1}, 1},
		{"single cells fill a chunk", make1(ChunkCells + 1), 2},
		{"full chunks", []int{31, 31}, 2},
		{"small behind full", []int{31, 1, 1}, 2},
		{"small behind large", []int{24, 7}, 1},
		{"small that does not fit", []int{25, 7}, 2},
		{"large is not copied", []int{1, 8}, 2},
		{"mixed", []int{1, 0, 8, 7, 31, 2, 30, 1}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newOutQueue(cell.FramingFor(4))
			total := 0
			for _, n := range c.sizes {
				q.Append(chunkOf(q, total, n))
				total += n
			}
			if q.Len() != total {
				t.Errorf("Len is %d, want %d", q.Len(), total)
			}
			select {
			case <-q.ready:
				if total == 0 {
					t.Error("the writer is woken for nothing")
				}
			default:
				if total != 0 {
					t.Error("the writer is not woken")
				}
			}
			next, chunks := 0, 0
			for k := q.take(); k != nil; k = k.next {
				chunks++
				for b := k.bytes(); len(b) > 0; b = b[5+cell.BodyLen:] {
					if got := binary.BigEndian.Uint32(b[5:]); got != uint32(next) {
						t.Fatalf("cell %d where %d is due", got, next)
					}
					next++
				}
			}
			if next != total || chunks != c.chunks {
				t.Errorf("%d cells in %d chunks, want %d in %d", next, chunks, total, c.chunks)
			}
			if q.Len() != 0 || q.take() != nil {
				t.Error("something is left")
			}
		})
	}
}

func make1(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

func TestAppendCell(t *testing.T) {
	q := newOutQueue(cell.FramingFor(3))
	dirty := newChunk(cell.FramingFor(4))
	for i := range dirty.buf {
		dirty.buf[i] = 0xff
	}
	dirty.recycle() // what NewChunk gives may be this one
	q.AppendCell(0x8001, cell.CmdDestroy, []byte{9})
	want, err := cell.FramingFor(3).AppendCell(nil, cell.Cell{Circ: 0x8001, Cmd: cell.CmdDestroy, Body: []byte{9}})
	if err != nil {
		t.Fatal(err)
	}
	if got := q.take().bytes(); !bytes.Equal(got, want) {
		t.Errorf("got %x", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a body that is too long does not panic")
		}
	}()
	q.AppendCell(1, cell.CmdRelay, make([]byte, cell.BodyLen+1))
}

func TestOutQueueClose(t *testing.T) {
	q := newOutQueue(cell.FramingFor(4))
	q.Append(chunkOf(q, 0, 31))
	q.Append(chunkOf(q, 0, 31))
	q.close()
	if q.Len() != 0 || q.take() != nil {
		t.Error("closing keeps cells")
	}
	q.Append(chunkOf(q, 0, 1))
	if q.Len() != 0 || q.take() != nil {
		t.Error("a closed queue takes cells")
	}
}

func BenchmarkOutQueue(b *testing.B) {
	for name, n := range map[string]int{"full": ChunkCells, "single": 1} {
		b.Run(name, func(b *testing.B) {
			q := newOutQueue(cell.FramingFor(4))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c := q.NewChunk()
				for range n {
					c.Next(1, cell.CmdRelay)
				}
				q.Append(c)
				if i%8 == 7 {
					dropChunks(q.take())
				}
			}
		})
	}
}

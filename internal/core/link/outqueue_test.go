package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

func newTestQueue(f cell.Framing) *OutQueue { return newOutQueue(f, newShared(QueueParams{}, nil)) }

func TestChunk(t *testing.T) {
	for _, proto := range []uint16{3, 4} {
		for _, room := range []int{1, 2, 3, 4, 7, 8, 9, 16, 17, ChunkCells, 1000} {
			f := cell.FramingFor(proto)
			c := newChunk(f, room)
			var want []byte
			for i := range min(room, ChunkCells) {
				if c.Full() {
					t.Fatalf("a chunk for %d cells is full with %d", room, i)
				}
				body := bytes.Repeat([]byte{byte(i)}, cell.BodyLen)
				copy(c.Next(cell.CircID(i+300), cell.CmdRelay)[:], body)
				var err error
				if want, err = f.AppendCell(want, cell.Cell{Circ: cell.CircID(i + 300), Cmd: cell.CmdRelay, Body: body}); err != nil {
					t.Fatal(err)
				}
			}
			if c.Len() != min(room, ChunkCells) || !bytes.Equal(c.bytes(), want) {
				t.Errorf("link protocol %d: %d cells", proto, c.Len())
			}
			if c.Drop(); c.Full() || !bytes.Equal(c.bytes(), want[:len(want)-f.FixedLen()]) {
				t.Errorf("link protocol %d: the last cell was not dropped", proto)
			}
			if n := int64(min(room, ChunkCells)) * maxCellLen; c.size() < n || c.size() > 2*n+100 {
				t.Errorf("a chunk for %d cells takes %d bytes", room, c.size())
			}
			c.recycle()
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Next on a full chunk does not panic")
		}
	}()
	c := newChunk(cell.FramingFor(4), ChunkCells)
	for range ChunkCells + 1 {
		c.Next(1, cell.CmdRelay)
	}
}

// chunkOf returns a chunk of n cells of a circuit, which are numbered from first.
func chunkOf(q *OutQueue, id cell.CircID, first, n int) *Chunk {
	c := q.ChunkFor(n)
	for i := range n {
		binary.BigEndian.PutUint32(c.Next(id, cell.CmdRelay)[:], uint32(first+i))
	}
	return c
}

// A sent cell as it left a queue.
type sent struct {
	id  cell.CircID
	cmd cell.Command
	n   int // what chunkOf has numbered it with
}

// takeAll returns what take gives until nothing is left, one slice a time.
func takeAll(q *OutQueue, now time.Duration, most int) (all [][]sent) {
	for {
		var c catch
		if q.take(now, most, &c); c.cells == 0 {
			return all
		}
		var cells []sent
		for _, k := range c.chunks {
			f := q.framing
			for b := k.bytes(); len(b) > 0; {
				got, n, err := f.Next(b)
				if err != nil || n == 0 {
					panic("a chunk with something else than cells")
				}
				cells = append(cells, sent{got.Circ, got.Cmd, int(binary.BigEndian.Uint32(got.Body))})
				b = b[n:]
			}
			k.recycle()
		}
		if len(cells) != c.cells {
			panic("cells were counted wrong")
		}
		all = append(all, cells)
	}
}

// Cells of the link come out in the order in which they went in, no more than asked for.
func TestOutQueue(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int
		max   int
		takes string
	}{
		{"nothing", nil, 10, "[]"},
		{"empty chunks", []int{0, 0}, 10, "[]"},
		{"one cell", []int{1}, 10, "[1]"},
		{"all at once", []int{1, 2, 3, 4}, 10, "[10]"},
		{"as many as fit", []int{4, 4, 4, 4, 4}, 10, "[8 8 4]"},
		{"a chunk that is too large", []int{31, 1, 31}, 10, "[31 1 31]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newTestQueue(cell.FramingFor(4))
			total := 0
			for _, n := range c.sizes {
				q.Append(chunkOf(q, 1, total, n))
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
			takes, next := []int{}, 0
			for _, cells := range takeAll(q, 0, c.max) {
				takes = append(takes, len(cells))
				for _, got := range cells {
					if got.n != next {
						t.Fatalf("cell %d where %d is due", got.n, next)
					}
					next++
				}
			}
			if fmt.Sprint(takes) != c.takes || q.Len() != 0 {
				t.Errorf("took %v, want %s; %d left", takes, c.takes, q.Len())
			}
		})
	}
}

func TestAppendCell(t *testing.T) {
	q := newTestQueue(cell.FramingFor(3))
	dirty := newChunk(cell.FramingFor(4), 1)
	for i := range dirty.buf {
		dirty.buf[i] = 0xff
	}
	dirty.recycle() // what AppendCell takes may be this one
	q.AppendCell(0x8001, cell.CmdDestroy, []byte{9})
	want, err := cell.FramingFor(3).AppendCell(nil, cell.Cell{Circ: 0x8001, Cmd: cell.CmdDestroy, Body: []byte{9}})
	if err != nil {
		t.Fatal(err)
	}
	var c catch
	if q.take(0, 1, &c); !bytes.Equal(c.chunks[0].bytes(), want) {
		t.Errorf("got %x", c.chunks[0].bytes())
	}
	defer func() {
		if recover() == nil {
			t.Error("a body that is too long does not panic")
		}
	}()
	q.AppendCell(1, cell.CmdRelay, make([]byte, cell.BodyLen+1))
}

// DESTROY leaves before what circuits have, and a peer that does not read any is not waited for.
func TestDestroy(t *testing.T) {
	q := newTestQueue(cell.FramingFor(5))
	var circ CircQueue
	circ.Open(q, true)
	circ.Append(chunkOf(q, 7, 0, 3))
	for i := range 40 {
		if err := q.destroy(cell.CircID(100+i), cell.DestroyReason(i)); err != nil {
			t.Fatal(err)
		}
	}
	if q.Len() != 43 {
		t.Errorf("%d cells wait", q.Len())
	}
	i := 0
	for _, cells := range takeAll(q, 0, 10) {
		for _, got := range cells {
			if want := (sent{cell.CircID(100 + i), cell.CmdDestroy, i << 24}); i < 40 && got != want {
				t.Errorf("got %v, want %v", got, want)
			} else if want := (sent{7, cell.CmdRelay, i - 40}); i >= 40 && got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			i++
		}
	}
	if i != 43 || q.Len() != 0 {
		t.Errorf("%d cells, %d left", i, q.Len())
	}
	for i := range maxEnds + 1 {
		if err := q.destroy(1, 0); (err != nil) != (i == maxEnds) {
			t.Fatalf("after %d: %v", i, err)
		}
	}
}

func TestOutQueueClose(t *testing.T) {
	memory := memacct.New(memacct.Config{})
	q := newOutQueue(cell.FramingFor(4), newShared(QueueParams{}, memory))
	var circ CircQueue
	circ.Open(q, true)
	add := func() {
		q.Append(chunkOf(q, 1, 0, 31))
		q.destroy(1, 0)
		if err := circ.Append(chunkOf(q, 7, 0, 9)); err != nil {
			t.Error(err)
		}
	}
	add()
	if n := memory.Used()["circuit queues"]; n < 40*maxCellLen {
		t.Errorf("%d bytes are accounted for", n)
	}
	q.close()
	circ.Close()
	add()
	if q.Len() != 0 || takeAll(q, 0, 100) != nil {
		t.Error("a closed queue keeps cells")
	}
	if n := memory.Used()["circuit queues"]; n != 0 {
		t.Errorf("%d bytes are accounted for in the end", n)
	}
}

func BenchmarkOutQueue(b *testing.B) {
	for _, circuits := range []int{1, 8, 1000} {
		for _, n := range []int{1, 8, ChunkCells} {
			b.Run(fmt.Sprintf("%dcircuits/%dcells", circuits, n), func(b *testing.B) {
				q := newTestQueue(cell.FramingFor(4))
				queues := make([]CircQueue, circuits)
				for i := range queues {
					queues[i].Open(q, true)
				}
				var c catch
				b.ReportAllocs()
				cells := 0
				for i := 0; b.Loop(); i++ {
					k := q.ChunkFor(n)
					for range n {
						k.Next(1, cell.CmdRelay)
					}
					queues[i%circuits].Append(k)
					if cells += n; i%circuits == circuits-1 || q.cells > writeCells {
						for q.cells > 0 {
							q.take(time.Duration(i), writeCells, &c)
							for _, k := range c.chunks {
								k.recycle()
							}
							c.reset()
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(cells, 1)), "ns/cell")
			})
		}
	}
}

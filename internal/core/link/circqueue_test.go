package link

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// A drain counts how often it was told.
type drain int

func (d *drain) Drained() { *d++ }

// There is room for a cell that a circuit can do without while few wait; not beyond the bound, nor until a blocked circuit has drained.
func TestRoom(t *testing.T) {
	q := newTestQueue(cell.FramingFor(5))
	var c CircQueue
	c.Open(q, false)
	for n := range 3 {
		if !c.Room(2) {
			t.Errorf("no room behind %d cells", n)
		}
		if err := c.Append(chunkOf(q, 1, n, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if c.Room(2) || !c.Room(3) {
		t.Error("room behind 3 cells where 2 may wait, or none where 3 may")
	}
	for n := 3; !c.Blocked(); n++ {
		if !c.Room(1 << 20) {
			t.Errorf("no room behind %d cells", n)
		}
		if err := c.Append(chunkOf(q, 1, n, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if c.Room(1 << 20) {
		t.Error("room on a blocked circuit")
	}
	for c.Blocked() {
		var got catch
		q.take(time.Second, 1, &got)
	}
	if !c.Room(1 << 20) {
		t.Error("no room on a circuit that has drained")
	}
}

// The circuit that has sent least goes first, and each keeps the order of its cells.
func TestCircuitsInTurn(t *testing.T) {
	q := newTestQueue(cell.FramingFor(5))
	var bulk [3]CircQueue
	for i := range bulk {
		bulk[i].Open(q, true)
		for n := range 10 {
			if err := bulk[i].Append(chunkOf(q, cell.CircID(i+1), n*31, 31)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var quiet CircQueue
	quiet.Open(q, true)
	next := map[cell.CircID]int{}
	for turn := 0; q.Len() > 0; turn++ {
		if turn%2 == 0 {
			quiet.Append(chunkOf(q, 99, turn/2, 1))
		}
		var c catch
		q.take(time.Duration(turn)*time.Second, 93, &c)
		for i, chunk := range c.chunks {
			got, _, err := q.framing.Next(chunk.bytes())
			if err != nil {
				t.Fatal(err)
			}
			if turn > 0 && (turn%2 == 0 && i == 0) != (got.Circ == 99) {
				t.Errorf("take %d, chunk %d is of circuit %d", turn, i, got.Circ)
			}
			if n := int(got.Body[2])<<8 | int(got.Body[3]); n != next[got.Circ] {
				t.Errorf("circuit %d: cell %d where %d is due", got.Circ, n, next[got.Circ])
			}
			next[got.Circ] += chunk.Len()
		}
		// However far they are, none of those that want all they can get is ahead of another by more than a chunk.
		if a, b := next[1], next[2]; a > b+31 || b > a+31 {
			t.Errorf("take %d: circuits have sent %v", turn, next)
		}
	}
}

// https://spec.torproject.org/param-spec.html#dos
func TestQueueFull(t *testing.T) {
	for _, c := range []struct {
		name    string
		p       QueueParams
		outward bool
		want    int
	}{
		{"default", QueueParams{}, true, 2500},
		{"default, to the client", QueueParams{}, false, 2500},
		{"set", QueueParams{Max: 100, MaxOut: 50}, true, 50},
		{"set, to the client", QueueParams{Max: 100, MaxOut: 50}, false, 100},
		{"consensus", ReadQueueParams(params.List{{Name: "circ_max_cell_queue_size", Value: 60}}), true, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			memory := memacct.New(memacct.Config{})
			q := newOutQueue(cell.FramingFor(5), newShared(c.p, memory))
			var circ CircQueue
			circ.Open(q, c.outward)
			for i := range c.want {
				if err := circ.Append(chunkOf(q, 7, i, 1)); err != nil {
					t.Fatalf("cell %d: %v", i, err)
				}
			}
			used := memory.Used()["circuit queues"]
			if err := circ.Append(chunkOf(q, 7, 0, 1)); err != ErrQueueFull {
				t.Errorf("one more: %v", err)
			}
			if q.Len() != c.want || memory.Used()["circuit queues"] != used {
				t.Errorf("%d cells wait, and %d bytes instead of %d", q.Len(), memory.Used()["circuit queues"], used)
			}
			circ.Close()
			if n := memory.Used()["circuit queues"]; n != 0 || q.Len() != 0 {
				t.Errorf("%d cells and %d bytes are left", q.Len(), n)
			}
			if err := circ.Append(chunkOf(q, 7, 0, 1)); err != nil || q.Len() != 0 {
				t.Errorf("on a closed queue: %v, %d cells wait", err, q.Len())
			}
		})
	}
}

// A circuit is blocked from the high mark on until it is down at the low one, and hears of it once.
func TestBlocked(t *testing.T) {
	q := newOutQueue(cell.FramingFor(5), newShared(QueueParams{High: 50, Low: 10}, nil))
	var circ CircQueue
	circ.Open(q, true)
	d := new(drain)
	circ.SetDrainer(d)
	add := func(n int) {
		for i := range n {
			circ.Append(chunkOf(q, 7, i, 1))
		}
	}
	told := 0
	for _, c := range []struct {
		add, take int
		blocked   bool
		told      int
	}{
		{49, 0, false, 0},
		{0, 45, false, 0},
		{45, 0, false, 0},
		{1, 0, true, 0},
		{0, 39, true, 0},
		{0, 1, false, 1},
		{45, 55, false, 2},
		{100, 100, false, 3},
	} {
		add(c.add)
		if c.take > 0 {
			var got catch
			q.take(0, c.take, &got)
			for _, d := range got.drained {
				d.Drained()
				told++
			}
		}
		if circ.Blocked() != c.blocked || told != c.told || int(*d) != told {
			t.Errorf("%+v: blocked %v, told %d times", c, circ.Blocked(), told)
		}
	}
}

func TestWaiting(t *testing.T) {
	q := newTestQueue(cell.FramingFor(5))
	var circ CircQueue
	if n, age := circ.Waiting(time.Now()); n != 0 || age != 0 {
		t.Errorf("a queue of no link: %d bytes, %v", n, age)
	}
	circ.Open(q, true)
	at := func(d time.Duration) time.Time { return q.shared.start.Add(d) }
	for i, d := range []time.Duration{time.Second, 5 * time.Second, 5*time.Second + 1} {
		q.shared.tick(at(d))
		circ.Append(chunkOf(q, 7, i, 1))
	}
	size := q.ChunkFor(1).size()
	if n, age := circ.Waiting(at(10 * time.Second)); n != 3*size || age != 9*time.Second {
		t.Errorf("%d bytes, the first for %v", n, age)
	}
	var c catch
	q.shared.tick(at(11 * time.Second))
	q.take(0, 1, &c)
	if n, age := circ.Waiting(at(12 * time.Second)); n != 2*size || age != 7*time.Second {
		t.Errorf("%d bytes, the first for %v", n, age)
	}
	if n, waited := circ.Sent(); n != 1 || waited != 10*time.Second {
		t.Errorf("%d sent after %v", n, waited)
	}
}

// Whatever circuits do, each one's cells leave in order or are dropped with it, and all is accounted for.
func FuzzCircuits(f *testing.F) {
	f.Add(uint64(1), uint16(1000))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		memory := memacct.New(memacct.Config{})
		q := newOutQueue(cell.FramingFor(5), newShared(QueueParams{Max: 200, MaxOut: 200, High: 50, Low: 5}, memory))
		type circuit struct {
			CircQueue
			queued, sent int
		}
		circs := make([]*circuit, 1+rnd.IntN(20))
		for i := range circs {
			circs[i] = new(circuit)
			circs[i].Open(q, i%2 == 0)
		}
		own := 0
		for step := range steps {
			i := rnd.IntN(len(circs))
			c := circs[i]
			n := 1 + rnd.IntN(ChunkCells)
			switch rnd.IntN(12) {
			case 0:
				c.Close()
				c.Open(q, true)
				c.queued, c.sent = 0, 0
			case 1:
				q.AppendCell(0, cell.CmdPadding, nil)
				own++
			case 2:
				q.destroy(1, 0)
				own++
			case 3, 4, 5:
				for _, cells := range takeAll(q, time.Duration(step)*time.Second, rnd.IntN(200)) {
					for _, s := range cells {
						if s.cmd != cell.CmdRelay {
							own--
							continue
						}
						c := circs[s.id]
						if s.n != c.sent {
							t.Fatalf("circuit %d: cell %d where %d is due", s.id, s.n, c.sent)
						}
						c.sent++
					}
				}
			default:
				err := c.Append(chunkOf(q, cell.CircID(i), c.queued, n))
				if full := c.queued-c.sent+n > 200; full != errors.Is(err, ErrQueueFull) {
					t.Fatalf("%d cells wait, %d more: %v", c.queued-c.sent, n, err)
				} else if !full {
					c.queued += n
				}
			}
			want, active := own, 0
			for _, c := range circs {
				want += c.queued - c.sent
				if c.queued > c.sent {
					active++
				}
			}
			if q.Len() != want || q.circuits.Len() != active {
				t.Fatalf("%d cells of %d circuits wait, want %d of %d", q.Len(), q.circuits.Len(), want, active)
			}
		}
		for _, c := range circs {
			c.Close()
		}
		q.close()
		if n := memory.Used()["circuit queues"]; n != 0 || q.Len() != 0 {
			t.Fatalf("%d bytes and %d cells are left", n, q.Len())
		}
	})
}

// A decision among many circuits costs hardly more than among few.
func BenchmarkTake(b *testing.B) {
	for _, circuits := range []int{1, 16, 1000, 30_000} {
		b.Run(fmt.Sprintf("%dcircuits", circuits), func(b *testing.B) {
			q := newTestQueue(cell.FramingFor(5))
			queues := make([]CircQueue, circuits)
			for i := range queues {
				queues[i].Open(q, true)
				for n := range 3 {
					queues[i].Append(chunkOf(q, cell.CircID(i), n, 1))
				}
			}
			b.ReportAllocs()
			var c catch
			cells := 0
			for b.Loop() {
				q.take(time.Duration(cells), writeCells, &c)
				for _, k := range c.chunks {
					got, _, _ := q.framing.Next(k.bytes())
					queues[got.Circ].Append(k) // again
				}
				cells += c.cells
				c.reset()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(cells), "ns/cell")
		})
	}
}

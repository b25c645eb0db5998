package relay_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/allocs"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// A middle is a relay of ours with circuits to a relay that throws all cells away.
type middle struct {
	*world
	table *circuit.Table // of the client's link at our relay, whose reader is idle
	out   *link.OutQueue // to the next relay
	batch link.Batch
}

// newMiddle makes circuits, and a batch of cells that goes round them.
func newMiddle(tb testing.TB, circuits, cells int) *middle {
	m := &middle{world: newWorld(tb, fakepeer.Config{Hooks: fakepeer.Hooks{
		Cell: func(_ *fakepeer.Conn, c cell.Cell) bool { return c.Cmd == cell.CmdRelay },
	}}, nil)}
	var ids []cell.CircID
	for range circuits {
		ids = append(ids, m.mustBuild(0, exitID).ID())
	}
	for _, l := range m.relays[0].links.Links() {
		if l.Initiated() {
			m.out = l.Out()
		} else {
			m.table = l.Handler().(*circuit.Table)
		}
	}
	for i := range cells {
		// What is in it does not matter: at our relay nearly every cell looks like any other.
		m.batch.Cells = append(m.batch.Cells, link.Cell{Circ: ids[i%circuits], Cmd: cell.CmdRelay, Body: new([cell.BodyLen]byte)})
	}
	return m
}

// pass gives the batch to the relay, and waits while too much lies before the writer.
func (m *middle) pass() {
	m.table.Batch(&m.batch)
	for m.out.Len() > 2000 {
		runtime.Gosched()
	}
}

// A cell that passes through costs no allocation. The far end's TLS, in the same process, makes some, so what counts is
// who has made them.
func TestPassAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the table belongs to the reader of its link, which is idle, but the race detector cannot know that")
	}
	m := newMiddle(t, 8, 124)
	for range 200 {
		m.pass() // the pools fill
	}
	const runs = 500
	n := allocs.During(t, "circuit.(*Table).Batch", func() {
		for range runs {
			m.pass()
		}
	})
	if n != 0 {
		t.Errorf("%d allocations for %d cells", n, runs*len(m.batch.Cells))
	}
}

// BenchmarkPass measures a cell's way through the relay, from the link's reader to the other link's TLS: that runs beside
// it, on another core where there is one.
func BenchmarkPass(b *testing.B) {
	for _, circuits := range []int{1, 8, 100} {
		b.Run(fmt.Sprintf("%dcircuits", circuits), func(b *testing.B) {
			const cells = 124
			m := newMiddle(b, circuits, cells)
			b.SetBytes(cells * cell.BodyLen)
			b.ReportAllocs()
			for b.Loop() {
				m.pass()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*cells), "ns/cell")
		})
	}
}

// BenchmarkCreate measures circuits of one hop: both ends' handshakes, and the way of their cells.
func BenchmarkCreate(b *testing.B) {
	m := newMiddle(b, 1, 1)
	b.ReportAllocs()
	for b.Loop() {
		m.mustBuild(0).Close()
	}
}

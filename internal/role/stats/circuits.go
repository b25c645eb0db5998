package stats

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// circuits keeps how long cells of circuits waited in queues.
type circuits struct {
	mu     sync.Mutex // a leaf; guards the fields below
	start  time.Time  // of the day; zero if this is not counted
	sample sample[queueing]
}

// A Circuit is what a circuit that passes through us has done since the day began: its cells that left a queue of either
// direction, and the time that they had spent there, all together.
type Circuit struct {
	Began  time.Time // of the circuit
	Cells  uint64
	Waited time.Duration
}

// queueing is what is kept of a circuit.
type queueing struct {
	cells  uint64
	queued float64 // cells in a queue, on average
	waited float64 // milliseconds in a queue, on average
}

// CircuitClosed counts a circuit that is closed.
func (s *Stats) CircuitClosed(c Circuit, now time.Time) { s.circuits.add(c, now) }

func (x *circuits) add(c Circuit, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.start.IsZero() || c.Cells == 0 {
		return
	}
	began := x.start
	if c.Began.After(began) {
		began = c.Began
	}
	seconds := now.Unix() - began.Unix()
	if seconds <= 0 {
		return
	}
	ms := float64(c.Waited) / float64(time.Millisecond)
	x.sample.add(queueing{
		cells: c.Cells, waited: ms / float64(c.Cells),
		queued: ms / float64(seconds) / 1000 / 2, // there are two queues
	})
}

func (x *circuits) reset(start time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.start, x.sample = start, sample[queueing]{}
}

// deciles of circuits, by their number of cells
const deciles = 10

func (x *circuits) take(e *netdoc.Encoder, start, end time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.sample.values
	slices.SortStableFunc(v, func(a, b queueing) int { return cmp.Compare(b.cells, a.cells) })
	var processed, queued, waited []string
	for i := range deciles {
		// Those whose index times ten, divided by the number of all, is i.
		part := v[(i*len(v)+deciles-1)/deciles : ((i+1)*len(v)+deciles-1)/deciles]
		var sum queueing
		for _, q := range part {
			sum.cells, sum.queued, sum.waited = sum.cells+q.cells, sum.queued+q.queued, sum.waited+q.waited
		}
		n := max(len(part), 1)
		processed = append(processed, fmt.Sprint(sum.cells/uint64(n)))
		queued = append(queued, fmt.Sprintf("%.2f", sum.queued/float64(n)))
		waited = append(waited, fmt.Sprintf("%.0f", sum.waited/float64(n)))
	}
	item(e, "cell-stats-end", start, end)
	e.Item("cell-processed-cells").Rest(strings.Join(processed, ","))
	e.Item("cell-queued-cells").Rest(strings.Join(queued, ","))
	e.Item("cell-time-in-queue").Rest(strings.Join(waited, ","))
	e.Item("cell-circuits-per-decile").Uint((x.sample.n + deciles - 1) / deciles)
	x.start, x.sample = end, sample[queueing]{}
}

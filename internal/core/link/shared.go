package link

import (
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/sched"
	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// QueueParams bound the queues of circuits. Those that are zero are C tor's defaults.
type QueueParams struct {
	Max, MaxOut int           // cells that may wait on a circuit, towards the client and away from it; past that it is closed
	High, Low   int           // cells from which on, and down to which, nothing is packaged for a circuit
	HalfLife    time.Duration // after which a cell that was sent counts for half (CircuitPriorityHalflife)
}

// ReadQueueParams reads the consensus parameters.
func ReadQueueParams(l params.List) QueueParams {
	p := QueueParams{
		Max: int(l.Of(params.CircMaxCellQueueSize)), MaxOut: int(l.Of(params.CircMaxCellQueueSizeOut)),
		High: int(l.Of(params.CellQueueHigh)), Low: int(l.Of(params.CellQueueLow)),
		HalfLife: time.Duration(l.Of(params.CircuitPriorityHalflife)) * time.Millisecond,
	}
	if _, ok := l.Lookup(params.CircMaxCellQueueSizeOut.Name); !ok {
		p.MaxOut = p.Max
	}
	return p
}

// shared is what all queues of a registry have in common.
type shared struct {
	start time.Time     // what clock counts from
	clock atomic.Uint32 // milliseconds; as old as the last thing that any reader or writer did

	max, maxOut, high, low atomic.Int32
	halfLife               atomic.Int64

	cells  *memacct.Counter // bytes in queues of cells
	stream *memacct.Counter // bytes in buffers of streams
}

func newShared(p QueueParams, memory *memacct.Account) *shared {
	s := &shared{start: time.Now(), cells: memory.Counter("circuit queues"), stream: memory.Counter("stream buffers")}
	s.set(p)
	return s
}

func (s *shared) set(p QueueParams) {
	d := ReadQueueParams(nil)
	s.max.Store(int32(orDefault(p.Max, d.Max)))
	s.maxOut.Store(int32(orDefault(p.MaxOut, d.MaxOut)))
	s.high.Store(int32(orDefault(p.High, d.High)))
	s.low.Store(int32(orDefault(p.Low, d.Low)))
	s.halfLife.Store(int64(orDefault(p.HalfLife, sched.DefaultHalfLife)))
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// tick sets the clock.
func (s *shared) tick(now time.Time) {
	if ms := uint32(now.Sub(s.start) / time.Millisecond); ms != s.clock.Load() {
		s.clock.Store(ms)
	}
}

// age returns how long something has waited that came when the clock showed at.
func (s *shared) age(now time.Time, at uint32) time.Duration {
	ms := int32(uint32(now.Sub(s.start)/time.Millisecond) - at)
	return time.Duration(max(ms, 0)) * time.Millisecond
}

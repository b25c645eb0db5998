package circuit

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Evicted is what Evict has done.
type Evicted struct {
	Bytes             int64 // freed, about
	Circuits, Streams int   // ended
}

// holder is a circuit as Evict sees it.
type holder interface {
	// waiting returns the memory of the cells in the circuit's queues, and how long the first of them has waited.
	waiting(now time.Time) (bytes int64, age time.Duration)
	// held appends the streams of the circuit that have data in their buffers.
	held(list []stream.Held, now time.Time) []stream.Held
	// evict closes the circuit.
	evict()
}

// A victim is a stream, or else a circuit, that holds memory.
type victim struct {
	age    time.Duration
	stream *stream.Stream
	circ   holder
}

// Evictor returns the Evict function of a memacct.Account, for the circuits over the links of a node.
func Evictor(log *slog.Logger, links func() []*link.Link) func(bytes int64) (freed int64) {
	return func(bytes int64) int64 {
		e := Evict(links(), time.Now(), bytes)
		log.Warn("Memory for queues has run out: the circuits and streams whose data has waited longest are closed",
			"circuits", e.Circuits, "streams", e.Streams, "freed", e.Bytes)
		return e.Bytes
	}
}

// Evict frees about so many bytes of what circuits over the links hold, if there are so many. What has waited longest goes
// first: whoever fills queues on purpose reads nothing, and what is in a queue for long is of no use to anybody else. C tor:
// circuits_handle_oom.
func Evict(links []*link.Link, now time.Time, bytes int64) (e Evicted) {
	var victims []victim
	var held []stream.Held
	for _, l := range links {
		t, ok := l.Handler().(*Table)
		if !ok {
			continue
		}
		for _, c := range t.holders() {
			queued, age := c.waiting(now)
			held = c.held(held[:0], now)
			for _, h := range held {
				victims = append(victims, victim{age: h.Age, stream: h.Stream})
				age = max(age, h.Age)
			}
			if queued > 0 || len(held) > 0 {
				victims = append(victims, victim{age: age, circ: c})
			}
		}
	}
	// A stream comes before its circuit, which is no younger.
	slices.SortStableFunc(victims, func(a, b victim) int { return cmp.Compare(b.age, a.age) })
	for _, v := range victims {
		if e.Bytes >= bytes {
			break
		}
		if v.stream != nil {
			e.Bytes += v.stream.Shed()
			e.Streams++
			continue
		}
		queued, _ := v.circ.waiting(now)
		held = v.circ.held(held[:0], now)
		v.circ.evict()
		e.Circuits++
		e.Bytes += queued
		for _, h := range held {
			e.Bytes += h.Stream.Shed()
		}
	}
	return e
}

// holders returns the circuits that came to be by this link: those that began here, and those that the peer has created.
func (t *Table) holders() (list []holder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.halves {
		switch half := h.recv.(type) {
		case *originHalf:
			list = append(list, half.circ)
		case *forward:
			list = append(list, half.circ)
		}
	}
	return list
}

func (c *Circuit) waiting(now time.Time) (bytes int64, age time.Duration) {
	return c.queue.Waiting(now)
}
func (c *Circuit) evict() { c.close(errEvicted, cell.DestroyResourceLimit) }

func (c *Circuit) held(list []stream.Held, now time.Time) []stream.Held {
	c.tunnel.mu.Lock()
	defer c.tunnel.mu.Unlock()
	return c.tunnel.mux.AppendHeldLocked(list, now)
}

func (c *RelayCircuit) waiting(now time.Time) (bytes int64, age time.Duration) {
	c.fwd.mu.Lock()
	bytes, age = c.fwd.queue.Waiting(now)
	c.fwd.mu.Unlock()
	back, backAge := c.bwd.queue.Waiting(now)
	return bytes + back, max(age, backAge)
}

func (c *RelayCircuit) evict() { c.Close(cell.DestroyResourceLimit) }

func (c *RelayCircuit) held(list []stream.Held, now time.Time) []stream.Held {
	e := c.end.Load()
	if e == nil {
		return list
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mux.AppendHeldLocked(list, now)
}

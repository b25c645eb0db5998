package stream

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// SetMemoryLocked says who counts what lies in the buffers of streams that are opened from now on.
func (m *Mux) SetMemoryLocked(c *memacct.Counter) { m.memory = c }

// held counts the memory of one buffer. Streams are forgotten with data in them, say when the other side of an exit
// connection is gone: what is counted then goes with the stream.
type held struct {
	counter *memacct.Counter
	bytes   atomic.Int64
}

func newHeld(s *Stream, c *memacct.Counter) *held {
	if c == nil {
		return nil
	}
	h := &held{counter: c}
	runtime.AddCleanup(s, func(h *held) { h.add(-h.bytes.Load()) }, h)
	return h
}

func (h *held) add(n int64) {
	if h != nil && n != 0 {
		h.bytes.Add(n)
		h.counter.Add(n)
	}
}

// Held is what the buffer of a stream holds.
type Held struct {
	Stream *Stream
	Bytes  int64         // of memory
	Age    time.Duration // of the oldest data
}

// AppendHeldLocked appends the streams whose buffers are not empty.
func (m *Mux) AppendHeldLocked(list []Held, now time.Time) []Held {
	for _, s := range m.streams {
		s.mu.Lock()
		if k := s.in.head; k != nil {
			list = append(list, Held{s, s.in.memory(), now.Sub(k.at)})
		}
		s.mu.Unlock()
	}
	return list
}

// memory returns the bytes that the buffer takes.
func (b *buffer) memory() (n int64) {
	for k := b.head; k != nil; k = k.next {
		n += blockLen
	}
	return n
}

// Shed ends the stream for want of memory, drops what has not been read, and returns how many bytes that frees.
func (s *Stream) Shed() int64 {
	s.close(ErrClosed, relaymsg.End{Reason: relaymsg.EndResourceLimit})
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.in.memory()
	s.in.reset()
	return n
}

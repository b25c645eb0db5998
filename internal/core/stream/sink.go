package stream

import "github.com/tropea-net/tropea/internal/lib/netx"

// A sink is where a stream in WriteTo writes to, if that can be done without waiting. As long as all that arrived has been
// taken, and the stream's goroutine waits for more, whoever delivers writes to the sink itself, after it has let go of the
// tunnel: to wake the goroutine for each batch would cost more than the write. When the sink does not take all, the
// goroutine takes over until the buffer is empty again. Stream.mu guards the fields.
type sink struct {
	w     netx.TryWriter // nil unless the goroutine waits
	busy  bool           // somebody who delivered is in flush, or about to be
	bytes int64          // written by flush
	err   error          // of a write in flush
}

// arriveLocked is called when data has come, and reports whether flush is to be called, without locks.
func (s *Stream) arriveLocked() (flush bool) {
	switch {
	case s.sink.busy:
		return false // it sees the data
	case s.sink.w == nil && (s.flow == nil || !s.flow.xoffDue):
		wake(s.readable)
		return false
	}
	s.sink.busy = true
	return true
}

// flush writes what lies in the buffer to the sink, as far as that goes without waiting, and sends XOFF when that is due.
func (s *Stream) flush() {
	done := false
	defer func() {
		if !done { // a panic, which is contained above: the stream's goroutine must not wait for us
			s.mu.Lock()
			s.sink.busy, s.sink.w = false, nil
			s.mu.Unlock()
			wake(s.readable)
		}
	}()
	for !done {
		s.mu.Lock()
		if s.flow != nil && s.flow.xoffDue {
			s.flow.xoffDue = false
			s.mu.Unlock()
			s.stop()
			continue
		}
		var b *block
		if s.sink.w != nil {
			b = s.in.take()
		}
		if b == nil {
			s.sink.busy = false
			if s.readErr != nil || s.sink.w == nil {
				wake(s.readable)
			}
			s.mu.Unlock()
			done = true
			break
		}
		w := s.sink.w
		s.mu.Unlock()

		n, err := w.TryWrite(b.bytes())
		s.mu.Lock()
		s.sink.bytes += int64(n)
		s.sink.err = err
		if b.start += n; b.start < b.end {
			s.in.putBack(b)
			s.sink.w = nil
		} else {
			b.recycle()
		}
		if err != nil {
			s.sink.w = nil
		}
		due := s.drainedLocked(n)
		s.mu.Unlock()
		s.acknowledge(due)
	}
}

// disarm ends the use of the sink, which flush has let go of, and returns how much it has written.
func (s *Stream) disarm() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.sink.bytes
	s.sink.w, s.sink.bytes, s.sink.err = nil, 0, nil
	return n
}

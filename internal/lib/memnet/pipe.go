package memnet

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// segment is how many bytes leave at once on a link with limited bandwidth.
const segment = 4 << 10

// keepBuffer is how large an empty buffer may stay: a network has many connections, most of them idle.
const keepBuffer = 64 << 10

// A pipe is one direction of a connection.
//
// Nothing pumps it: a write computes when its bytes depart and arrive, and a read waits until then. So bytes keep their
// order whatever the timers do, and an idle connection costs nothing.
type pipe struct {
	link Link

	mu       sync.Mutex // guards the fields below; never held while waiting
	changed  signal
	buf      bytes.Buffer // all bytes written and not yet read
	marks    []mark       // which bytes of buf arrive when, in order
	departed time.Time    // when the last byte so far departs
	arrived  time.Time    // and when it arrives
	lowat    int          // bound on bytes not yet departed; 0 means none
	cut      bool         // nothing arrives
	writing  bool         // a write is under way; others wait, so that their bytes do not mix

	readDeadline, writeDeadline time.Time

	readErr  error     // of reads, since the reading end is closed
	writeErr error     // of writes, since the writing end is closed
	eofAt    time.Time // when the reader sees the end of the stream; zero: not in sight
	resetAt  time.Time // when the reader sees a reset
	brokenAt time.Time // when the writer learns that the reading end is gone
}

// A mark is a run of bytes that travel together.
type mark struct {
	n              int
	depart, arrive time.Time
}

// due reports whether at is set and not after now.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.awaitLocked(len(b) == 0); err != nil || len(b) == 0 {
		return 0, err
	}
	return p.takeLocked(b, time.Now()), nil
}

// waitReadable waits until read would not.
func (p *pipe) waitReadable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.awaitLocked(false); err != io.EOF {
		return err
	}
	return nil
}

// awaitLocked waits, unlocked, until there is something to read, unless nothing is wanted. The error is why there never will be.
func (p *pipe) awaitLocked(nothing bool) error {
	for {
		now := time.Now()
		switch {
		case p.readErr != nil:
			return p.readErr
		case due(p.readDeadline, now):
			return os.ErrDeadlineExceeded
		case nothing:
			return nil
		case p.cut:
			p.waitLocked(p.readDeadline)
			continue
		case due(p.resetAt, now):
			return syscall.ECONNRESET
		case len(p.marks) > 0 && due(p.marks[0].arrive, now):
			return nil
		case due(p.eofAt, now):
			return io.EOF
		}
		next := p.eofAt
		if len(p.marks) > 0 {
			next = p.marks[0].arrive
		}
		p.waitLocked(p.readDeadline, next, p.resetAt)
	}
}

// takeLocked reads into b what has arrived.
func (p *pipe) takeLocked(b []byte, now time.Time) (n int) {
	for n < len(b) && len(p.marks) > 0 && due(p.marks[0].arrive, now) {
		m := &p.marks[0]
		k, _ := p.buf.Read(b[n:min(len(b), n+m.n)])
		n += k
		if m.n -= k; m.n == 0 {
			p.marks = p.marks[1:]
		}
	}
	if p.buf.Len() == 0 && p.buf.Cap() > keepBuffer {
		p.buf, p.marks = bytes.Buffer{}, nil
	}
	p.changed.broadcast()
	return n
}

func (p *pipe) write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.writing {
		p.waitLocked()
	}
	p.writing = true
	defer func() {
		p.writing = false
		p.changed.broadcast()
	}()
	for {
		now := time.Now()
		switch {
		case p.writeErr != nil:
			return n, p.writeErr
		case due(p.writeDeadline, now):
			return n, os.ErrDeadlineExceeded
		case !p.cut && due(p.resetAt, now):
			return n, syscall.ECONNRESET
		case !p.cut && due(p.brokenAt, now):
			return n, syscall.EPIPE
		case len(b) == n:
			return n, nil
		case p.readErr != nil:
			return len(b), nil // nobody reads it, but that is not known here yet
		}
		room, next := p.roomLocked(now)
		if room <= 0 {
			if p.cut {
				p.waitLocked(p.writeDeadline, next)
			} else {
				p.waitLocked(p.writeDeadline, next, p.resetAt, p.brokenAt)
			}
			continue
		}
		k := min(room, len(b)-n)
		p.putLocked(b[n:n+k], now)
		n += k
	}
}

// roomLocked returns how many bytes may be written now, and, if none, when to ask again unless something changes before.
func (p *pipe) roomLocked(now time.Time) (room int, next time.Time) {
	room = p.link.buffer() - p.buf.Len()
	if p.lowat <= 0 {
		return room, time.Time{}
	}
	unsent := 0
	for i := len(p.marks) - 1; i >= 0 && p.marks[i].depart.After(now); i-- {
		unsent += p.marks[i].n
		next = p.marks[i].depart
	}
	return min(room, p.lowat-unsent), next
}

// putLocked appends b, which there is room for.
func (p *pipe) putLocked(b []byte, now time.Time) {
	p.buf.Write(b)
	if p.link.Bandwidth <= 0 {
		p.departed = now
		p.markLocked(len(b), now)
	} else {
		if p.departed.Before(now) {
			p.departed = now
		}
		for left := len(b); left > 0; left -= segment {
			k := min(left, segment)
			p.departed = p.departed.Add(time.Duration(int64(k) * int64(time.Second) / p.link.Bandwidth))
			p.markLocked(k, now)
		}
	}
	p.changed.broadcast()
}

// markLocked notes that n more bytes have left by p.departed.
func (p *pipe) markLocked(n int, now time.Time) {
	m := mark{n, p.departed, p.departed.Add(p.link.delay())}
	if m.arrive.Before(p.arrived) {
		m.arrive = p.arrived // it waits for what was lost before it
	}
	p.arrived = m.arrive
	if last := len(p.marks) - 1; last >= 0 {
		if old := &p.marks[last]; old.arrive.Equal(m.arrive) || due(m.arrive, now) {
			old.n += n // it arrives together with what is there
			return
		}
	}
	p.marks = append(p.marks, m)
}

// closeWrite ends the stream for the reader. Later writes fail with err.
func (p *pipe) closeWrite(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.eofAt.IsZero() {
		p.eofAt = p.departed.Add(p.link.Latency)
		if now := time.Now(); p.departed.Before(now) {
			p.eofAt = now.Add(p.link.Latency)
		}
		if p.eofAt.Before(p.arrived) {
			p.eofAt = p.arrived
		}
	}
	p.writeErr = err
	p.changed.broadcast()
}

// closeRead drops what was not read. The writer learns of it a latency later.
func (p *pipe) closeRead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readErr = net.ErrClosed
	p.buf, p.marks = bytes.Buffer{}, nil
	p.brokenAt = time.Now().Add(p.link.Latency)
	p.changed.broadcast()
}

// reset breaks the pipe for both ends, which learn of it a latency later.
func (p *pipe) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resetAt = time.Now().Add(p.link.Latency)
	p.changed.broadcast()
}

// setCut stops and restores delivery. What should have arrived meanwhile arrives one latency after the end of the cut.
func (p *pipe) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut && !cut {
		earliest := time.Now().Add(p.link.Latency)
		times := []*time.Time{&p.eofAt, &p.resetAt, &p.brokenAt}
		for i := range p.marks {
			times = append(times, &p.marks[i].arrive)
		}
		for _, at := range times {
			if !at.IsZero() && at.Before(earliest) {
				*at = earliest
			}
		}
	}
	p.cut = cut
	p.changed.broadcast()
}

func (p *pipe) setReadDeadline(t time.Time) { p.set(&p.readDeadline, t) }

func (p *pipe) setWriteDeadline(t time.Time) { p.set(&p.writeDeadline, t) }

func (p *pipe) set(at *time.Time, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*at = t
	p.changed.broadcast()
}

func (p *pipe) setLowat(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lowat = n
	p.changed.broadcast()
}

// waitLocked waits, unlocked, until the pipe changes or the earliest of the times that are set.
func (p *pipe) waitLocked(until ...time.Time) {
	changed := p.changed.next()
	var earliest time.Time
	for _, t := range until {
		if !t.IsZero() && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	p.mu.Unlock()
	defer p.mu.Lock()
	if earliest.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(earliest))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

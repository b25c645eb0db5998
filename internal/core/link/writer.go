package link

import (
	"time"
)

// flushChunks is how many chunks the writer seals before it lets them go: past this, waiting for more makes the first
// ones late and the writes hardly cheaper.
const flushChunks = 16

// write runs the writer goroutine: it takes all that is ready, sends it, and blocks. It also pads the link when it is
// silent, and closes it when nobody uses it.
func (l *Link) write() error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	q := quiet{idleAfter: l.idleTimeout()}
	q.active(l, time.Now())
	for {
		if c := l.out.take(); c != nil {
			if err := l.flush(c); err != nil {
				return err
			}
			q.active(l, time.Now())
			continue
		}
		timer.Reset(q.next(l, time.Now()))
		select {
		case <-l.closing:
			return l.err
		case <-l.out.ready:
		case <-timer.C:
			if err := q.expire(l, time.Now()); err != nil {
				return err
			}
		}
	}
}

// flush seals and sends the chunks that hang on c.
func (l *Link) flush(c *Chunk) error {
	l.conn.Cork()
	for n := 1; c != nil; n++ {
		next := c.next
		_, err := l.conn.Write(c.bytes())
		c.recycle()
		if err != nil {
			dropChunks(next)
			return err
		}
		if n%flushChunks == 0 && next != nil {
			if err := l.conn.Flush(); err != nil {
				dropChunks(next)
				return err
			}
			l.conn.Cork()
		}
		c = next
	}
	return l.conn.Flush()
}

func dropChunks(c *Chunk) {
	for c != nil {
		next := c.next
		c.recycle()
		c = next
	}
}

package link

import (
	"time"
)

// writeCells is how many cells the writer takes at once at most: what fits into one system call. The fewer they are, the
// sooner a cell that comes now and has precedence leaves; so a link that is slow gets no more at once than it takes in
// writeTime, but minWriteCells.
const (
	writeCells    = 4 * ChunkCells
	minWriteCells = 8
	writeTime     = 10 * time.Millisecond
)

// directCells is how many cells a chunk must have to become a TLS record of its own. Fewer are copied together with others:
// that costs less than another record.
const directCells = 16

// write runs the writer goroutine: it takes what is ready, a write's worth at a time, and blocks when there is no more. It
// also pads the link when it is silent, and closes it when nobody uses it.
func (l *Link) write() error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	q := quiet{idleAfter: l.idleTimeout()}
	q.active(l, time.Now())
	var c catch
	most := writeCells
	for {
		share, err := l.meter.settle(writing)
		if err != nil {
			return l.Err()
		}
		now := time.Now()
		l.out.shared.tick(now)
		l.out.take(now.Sub(l.opened), max(min(share/l.framing.FixedLen(), most), 1), &c)
		if c.cells > 0 {
			if err := l.send(&c); err != nil {
				return err
			}
			sent := time.Now()
			q.active(l, sent)
			switch took := sent.Sub(now); {
			case took > writeTime:
				most = max(most/2, minWriteCells)
			case took < writeTime/4:
				most = min(most*2, writeCells)
			}
			continue
		}
		timer.Reset(q.next(l, now))
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

// send writes what the writer took.
func (l *Link) send(c *catch) error {
	defer c.reset()
	for _, d := range c.drained {
		d.Drained()
	}
	l.registry.written.add(c.cells, 0, l.paddingOn())
	if c.cells <= ChunkCells {
		return l.sendRecords(c.chunks)
	}
	l.conn.Cork()
	if err := l.sendRecords(c.chunks); err != nil {
		return err
	}
	return l.conn.Flush()
}

// sendRecords seals and writes chunks: large ones as they are, others put together. It recycles them.
func (l *Link) sendRecords(chunks []*Chunk) error {
	if len(chunks) == 1 {
		defer chunks[0].recycle()
		_, err := l.conn.Write(chunks[0].bytes())
		return err
	}
	record := newChunk(l.framing, ChunkCells)
	defer record.recycle()
	room, fill := record.buf[:ChunkCells*l.framing.FixedLen()], 0
	for _, c := range chunks {
		b := c.bytes()
		if fill == 0 && c.n >= directCells {
			if _, err := l.conn.Write(b); err != nil {
				return err
			}
			b = nil
		}
		for len(b) > 0 {
			n := copy(room[fill:], b)
			b = b[n:]
			if fill += n; fill == len(room) {
				if _, err := l.conn.Write(room); err != nil {
					return err
				}
				fill = 0
			}
		}
		c.recycle()
	}
	if fill == 0 {
		return nil
	}
	_, err := l.conn.Write(room[:fill])
	return err
}

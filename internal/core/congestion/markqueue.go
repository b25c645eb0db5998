package congestion

import "time"

// maxTagLen is the length of the longest tag, that of tor1.
const maxTagLen = 20

// A mark is a cell whose SENDME is to come: the proof, which the SENDME must hold, that its sender saw the cell, and when
// the cell was sent.
type mark struct {
	at  time.Duration
	len uint8
	buf [maxTagLen]byte
}

func (m *mark) tag() []byte { return m.buf[:m.len] }

// markQueue holds the marks of the SENDMEs to come, oldest first. It grows to what the window needs and stays so: the
// window bounds it.
type markQueue struct {
	ring         []mark
	first, count int
}

// push panics if t is too long for a tag: crypt keeps that from happening.
func (q *markQueue) push(t []byte, at time.Duration) {
	if len(t) > maxTagLen {
		panic("congestion: tag does not fit")
	}
	if q.count == len(q.ring) {
		q.grow()
	}
	m := &q.ring[(q.first+q.count)%len(q.ring)]
	m.at, m.len = at, uint8(copy(m.buf[:], t))
	q.count++
}

func (q *markQueue) grow() {
	ring := make([]mark, max(4, 2*len(q.ring)))
	n := copy(ring, q.ring[q.first:])
	copy(ring[n:], q.ring[:q.first])
	q.ring, q.first = ring, 0
}

// pop returns the oldest mark, which stays valid until the next push.
func (q *markQueue) pop() (m *mark, ok bool) {
	if q.count == 0 {
		return nil, false
	}
	m = &q.ring[q.first]
	q.first = (q.first + 1) % len(q.ring)
	q.count--
	return m, true
}

package congestion

// maxTags bounds the SENDMEs that can be outstanding with fixed windows.
const maxTags = CircWindowMax / CircIncrement

// maxTagLen is the length of the longest tag, that of tor1.
const maxTagLen = 20

// tag is the proof, which a SENDME must hold, that its sender saw a cell.
type tag struct {
	len uint8
	buf [maxTagLen]byte
}

func (t *tag) bytes() []byte { return t.buf[:t.len] }

// tagQueue holds the tags of the SENDMEs to come, oldest first.
type tagQueue struct {
	ring         [maxTags]tag
	first, count uint8
}

// push panics if the queue is full or t is too long for a tag: the window keeps the first from happening, and crypt the
// second.
func (q *tagQueue) push(t []byte) {
	if int(q.count) == len(q.ring) || len(t) > maxTagLen {
		panic("congestion: tag does not fit")
	}
	slot := &q.ring[(int(q.first)+int(q.count))%len(q.ring)]
	slot.len = uint8(copy(slot.buf[:], t))
	q.count++
}

// pop returns the oldest tag, which stays valid until the next push.
func (q *tagQueue) pop() (t *tag, ok bool) {
	if q.count == 0 {
		return nil, false
	}
	t = &q.ring[q.first]
	q.first = uint8((int(q.first) + 1) % len(q.ring))
	q.count--
	return t, true
}

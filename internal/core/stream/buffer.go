package stream

import (
	"sync"
	"time"
)

const blockLen = 16 << 10

// A block is a piece of a stream's receive buffer.
type block struct {
	next       *block
	start, end int
	at         time.Time // when it was begun
	data       [blockLen]byte
}

var blockPool = sync.Pool{New: func() any { return new(block) }}

// buffer is a queue of bytes in pooled blocks: DATA cells go in at the tail, the stream's reader takes from the head. The
// stream's window bounds it.
type buffer struct {
	head, tail *block
	size       int
	held       *held // of its memory; nil if nobody counts
}

// write copies p to the end of the queue.
func (b *buffer) write(p []byte) {
	b.size += len(p)
	for len(p) > 0 {
		if b.tail == nil || b.tail.end == blockLen {
			b.grow()
		}
		n := copy(b.tail.data[b.tail.end:], p)
		b.tail.end += n
		p = p[n:]
	}
}

func (b *buffer) grow() {
	n := blockPool.Get().(*block)
	n.next, n.start, n.end, n.at = nil, 0, 0, time.Now()
	b.held.add(blockLen)
	if b.tail == nil {
		b.head = n
	} else {
		b.tail.next = n
	}
	b.tail = n
}

// read moves bytes from the start of the queue to p.
func (b *buffer) read(p []byte) (n int) {
	for n < len(p) && b.head != nil {
		m := copy(p[n:], b.head.data[b.head.start:b.head.end])
		b.head.start += m
		n += m
		if b.head.start == b.head.end {
			b.pop().recycle()
		}
	}
	b.size -= n
	return n
}

// take removes the first block and gives it to the caller, or returns nil.
func (b *buffer) take() *block {
	if b.head == nil {
		return nil
	}
	k := b.pop()
	b.size -= k.end - k.start
	return k
}

// putBack returns a block that take gave, with what is left in it, to the start of the queue.
func (b *buffer) putBack(k *block) {
	b.held.add(blockLen)
	k.next = b.head
	b.head = k
	if b.tail == nil {
		b.tail = k
	}
	b.size += k.end - k.start
}

func (b *buffer) pop() *block {
	b.held.add(-blockLen)
	k := b.head
	b.head = k.next
	if b.head == nil {
		b.tail = nil
	}
	return k
}

// reset drops all.
func (b *buffer) reset() {
	for k := b.take(); k != nil; k = b.take() {
		k.recycle()
	}
}

func (k *block) bytes() []byte { return k.data[k.start:k.end] }
func (k *block) recycle()      { blockPool.Put(k) }

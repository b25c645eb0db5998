package resolver

import (
	"container/heap"
	"container/list"
	"net/netip"
	"time"
	"unsafe"
)

// An outcome is how a look-up ended.
type outcome struct {
	addrs []netip.Addr
	names []string
	ttl   time.Duration // for clients
	err   *Error        // nil if there is an address or a name
	keep  time.Duration // in the cache; 0 means that it must not be there
}

// A cache holds outcomes until they expire, and, where there is no room, drops those that were not asked for the
// longest: a flood of new names must not displace what is in use.
//
// Its owner locks it.
type cache struct {
	max     int
	entries map[question]*entry
	recent  list.List // of *entry, the latest use first
	expiry  expiryHeap
	bytes   int
}

type entry struct {
	q       question
	out     outcome
	expires time.Time
	used    *list.Element
	index   int // in the heap
}

// size estimates the memory of an entry, in bytes.
func (e *entry) size() int {
	const overhead = int(unsafe.Sizeof(entry{})+unsafe.Sizeof(list.Element{})) + 3*int(unsafe.Sizeof(question{}))
	n := overhead + len(e.q.name) + len(e.out.addrs)*int(unsafe.Sizeof(netip.Addr{}))
	for _, name := range e.out.names {
		n += len(name) + int(unsafe.Sizeof(name))
	}
	return n
}

func newCache(max int) *cache {
	return &cache{max: max, entries: make(map[question]*entry)}
}

// get returns the outcome for q, if there is one that has not expired.
func (c *cache) get(q question, now time.Time) (outcome, bool) {
	e := c.entries[q]
	if e == nil || !now.Before(e.expires) {
		return outcome{}, false
	}
	c.recent.MoveToFront(e.used)
	return e.out, true
}

// put takes an outcome.
func (c *cache) put(q question, out outcome, now time.Time) {
	if old := c.entries[q]; old != nil {
		c.drop(old)
	}
	c.purge(now)
	if out.keep <= 0 || c.max <= 0 {
		return
	}
	for len(c.entries) >= c.max {
		c.drop(c.recent.Back().Value.(*entry))
	}
	e := &entry{q: q, out: out, expires: now.Add(out.keep)}
	e.used = c.recent.PushFront(e)
	heap.Push(&c.expiry, e)
	c.entries[q] = e
	c.bytes += e.size()
}

// purge drops what has expired: it is of no use, and would tell who reads the memory who was visited.
func (c *cache) purge(now time.Time) {
	for len(c.expiry) > 0 && !now.Before(c.expiry[0].expires) {
		c.drop(c.expiry[0])
	}
}

// shrink drops outcomes, those that expire first, until at least n bytes are free. It returns how many bytes that were.
func (c *cache) shrink(n int) (freed int) {
	before := c.bytes
	for before-c.bytes < n && len(c.expiry) > 0 {
		c.drop(c.expiry[0])
	}
	return before - c.bytes
}

func (c *cache) drop(e *entry) {
	delete(c.entries, e.q)
	c.recent.Remove(e.used)
	heap.Remove(&c.expiry, e.index)
	c.bytes -= e.size()
}

// An expiryHeap has the entry that expires first at 0.
type expiryHeap []*entry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *expiryHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}

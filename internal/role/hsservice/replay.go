package hsservice

import (
	"crypto/sha256"
	"sync"
	"time"
)

// replays remembers the introductions that have come by an introduction point. It grows with them, so the introduction point
// is replaced after a number of them.
type replays struct {
	mu   sync.Mutex // guards seen
	seen map[[sha256.Size]byte]struct{}
}

// has tells whether the encrypted part of an introduction has come before.
func (r *replays) has(encrypted []byte) bool {
	sum := sha256.Sum256(encrypted)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.seen[sum]
	return ok
}

// repeated takes the encrypted part of an introduction that a client has made, and tells whether it has come before. What is not
// authentic is not remembered: it would take room, and could stand in the way of what is.
func (r *replays) repeated(encrypted []byte) bool {
	sum := sha256.Sum256(encrypted)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.seen[sum]; ok {
		return true
	}
	if r.seen == nil {
		r.seen = map[[sha256.Size]byte]struct{}{}
	}
	r.seen[sum] = struct{}{}
	return false
}

const (
	cookieMemory = 5 * time.Minute // how long a cookie is remembered, and up to twice that
	maxCookies   = 1 << 17         // in half of the memory; with more than that they are forgotten sooner
)

// cookies remembers the rendezvous cookies of a while: a client that has been met waits no longer, whichever introduction point
// asks again.
type cookies struct {
	mu       sync.Mutex // guards the fields below
	old, new map[[20]byte]struct{}
	turned   time.Time
}

func (c *cookies) repeated(cookie [20]byte, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.new == nil || now.Sub(c.turned) >= cookieMemory || len(c.new) >= maxCookies {
		c.old, c.new, c.turned = c.new, map[[20]byte]struct{}{}, now
	}
	_, inOld := c.old[cookie]
	_, inNew := c.new[cookie]
	c.new[cookie] = struct{}{}
	return inOld || inNew
}

package relay

import (
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
)

// A job is a handshake that waits for a worker.
type job struct {
	req   *circuit.CreateRequest
	since time.Time
}

// shares are how many of a number of places a link may take, so that none takes all of them alone.
type shares struct {
	client, relay int // a relay's link speaks for many
}

func sharesOf(places int) shares { return shares{max(1, places/8), max(1, places/2)} }

func (s shares) of(l *link.Link) int {
	if l.Peer().Relay {
		return s.relay
	}
	return s.client
}

// relayTurn is how many handshakes a relay's link, which speaks for many, has answered when it is its turn. A client's has one.
const relayTurn = 4

// A queue holds the handshakes that wait. Links have their turns one after the other, so that one who sends a thousand does
// not delay one who sends one.
type queue struct {
	share shares
	jobs  chan struct{} // holds a token for each job

	mu    sync.Mutex // a leaf; guards the rest
	lines map[*link.Link]*line
	turns []*line // those with jobs, the next first
}

// A line is what waits of one link.
type line struct {
	link *link.Link
	jobs []job // the oldest first
	left int   // of its turn
}

func newQueue(places int) *queue {
	return &queue{share: sharesOf(places), jobs: make(chan struct{}, places), lines: map[*link.Link]*line{}}
}

// put adds a handshake that came from a link, unless there is no place for it.
func (q *queue) put(l *link.Link, j job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	ln := q.lines[l]
	if ln != nil && len(ln.jobs) >= q.share.of(l) {
		return false
	}
	select {
	case q.jobs <- struct{}{}:
	default:
		return false
	}
	if ln == nil {
		ln = &line{link: l, left: turn(l)}
		q.lines[l] = ln
		q.turns = append(q.turns, ln)
	}
	ln.jobs = append(ln.jobs, j)
	return true
}

// take removes the next handshake. The caller has received from jobs.
func (q *queue) take() job {
	q.mu.Lock()
	defer q.mu.Unlock()
	ln := q.turns[0]
	j := ln.jobs[0]
	ln.jobs[0] = job{}
	ln.jobs = ln.jobs[1:]
	ln.left--
	switch {
	case len(ln.jobs) == 0:
		delete(q.lines, ln.link)
		q.turns = q.turns[1:]
	case ln.left == 0:
		ln.left = turn(ln.link)
		q.turns = append(q.turns[1:], ln)
	}
	return j
}

func turn(l *link.Link) int {
	if l.Peer().Relay {
		return relayTurn
	}
	return 1
}

package tokenbucket

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Limiter is a Bucket that goroutines wait at, first come, first served. Its methods are safe for concurrent use. Of the
// zero value, and of nil, nobody waits.
type Limiter struct {
	share atomic.Int64 // of one turn; 0 without a limit
	waits atomic.Uint64

	mu      sync.Mutex // guards the fields below
	bucket  Bucket
	start   time.Time     // what the bucket counts time from
	changed chan struct{} // closed by the next Set
}

// Bounds of a turn: at least some cells of 514 bytes, at most what one system call moves.
const (
	minShare = 2 << 10
	maxShare = 64 << 10
	// turns is how many there are in a second. More would make small reads and writes, less would make some wait for long.
	turns = 64
)

// Set changes how many tokens come in each second, and how many may gather. A rate of 0 is none. Those who wait do so by the
// new rate from now on.
func (l *Limiter) Set(rate, burst int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start.IsZero() {
		l.start = time.Now()
	}
	l.bucket.Set(time.Since(l.start), rate, max(burst, rate/turns))
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	if rate == 0 {
		l.share.Store(0)
		return
	}
	l.share.Store(min(max(rate/turns, minShare), maxShare))
}

// Share returns how much one may take at a time so that others get their turn soon, and 0 when there is no limit.
func (l *Limiter) Share() int {
	if l == nil {
		return 0
	}
	return int(l.share.Load())
}

// Waits returns how often somebody had to wait.
func (l *Limiter) Waits() uint64 { return l.waits.Load() }

// Wait takes n tokens and waits until they have come in. When done is closed before that, it gives them back and reports
// false.
func (l *Limiter) Wait(done <-chan struct{}, n int) bool {
	if l.Share() == 0 || n == 0 {
		return true
	}
	l.mu.Lock()
	now := time.Since(l.start)
	ticket := l.bucket.Take(now, n)
	if l.bucket.Due(now, ticket) == 0 {
		l.mu.Unlock()
		return true
	}
	l.mu.Unlock()
	l.waits.Add(1)
	for {
		wait, changed := l.due(ticket)
		if wait == 0 {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-done:
			timer.Stop()
			l.GiveBack(n)
			return false
		}
		timer.Stop()
	}
}

// Try takes n tokens if they are there, and reports whether they were.
func (l *Limiter) Try(n int) bool {
	if l.Share() == 0 || n == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.start)
	if l.bucket.Due(now, l.bucket.Take(now, n)) == 0 {
		return true
	}
	l.bucket.Untake(n)
	return false
}

func (l *Limiter) due(t Ticket) (time.Duration, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.bucket.Due(time.Since(l.start), t), l.changed
}

// GiveBack returns n tokens that were taken and not used.
func (l *Limiter) GiveBack(n int) {
	if l.Share() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket.GiveBack(time.Since(l.start), n)
}

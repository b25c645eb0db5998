package stream

import (
	"sync"
	"time"
)

// deadline is the read or write deadline of a stream. The zero value never expires.
type deadline struct {
	mu      sync.Mutex // guards the fields below
	at      time.Time  // zero: never
	timer   *time.Timer
	expired chan struct{} // closed when the deadline has passed; nil until first asked for
	set     uint          // counts set, so that a timer that fires late does nothing
}

// setTime moves the deadline to t; the zero time means none.
func (d *deadline) setTime(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.set++
	d.at = t
	if d.expired == nil || d.closedLocked() {
		d.expired = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		close(d.expired)
		return
	}
	set := d.set
	d.timer = time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if set == d.set {
			close(d.expired)
		}
	})
}

func (d *deadline) closedLocked() bool {
	select {
	case <-d.expired:
		return true
	default:
		return false
	}
}

// wait returns a channel that is closed when the deadline passes. A deadline that is moved while somebody waits moves
// for that wait too, unless it had passed already.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.expired == nil {
		d.expired = make(chan struct{})
	}
	return d.expired
}

// passed tells whether the deadline is over. The timer may be a moment behind.
func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at)
}

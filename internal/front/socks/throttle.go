package socks

import (
	"sync"
	"time"
)

// warnInterval is how often a warning is repeated that an application can provoke at will.
const warnInterval = 5 * time.Second

// throttle lets something happen once per warnInterval.
type throttle struct {
	mu   sync.Mutex // guards the field below
	last time.Time
}

func (t *throttle) allow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < warnInterval {
		return false
	}
	t.last = now
	return true
}

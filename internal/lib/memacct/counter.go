package memacct

import (
	"math"
	"sync/atomic"
)

// A Counter counts the bytes of one kind. Its methods are safe for concurrent use, and do nothing on nil.
type Counter struct {
	account *Account
	name    string
	bytes   atomic.Int64
	alarm   atomic.Int64 // when there are so many, the account looks at all
}

// Counter returns a counter, which is part of the account from now on. A nil account has a nil one.
func (a *Account) Counter(name string) *Counter {
	if a == nil {
		return nil
	}
	c := &Counter{account: a, name: name}
	if a.Max() <= 0 {
		c.alarm.Store(math.MaxInt64) // until SetMax
	}
	a.mu.Lock()
	a.counters = append(a.counters, c)
	a.mu.Unlock()
	return c
}

// Add counts bytes in, or out if n is negative.
func (c *Counter) Add(n int64) {
	if c == nil {
		return
	}
	if sum := c.bytes.Add(n); n > 0 && sum >= c.alarm.Load() {
		c.account.poke()
	}
}

// Bytes returns how many there are.
func (c *Counter) Bytes() int64 {
	if c == nil {
		return 0
	}
	return c.bytes.Load()
}

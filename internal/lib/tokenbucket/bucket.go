// Package tokenbucket bounds rates: a [Bucket] computes, a [Limiter] waits.
package tokenbucket

import "time"

// A Bucket fills with tokens at a rate, up to a burst. Whoever takes more than there are owes them, and is to wait until
// they have come in; those who take later wait longer, so that all are served in their order. The zero value has no limit.
// Times count from any moment that stays the same.
type Bucket struct {
	rate  float64 // tokens a second
	burst float64

	// Both only ever grow, and filled - taken is at most burst. A float64 is exact here up to 2^53, some months at 1 GB/s;
	// beyond that it is off by a few tokens.
	taken  float64
	filled float64
	at     time.Duration // what filled is computed for
}

// Set changes rate and burst. It never gives away tokens: a bucket that had no limit is full.
func (b *Bucket) Set(now time.Duration, rate, burst int64) {
	b.advance(now)
	if b.rate == 0 {
		b.filled = b.taken + float64(burst)
	}
	b.rate, b.burst, b.at = float64(rate), float64(burst), now
	b.filled = min(b.filled, b.taken+b.burst)
}

func (b *Bucket) advance(now time.Duration) {
	if now > b.at {
		b.filled = min(b.filled+b.rate*(now-b.at).Seconds(), b.taken+b.burst)
		b.at = now
	}
}

// A Ticket is one's place in the order of those who have taken tokens.
type Ticket float64

// Take takes n tokens, there or not.
func (b *Bucket) Take(now time.Duration, n int) Ticket {
	b.advance(now)
	b.taken += float64(n)
	return Ticket(b.taken)
}

// Due returns how long it takes until all tokens up to those of t are there; 0 if they are.
func (b *Bucket) Due(now time.Duration, t Ticket) time.Duration {
	b.advance(now)
	missing := float64(t) - b.filled
	if b.rate == 0 || missing <= 0 {
		return 0
	}
	return time.Duration(missing / b.rate * float64(time.Second))
}

// Untake undoes the last Take, of n tokens.
func (b *Bucket) Untake(n int) { b.taken -= float64(n) }

// GiveBack returns n tokens of somebody who waits no longer.
func (b *Bucket) GiveBack(now time.Duration, n int) {
	b.advance(now)
	b.filled = min(b.filled+float64(n), b.taken+b.burst)
}

package link

import (
	"math/rand/v2"
	"time"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// PaddingPolicy says how a client's links hide when they are silent. The zero value pads not at all.
//
// https://spec.torproject.org/padding-spec/connection-level-padding.html
type PaddingPolicy struct {
	Low, High   time.Duration // bounds of the silence before a padding cell
	Reduced     bool          // the relay is asked not to pad, and we pad less
	BeforeUsage bool          // links that carry no stream yet are padded too
}

// DefaultPadding is what the consensus parameters say by default.
var DefaultPadding = PaddingPolicy{Low: 1500 * time.Millisecond, High: 9500 * time.Millisecond, BeforeUsage: true}

// enabled tells whether the policy pads.
func (p *PaddingPolicy) enabled() bool { return p.High > 0 }

// timeout draws how long a link may be silent: the larger of two uniform draws, so that the earlier of both ends'
// timeouts comes out nearly uniform.
func (p *PaddingPolicy) timeout() time.Duration {
	if p.Low >= p.High {
		return p.Low
	}
	r := int64(p.High - p.Low)
	return p.Low + time.Duration(max(rand.Int64N(r), rand.Int64N(r)))
}

// SetPadding changes the policy of an open link.
func (l *Link) SetPadding(p PaddingPolicy) { l.padding.Store(&p); l.out.Signal() }

// negotiatePadding tells the relay when it is not to pad. It is called once, right after NETINFO.
func (l *Link) negotiatePadding() {
	p := l.padding.Load()
	if l.proto < 5 || p.enabled() && !p.Reduced {
		return // relays start with padding on
	}
	const stop = 1
	body, err := cell.PaddingNegotiate{Command: stop}.AppendTo(nil)
	if err != nil {
		panic("link: " + err.Error())
	}
	l.out.AppendCell(0, cell.CmdPaddingNegotiate, body)
}

// pads tells whether the link is to be padded now.
func (l *Link) pads() bool {
	p := l.padding.Load()
	if l.proto < 5 || !p.enabled() {
		return false
	}
	switch Usage(l.usage.Load()) {
	case UsageStreams:
		return true
	case UsageCircuits:
		return p.BeforeUsage
	}
	return false
}

// idleTimeout draws how long a client's link without circuits is kept: 3 to 4.5 minutes, as C tor does.
func idleTimeout() time.Duration {
	const base = 180 * time.Second
	return base + rand.N(base/2)
}

// quiet keeps the two timers of a silent link. The writer owns it.
type quiet struct {
	idleAfter time.Duration
	padSince  time.Time // of the silence that padAt ends
	padAt     time.Time // zero while the link is not padded
}

// idleAt returns when the link is to be closed, or the zero Time while it has circuits.
func (q *quiet) idleAt(l *Link) time.Time {
	if l.circuits.Load() > 0 {
		return time.Time{}
	}
	return l.opened.Add(time.Duration(l.unused.Load()) + q.idleAfter)
}

// active notes that a cell left or came in at the given time.
func (q *quiet) active(l *Link, at time.Time) {
	q.padSince, q.padAt = at, time.Time{}
	if l.pads() {
		q.padAt = at.Add(l.padding.Load().timeout())
	}
}

// next returns how long to wait for the earlier of both timers.
func (q *quiet) next(l *Link, now time.Time) time.Duration {
	if q.padAt.IsZero() != !l.pads() {
		q.active(l, now) // usage or policy has changed
	}
	wait := time.Hour
	if at := q.idleAt(l); !at.IsZero() {
		wait = at.Sub(now)
	}
	if !q.padAt.IsZero() {
		wait = min(wait, q.padAt.Sub(now))
	}
	return max(wait, 0)
}

// expire acts on the timers that are due.
func (q *quiet) expire(l *Link, now time.Time) error {
	if at := q.idleAt(l); !at.IsZero() && !now.Before(at) {
		return ErrIdle
	}
	if !q.padAt.IsZero() && !now.Before(q.padAt) {
		// The reader does not wake us for each batch, so we learn only now that the link has not been silent.
		if heard := l.opened.Add(time.Duration(l.heard.Load())); heard.After(q.padSince) {
			q.active(l, heard)
		} else {
			l.out.AppendCell(0, cell.CmdPadding, nil)
		}
	}
	return nil
}

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
	if l.relay || l.proto < 5 || p.enabled() && !p.Reduced {
		return // relays start with padding on, and do not pad to each other
	}
	body, err := cell.PaddingNegotiate{Command: cell.PaddingStop}.AppendTo(nil)
	if err != nil {
		panic("link: " + err.Error())
	}
	l.out.AppendCell(0, cell.CmdPaddingNegotiate, body)
}

// takeNegotiate does what a client wants of the padding that it gets. Versions that we do not know are ignored.
//
// https://spec.torproject.org/padding-spec/connection-level-padding.html
func (l *Link) takeNegotiate(body []byte) error {
	if !l.relay || l.ours {
		return violation("PADDING_NEGOTIATE to a client")
	}
	m, err := cell.ParsePaddingNegotiate(body)
	if err != nil {
		return &ProtocolError{err}
	}
	if m.Version != 0 {
		return nil
	}
	wish := &paddingWish{
		off: m.Command == cell.PaddingStop,
		low: time.Duration(m.LowMS) * time.Millisecond, high: time.Duration(m.HighMS) * time.Millisecond,
	}
	l.wish.Store(wish)
	l.out.Signal()
	return nil
}

// A paddingWish is what a client has asked for: less than the consensus has, or nothing.
type paddingWish struct {
	off       bool
	low, high time.Duration
}

// policy returns what holds for this link now.
func (l *Link) policy() PaddingPolicy {
	p := *l.padding.Load()
	if w := l.wish.Load(); w != nil && p.enabled() {
		p.Low, p.High = max(p.Low, w.low), max(p.High, w.high)
	}
	return p
}

// pads tells whether the link is to be padded now.
func (l *Link) pads() bool {
	p := l.policy()
	if l.proto < 5 || !p.enabled() || l.relay && l.peer.Relay {
		return false
	}
	if w := l.wish.Load(); w != nil && w.off {
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

// paddingOn tells whether padding is on by what both ends have said, though there may be none.
func (l *Link) paddingOn() bool {
	if w := l.wish.Load(); l.proto < 5 || w != nil && w.off {
		return false
	}
	p := l.padding.Load()
	return l.relay || p.enabled() && !p.Reduced
}

// idleTimeout draws how long a link without circuits is kept, as C tor does (channelpadding_get_channel_idle_timeout): 3 to
// 4.5 minutes, and 45 to 75 between relays at addresses of their own.
func (l *Link) idleTimeout() time.Duration {
	const clients, relays = 180 * time.Second, time.Hour
	if l.relay && l.peer.Relay && (l.ours || l.canon) {
		return relays*3/4 + rand.N(relays/2)
	}
	return clients + rand.N(clients/2)
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
		p := l.policy()
		q.padAt = at.Add(p.timeout())
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
			l.registry.written.add(0, 1, l.paddingOn())
			l.out.AppendCell(0, cell.CmdPadding, nil)
		}
	}
	return nil
}

package congestion

import (
	"errors"
	"time"
)

// What is wrong with an XON or XOFF.
var (
	ErrTwiceXoff = errors.New("XOFF on a stream that is stopped")
	ErrXoffCount = errors.New("more XOFF than the data on the stream explains")
	ErrXonCount  = errors.New("more XON than the data on the stream explains")
	ErrFlood     = errors.New("data in spite of XOFF")
)

const (
	// xoffGrace is how long too much must have waited before XOFF is sent: a reader that is a moment late gets by without.
	xoffGrace = 5 * time.Millisecond
	// MaxBuffered is how much of a stream may wait for its reader, in bytes. XOFF bounds it long before, and the circuit's
	// window what comes after XOFF; a sender that goes beyond this heeds neither.
	MaxBuffered = 32 << 20
)

// Drain is the receiving side of a stream on a circuit with congestion control: it decides when to send XOFF and XON.
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type Drain struct {
	limit   int // bytes that may wait
	p       FlowParams
	stopped bool          // XOFF is sent, and XON is not yet
	over    bool          // more than limit waits
	since   time.Duration // since when

	timing  bool          // a measurement is under way
	start   time.Duration // of it
	drained int           // bytes in it
	idle    int           // bytes that went through without any wait
	ewma    uint32        // of the rate, in 1000 bytes a second; 0 before the first
	sent    uint32        // the rate in the last XON; 0 before the first
}

// NewDrain returns the receiving side of a stream. limit is p.XoffClient or p.XoffExit, as the own end is.
func NewDrain(p FlowParams, limit int) Drain { return Drain{limit: limit, p: p} }

// OnArrived is called when data has come, and buffered bytes now wait. It tells whether XOFF is to be sent. An error is
// the end of the circuit.
func (d *Drain) OnArrived(now time.Duration, buffered int) (xoff bool, err error) {
	if buffered > MaxBuffered {
		return false, ErrFlood
	}
	if !d.timing && buffered > 0 {
		d.timing, d.start, d.drained = true, now, 0
	}
	switch {
	case buffered <= d.limit:
		d.over = false
	case !d.over:
		d.over, d.since = true, now
	case !d.stopped && now-d.since > xoffGrace:
		d.stopped = true
		d.ewma, d.sent = 0, 0
		return true, nil
	}
	return false, nil
}

// OnDrained is called when n bytes have gone out, and buffered bytes still wait. It tells whether XON is to be sent, and
// with which rate.
func (d *Drain) OnDrained(now time.Duration, n, buffered int) (xon bool, kbps uint32) {
	d.drained += n
	if buffered <= d.limit {
		d.over = false
	}
	if d.timing && d.drained > d.p.XonRate {
		d.measure(now)
	}
	if buffered == 0 {
		d.timing = false
		if d.idle += n; d.idle >= d.p.XonRate {
			d.idle = 0
			d.ewma = uint32(min(2*uint64(d.ewma), 1<<31-1)) // the reader takes all, so it could take more
		}
	}
	switch {
	case d.stopped && buffered == 0:
		d.stopped = false
	case !d.stopped && d.sent != 0 && d.changed():
	default:
		return false, 0
	}
	d.sent = d.ewma
	return true, d.ewma
}

// measure ends a measurement of the rate, and begins the next.
func (d *Drain) measure(now time.Duration) {
	usec := max(uint64((now-d.start)/time.Microsecond), 1)
	rate := min(max(uint64(d.drained)*1000/usec, 1), 1<<31-1)
	if d.ewma == 0 {
		d.ewma = uint32(rate)
	} else {
		n := uint64(d.p.XonEwmaCnt)
		d.ewma = uint32((2*rate + (n-1)*uint64(d.ewma)) / (n + 1))
	}
	d.start, d.drained = now, 0
}

// changed tells whether the rate has moved away from what the other end knows.
func (d *Drain) changed() bool {
	diff := max(d.ewma, d.sent) - min(d.ewma, d.sent)
	return uint64(diff)*100 > uint64(d.sent)*uint64(d.p.XonChangePct)
}

// Throttle is the sending side of such a stream: it obeys XOFF and XON.
type Throttle struct {
	p       FlowParams
	limit   int // bytes that may wait at the other end
	stopped bool
	rate    int64 // bytes a second; 0 for no limit
	tokens  int64
	at      time.Duration // when tokens was right

	bytes       int64 // sent; what XOFF and XON must be explained by
	xoffs, xons int64 // received
}

// NewThrottle returns the sending side of a stream. limit is p.XoffClient or p.XoffExit, as the other end is.
func NewThrottle(p FlowParams, limit int) Throttle { return Throttle{p: p, limit: limit} }

// Room returns how many bytes may be sent now. If there are none, after is when to ask again; 0 means after the next XON.
func (t *Throttle) Room(now time.Duration) (bytes int, after time.Duration) {
	const plenty = 1 << 20
	switch {
	case t.stopped:
		return 0, 0
	case t.rate == 0:
		return plenty, 0
	}
	if d := now - t.at; d > 0 {
		d = min(d, time.Second) // more than a burst is lost
		if n := int64(d/time.Microsecond) * t.rate / 1e6; n > 0 {
			t.tokens = min(t.tokens+n, t.rate)
			t.at = now
		}
	}
	const least = 498 // a cell
	if t.tokens < min(least, t.rate) {
		return 0, max(time.Duration((least-t.tokens)*int64(time.Second)/t.rate), time.Millisecond)
	}
	return int(min(t.tokens, plenty)), 0
}

// OnSent counts n bytes of data.
func (t *Throttle) OnSent(n int) {
	t.tokens -= int64(n)
	t.bytes += int64(n)
}

// OnXoff takes an XOFF. An error is the end of the circuit.
func (t *Throttle) OnXoff() error {
	if t.stopped {
		return ErrTwiceXoff
	}
	t.stopped = true
	t.xoffs++
	if t.bytes < t.xoffs*int64(t.limit) {
		return ErrXoffCount
	}
	return nil
}

// OnXon takes an XON, with its rate in 1000 bytes a second, 0 for no limit. An error is the end of the circuit.
func (t *Throttle) OnXon(now time.Duration, kbps uint32) error {
	t.stopped = false
	t.xons++
	if t.bytes < t.xons*int64(min(t.limit, t.p.XonRate)) {
		return ErrXonCount
	}
	t.rate = int64(kbps) * 1000
	if t.rate > 1<<31-1 {
		t.rate = 0
	}
	t.tokens, t.at = t.rate, now
	return nil
}

package publish

import (
	"net/netip"
	"time"
)

// Times of self-tests, which are C tor's (relay_periodic.c). In test networks they are shorter: see pace.
const (
	maxPatience      = 20 * time.Minute // until an address that cannot be reached is worth a warning, and between warnings
	retestInterval   = time.Minute      // in that time
	lateInterval     = 20 * time.Minute // between tests after that
	bandwidthRecheck = 12 * time.Hour
	movedUptime      = 6 * time.Hour // after which bandwidth is tested again at another address
)

// lowBandwidth is what a relay that nobody uses may not know to be able to carry, in bytes a second.
const lowBandwidth = 51200

// A family is what is known of the relay's address over IPv4, or over IPv6. Its moments are for waits.
//
//	no address ──► tests, once a directory is there ──► reached
//	     ▲                       │ another address          │
//	     └───────────────────────┴──────────────────────────┘
type family struct {
	v6     bool
	or     netip.AddrPort // invalid if there is none
	method Method

	reached bool // somebody has come in by it
	began   time.Time
	testing bool
	next    time.Time // when to test
	last    time.Time // when it was last tested
	warn    time.Time // when to warn
}

// String names the family as operators know it.
func (f *family) String() string {
	if f.v6 {
		return "IPv6"
	}
	return "IPv4"
}

// set gives the family another address, and tells whether it is another one. Tests begin anew.
func (f *family) set(or netip.AddrPort, by Method) bool {
	f.method = by
	if f.or == or {
		return false
	}
	*f = family{v6: f.v6, or: or, method: by}
	return true
}

// begin tells whether tests begin now, which is worth telling.
func (f *family) begin(now time.Time, patience time.Duration) bool {
	if !f.began.IsZero() {
		return false
	}
	f.began, f.next, f.warn = now, now, now.Add(patience)
	return true
}

// test tells whether a test is due, which is over when testing is false again.
func (f *family) test(now time.Time, pace func(time.Duration) time.Duration) bool {
	if f.testing || now.Before(f.next) {
		return false
	}
	f.testing, f.last = true, now
	wait := pace(retestInterval)
	if now.Sub(f.began) >= pace(maxPatience) {
		wait = pace(lateInterval)
	}
	f.next = now.Add(wait)
	return true
}

// hurry tests soon, since the directory has changed.
func (f *family) hurry(pace func(time.Duration) time.Duration) {
	if soon := f.last.Add(pace(retestInterval)); !f.began.IsZero() && soon.Before(f.next) {
		f.next = soon
	}
}

// hopeless tells whether it is time for a warning.
func (f *family) hopeless(now time.Time, patience time.Duration) bool {
	if f.reached || f.began.IsZero() || now.Before(f.warn) {
		return false
	}
	f.warn = now.Add(patience)
	return true
}

// due returns when test or hopeless has something to do; the zero time is never.
func (f *family) due() time.Time {
	switch {
	case f.reached || f.began.IsZero():
		return time.Time{}
	case !f.testing && f.next.Before(f.warn):
		return f.next
	}
	return f.warn
}

// A bandwidthTest says when to send cells through the network to ourselves, for a relay that nobody knows to have shown some
// bandwidth.
type bandwidthTest struct {
	done, running bool
	began         time.Time // when it was first due
	next          time.Time // when to try, or when to see whether it is needed again
}

// test tells whether a test is due. It is over when ended is called.
func (b *bandwidthTest) test(observed, rate uint64, now time.Time) bool {
	if b.began.IsZero() {
		b.began = now
	}
	if b.running || now.Before(b.next) {
		return false
	}
	if b.done {
		b.next = now.Add(bandwidthRecheck)
		if observed >= min(rate, lowBandwidth) {
			return false
		}
	}
	b.running, b.done = true, false
	return true
}

func (b *bandwidthTest) ended(ok bool, now time.Time, pace func(time.Duration) time.Duration) {
	b.running, b.done = false, ok
	switch {
	case ok:
		b.next = now.Add(bandwidthRecheck)
	case now.Sub(b.began) < pace(maxPatience):
		b.next = now.Add(pace(retestInterval))
	default:
		b.next = now.Add(pace(lateInterval))
	}
}

// again forgets that there was a test.
func (b *bandwidthTest) again() { *b = bandwidthTest{running: b.running} }

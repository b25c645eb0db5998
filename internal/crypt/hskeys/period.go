package hskeys

import (
	"errors"
	"fmt"
	"time"
)

// ErrClock says that a consensus has times with which there are no time periods.
var ErrClock = errors.New("no time periods")

// A Period is a time period: how long a blinded key is in use.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#TIME-PERIODS
type Period struct {
	Num     uint64 // counted since 1970
	Minutes uint64 // its length
}

// Next is the period that follows.
func (p Period) Next() Period { return Period{p.Num + 1, p.Minutes} }

// Prev is the period before.
func (p Period) Prev() Period { return Period{p.Num - 1, p.Minutes} }

// rounds is the number of rounds of voting in each of the two phases of the shared random protocol.
const rounds = 12

// A Clock knows the time periods, and when shared random values come. All of it follows from one consensus: C tor asks its
// own clock nothing either, so that a wrong clock shows nobody where it is wrong.
//
//	SRV#1       period#1    SRV#2       period#2    SRV#3
//	  ├───────────┼───────────┼───────────┼───────────┤
//	              │<── between period and SRV
type Clock struct {
	validAfter int64 // seconds
	interval   int64 // seconds between consensuses
	minutes    int64 // length of a period
}

// NewClock makes the Clock of a consensus. interval is the time from its valid-after to its fresh-until, and minutes the
// parameter hsdir_interval. In a test network (TestingTorNetwork) a period is as long as a run of the shared random protocol,
// whatever the parameter says.
func NewClock(validAfter time.Time, interval time.Duration, minutes int64, testing bool) (Clock, error) {
	c := Clock{validAfter: validAfter.Unix(), interval: int64(interval / time.Second), minutes: minutes}
	if c.interval <= 0 {
		return Clock{}, fmt.Errorf("%v between consensuses: %w", interval, ErrClock)
	}
	if testing {
		c.minutes = c.run() / 60
	}
	// The first period must have begun.
	if c.minutes <= 0 || c.validAfter/60 < c.offset()+c.minutes {
		return Clock{}, fmt.Errorf("consensus of %v, periods of %d minutes: %w", validAfter, c.minutes, ErrClock)
	}
	return c, nil
}

// run is the time from one shared random value to the next, in seconds.
func (c Clock) run() int64 { return 2 * rounds * c.interval }

// offset is how long after a multiple of their length periods begin, in minutes. C tor rounds it down here (hs_get_time_period_num)
// and not in start.
func (c Clock) offset() int64 { return rounds * c.interval / 60 }

// at is the number of the period at a time.
func (c Clock) at(seconds int64) int64 { return (seconds/60 - c.offset()) / c.minutes }

// start is when a period begins.
func (c Clock) start(num int64) int64 { return num*c.minutes*60 + rounds*c.interval }

// Period is the current time period.
func (c Clock) Period() Period { return Period{uint64(c.at(c.validAfter)), uint64(c.minutes)} }

// PeriodStart is when a time period begins.
func (c Clock) PeriodStart(p Period) time.Time { return time.Unix(c.start(int64(p.Num)), 0).UTC() }

// srvStart is when the current run of the shared random protocol began, and with it the time of the current value.
func (c Clock) srvStart() int64 {
	return c.validAfter - c.validAfter/c.interval%(2*rounds)*c.interval
}

// SRVStart is when the shared random value that the consensus calls current came into being.
func (c Clock) SRVStart() time.Time { return time.Unix(c.srvStart(), 0).UTC() }

// NextSRV is when the next shared random value is due, which is when a service's second descriptor becomes its first.
func (c Clock) NextSRV() time.Time { return time.Unix(c.srvStart()+c.run(), 0).UTC() }

// between reports whether a new time period has begun, but the shared random value that belongs to the period after it is
// not known yet.
func (c Clock) between() bool {
	srv := c.srvStart()
	return c.validAfter < srv || c.validAfter >= c.start(c.at(srv)+1)
}

// SRV says which shared random value of a consensus to use.
type SRV uint8

// The shared random values of a consensus.
const (
	CurrentSRV SRV = iota
	PreviousSRV
)

// A Use is a time period with the shared random value that tells the directories of that period's descriptor.
type Use struct {
	Period Period
	SRV    SRV
	Since  time.Time // when the value came into being; revision counters count from there
}

func (c Clock) use(p Period, which SRV) Use {
	since := c.srvStart()
	if which == PreviousSRV {
		since -= c.run()
	}
	return Use{p, which, time.Unix(since, 0).UTC()}
}

// Fetch is what a client uses.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#client-fetch
func (c Clock) Fetch() Use {
	if c.between() {
		return c.use(c.Period(), CurrentSRV)
	}
	return c.use(c.Period(), PreviousSRV)
}

// Store is what a service uses for its two descriptors: clients may have another consensus.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#service-upload
func (c Clock) Store() (first, second Use) {
	p := c.Period()
	if c.between() {
		p = p.Prev()
	}
	return c.use(p, PreviousSRV), c.use(p.Next(), CurrentSRV)
}

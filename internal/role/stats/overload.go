package stats

import (
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// An Overload is what a relay has too little of.
type Overload uint8

// The kinds of overload. The first is told in the relay's descriptor, the others in its extra-info document.
const (
	General    Overload = iota // memory (MaxMemInQueues), TCP ports, or time to answer CREATE2: see Onionskin
	ReadLimit                  // the bucket of BandwidthRate was empty when there was something to read
	WriteLimit                 // or to write
	Files                      // file descriptors
)

// overload remembers when the relay was overloaded, by the hour.
//
// https://spec.torproject.org/proposals/328-relay-overload-report.html
type overload struct {
	mu                    sync.Mutex // a leaf; guards the fields below
	general, rate, files  time.Time
	reads, writes         uint64 // minutes with an empty bucket, since the start
	lastReads, lastWrites time.Time

	onionskins, dropped uint64    // in this period
	assess              time.Time // when the period is over
	maxDropped          float64   // share of onionskins
	period              time.Duration
}

// How long an overload is told of.
const (
	keepGeneral = 72 * time.Hour
	keepFiles   = 72 * time.Hour
	keepRate    = 24 * time.Hour
)

// Overloaded says that the relay is overloaded.
func (s *Stats) Overloaded(what Overload, now time.Time) {
	o := &s.overload
	o.mu.Lock()
	defer o.mu.Unlock()
	hour := now.Truncate(time.Hour)
	switch what {
	case General:
		o.general = hour
	case Files:
		o.files = hour
	case ReadLimit:
		o.rate = hour
		countMinute(&o.reads, &o.lastReads, now)
	case WriteLimit:
		o.rate = hour
		countMinute(&o.writes, &o.lastWrites, now)
	}
}

func countMinute(n *uint64, last *time.Time, now time.Time) {
	if now.Sub(*last) >= time.Minute {
		*n++
		*last = now
	}
}

// OverloadGeneral returns when the relay was last overloaded, for its descriptor; the zero time is never, or long ago.
func (s *Stats) OverloadGeneral(now time.Time) time.Time {
	if s.cfg.Load().NoOverload {
		return time.Time{}
	}
	o := &s.overload
	o.mu.Lock()
	defer o.mu.Unlock()
	if !recent(o.general, keepGeneral, now) {
		return time.Time{}
	}
	return o.general
}

func recent(t time.Time, keep time.Duration, now time.Time) bool { return t.After(now.Add(-keep)) }

// lines are for the extra-info document.
func (o *overload) lines(now time.Time, cfg *Config) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := netdoc.NewEncoder(nil)
	if recent(o.rate, keepRate, now) {
		e.Item("overload-ratelimits", "1").Time(o.rate).Uint(cfg.Rate).Uint(cfg.Burst).Uint(o.reads).Uint(o.writes)
	}
	if recent(o.files, keepFiles, now) {
		e.Item("overload-fd-exhausted", "1").Time(o.files)
	}
	return mustBytes(e)
}

func (o *overload) setParams(list params.List) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.maxDropped = float64(list.Of(onionskinPercent)) / 1000 / 100 // thousandths of percents
	o.period = time.Duration(list.Of(onionskinPeriod)) * time.Second
}

// minOnionskins is how many onionskins it takes to judge.
const minOnionskins = 1000

// Onionskin counts a CREATE2 of ntor or ntor v3 that has come. If too many were dropped in the period that is over, the relay
// is overloaded.
func (s *Stats) Onionskin(now time.Time) {
	o := &s.overload
	o.mu.Lock()
	n, dropped, overloaded := o.onionskin(now)
	o.mu.Unlock()
	if overloaded {
		s.cfg.Load().Log.Info("The relay is overloaded: it could not answer all circuits that were asked for.",
			"onionskins", n, "dropped", dropped)
	}
}

func (o *overload) onionskin(now time.Time) (n, dropped uint64, overloaded bool) {
	n, dropped = o.onionskins, o.dropped
	over := !now.Before(o.assess) && n >= minOnionskins
	if over {
		if overloaded = float64(dropped)/float64(n) >= o.maxDropped; overloaded {
			o.general = now.Truncate(time.Hour)
		}
	}
	if over || o.assess.IsZero() {
		o.onionskins, o.dropped, o.assess = 0, 0, now.Add(o.period)
	}
	o.onionskins++
	return n, dropped, overloaded
}

// OnionskinDropped counts one that was refused, since there were too many.
func (s *Stats) OnionskinDropped() {
	s.overload.mu.Lock()
	defer s.overload.mu.Unlock()
	s.overload.dropped++
}

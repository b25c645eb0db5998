package accounting

import (
	"fmt"
	"math"
	"time"

	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// An Account counts what a relay uses, and decides how far it is awake. It is not safe for concurrent use.
//
// Moments that go in are by the wall clock.
type Account struct {
	cfg    Config
	state  State
	exitAt time.Time // in Exiting

	start, end time.Time // of the interval; the zero time if none is known
	wake       time.Time // when to wake up in it
	woken      bool      // wake has passed

	// What has happened in the interval. The names in the state file are those of saved.go.
	read, written uint64
	active        time.Duration // time with traffic
	expected      uint64        // bytes per minute, estimated from the interval before; 0 if not known
	softAt        time.Time     // when the soft limit was reached; the zero time if it was not
	softUsed      uint64        // bytes at that time
	softActive    time.Duration // active at that time

	lastAdd                      time.Time // when there was traffic
	savedAt                      time.Time
	savedRead, savedWritten      uint64
	changed                      bool // what was saved is of another state or interval
	toldStart, toldWake, toldEnd time.Time
}

// New continues the account of a state file.
func New(cfg Config, doc *statedoc.Document, now time.Time) *Account {
	a := &Account{cfg: cfg.valid(), savedAt: now}
	a.load(doc)
	a.configure(now)
	a.evaluate(now)
	return a
}

// SetConfig replaces the configuration, and returns the state that follows. What has been counted stays.
func (a *Account) SetConfig(cfg Config, now time.Time) State {
	a.cfg = cfg.valid()
	a.configure(now)
	return a.Update(now)
}

// maxPause is the longest time between two Adds that counts as active. Longer ones are taken for a sleeping machine.
const maxPause = 10 * time.Second

// Add counts bytes, and returns the state that follows. The daemon calls it every few seconds while there is traffic.
// What C tor counts is the same as for its rate limits: all sockets but those to internal addresses, each byte once.
func (a *Account) Add(read, written uint64, now time.Time) State {
	if a.cfg.Max == 0 || read|written == 0 {
		return a.Update(now)
	}
	a.read, a.written = add(a.read, read), add(a.written, written)
	if d := now.Sub(a.lastAdd); !a.lastAdd.IsZero() && d > 0 && d < maxPause {
		a.active = min(a.active+d, maxActive)
	}
	a.lastAdd = now
	return a.Update(now)
}

// add does not overflow.
func add(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// Update returns the state at a moment. It must be called at [Account.Next], and when the clock has been set.
func (a *Account) Update(now time.Time) State {
	// A clock that was set back a little is no reason to forget an interval that has just begun.
	if !now.Before(a.end) || now.Before(a.start.Add(-a.end.Sub(a.start)/2)) {
		a.configure(now)
	}
	a.evaluate(now)
	return a.state
}

// State returns the state that Add, Update, SetConfig or Interrupt came to.
func (a *Account) State() State { return a.state }

// Next returns when to call Update, or Save if [Account.SaveDue]; the zero time means never.
func (a *Account) Next() time.Time {
	switch {
	case a.state == Exiting:
		return a.exitAt
	case a.cfg.Max == 0:
		return time.Time{}
	}
	next := a.end
	if !a.woken && a.wake.Before(next) {
		next = a.wake
	}
	if due := a.saveDue(); !due.IsZero() && due.Before(next) {
		next = due
	}
	return next
}

// Interrupt begins a shutdown that lasts for wait (ShutdownWaitLength), as SIGINT does at a relay, and returns when to exit.
// That is at once if the relay is not awake, or is exiting already. A client exits without asking.
func (a *Account) Interrupt(wait time.Duration, now time.Time) (exitAt time.Time) {
	if a.state != Live || wait <= 0 {
		a.cfg.Log(Notice, "Interrupt: the relay exits now.")
		return now
	}
	a.state, a.exitAt, a.changed = Exiting, now.Add(wait), true
	a.cfg.Log(Notice, fmt.Sprintf("Interrupt: no new connections are taken, and the relay exits in %d seconds. "+
		"Interrupt again to exit now.", int(wait.Seconds())))
	return a.exitAt
}

// evaluate decides the state. The interval must be the right one.
func (a *Account) evaluate(now time.Time) {
	if a.state == Exiting {
		return
	}
	next := Live
	if a.cfg.Max > 0 {
		a.woken = a.woken || !now.Before(a.wake)
		switch used := a.Used(); {
		case used >= a.cfg.Max || !a.woken:
			next = Dormant
		case a.softReached(used):
			next = Soft
		}
	}
	if next == a.state {
		return
	}
	former := a.state
	a.state, a.changed = next, true
	if former == Live && a.woken {
		a.softAt, a.softUsed, a.softActive = now, a.Used(), a.active
	}
	a.tell(former)
}

// tell logs the change to the state.
func (a *Account) tell(former State) {
	switch {
	case a.state == Live:
		if former != 0 {
			a.cfg.Log(Notice, "Hibernation is over; normal activity resumes.")
		}
	case a.state == Soft:
		a.cfg.Log(Notice, "Nearly all bytes of this accounting interval are used: no new connections are taken until "+
			a.local(a.end)+" at the earliest.")
	case !a.woken:
		a.cfg.Log(Notice, "Hibernating, all connections are closed. The relay wakes up at "+a.local(a.wake)+".")
	default:
		a.cfg.Log(Notice, "All bytes of this accounting interval are used: hibernating, all connections are closed. The next "+
			"interval begins at "+a.local(a.end)+".")
	}
}

// local formats a moment for operators.
func (a *Account) local(t time.Time) string {
	return t.In(a.cfg.Zone).Format(statedoc.TimeLayout) + " local time"
}

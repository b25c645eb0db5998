package accounting

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// configure finds the interval of now: the one that is known, maybe with its bounds moved, or a new one.
func (a *Account) configure(now time.Time) {
	if a.cfg.Max == 0 {
		return
	}
	start, end := a.cfg.Start.interval(now, a.cfg.Zone)
	if a.start.IsZero() {
		a.reset(start, end)
	} else {
		s, e := a.cfg.Start.interval(a.start, a.cfg.Zone)
		switch moved := start.Sub(a.start).Seconds() / e.Sub(s).Seconds(); {
		case math.Abs(moved) <= 0.5 && !a.start.After(now): // also if AccountingStart or the time zone has changed: rather count too much
			a.end = end
		case moved >= 0.99:
			a.reset(start, end)
		default:
			a.cfg.Log(Warn, fmt.Sprintf("The accounting interval has moved by %.2f%%: counting begins anew.", moved*100))
			a.reset(start, end)
		}
	}
	a.setWake()
}

// reset begins an interval.
func (a *Account) reset(start, end time.Time) {
	a.cfg.Log(Info, "A new accounting interval begins.")
	a.expected = a.estimate()
	a.start, a.end, a.woken = start, end, false
	a.read, a.written, a.active = 0, 0, 0
	a.softAt, a.softUsed, a.softActive = time.Time{}, 0, 0
	a.changed = true
}

// minMeasured is how long a relay must have been active for an estimate.
const minMeasured = 30 * time.Minute

// estimate returns the usage to expect, in bytes per minute, from that of the interval; 0 if it was too short. Beyond
// the soft limit it does not count, since there the relay starves.
func (a *Account) estimate() uint64 {
	used, active := a.Used(), a.active
	if a.softUsed > 0 && a.softActive >= minMeasured {
		used, active = a.softUsed, a.softActive
	}
	if active < minMeasured {
		return 0
	}
	perMinute := used / uint64(active/time.Minute)
	if a.cfg.Rate == 0 {
		return perMinute
	}
	most := multiply(a.cfg.Rate, 60)
	if a.cfg.Rule == RuleSum {
		most = multiply(most, 2)
	}
	return min(perMinute, most)
}

// multiply does not overflow.
func multiply(a, b uint64) uint64 {
	if b != 0 && a > math.MaxUint64/b {
		return math.MaxUint64
	}
	return a * b
}

// setWake chooses when to wake up, as C tor's accounting_set_wakeup_time. With the time that the bytes will last for, that
// is a moment from which they last until the end or less.
func (a *Account) setWake() {
	a.wake = a.start
	lasts := uint64(math.MaxInt32) // seconds
	if a.expected > 0 {
		lasts = min(a.cfg.Max/a.expected, math.MaxInt32/60) * 60
	}
	length := int64(a.end.Sub(a.start) / time.Second)
	if spare := length - int64(lasts); spare > 0 {
		hash := sha1.Sum(append(a.start.UTC().AppendFormat(nil, statedoc.TimeLayout), a.cfg.Identity[:]...))
		n := binary.LittleEndian.Uint32(hash[:]) // C tor takes the order of the machine
		a.wake = a.start.Add(time.Duration(int64(n)%spare) * time.Second)
	}
	if a.toldStart.Equal(a.start) && a.toldWake.Equal(a.wake) && a.toldEnd.Equal(a.end) {
		return
	}
	a.toldStart, a.toldWake, a.toldEnd = a.start, a.wake, a.end
	text := fmt.Sprintf("Accounting is on. This interval is from %s to %s.", a.local(a.start), a.local(a.end))
	if a.expected == 0 {
		text += " What it will use is not known yet, so the relay begins awake and hibernates when its bytes are used."
	} else {
		down := a.wake.Add(time.Duration(lasts) * time.Second)
		if down.After(a.end) {
			down = a.end
		}
		text += fmt.Sprintf(" The relay is to be awake from %s to about %s.", a.local(a.wake), a.local(down))
	}
	a.cfg.Log(Notice, text)
}

// What must be left for a relay to take anything new: any of these is enough.
const (
	softShare   = 0.95      // of Max may be used
	softBytes   = 500 << 20 // or this is left
	softMinutes = 3 * 60    // or what is expected of these minutes
)

// softReached tells whether the soft limit is reached, as C tor's hibernate_soft_limit_reached.
func (a *Account) softReached(used uint64) bool {
	limit := uint64(float64(a.cfg.Max) * softShare)
	for _, left := range []uint64{softBytes, multiply(a.expected, softMinutes)} {
		if left > 0 && left < a.cfg.Max {
			limit = max(limit, a.cfg.Max-left)
		}
	}
	return limit > 0 && used >= limit
}

// Used returns how many bytes of Max are used.
func (a *Account) Used() uint64 {
	switch a.cfg.Rule {
	case RuleSum:
		return add(a.read, a.written)
	case RuleIn:
		return a.read
	case RuleOut:
		return a.written
	}
	return max(a.read, a.written)
}

// Bytes returns what has been counted in the interval (GETINFO accounting/bytes).
func (a *Account) Bytes() (read, written uint64) { return a.read, a.written }

// Left returns what may be used until the end of the interval (GETINFO accounting/bytes-left). A direction that does not
// count has all of Max.
func (a *Account) Left() (read, written uint64) {
	left := func(used uint64) uint64 { return a.cfg.Max - min(used, a.cfg.Max) }
	switch a.cfg.Rule {
	case RuleSum:
		return left(a.Used()), left(a.Used())
	case RuleIn:
		return left(a.read), a.cfg.Max
	case RuleOut:
		return a.cfg.Max, left(a.written)
	}
	return left(a.read), left(a.written)
}

// Interval returns the bounds of the interval, and when in it the relay wakes up (GETINFO accounting/interval-start, -wake
// and -end). Without accounting they are the zero time.
func (a *Account) Interval() (start, wake, end time.Time) {
	if a.cfg.Max == 0 {
		return
	}
	return a.start, a.wake, a.end
}

// Leaves returns what the limit leaves in each direction, in bytes a second on average; 0 if there is none, or if it is for
// what comes in only. C tor: router_should_be_dirserver.
func (a *Account) Leaves() uint64 {
	if a.cfg.Max == 0 || a.cfg.Rule == RuleIn {
		return 0
	}
	bytes := a.cfg.Max
	if a.cfg.Rule == RuleSum {
		bytes /= 2
	}
	return max(bytes/uint64(max(a.end.Sub(a.start)/time.Second, 1)), 1)
}

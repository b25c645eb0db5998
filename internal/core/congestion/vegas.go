package congestion

import "time"

// vegas is the state of the algorithm of that name. Its window is the estimate of what the path holds without a queue
// (the bandwidth-delay product), and a little more: the queue that the window is taken to cause is held between alpha
// and beta. What is a division here is an integer division in C tor, whose numbers these are
// (congestion_control_vegas.c).
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type vegas struct {
	p         *Params
	slowStart bool
	full      bool // the window was in use as a whole
	blocked   bool // cells waited for the link when the last SENDME came
	stalled   bool // the clock did not move, when last asked
	untilCC   int  // SENDMEs until the window is changed again
	untilFull int  // SENDMEs until full begins anew

	ewma, min uint64 // of round trips, in microseconds; 0 before the first
}

// NewVegas returns a Control of congestion control, for an end that has agreed with the other on inc DATA cells a SENDME.
func NewVegas(p *Params, inc int) Control {
	return Control{alg: Vegas, inc: inc, cwnd: p.cwndInit, vegas: vegas{p: p, slowStart: true, untilCC: 1}}
}

// RTT returns the average round-trip time, or 0 if there was none yet.
func (c *Control) RTT() time.Duration { return time.Duration(c.vegas.ewma) * time.Microsecond }

// sendmesPerWindow is how many SENDMEs acknowledge a whole window.
func (c *Control) sendmesPerWindow() int { return (c.cwnd + c.inc/2) / c.inc }

// updateEvery is how many SENDMEs there are between two changes of the window.
func (c *Control) updateEvery() int {
	if c.vegas.slowStart {
		return 1
	}
	rate := c.vegas.p.cwndIncRate * c.inc
	return (c.cwnd + rate/2) / rate
}

// acknowledged takes a SENDME for a cell that was sent rtt ago. c.inflight still has the cells that it acknowledges.
func (v *vegas) acknowledged(c *Control, rtt time.Duration, blocked bool) {
	if v.untilCC > 0 {
		v.untilCC--
	}
	if v.untilFull > 0 {
		v.untilFull--
	}
	timed := v.roundTrip(c, rtt)
	bdp := v.bdp(c, blocked)
	if !timed && !blocked {
		return // nothing new is known of the path
	}

	queue := max(c.cwnd-bdp, 0)
	if c.inflight+v.p.fullGap*c.inc >= c.cwnd {
		v.full = true
	} else if 100*c.inflight < v.p.fullMinPct*c.cwnd {
		v.full = false
	}
	if v.slowStart {
		v.start(c, bdp, queue, blocked)
	} else if v.untilCC == 0 {
		v.steady(c, bdp, queue, blocked)
	}

	if v.untilFull == 0 {
		v.untilFull = c.sendmesPerWindow()
	}
	if v.untilCC == 0 {
		v.untilCC = c.updateEvery()
	}
	if v.p.fullPerCwnd {
		v.full = v.full && v.untilFull != c.sendmesPerWindow()
	} else {
		v.full = v.full && v.untilCC != c.updateEvery()
	}
	c.cwnd = min(c.cwnd, v.p.cwndMax)
}

// clockJump is by how much a round trip may differ from the average before the clock is to blame, as a factor.
const clockJump = 5000

// roundTrip takes a measurement in, and tells whether it was one.
func (v *vegas) roundTrip(c *Control, d time.Duration) bool {
	rtt := uint64(max(d, 0) / time.Microsecond)
	switch {
	case rtt == 0:
		v.stalled = true
		return false
	case v.slowStart || v.ewma == 0: // there is nothing to compare with
	case v.ewma > clockJump*rtt:
		if v.stalled {
			return false
		}
	case rtt > clockJump*v.ewma:
		return false
	}
	v.stalled = false

	n := uint64(v.p.ewmaSS)
	if !v.slowStart {
		n = uint64(min(c.updateEvery()*v.p.ewmaPct/100, v.p.ewmaMax))
	}
	n = max(n, 2)
	if v.ewma == 0 {
		v.ewma = rtt
	} else {
		v.ewma = (2*rtt + (n-1)*v.ewma) / (n + 1)
	}
	switch pct := uint64(v.p.rttResetPct); {
	case v.min == 0:
		v.min = v.ewma
	case c.cwnd == v.p.cwndMin && !v.slowStart:
		// The window is as small as it gets, so there is hardly a queue of ours: the path itself has become longer.
		v.min = pct*max(v.ewma, v.min)/100 + (100-pct)*min(v.ewma, v.min)/100
	case v.ewma < v.min:
		v.min = v.ewma
	}
	return true
}

// bdp estimates what the path holds, in cells.
func (v *vegas) bdp(c *Control, blocked bool) int {
	changed := blocked != v.blocked
	v.blocked = blocked
	if v.ewma == 0 { // the clock has stood still so far
		if blocked {
			return max(c.cwnd-c.inc, v.p.cwndMin)
		}
		return c.cwnd
	}
	if changed {
		v.untilCC = 0 // react at once
	}
	return int(uint64(c.cwnd) * v.min / v.ewma)
}

// start grows the window fast, until a queue shows.
func (v *vegas) start(c *Control, bdp, queue int, blocked bool) {
	if queue < v.p.gamma && !blocked {
		if v.full {
			step := v.startStep(c)
			c.cwnd += step
			// Once steady state would be as fast, go over to it.
			if step*c.sendmesPerWindow() <= v.p.cwndInc*v.p.cwndIncRate {
				v.slowStart = false
			}
		}
	} else {
		c.cwnd = bdp + v.p.gamma
		v.slowStart = false
	}
	if c.cwnd >= v.p.ssMax {
		c.cwnd = v.p.ssMax
		v.slowStart = false
	}
}

// startStep is by how much a SENDME of slow start grows the window: RFC 3742.
func (v *vegas) startStep(c *Control) int {
	if c.cwnd <= v.p.ssCap {
		return (v.p.incPctSS*c.inc + 50) / 100
	}
	return max((c.inc*v.p.ssCap+c.cwnd)/(2*c.cwnd), 1)
}

// steady keeps the queue between alpha and beta.
func (v *vegas) steady(c *Control, bdp, queue int, blocked bool) {
	switch {
	case queue > v.p.delta:
		c.cwnd = bdp + v.p.delta - v.p.cwndInc
	case queue > v.p.beta || blocked:
		c.cwnd -= v.p.cwndInc
	case v.full && queue < v.p.alpha:
		c.cwnd += v.p.cwndInc
	}
	c.cwnd = max(c.cwnd, v.p.cwndMin)
}

package hsclient

import (
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

// How long a circuit is kept for a machine that is not heard of any more, as by C tor (CIRCPAD_DELAY_MAX_SECS).
const padSilence = 4295 * time.Second

// finish ends what a circuit to an introduction point was for. While a machine pads it, it stays open; and if it does, then as
// long as a circuit that web pages came over, counted from the introduction.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func (c *Client) finish(in *introduction, began time.Time) {
	if !in.circ.Finish() {
		safego.Go(&c.wg, c.log, "padding circuit", func() { c.linger(in, began) })
	}
}

// finishLater is finish for a circuit whose introduction point has not answered, though the service has come: it is to look no
// different for that.
func (c *Client) finishLater(in *introduction, began time.Time) {
	safego.Go(&c.wg, c.log, "padding circuit", func() {
		timer := time.NewTimer(time.Until(began.Add(patience)))
		defer timer.Stop()
		select {
		case <-in.ack:
			if !in.circ.Finish() {
				c.linger(in, began)
			}
			return
		case <-in.circ.Done():
		case <-timer.C:
		case <-c.ctx.Done():
		}
		in.circ.Close()
	})
}

// linger closes a circuit that is there for its padding alone, when its time has come, or with all others for a new identity.
func (c *Client) linger(in *introduction, began time.Time) {
	defer in.circ.Close()
	c.mu.Lock()
	renewed := c.renewed
	c.mu.Unlock()
	timer := time.NewTimer(time.Until(began.Add(c.cfg.MaxDirtiness)))
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-in.circ.Done():
			return
		case <-renewed:
			renewed = nil
		case <-timer.C:
		}
		running, heard := in.circ.Padded()
		if !running || time.Since(heard) >= padSilence {
			return
		}
		timer.Reset(min(padRecheck, padSilence-time.Since(heard)))
	}
}

// padRecheck is how often a circuit is looked at whose time is over, and whose machine is not.
const padRecheck = 30 * time.Second

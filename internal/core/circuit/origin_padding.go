package circuit

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// padHop is the relay that has the other end of a machine: the second one.
const padHop = 1

// originPadding is what a circuit knows of its padding. It is under the receive half's mutex.
type originPadding struct {
	client   padding.Client
	able     bool      // the second relay has the machines
	finished bool      // the circuit is there for its padding alone
	heard    time.Time // of the machine, last
	cells    uint64    // of padding that have come from machines
}

// added notes what the relay can that has just been added to the circuit.
func (c *Circuit) added(h *Hop) {
	c.recv.mu.Lock()
	defer c.recv.mu.Unlock()
	if c.recv.in.Hops() == padHop+1 {
		c.recv.pad.able = h.Pads
	}
}

// StartPadding asks the second relay for a machine, and tells whether it has been asked: not if it has none, if there is one
// already, or if nobody wants padding.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func (c *Circuit) StartPadding(m padding.Machine) bool {
	if c.opts.Padding == nil {
		return false
	}
	if p := c.opts.Padding.get(); p.Disabled || p.Reduced {
		return false
	}
	return c.negotiate(func(p *originPadding) (relaymsg.PaddingNegotiate, bool) {
		if !p.able || p.finished {
			return relaymsg.PaddingNegotiate{}, false
		}
		return p.client.Start(m)
	})
}

// SendPadded is Send and StartPadding in one: the two cells leave together. Right after one another, relays of C tor, which have no
// TCP_NODELAY, would hold the second one back for up to 40 ms on each link, and what comes behind it, too.
func (c *Circuit) SendPadded(msg relaymsg.Msg, m padding.Machine) error {
	if err := c.seal(msg); err != nil {
		return err
	}
	if !c.StartPadding(m) {
		c.link.Out().Signal()
	}
	return nil
}

// StopPadding tells the second relay to stop what StartPadding has started, if it runs still.
func (c *Circuit) StopPadding() {
	c.negotiate(func(p *originPadding) (relaymsg.PaddingNegotiate, bool) { return p.client.Stop() })
}

// negotiate sends what decide wants. What the relay answers cannot come before the state has changed.
func (c *Circuit) negotiate(decide func(*originPadding) (relaymsg.PaddingNegotiate, bool)) (sent bool) {
	var ask relaymsg.PaddingNegotiate
	sent = c.sendPadding(func() (m relaymsg.Msg, ok bool) {
		c.recv.mu.Lock()
		defer c.recv.mu.Unlock()
		if ask, ok = decide(&c.recv.pad); !ok {
			return m, false
		}
		c.recv.pad.heard = time.Now()
		body, err := ask.AppendTo(nil)
		return relaymsg.Msg{Cmd: relaymsg.CmdPaddingNegotiate, Body: body}, err == nil
	})
	if sent {
		c.table.log.Debug("negotiating circuit padding", "link", c.link.ID(), "command", ask.Command,
			"machine", padding.Machine(ask.MachineType), "ctr", ask.MachineCtr)
	}
	return sent
}

// sendPadding sends the second relay the message that decide, which is called under send.mu, returns.
func (c *Circuit) sendPadding(decide func() (relaymsg.Msg, bool)) bool {
	c.send.mu.Lock()
	if c.send.closed || c.send.out.Hops() <= padHop {
		c.send.mu.Unlock()
		return false
	}
	m, ok := decide()
	var err error
	if ok {
		err = c.sealToLocked(padHop, m)
	}
	c.send.mu.Unlock()
	if errors.Is(err, link.ErrQueueFull) {
		c.close(err, cell.DestroyResourceLimit)
	}
	if !ok || err != nil {
		return false
	}
	c.link.Out().Signal()
	return true
}

// PadRendezvous makes the circuit, which has got a rendezvous point, look as if a request were made and its answer began: it asks
// for the machine, and a moment later sends its own cell of padding. It returns when that is done, or ctx or the circuit ends.
func (c *Circuit) PadRendezvous(ctx context.Context) {
	if !c.StartPadding(padding.Rend) {
		return
	}
	timer := time.NewTimer(padding.ClientGap(rand.Int64N))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	case <-c.done:
		return
	}
	// C tor sends it even if the relay was faster and has ended the machine meanwhile.
	if c.opts.Padding.allowed() && c.sendPadding(func() (relaymsg.Msg, bool) { return relaymsg.Msg{Cmd: relaymsg.CmdDrop}, true }) {
		c.opts.Padding.padded()
		c.link.DropWritten()
	}
}

// Finish ends what a circuit was for. If a machine pads it still, the circuit stays open, since a circuit that ends so soon can
// only be that of an introduction: then Finish returns false, and whoever has the circuit closes it later. What comes but
// padding is dropped until then. C tor: circpad_marked_circuit_for_padding.
func (c *Circuit) Finish() (closed bool) {
	c.recv.mu.Lock()
	closed = !c.recv.pad.client.Running()
	c.recv.pad.finished = !closed
	c.recv.mu.Unlock()
	if closed {
		c.Close()
	}
	return closed
}

// Padded tells whether a machine pads the circuit still, and when it was last heard of.
func (c *Circuit) Padded() (running bool, heard time.Time) {
	c.recv.mu.Lock()
	defer c.recv.mu.Unlock()
	return c.recv.pad.client.Running(), c.recv.pad.heard
}

// dropped takes a DROP. One from the last hop is long-range padding, which anybody may send at any time; from a relay before it
// there is none but that of a machine. C tor ignores others, and leaves it to an add-on (vanguards) to close the circuit: a
// relay that sends cells which nobody misses signals to one nearer the client. No relay does so by mistake, hence we close it.
func (p *originPadding) dropped(hop int, last bool) error {
	switch {
	case hop == padHop && p.client.Expects():
		p.heard = time.Now()
		p.cells++
		return nil
	case last:
		return nil
	}
	return violation("DROP from hop %d, which has no machine", hop+1)
}

// negotiated takes PADDING_NEGOTIATED, from the relay that was asked and no other. The caller holds h.mu.
func (h *originHalf) negotiated(hop int, m relaymsg.Msg, rx *receiver) error {
	if hop != padHop || m.Stream != 0 {
		return violation("PADDING_NEGOTIATED for stream %d from hop %d", m.Stream, hop+1)
	}
	answer, err := relaymsg.ParsePaddingNegotiated(m.Body)
	if err == nil {
		err = h.pad.client.Negotiated(answer)
	}
	if err != nil {
		return &ProtocolError{err}
	}
	h.pad.heard = time.Now()
	rx.padding = append(rx.padding, paddingNews{answer, h.pad.cells})
	return nil
}

// paddingNews is what the log is to hold of PADDING_NEGOTIATED.
type paddingNews struct {
	relaymsg.PaddingNegotiated
	cells uint64 // of padding, so far
}

func (n *paddingNews) log(c *Circuit) {
	c.table.log.Debug("circuit padding negotiated", "link", c.link.ID(), "command", n.Command,
		"machine", padding.Machine(n.MachineType), "ctr", n.MachineCtr, "answer", n.Response, "cells", n.cells)
}

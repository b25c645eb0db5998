package circuit

import (
	"math/rand/v2"
	"time"

	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// relayPadding is what a circuit has whose client has asked for a machine. There is one machine at a time, as in C tor, whose
// two share a slot: whoever asks for a thousand of them has one.
type relayPadding struct {
	machine padding.Relay
	live    bool   // there is a machine, though it may be done
	ctr     uint32 // counts the machines
	noted   bool   // the Padder knows of the circuit
}

// carriedLocked notes that n cells other than padding go to the client. The caller holds b.mu.
func (b *backward) carriedLocked(n int) {
	p := b.circ.prev.table.relay.Padder()
	if p == nil {
		return
	}
	p.carried(n)
	if b.pad == nil || !b.pad.live {
		return
	}
	b.pad.machine.Carried(n, time.Now(), rand.Int64N)
	if at := b.pad.machine.Next(); !at.IsZero() && !b.pad.noted {
		b.pad.noted = true
		p.add(b.circ, at)
	}
}

// negotiate starts or stops a machine, as the client wants it. What cannot be read is dropped, as C tor does: a later version
// may have a meaning for it.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
func (c *RelayCircuit) negotiate(m relaymsg.Msg, rx *receiver) error {
	ask, err := relaymsg.ParsePaddingNegotiate(m.Body)
	if err != nil || c.prev.table.relay.Padder() == nil {
		return nil
	}
	c.bwd.mu.Lock()
	answer := c.bwd.takeLocked(ask)
	c.bwd.mu.Unlock()
	if answer == 0 {
		return nil
	}
	c.prev.table.log.Debug("circuit padding negotiated", "link", c.prev.table.link.ID(), "command", ask.Command,
		"machine", padding.Machine(ask.MachineType), "ctr", ask.MachineCtr, "answer", answer)
	body, err := relaymsg.PaddingNegotiated{
		Command: ask.Command, Response: answer, MachineType: ask.MachineType, MachineCtr: ask.MachineCtr,
	}.AppendTo(nil)
	if err != nil {
		return err
	}
	rx.owe(c.prev.table.link.Out())
	return c.sendQuietly(relaymsg.Msg{Cmd: relaymsg.CmdPaddingNegotiated, Body: body})
}

// takeLocked does what a client asks, and returns what it is told; 0 if that is nothing.
func (b *backward) takeLocked(ask relaymsg.PaddingNegotiate) (answer uint8) {
	p := b.pad
	if ask.Command == relaymsg.PaddingStop {
		// A machine that is not there has come to its end by itself, and the client knows that, or will in a moment.
		if p == nil || !p.live || !p.machine.Is(ask.MachineType, ask.MachineCtr) {
			return 0
		}
		p.live = false
		return relaymsg.PaddingOK
	}
	if !padding.Machine(ask.MachineType).Known() || p != nil && p.live || b.circ.closed.Load() {
		return relaymsg.PaddingErr
	}
	if p == nil {
		p = new(relayPadding)
		b.pad = p
	}
	if p.ctr++; p.ctr == 0 {
		p.ctr = 1
	}
	// As in C tor the count is ours. That of a client who has been refused a machine is another, but it asks for no more.
	p.machine, p.live = padding.NewRelay(padding.Machine(ask.MachineType), p.ctr), true
	return relaymsg.PaddingOK
}

// padNow sends padding if it is due, and returns when there is more to do, or the zero Time.
func (c *RelayCircuit) padNow(now time.Time) (next time.Time) {
	c.bwd.mu.Lock()
	defer c.bwd.mu.Unlock()
	p := c.bwd.pad
	if p == nil { // the circuit is over
		return next
	}
	p.noted = false
	if !p.live {
		return next
	}
	padder := c.prev.table.relay.Padder()
	drop, stop := p.machine.Fire(now, padder.allowed(), rand.Int64N)
	// A cell for which there is no room is left out, and counts all the same: padding is not to catch up.
	if room := c.bwd.queue.Room(padder.get().Queued); drop && room && c.sealLocked(relaymsg.Msg{Cmd: relaymsg.CmdDrop}) == nil {
		padder.padded()
		c.prev.table.link.DropWritten()
	}
	if stop {
		c.stopLocked(p)
	}
	c.prev.table.link.Out().Signal()
	if !p.live {
		return next
	}
	if next = p.machine.Next(); !next.IsZero() {
		p.noted = true
	}
	return next
}

// stopLocked tells the client that a machine has come to its end, and makes room for another.
func (c *RelayCircuit) stopLocked(p *relayPadding) {
	p.live = false
	body, err := relaymsg.PaddingNegotiated{
		Command: relaymsg.PaddingStop, Response: relaymsg.PaddingOK, MachineType: uint8(p.machine.Machine()), MachineCtr: p.machine.Ctr(),
	}.AppendTo(nil)
	if err == nil && !c.bwd.queue.Full() { // a cell that is encrypted and not sent garbles all that follow
		c.sealLocked(relaymsg.Msg{Cmd: relaymsg.CmdPaddingNegotiated, Body: body})
	}
}

package circuit

import (
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// ourCell is a cell from the client that this relay has recognized as its own.
type ourCell struct {
	body  *[cell.BodyLen]byte // decrypted; aliases the reader's buffer
	early bool                // it was RELAY_EARLY
	tag   relaycrypt.Tag
}

// receive implements receiving.
func (f *forward) receive(run []link.Cell, rx *receiver) {
	defer rx.reset()
	var destroyed bool
	var err error
	for len(run) > 0 && !destroyed && err == nil {
		var n int
		n, destroyed, err = f.pass(run, rx)
		run = run[n:]
		for i := range rx.ours {
			if err == nil && !f.circ.closed.Load() {
				err = f.circ.ours(&rx.ours[i], rx)
			}
		}
		clear(rx.ours)
		rx.ours = rx.ours[:0]
	}
	if len(rx.msgs) > 0 {
		if err2 := f.circ.end.Load().deliver(rx); err == nil {
			err = err2
		}
	}
	switch {
	case destroyed:
		f.circ.close(cell.DestroyNone, closedByPrev)
	case err != nil:
		f.circ.closeFor(err)
	}
}

func (f *forward) panicked()        { f.circ.close(cell.DestroyInternal, closedHere) }
func (f *forward) linkClosed(error) { f.circ.close(cell.DestroyChannelClosed, closedByPrev) }

// A route is where the cells of a circuit go on.
type route struct {
	side
	queue *link.CircQueue
	out   *link.OutQueue
	joint *joint // nil towards the next relay
}

// pass decrypts a run of cells, straight into a chunk for the next link, and puts those that are ours into rx. On a circuit
// that is joined to another, the chunk is for the client of that, and the cells are encrypted once more for it. pass tells
// how many cells it has dealt with: all, but where one that is ours may change the way of those behind it. What came before
// an error is still good.
func (f *forward) pass(run []link.Cell, rx *receiver) (n int, destroyed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.circ.closed.Load() {
		return len(run), false, nil
	}
	var on route
	switch {
	case f.next.table != nil:
		on = route{side: f.next, queue: &f.queue}
	case f.joint != nil:
		to := f.joint.to
		to.bwd.mu.Lock()
		defer to.bwd.mu.Unlock()
		if to.closed.Load() {
			return len(run), false, nil // as this one is in a moment
		}
		f.joint.count.Add(uint64(len(run)))
		to.bwd.carriedLocked(len(run))
		on = route{side: to.prev, queue: &to.bwd.queue, joint: f.joint}
	}
	var chunk *link.Chunk
	if on.queue != nil {
		on.out = on.table.link.Out()
		chunk = on.out.ChunkFor(len(run))
		defer func() {
			if err2 := f.hand(chunk, &on, rx); err == nil {
				err = err2
			}
		}()
	}
	for i := range run {
		in := &run[i]
		if in.Cmd != cell.CmdRelay || f.state == relayCreating {
			switch drop, destroyed, err := f.admit(in.Cmd); {
			case destroyed || err != nil:
				return i, destroyed, err
			case drop:
				continue
			}
		}
		dst := in.Body
		if chunk != nil {
			if chunk.Full() {
				full := chunk
				chunk = on.out.ChunkFor(len(run) - i)
				if err := f.hand(full, &on, rx); err != nil {
					return i, false, err
				}
			}
			cmd := in.Cmd
			if on.joint != nil {
				cmd = cell.CmdRelay // RELAY_EARLY never goes to a client
			}
			dst = chunk.Next(on.id, cmd)
		}
		if !f.crypt.ForwardTo(dst, in.Body, uint8(in.Cmd)) {
			if chunk == nil {
				return i, false, violation("cell that nobody recognizes at the end of a circuit")
			}
			if on.joint != nil {
				on.joint.to.bwd.crypt.Backward(dst, uint8(cell.CmdRelay))
			}
			continue
		}
		if chunk != nil {
			*in.Body = *dst
			chunk.Drop()
		}
		rx.ours = append(rx.ours, ourCell{in.Body, in.Cmd == cell.CmdRelayEarly, f.crypt.ForwardTag()})
		if chunk == nil && f.crypt.Format().Command(in.Body) == relaymsg.CmdRendezvous1 {
			return i + 1, false, nil // the circuit may be joined to another in a moment
		}
	}
	return len(run), false, nil
}

// admit looks at a cell that is no RELAY cell, or comes while the circuit is being created.
func (f *forward) admit(cmd cell.Command) (drop, destroyed bool, err error) {
	switch cmd {
	case cell.CmdRelay:
	case cell.CmdRelayEarly:
		if f.early++; f.early > maxRelayEarly {
			return false, false, violation("more than %d RELAY_EARLY cells", maxRelayEarly)
		}
	case cell.CmdDestroy:
		return false, true, nil
	case cell.CmdCreate, cell.CmdCreate2, cell.CmdCreateFast:
		return true, false, nil // "drop silently": the ID is in use
	default:
		return false, false, violation("%v from the client's side", cmd)
	}
	if f.state == relayCreating {
		return false, false, violation("%v on a circuit that is being created", cmd)
	}
	return false, false, nil
}

// hand appends a chunk to the queue where the cells go on.
func (f *forward) hand(chunk *link.Chunk, on *route, rx *receiver) error {
	if chunk.Len() > 0 {
		rx.owe(on.out)
	}
	err := on.queue.Append(chunk)
	if err != nil && on.joint == nil {
		f.circ.overflowed.Store(true)
	}
	return err
}

// ours acts on a cell for this relay, but for messages for its streams, which it puts into rx. An error closes the circuit.
func (c *RelayCircuit) ours(o *ourCell, rx *receiver) error {
	m, err := relaymsg.V0.Decode(o.body)
	if err != nil {
		return err
	}
	switch m.Cmd {
	case relaymsg.CmdDrop:
		c.prev.table.link.DropRead()
		return nil
	case relaymsg.CmdPaddingNegotiate:
		return c.negotiate(m, rx)
	case relaymsg.CmdExtend2:
		return c.extend(m, o.early)
	case relaymsg.CmdTruncate:
		return c.truncate(m)
	case relaymsg.CmdExtended2, relaymsg.CmdTruncated:
		return violation("%v from a client", m.Cmd)
	case relaymsg.CmdBegin, relaymsg.CmdBeginDir, relaymsg.CmdResolve, relaymsg.CmdData, relaymsg.CmdEnd, relaymsg.CmdSendme,
		relaymsg.CmdXon, relaymsg.CmdXoff, relaymsg.CmdConnected, relaymsg.CmdResolved:
		return c.atEnd().sort(m, o.tag, rx)
	}
	if !m.Cmd.Known() {
		return nil // a later version of the protocol may have a use for it
	}
	return c.prev.table.relay.Receive(c, m)
}

// truncate drops the rest of the circuit.
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
func (c *RelayCircuit) truncate(m relaymsg.Msg) error {
	t, err := relaymsg.ParseTruncate(m.Body)
	if err != nil {
		return err
	}
	c.fwd.mu.Lock()
	next := c.fwd.next
	c.fwd.next = side{}
	c.fwd.queue.Close()
	c.fwd.tries++
	c.fwd.state = relayOpen
	c.fwd.mu.Unlock()
	if next.table != nil {
		next.destroy(t.Reason)
		next.remove()
	}
	body, err := relaymsg.Truncated(t).AppendTo(nil)
	if err != nil {
		return err
	}
	return c.Send(relaymsg.Msg{Cmd: relaymsg.CmdTruncated, Body: body})
}

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
	destroyed, err := f.pass(run, rx)
	for i := range rx.ours {
		if err == nil && !f.circ.closed.Load() {
			err = f.circ.ours(&rx.ours[i], rx)
		}
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

// pass decrypts a run of cells, straight into a chunk for the next link, and puts those that are ours into rx. It tells
// whether the circuit was destroyed. What came before an error is still good.
func (f *forward) pass(run []link.Cell, rx *receiver) (destroyed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.circ.closed.Load() {
		return false, nil
	}
	var out *link.OutQueue
	var chunk *link.Chunk
	if f.next.table != nil {
		out = f.next.table.link.Out()
		chunk = out.ChunkFor(len(run))
		defer func() {
			if err2 := f.hand(chunk, rx); err == nil {
				err = err2
			}
		}()
	}
	for i := range run {
		in := &run[i]
		switch in.Cmd {
		case cell.CmdRelay:
		case cell.CmdRelayEarly:
			if f.early++; f.early > maxRelayEarly {
				return false, violation("more than %d RELAY_EARLY cells", maxRelayEarly)
			}
		case cell.CmdDestroy:
			return true, nil
		case cell.CmdCreate, cell.CmdCreate2, cell.CmdCreateFast:
			continue // "drop silently": the ID is in use
		default:
			return false, violation("%v from the client's side", in.Cmd)
		}
		if f.state == relayCreating {
			return false, violation("%v on a circuit that is being created", in.Cmd)
		}
		dst := in.Body
		if chunk != nil {
			if chunk.Full() {
				full := chunk
				chunk = out.ChunkFor(len(run) - i)
				if err := f.hand(full, rx); err != nil {
					return false, err
				}
			}
			dst = chunk.Next(f.next.id, in.Cmd)
		}
		if !f.crypt.ForwardTo(dst, in.Body, uint8(in.Cmd)) {
			if chunk == nil {
				return false, violation("cell that nobody recognizes at the end of a circuit")
			}
			continue
		}
		if chunk != nil {
			*in.Body = *dst
			chunk.Drop()
		}
		rx.ours = append(rx.ours, ourCell{in.Body, in.Cmd == cell.CmdRelayEarly, f.crypt.ForwardTag()})
	}
	return false, nil
}

// hand appends a chunk to the queue for the next relay.
func (f *forward) hand(chunk *link.Chunk, rx *receiver) error {
	if chunk.Len() > 0 {
		rx.owe(f.next.table.link.Out())
	}
	err := f.queue.Append(chunk)
	if err != nil {
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

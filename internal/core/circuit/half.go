package circuit

import (
	"sync"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Half is one direction of a circuit at this node: here, of a circuit that began at this node, the direction in which
// cells come in. Its mutex is held for a run of cells.
type Half struct {
	circ   *Circuit
	queued int // its run in the batch that the link's reader is at; the reader's

	mu      sync.Mutex // guards the fields below
	in      relaycrypt.Inbound
	deliver congestion.Deliver // DATA cells from the last hop
}

// receiver is what a link's reader needs to take in a run of cells, kept from run to run so that nothing is allocated.
type receiver struct {
	msgs    []relaymsg.Msg   // for the streams, in order; bodies alias the batch
	sendmes []relaycrypt.Tag // of cells to acknowledge
	acked   bool             // there are acknowledgements in the link's queue that its writer has not heard of
	acks    []relaymsg.Sendme
	control []control
	ready   []*stream.Stream // that data came for, and that may write it out
}

// control is a message for the circuit itself.
type control struct {
	cmd  cell.Command // 0: a relay message from hop
	hop  int
	msg  relaymsg.Msg
	body *[cell.BodyLen]byte
}

func (rx *receiver) reset() {
	clear(rx.msgs)
	clear(rx.control)
	clear(rx.acks)
	clear(rx.ready)
	rx.msgs, rx.sendmes, rx.acks = rx.msgs[:0], rx.sendmes[:0], rx.acks[:0]
	rx.control, rx.ready = rx.control[:0], rx.ready[:0]
}

// receive takes in a run of cells of this circuit. It decrypts and counts under the Half, and acts on what came after it
// has let go of it: acknowledging takes the send Half, delivering takes the tunnel, and both come first in lock order.
func (h *Half) receive(run []link.Cell, rx *receiver) {
	defer rx.reset()
	err := h.open(run, rx)
	c := h.circ
	for _, tag := range rx.sendmes {
		c.acknowledge(tag)
		rx.acked = true
	}
	for i := range rx.acks {
		if err2 := c.acknowledged(rx.acks[i]); err2 != nil && err == nil {
			err = err2
		}
	}
	if len(rx.msgs) > 0 {
		if err2 := c.tunnel.deliver(rx); err2 != nil && err == nil {
			err = &ProtocolError{err2}
		}
	}
	for i := range rx.control {
		if err == nil {
			err = c.control(&rx.control[i])
		}
	}
	if err != nil {
		c.fail(err)
	}
}

// open decrypts and sorts a run of cells into rx. What came before an error is still good.
func (h *Half) open(run []link.Cell, rx *receiver) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range run {
		switch run[i].Cmd {
		case cell.CmdRelay:
			if err := h.openRelay(run[i].Body, rx); err != nil {
				return err
			}
		case cell.CmdCreated2, cell.CmdCreatedFast, cell.CmdDestroy:
			rx.control = append(rx.control, control{cmd: run[i].Cmd, body: run[i].Body})
		default:
			// RELAY_EARLY never comes inward, and nobody may create circuits to us.
			return violation("%v from a relay", run[i].Cmd)
		}
	}
	return nil
}

// openRelay decrypts one relay cell.
func (h *Half) openRelay(body *[cell.BodyLen]byte, rx *receiver) error {
	hop, tag, ok := h.in.Open(body, uint8(cell.CmdRelay))
	if !ok {
		return violation("relay cell that no hop has sent")
	}
	msg, err := h.in.Format(hop).Decode(body)
	if err != nil {
		return &ProtocolError{err}
	}
	last := hop == h.in.Hops()-1
	switch msg.Cmd {
	case relaymsg.CmdDrop:
		return nil // padding
	case relaymsg.CmdData:
		if !last || msg.Stream == 0 {
			break
		}
		due, err := h.deliver.OnReceived()
		if err != nil {
			return &ProtocolError{err}
		}
		if due {
			h.deliver.OnSendmeSent()
			rx.sendmes = append(rx.sendmes, tag)
		}
		rx.msgs = append(rx.msgs, msg)
		return nil
	case relaymsg.CmdConnected, relaymsg.CmdEnd, relaymsg.CmdResolved, relaymsg.CmdXon, relaymsg.CmdXoff:
		if last && msg.Stream != 0 {
			rx.msgs = append(rx.msgs, msg)
			return nil
		}
	case relaymsg.CmdSendme:
		if last && msg.Stream != 0 {
			rx.msgs = append(rx.msgs, msg)
			return nil
		}
		if last {
			ack, err := relaymsg.ParseSendme(msg.Body)
			if err != nil {
				return &ProtocolError{err}
			}
			rx.acks = append(rx.acks, ack)
			return nil
		}
	case relaymsg.CmdExtended2, relaymsg.CmdTruncated:
		if msg.Stream == 0 {
			rx.control = append(rx.control, control{hop: hop, msg: msg})
			return nil
		}
	}
	if !msg.Cmd.Known() {
		return nil // a later version of the protocol may have a use for it
	}
	return violation("%v for stream %d from hop %d of %d", msg.Cmd, msg.Stream, hop+1, h.in.Hops())
}

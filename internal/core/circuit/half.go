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

// A Half is one direction of a circuit at this node: the cells that come in by one link. It is the part that a link's
// table knows; each kind of half has a mutex that is held for a run of cells.
type Half struct {
	recv   receiving
	queued int // its run in the batch that the link's reader is at; the reader's
}

// receiving is a kind of half. The link's reader calls it, once a run of cells.
type receiving interface {
	// receive takes in a run of cells. It borrows both.
	receive(run []link.Cell, rx *receiver)
	// panicked closes the circuit after a panic in receive.
	panicked()
	// linkClosed closes the circuit, since the link is gone.
	linkClosed(err error)
}

// originHalf is the direction of a circuit that began at this node.
type originHalf struct {
	Half
	circ *Circuit

	mu      sync.Mutex // guards the fields below
	in      relaycrypt.Inbound
	deliver congestion.Deliver       // DATA cells from the last hop
	talk    func(relaymsg.Msg) error // see Circuit.OnMessage
	accepts bool                     // the last hop may open streams
	pad     originPadding
}

// receiver is what a link's reader needs to take in a run of cells, kept from run to run so that nothing is allocated.
type receiver struct {
	msgs    []relaymsg.Msg   // for the streams, in order; bodies alias the batch
	sendmes []relaycrypt.Tag // of cells to acknowledge
	acks    []relaymsg.Sendme
	control []control
	talk    []relaymsg.Msg   // of onion services
	padding []paddingNews    // for the log
	ready   []*stream.Stream // that data came for, and that may write it out

	// Of circuits that did not begin here.
	ours   []ourCell        // recognized by this relay
	signal []*link.OutQueue // that have got cells and do not know it
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
	clear(rx.talk)
	clear(rx.acks)
	clear(rx.ready)
	clear(rx.ours)
	rx.msgs, rx.sendmes, rx.acks = rx.msgs[:0], rx.sendmes[:0], rx.acks[:0]
	rx.control, rx.talk, rx.ready, rx.ours = rx.control[:0], rx.talk[:0], rx.ready[:0], rx.ours[:0]
	rx.padding = rx.padding[:0]
}

// receive takes in a run of cells of this circuit. It decrypts and counts under the Half, and acts on what came after it
// has let go of it: acknowledging takes the send Half, delivering takes the tunnel, and both come first in lock order.
func (h *originHalf) receive(run []link.Cell, rx *receiver) {
	defer rx.reset()
	err := h.open(run, rx)
	c := h.circ
	for i := range rx.padding {
		rx.padding[i].log(c)
	}
	for _, tag := range rx.sendmes {
		c.acknowledge(tag)
	}
	if len(rx.sendmes) > 0 {
		rx.owe(c.link.Out())
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
	if len(rx.talk) > 0 && err == nil {
		err = h.converse(rx)
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

func (h *originHalf) panicked()            { h.circ.close(errPanic, cell.DestroyInternal) }
func (h *originHalf) linkClosed(err error) { h.circ.close(&LinkError{err}, cell.DestroyChannelClosed) }

// open decrypts and sorts a run of cells into rx. What came before an error is still good.
func (h *originHalf) open(run []link.Cell, rx *receiver) error {
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
func (h *originHalf) openRelay(body *[cell.BodyLen]byte, rx *receiver) error {
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
		h.circ.link.DropRead()
		return h.pad.dropped(hop, last)
	case relaymsg.CmdPaddingNegotiated:
		return h.negotiated(hop, msg, rx)
	}
	if h.pad.finished {
		return nil // for whoever has had the circuit; nobody waits for it any more
	}
	switch msg.Cmd {
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
	case relaymsg.CmdBegin, relaymsg.CmdBeginDir, relaymsg.CmdResolve:
		if last && h.accepts && msg.Stream != 0 {
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
	if last && msg.Stream == 0 && h.talk != nil && forOnion(msg.Cmd) {
		rx.talk = append(rx.talk, msg)
		return nil
	}
	if !msg.Cmd.Known() {
		return nil // a later version of the protocol may have a use for it
	}
	return violation("%v for stream %d from hop %d of %d", msg.Cmd, msg.Stream, hop+1, h.in.Hops())
}

// owe notes that a queue has cells that its writer has not heard of.
func (rx *receiver) owe(q *link.OutQueue) {
	if n := len(rx.signal); n == 0 || rx.signal[n-1] != q {
		rx.signal = append(rx.signal, q)
	}
}

// signalAll tells the writers: once a batch, so that what a batch brings for one link leaves together.
func (rx *receiver) signalAll() {
	for _, q := range rx.signal {
		q.Signal()
	}
	clear(rx.signal)
	rx.signal = rx.signal[:0]
}

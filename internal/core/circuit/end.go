package circuit

import (
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// An End is what the streams of a circuit that ends at this relay belong to: what a [Tunnel] is at the client. A circuit
// gets one with the first message for a stream, since most circuits pass through.
type End struct {
	circ *RelayCircuit
	born time.Time // what congestion control counts time from

	counter congestion.Deliver // of DATA from the client; the reader of the link to prev alone touches it
	ctl     congestion.Control // of DATA to the client; under the backward half's mutex

	mu  sync.Mutex // guards mux
	mux stream.Mux
}

// atEnd returns the circuit's End. The reader of the link to prev alone calls it.
func (c *RelayCircuit) atEnd() *End {
	if e := c.end.Load(); e != nil {
		return e
	}
	e := &End{circ: c, born: time.Now()}
	e.mux.Init(e, &e.mu)
	e.mux.SetMemoryLocked(c.prev.table.link.StreamMemory())
	e.mux.AcceptLocked()
	if c.cc != nil {
		e.ctl, e.counter = congestion.NewVegas(c.cc, c.cc.Inc), congestion.CircuitDeliver(c.cc.Inc)
		e.mux.SetFlowLocked(&stream.Flow{Params: c.cc.Flow, Own: c.cc.Flow.XoffExit, Peer: c.cc.Flow.XoffClient})
	} else {
		e.ctl, e.counter = congestion.NewFixed(congestion.CircWindow), congestion.CircuitDeliver(congestion.CircIncrement)
	}
	c.bwd.queue.SetDrainer(e)
	c.end.Store(e)
	if c.closed.Load() { // while we made it: whoever closed has seen none
		e.close()
	}
	return e
}

// sort counts a message for streams and puts it into rx, or acts on a SENDME of the circuit.
func (e *End) sort(m relaymsg.Msg, tag relaycrypt.Tag, rx *receiver) error {
	if m.Cmd == relaymsg.CmdSendme && m.Stream == 0 {
		return e.acknowledged(m)
	}
	if m.Stream == 0 {
		return violation("%v without a stream", m.Cmd)
	}
	if m.Cmd == relaymsg.CmdData {
		due, err := e.counter.OnReceived()
		if err != nil {
			return err
		}
		if due {
			e.counter.OnSendmeSent()
			if err := e.acknowledge(tag); err != nil {
				return err
			}
			rx.owe(e.circ.prev.table.link.Out())
		}
	}
	rx.msgs = append(rx.msgs, m)
	return nil
}

// acknowledge queues a SENDME of the circuit for the cell with the given tag.
func (e *End) acknowledge(tag relaycrypt.Tag) error {
	body, err := relaymsg.Sendme{Version: 1, Tag: tag.Bytes()}.AppendTo(nil)
	if err != nil {
		return err
	}
	return e.circ.sendQuietly(relaymsg.Msg{Cmd: relaymsg.CmdSendme, Body: body})
}

// acknowledged takes a SENDME of the circuit.
func (e *End) acknowledged(m relaymsg.Msg) error {
	ack, err := relaymsg.ParseSendme(m.Body)
	if err != nil {
		return err
	}
	blocked := e.circ.bwd.queue.Blocked()
	e.circ.bwd.mu.Lock()
	err = e.ctl.OnSendme(ack.Version, ack.Tag, e.circ.sendmeMin, time.Since(e.born), blocked)
	e.circ.bwd.mu.Unlock()
	if err != nil {
		return err
	}
	e.Drained()
	return nil
}

// Drained implements link.Drainer: the streams may go on.
func (e *End) Drained() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mux.WakeLocked()
}

// deliver hands the messages in rx to the streams, and new streams to the relay.
func (e *End) deliver(rx *receiver) error {
	incoming, err := e.sortOut(rx)
	stream.Flush(rx.ready)
	for _, s := range incoming {
		if e.circ.closed.Load() {
			break // by a stream before this one, which ended all of them
		}
		e.circ.prev.table.relay.Stream(e.circ, s)
	}
	return err
}

func (e *End) sortOut(rx *receiver) (incoming []stream.Incoming, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	rx.ready, err = e.mux.DeliverLocked(rx.msgs, rx.ready)
	return e.mux.TakeIncomingLocked(), err
}

func (e *End) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mux.CloseLocked(ErrClosed)
}

// SendMsg implements stream.Sender.
func (e *End) SendMsg(m relaymsg.Msg) error { return e.circ.Send(m) }

// MaxData implements stream.Sender.
func (e *End) MaxData() int { return relaymsg.V0.MaxBody(relaymsg.CmdData) }

// MaxCells implements stream.Sender.
func (e *End) MaxCells() int { return link.ChunkCells }

// SendData implements stream.Sender.
func (e *End) SendData(id uint16, p []byte) (n, cells int, err error) {
	c := e.circ
	out := c.prev.table.link.Out()
	c.bwd.mu.Lock()
	defer c.bwd.mu.Unlock()
	if c.closed.Load() {
		return 0, 0, ErrClosed
	}
	if c.bwd.queue.Blocked() {
		return 0, 0, nil // until Drained
	}
	format := c.bwd.crypt.Format()
	body, now := format.MaxBody(relaymsg.CmdData), time.Since(e.born)
	room := min(e.ctl.CanSend(), link.ChunkCells, (len(p)+body-1)/body)
	if room == 0 {
		return 0, 0, nil
	}
	chunk := out.ChunkFor(room)
	pad := padPool.Get().(*mathrand.ChaCha8)
	defer padPool.Put(pad)
	for ; cells < room; cells++ {
		slot := chunk.Next(c.prev.id, cell.CmdRelay)
		m := relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: id, Body: p[n:min(n+body, len(p))]}
		if err = format.Encode(slot, m, pad); err != nil {
			chunk.Drop()
			break
		}
		tag := c.bwd.crypt.Originate(slot, uint8(cell.CmdRelay))
		e.ctl.OnSent(tag.Bytes(), now)
		n += len(m.Body)
	}
	c.bwd.carriedLocked(cells)
	if err2 := c.bwd.queue.Append(chunk); err2 != nil { // not possible below the mark of Blocked
		return 0, 0, err2
	}
	out.Signal()
	return n, cells, err
}

package circuit

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// maxRelayEarly is how many RELAY_EARLY cells a circuit may carry outward.
//
// https://spec.torproject.org/tor-spec/relay-early.html
const maxRelayEarly = 8

// A Circuit is a path of relays that began at this node. Its methods are safe for concurrent use, but for Create and
// Extend, which belong to the goroutine that owns its life cycle.
//
//	creating → extending* → open → closed
type Circuit struct {
	link   *link.Link
	table  *Table
	id     cell.CircID
	tunnel *Tunnel
	opts   Options
	born   time.Time // what congestion control counts time from

	send  sendHalf
	recv  originHalf
	queue link.CircQueue

	replies   chan control // answers to CREATE and EXTEND2; at most one is due at a time
	closeOnce sync.Once
	done      chan struct{} // closed when the circuit is over
	err       error         // why; anyone may read it once done is closed or send.closed is set
}

// sendHalf is the direction in which cells leave. Whoever encrypts holds its mutex across cipher and enqueue, so that
// the order of encryption is the order on the wire.
type sendHalf struct {
	mu     sync.Mutex // guards the fields below
	out    relaycrypt.Outbound
	ctl    congestion.Control // of DATA cells to the last hop
	kh     [kdf.KHLen]byte    // of the handshake with the last relay
	early  int                // RELAY_EARLY cells left
	pad    *mathrand.ChaCha8  // bytes behind the messages
	expect cell.Command       // what the reply that is due must be; 0 if none is due
	extend bool               // it is EXTENDED2 that is due
	closed bool
}

// Options are what a circuit takes from the consensus.
type Options struct {
	Window          int                // start of the circuit windows, in DATA cells; 1000 if zero
	SendmeAcceptMin uint8              // the oldest version of SENDME that is taken
	CC              *congestion.Params // of congestion control; nil or not enabled for fixed windows everywhere
	Padding         *PaddingAccount    // of circuit padding; nil for none
}

func newCircuit(l *link.Link, opts Options) (*Circuit, error) {
	if opts.Window == 0 {
		opts.Window = congestion.CircWindow
	}
	c := &Circuit{
		link:    l,
		table:   l.Handler().(*Table), // every link of ours has one: the registry is wired so
		opts:    opts,
		born:    time.Now(),
		replies: make(chan control, 1),
		done:    make(chan struct{}),
	}
	var seed [32]byte
	rand.Read(seed[:])
	c.send.pad = mathrand.NewChaCha8(seed)
	// C tor spends one less now and then, so that nobody can tell the length of a path by this count.
	c.send.early = maxRelayEarly - int(seed[0]&1)
	c.recv.circ, c.recv.recv = c, &c.recv
	c.tunnel = newTunnel(c)
	c.queue.Open(l.Out(), true)
	c.queue.SetDrainer(c)
	l.Used()
	c.resetWindows(0)
	return c, c.table.add(&c.recv.Half, &c.id)
}

// resetWindows starts the windows towards a new last hop: with congestion control of ccInc cells a SENDME, or fixed ones
// for 0.
func (c *Circuit) resetWindows(ccInc int) {
	ctl, deliver := c.windows(c.opts.CC, ccInc)
	c.send.mu.Lock()
	c.send.ctl = ctl
	c.send.mu.Unlock()
	c.recv.mu.Lock()
	c.recv.deliver = deliver
	c.recv.mu.Unlock()
	var flow *stream.Flow
	if ccInc != 0 {
		f := c.opts.CC.Flow
		flow = &stream.Flow{Params: f, Own: f.XoffClient, Peer: f.XoffExit}
	}
	c.tunnel.setFlow(flow)
}

// windows makes those towards a new last hop: with congestion control of inc cells a SENDME, or fixed ones for 0.
func (c *Circuit) windows(cc *congestion.Params, inc int) (congestion.Control, congestion.Deliver) {
	if inc == 0 {
		return congestion.NewFixed(c.opts.Window), congestion.CircuitDeliver(congestion.CircIncrement)
	}
	return congestion.NewVegas(cc, inc), congestion.CircuitDeliver(inc)
}

// now is the clock of congestion control.
func (c *Circuit) now() time.Duration { return time.Since(c.born) }

// ID returns the circuit's ID on its link.
func (c *Circuit) ID() cell.CircID { return c.id }

// Link returns the link to the first hop.
func (c *Circuit) Link() *link.Link { return c.link }

// Tunnel returns what streams over this circuit belong to.
func (c *Circuit) Tunnel() *Tunnel { return c.tunnel }

// Done is closed when the circuit is over.
func (c *Circuit) Done() <-chan struct{} { return c.done }

// Err returns why the circuit ended, or nil while it has not.
func (c *Circuit) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close tears the circuit down: its streams end, and the relays are told.
func (c *Circuit) Close() { c.close(ErrClosed, cell.DestroyFinished) }

// fail closes the circuit for an error that receiving has met.
func (c *Circuit) fail(err error) {
	reason := cell.DestroyProtocol
	if peer, ok := err.(*PeerClosedError); ok && !peer.Truncated {
		reason = cell.DestroyDestroyed // there is nobody left to tell
	}
	c.close(err, reason)
}

// close ends the circuit once. It never reveals to the relays why, since a client's reasons could tell circuits apart:
// what they get is always NONE; reason is for our own end of the link.
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
func (c *Circuit) close(err error, reason cell.DestroyReason) {
	c.closeOnce.Do(func() {
		c.err = err
		c.send.mu.Lock()
		c.send.closed = true
		c.queue.Close()
		c.send.mu.Unlock()
		if reason != cell.DestroyChannelClosed && reason != cell.DestroyDestroyed {
			c.link.Destroy(c.id, cell.DestroyNone)
		}
		if reason != cell.DestroyChannelClosed {
			c.table.remove(c.id) // after DESTROY: the ID may be taken again at once
		}
		close(c.done)
		c.tunnel.close(err)
	})
}

// sendMsg encrypts and queues one message to the last hop. Messages other than DATA are outside the windows.
func (c *Circuit) sendMsg(m relaymsg.Msg) error {
	err := c.seal(m)
	c.link.Out().Signal()
	return err
}

// seal is sendMsg without waking the writer: the link's reader does that once a batch. It closes the circuit if too much waits.
func (c *Circuit) seal(m relaymsg.Msg) error {
	c.link.Used()
	c.send.mu.Lock()
	if c.send.closed {
		c.send.mu.Unlock()
		return c.err
	}
	err := c.sealLocked(m)
	c.send.mu.Unlock()
	if errors.Is(err, link.ErrQueueFull) {
		c.close(err, cell.DestroyResourceLimit)
	}
	return err
}

// errNoEarly says that a circuit is too long to be extended.
var errNoEarly = errors.New("circuit has no RELAY_EARLY cell left to extend with")

// sealLocked encrypts m for the last hop and appends it to the link's queue. The caller then signals the link's writer.
func (c *Circuit) sealLocked(m relaymsg.Msg) error { return c.sealToLocked(c.send.out.Hops()-1, m) }

// sealToLocked is sealLocked for any hop, 0 being the first.
func (c *Circuit) sealToLocked(hop int, m relaymsg.Msg) error {
	h := &c.send
	cmd := cell.CmdRelay
	if h.early > 0 && (m.Cmd == relaymsg.CmdExtend2 || hop > 0) {
		cmd = cell.CmdRelayEarly
		h.early--
	} else if m.Cmd == relaymsg.CmdExtend2 {
		return errNoEarly
	}
	chunk := c.link.Out().ChunkFor(1)
	slot := chunk.Next(c.id, cmd)
	if err := h.out.Format(hop).Encode(slot, m, h.pad); err != nil {
		return err
	}
	h.out.Seal(slot, uint8(cmd), hop)
	if m.Cmd != relaymsg.CmdDrop {
		c.opts.Padding.carried(1)
	}
	return c.queue.Append(chunk)
}

// sendData packages as much of p as the window and one chunk hold.
func (c *Circuit) sendData(id uint16, p []byte) (n, cells int, err error) {
	h := &c.send
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, 0, c.err
	}
	if c.queue.Blocked() {
		return 0, 0, nil // until Drained
	}
	last := h.out.Hops() - 1
	format := h.out.Format(last)
	body, now := format.MaxBody(relaymsg.CmdData), c.now()
	room := min(h.ctl.CanSend(), link.ChunkCells, (len(p)+body-1)/body)
	if room == 0 {
		return 0, 0, nil
	}
	c.link.Used()
	chunk := c.link.Out().ChunkFor(room)
	for ; cells < room; cells++ {
		cmd := cell.CmdRelay
		if h.early > 0 && last > 0 {
			cmd = cell.CmdRelayEarly
			h.early--
		}
		slot := chunk.Next(c.id, cmd)
		m := relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: id, Body: p[n:min(n+body, len(p))]}
		if err = format.Encode(slot, m, h.pad); err != nil {
			chunk.Drop()
			break
		}
		tag := h.out.Seal(slot, uint8(cmd), last)
		h.ctl.OnSent(tag.Bytes(), now)
		n += len(m.Body)
	}
	c.opts.Padding.carried(cells)
	if err2 := c.queue.Append(chunk); err2 != nil { // not possible below the mark of Blocked
		return 0, 0, err2
	}
	c.link.Out().Signal()
	return n, cells, err
}

// Drained implements link.Drainer: the streams may go on.
func (c *Circuit) Drained() { c.tunnel.wake() }

// acknowledge queues a circuit-level SENDME for the cell with the given tag. The link's reader calls it, and signals the
// writer when it is through with its batch.
//
// https://spec.torproject.org/tor-spec/flow-control.html
func (c *Circuit) acknowledge(tag relaycrypt.Tag) {
	var buf [32]byte
	body, err := relaymsg.Sendme{Version: 1, Tag: tag.Bytes()}.AppendTo(buf[:0])
	if err != nil {
		panic("circuit: " + err.Error())
	}
	c.seal(relaymsg.Msg{Cmd: relaymsg.CmdSendme, Body: body}) // an error closes the circuit, or it is closed
}

// acknowledged takes a circuit-level SENDME in and wakes the streams that waited for it.
func (c *Circuit) acknowledged(m relaymsg.Sendme) error {
	blocked := c.queue.Blocked()
	c.send.mu.Lock()
	err := c.send.ctl.OnSendme(m.Version, m.Tag, c.opts.SendmeAcceptMin, c.now(), blocked)
	c.send.mu.Unlock()
	if err != nil {
		return &ProtocolError{err}
	}
	c.tunnel.wake()
	return nil
}

// control acts on a message for the circuit itself. The reader calls it.
func (c *Circuit) control(m *control) error {
	switch {
	case m.cmd == cell.CmdDestroy:
		d, err := cell.ParseDestroy(m.body[:])
		if err != nil {
			return &ProtocolError{err}
		}
		return &PeerClosedError{Reason: d.Reason}
	case m.cmd == 0 && m.msg.Cmd == relaymsg.CmdTruncated:
		t, err := relaymsg.ParseTruncated(m.msg.Body)
		if err != nil {
			return &ProtocolError{err}
		}
		return &PeerClosedError{Reason: t.Reason, Truncated: true, Hop: m.hop + 1}
	}
	if err := c.takeDue(m); err != nil {
		return err
	}
	c.replies <- *m // there is room: takeDue lets one pass for each request
	return nil
}

// takeDue checks that m is the answer that is due now, and copies it out of the reader's buffer.
func (c *Circuit) takeDue(m *control) error {
	c.send.mu.Lock()
	defer c.send.mu.Unlock()
	if m.cmd != 0 {
		if c.send.expect != m.cmd {
			return violation("unexpected %v", m.cmd)
		}
		body := *m.body
		m.body = &body
	} else {
		if !c.send.extend || m.hop != c.send.out.Hops()-1 {
			return violation("unexpected %v from hop %d", m.msg.Cmd, m.hop+1)
		}
		m.msg.Body = append([]byte(nil), m.msg.Body...)
	}
	c.send.expect, c.send.extend = 0, false
	return nil
}

// await returns the answer that is due. If ctx ends first the circuit is closed.
func (c *Circuit) await(ctx context.Context) (control, error) {
	select {
	case m := <-c.replies:
		return m, nil
	case <-c.done:
		return control{}, c.err
	case <-ctx.Done():
		err := context.Cause(ctx)
		c.close(err, cell.DestroyTimeout)
		return control{}, err
	}
}

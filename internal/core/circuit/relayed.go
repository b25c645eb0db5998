package circuit

import (
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A RelayCircuit is a circuit that did not begin at this node: it passes through, or ends here. It has no goroutine and no
// timer; the readers of its two links do all its work, but for what a [Padder] adds. Its methods are safe for concurrent use.
//
//	creating → open ⇄ extending → closed
type RelayCircuit struct {
	prev       side // towards the client
	fwd        forward
	bwd        backward
	closed     atomic.Bool     // no cell is to be sent any more; set with both halves' mutexes held, one after the other
	overflowed atomic.Bool     // see Overflowed
	kh         [kdf.KHLen]byte // see KH; set before the circuit is open
	born       time.Duration   // after the link to prev was opened

	cc        *congestion.Params  // what was agreed with the client; set before the circuit is open
	sendmeMin uint8               // the oldest version of SENDME that is taken; likewise
	end       atomic.Pointer[End] // of its streams here; nil until there are any
}

// A side is a circuit's ID on one of its links.
type side struct {
	table *Table
	id    cell.CircID
}

// relayState is the state of a RelayCircuit.
type relayState uint8

const (
	relayCreating relayState = iota
	relayOpen
	relayExtending // EXTEND2 has come, CREATED2 has not
)

// forward is the direction away from the client: what comes in from prev.
type forward struct {
	Half
	circ *RelayCircuit

	mu    sync.Mutex        // guards the fields below
	crypt *relaycrypt.Relay // its forward part; nil while creating
	state relayState
	use   Use
	early uint8          // RELAY_EARLY cells so far
	tries uint32         // counts extensions, so that a late answer to a former one is known
	next  side           // its table is nil while there is no further hop
	joint *joint         // nil while the circuit is not joined to another; there is no next then
	queue link.CircQueue // towards next
}

// backward is the direction to the client: what comes in from next.
type backward struct {
	Half
	circ *RelayCircuit

	queue link.CircQueue // towards prev

	mu    sync.Mutex        // guards the fields below
	crypt *relaycrypt.Relay // its backward part; nil while creating
	pad   *relayPadding     // nil unless the client has asked for a machine
}

func newRelayCircuit(t *Table, id cell.CircID) *RelayCircuit {
	c := &RelayCircuit{prev: side{t, id}, born: time.Since(t.link.Opened())}
	c.fwd.circ, c.fwd.recv = c, &c.fwd
	c.bwd.circ, c.bwd.recv = c, &c.bwd
	c.bwd.queue.Open(t.link.Out(), false)
	return c
}

// created answers CREATE: from now on the circuit is open.
func (c *RelayCircuit) created(crypt *relaycrypt.Relay, cmd cell.Command, body []byte) {
	c.bwd.mu.Lock()
	c.bwd.crypt = crypt
	c.bwd.mu.Unlock()
	c.fwd.mu.Lock()
	defer c.fwd.mu.Unlock()
	if c.closed.Load() || c.fwd.state != relayCreating {
		return
	}
	c.fwd.crypt, c.fwd.state = crypt, relayOpen
	c.bwd.queue.AppendCell(c.prev.id, cmd, body)
}

// origin says who has ended a circuit, and so need not be told.
type origin uint8

const (
	closedHere origin = iota
	closedByPrev
	closedByNext
)

// Closed tells whether the circuit is over. Relay.Closed is called after it has become so.
func (c *RelayCircuit) Closed() bool { return c.closed.Load() }

// Close ends the circuit and tells both sides why.
func (c *RelayCircuit) Close(reason cell.DestroyReason) { c.close(reason, closedHere) }

// close ends the circuit once, and tells the sides that have not ended it. What a relay has said is not passed on: it
// could be a sign between relays.
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
func (c *RelayCircuit) close(reason cell.DestroyReason, by origin) {
	if by != closedHere {
		reason = cell.DestroyDestroyed
	}
	c.fwd.mu.Lock()
	if c.closed.Swap(true) {
		c.fwd.mu.Unlock()
		return
	}
	next, joint := c.fwd.next, c.fwd.joint
	c.fwd.next, c.fwd.joint = side{}, nil
	c.fwd.queue.Close()
	c.fwd.mu.Unlock()
	// Whoever sends to prev looks at closed under this mutex: nothing comes after DESTROY.
	c.bwd.mu.Lock()
	c.bwd.queue.Close()
	c.bwd.pad = nil
	c.bwd.mu.Unlock()
	if by != closedByPrev {
		c.prev.destroy(reason)
	}
	c.prev.remove()
	if next.table != nil {
		if by != closedByNext {
			next.destroy(reason)
		}
		next.remove()
	}
	if e := c.end.Load(); e != nil {
		e.close()
	}
	if joint != nil {
		joint.to.close(reason, closedHere)
	}
	c.prev.table.relay.Closed(c)
}

func (s side) destroy(reason cell.DestroyReason) {
	s.table.link.Destroy(s.id, reason)
}

// remove takes the circuit out of the table, after DESTROY: the ID may be taken again at once.
func (s side) remove() { s.table.remove(s.id) }

// Send encrypts and queues one message to the client.
func (c *RelayCircuit) Send(m relaymsg.Msg) error {
	err := c.sendQuietly(m)
	c.prev.table.link.Out().Signal()
	return err
}

// sendQuietly is Send for the reader, which signals the link's writer once a batch.
func (c *RelayCircuit) sendQuietly(m relaymsg.Msg) error {
	err := c.seal(m)
	if errors.Is(err, link.ErrQueueFull) {
		c.close(cell.DestroyResourceLimit, closedHere)
	}
	return err
}

// Offer is Send for what the client has not asked for: when too many cells wait already, it sends nothing and returns
// link.ErrQueueFull, and the circuit lives on.
func (c *RelayCircuit) Offer(m relaymsg.Msg) error {
	c.bwd.mu.Lock()
	defer c.bwd.mu.Unlock()
	if c.bwd.queue.Full() {
		return link.ErrQueueFull
	}
	defer c.prev.table.link.Out().Signal()
	return c.sealLocked(m)
}

// seal encrypts m and appends it to the queue.
func (c *RelayCircuit) seal(m relaymsg.Msg) error {
	c.bwd.mu.Lock()
	defer c.bwd.mu.Unlock()
	return c.sealLocked(m)
}

func (c *RelayCircuit) sealLocked(m relaymsg.Msg) error {
	if c.closed.Load() || c.bwd.crypt == nil {
		return ErrClosed
	}
	chunk := c.prev.table.link.Out().ChunkFor(1)
	slot := chunk.Next(c.prev.id, cell.CmdRelay)
	pad := padPool.Get().(*mathrand.ChaCha8)
	err := c.bwd.crypt.Format().Encode(slot, m, pad)
	padPool.Put(pad)
	if err != nil {
		return err
	}
	c.bwd.crypt.Originate(slot, uint8(cell.CmdRelay))
	if m.Cmd != relaymsg.CmdDrop {
		c.bwd.carriedLocked(1)
	}
	return c.bwd.queue.Append(chunk)
}

// padPool has sources of the random bytes behind messages: one a circuit would be a third of an idle circuit's memory.
var padPool = sync.Pool{New: func() any {
	var seed [32]byte
	rand.Read(seed[:])
	return mathrand.NewChaCha8(seed)
}}

// Overflowed tells whether the circuit was closed since too many cells waited for the next relay. A client that makes many
// such circuits attacks it.
func (c *RelayCircuit) Overflowed() bool { return c.overflowed.Load() }

// CellStats returns when the circuit began, how many cells have left its queues so far, and how long they had waited there,
// all together (CellStatistics).
func (c *RelayCircuit) CellStats() (began time.Time, cells uint64, waited time.Duration) {
	c.fwd.mu.Lock()
	cells, waited = c.fwd.queue.Sent()
	c.fwd.mu.Unlock()
	n, w := c.bwd.queue.Sent()
	return c.prev.table.link.Opened().Add(c.born), cells + n, waited + w
}

// closeFor closes the circuit for an error in what came.
func (c *RelayCircuit) closeFor(err error) {
	reason := cell.DestroyProtocol
	if errors.Is(err, link.ErrQueueFull) {
		reason = cell.DestroyResourceLimit
	}
	c.close(reason, closedHere)
}

// KH returns what stands for the handshake that made the circuit: whoever knows it took part in that.
//
// https://spec.torproject.org/tor-spec/setting-circuit-keys.html
func (c *RelayCircuit) KH() [kdf.KHLen]byte { return c.kh }

// Prev returns the link towards the client.
func (c *RelayCircuit) Prev() *link.Link { return c.prev.table.link }

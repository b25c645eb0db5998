package fakepeer

import (
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Windows, in DATA cells.
//
// https://spec.torproject.org/tor-spec/flow-control.html
const (
	circWindow      = 1000
	circIncrement   = 100
	streamWindow    = 500
	streamIncrement = 50
	maxRelayEarly   = 8
)

// A Circuit is a circuit that the client has made. The relay plays all of its hops; the first is number 0.
type Circuit struct {
	conn   *Conn
	id     cell.CircID
	number int // counts the relay's circuits

	// The relay's mutex guards the fields below.
	hops  []*hop
	early int // RELAY_EARLY cells so far
	ended bool
	pad   *mathrand.ChaCha8
}

// A hop is one relay on a circuit.
type hop struct {
	id      *Identity // nil for the hop of CREATE_FAST
	crypt   *relaycrypt.Relay
	streams map[uint16]*Stream
	over    map[uint16]bool // streams that have been and are closed

	room   int              // DATA cells that we may send
	sent   int              // DATA cells that we sent
	tags   []relaycrypt.Tag // of the SENDMEs that are due from the client
	window int              // DATA cells that the client may send
	got    int              // DATA cells since our last SENDME
}

func newHop(id *Identity, keys *kdf.Keys, window int) *hop {
	material, _ := keys.Circuit(relaycrypt.TorOneKeyLen)
	return &hop{
		id: id, crypt: relaycrypt.NewRelay(must(relaycrypt.ParseTor1(material))),
		streams: map[uint16]*Stream{}, over: map[uint16]bool{},
		room: window, window: circWindow,
	}
}

// ID returns the circuit's ID on the link.
func (c *Circuit) ID() cell.CircID { return c.id }

// Conn returns the link that the circuit is on.
func (c *Circuit) Conn() *Conn { return c.conn }

// Hops returns the number of hops.
func (c *Circuit) Hops() int {
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	return len(c.hops)
}

// Send sends a message from a hop, with no regard to windows and without a look at what it says.
func (c *Circuit) Send(hop int, m relaymsg.Msg) {
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	c.sendLocked(hop, m, cell.CmdRelay)
}

// SendAs is Send in a cell of another command than RELAY.
func (c *Circuit) SendAs(hop int, m relaymsg.Msg, cmd cell.Command) {
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	c.sendLocked(hop, m, cmd)
}

// SendBody sends what a relay cell holds from a hop: all of its fields but recognized and digest are the caller's.
func (c *Circuit) SendBody(hop int, body [cell.BodyLen]byte) {
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	c.sealLocked(hop, &body, cell.CmdRelay)
	c.conn.sendLocked(cell.Cell{Circ: c.id, Cmd: cell.CmdRelay, Body: body[:]})
}

// Seal returns the encrypted body of a cell with a message, and does not send it: it is for the caller to deliver, and
// before any cell that comes after it. DATA counts as sent.
func (c *Circuit) Seal(hop int, m relaymsg.Msg) [cell.BodyLen]byte {
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	body := c.encodeLocked(m)
	tag := c.sealLocked(hop, &body, cell.CmdRelay)
	if m.Cmd == relaymsg.CmdData {
		c.hops[hop].countSentLocked(m.Stream, tag)
	}
	return body
}

// Destroy ends the circuit by a DESTROY cell.
func (c *Circuit) Destroy(reason cell.DestroyReason) {
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	c.destroyLocked(reason)
}

// Truncated makes a hop say that all beyond it is lost, and forgets what is.
func (c *Circuit) Truncated(hop int, reason cell.DestroyReason) {
	body := must(relaymsg.Truncated{Reason: reason}.AppendTo(nil))
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	c.truncateLocked(hop)
	c.sendLocked(hop, relaymsg.Msg{Cmd: relaymsg.CmdTruncated, Body: body}, cell.CmdRelay)
}

// Stream returns an open stream at a hop, or nil.
func (c *Circuit) Stream(hop int, id uint16) *Stream {
	c.conn.relay.mu.Lock()
	defer c.conn.relay.mu.Unlock()
	return c.hops[hop].streams[id]
}

func (c *Circuit) truncateLocked(hop int) {
	for _, h := range c.hops[hop+1:] {
		h.endLocked()
	}
	c.hops = c.hops[:hop+1]
}

func (c *Circuit) destroyLocked(reason cell.DestroyReason) {
	if c.ended {
		return
	}
	c.conn.gone[c.id] = true
	c.conn.sendLocked(cell.Cell{Circ: c.id, Cmd: cell.CmdDestroy, Body: []byte{byte(reason)}})
	c.endLocked()
}

// endLocked forgets the circuit and ends its streams.
func (c *Circuit) endLocked() {
	c.ended = true
	delete(c.conn.circs, c.id)
	for _, h := range c.hops {
		h.endLocked()
	}
}

func (h *hop) endLocked() {
	for _, s := range h.streams {
		s.endLocked()
	}
}

// countSentLocked counts a DATA cell to the client.
func (h *hop) countSentLocked(stream uint16, tag relaycrypt.Tag) {
	if s := h.streams[stream]; s != nil {
		s.room--
	}
	h.room--
	h.sent++
	if h.sent%circIncrement == 0 {
		h.tags = append(h.tags, tag)
	}
}

func (c *Circuit) sendLocked(hop int, m relaymsg.Msg, cmd cell.Command) {
	if c.ended || hop >= len(c.hops) {
		return
	}
	body := c.encodeLocked(m)
	tag := c.sealLocked(hop, &body, cmd)
	if m.Cmd == relaymsg.CmdData {
		c.hops[hop].countSentLocked(m.Stream, tag)
	}
	c.conn.sendLocked(cell.Cell{Circ: c.id, Cmd: cmd, Body: body[:]})
}

// encodeLocked lays out a relay cell of format V0. Other than package relaymsg it does not ask whether m may be sent.
//
// https://spec.torproject.org/tor-spec/relay-cells.html
func (c *Circuit) encodeLocked(m relaymsg.Msg) (body [cell.BodyLen]byte) {
	const bodyAt, zeros = 11, 4
	body[0] = byte(m.Cmd)
	binary.BigEndian.PutUint16(body[3:], m.Stream)
	binary.BigEndian.PutUint16(body[9:], uint16(len(m.Body)))
	end := bodyAt + copy(body[bodyAt:], m.Body)
	c.pad.Read(body[min(end+zeros, len(body)):])
	return body
}

// sealLocked encrypts a cell from a hop to the client.
func (c *Circuit) sealLocked(hop int, body *[cell.BodyLen]byte, cmd cell.Command) relaycrypt.Tag {
	tag := c.hops[hop].crypt.Originate(body, uint8(cmd))
	for i := hop - 1; i >= 0; i-- {
		c.hops[i].crypt.Backward(body, uint8(cmd))
	}
	return tag
}

// answer sends what the relay has to say by itself, unless the hook objects.
func (c *Circuit) answer(hop int, m relaymsg.Msg) {
	if !c.mayAnswer(hop, &m) {
		return
	}
	c.Send(hop, m)
}

func (c *Circuit) mayAnswer(hop int, m *relaymsg.Msg) bool {
	hook := c.conn.relay.cfg.Hooks.Answer
	return hook == nil || hook(c, hop, m)
}

func newPad() *mathrand.ChaCha8 {
	var seed [32]byte
	rand.Read(seed[:])
	return mathrand.NewChaCha8(seed)
}

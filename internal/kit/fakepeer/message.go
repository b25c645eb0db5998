package fakepeer

import (
	"bytes"

	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// receive takes in a relay cell. The link's reader alone calls it, so the forward direction needs no lock.
func (c *Circuit) receive(in cell.Cell) {
	c.conn.relay.mu.Lock()
	hops := c.hops
	if in.Cmd == cell.CmdRelayEarly {
		if c.early++; c.early > maxRelayEarly {
			c.conn.relay.violationLocked("%d RELAY_EARLY cells on one circuit", c.early)
		}
	}
	c.conn.relay.mu.Unlock()

	body := (*[cell.BodyLen]byte)(in.Body)
	for i, h := range hops {
		recognized, tag := h.crypt.Forward(body, uint8(in.Cmd))
		if !recognized {
			continue
		}
		m, err := relaymsg.V0.Decode(body)
		if err != nil {
			c.conn.violation("relay cell to hop %d: %v", i, err)
			return
		}
		c.take(i, in.Cmd, m, tag)
		return
	}
	c.conn.violation("relay cell that no hop of %d recognizes", len(hops))
}

// take acts on a message that has reached its hop.
func (c *Circuit) take(hop int, cmd cell.Command, m relaymsg.Msg, tag relaycrypt.Tag) {
	r := c.conn.relay
	r.mu.Lock()
	r.stats.Msgs[m.Cmd]++
	ack := false
	if m.Cmd == relaymsg.CmdData {
		ack = c.countDataLocked(hop, m)
	}
	r.changed.Broadcast()
	r.mu.Unlock()
	if hook := r.cfg.Hooks.Message; hook != nil && hook(c, hop, m) {
		return
	}
	switch m.Cmd {
	case relaymsg.CmdExtend2:
		c.extend(hop, cmd, m)
	case relaymsg.CmdTruncate:
		c.Truncated(hop, cell.DestroyRequested)
	case relaymsg.CmdDrop:
	case relaymsg.CmdSendme:
		c.sendme(hop, m)
	case relaymsg.CmdBegin, relaymsg.CmdBeginDir, relaymsg.CmdResolve:
		c.open(hop, m)
	case relaymsg.CmdData, relaymsg.CmdEnd:
		c.toStream(hop, m)
	default:
		c.conn.violation("%v of stream %d to hop %d", m.Cmd, m.Stream, hop)
	}
	if ack {
		body := must(relaymsg.Sendme{Version: 1, Tag: tag.Bytes()}.AppendTo(nil))
		c.answer(hop, relaymsg.Msg{Cmd: relaymsg.CmdSendme, Body: body})
	}
}

// countDataLocked counts a DATA cell of the client, and reports whether it is to be acknowledged.
func (c *Circuit) countDataLocked(hop int, m relaymsg.Msg) (ack bool) {
	r, h := c.conn.relay, c.hops[hop]
	r.stats.Data += int64(len(m.Body))
	if h.window--; h.window < 0 {
		r.violationLocked("DATA beyond the circuit's window")
	}
	if len(m.Body) == 0 {
		r.violationLocked("empty DATA")
	}
	h.got++
	if h.got < circIncrement {
		return false
	}
	h.got -= circIncrement
	h.window += circIncrement
	return true
}

// extend adds a hop to the circuit.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#EXTEND
func (c *Circuit) extend(hop int, cmd cell.Command, m relaymsg.Msg) {
	r := c.conn.relay
	if cmd != cell.CmdRelayEarly {
		c.conn.violation("EXTEND2 in a %v cell", cmd)
	}
	e, err := relaymsg.ParseExtend2(m.Body)
	if err != nil {
		c.conn.violation("EXTEND2: %v", err)
		return
	}
	set, err := linkspec.NewSet(e.Specs)
	if err != nil || !set.HasRSA || len(set.Addrs) == 0 || !sameOrder(e.Specs, set.Specs()) {
		c.conn.violation("EXTEND2 with link specifiers %v (%v)", e.Specs, err)
	}
	id := r.others[set.RSA]
	if id == nil {
		c.Truncated(hop, cell.DestroyConnectFailed)
		return
	}
	if set.HasEd && set.Ed != id.Ed() {
		c.Truncated(hop, cell.DestroyORIdentity)
		return
	}
	data, next := r.answer(id, e.Type, e.Data)
	if next == nil {
		c.conn.violation("EXTEND2 whose handshake cannot be answered")
		c.Truncated(hop, cell.DestroyProtocol)
		return
	}
	out := relaymsg.Msg{Cmd: relaymsg.CmdExtended2, Body: must(relaymsg.Extended2{Data: data}.AppendTo(nil))}
	send := c.mayAnswer(hop, &out)
	r.mu.Lock()
	defer r.mu.Unlock()
	if send {
		c.sendLocked(hop, out, cell.CmdRelay)
	}
	if c.ended || hop != len(c.hops)-1 {
		return
	}
	c.hops = append(c.hops, next)
	r.changed.Broadcast()
}

// sameOrder tells whether the specifiers that a client sent are in the order that all clients use.
func sameOrder(got, want []linkspec.Spec) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i].Type != want[i].Type || !bytes.Equal(got[i].Body, want[i].Body) {
			return false
		}
	}
	return true
}

// sendme acts on a SENDME.
//
// https://spec.torproject.org/tor-spec/flow-control.html
func (c *Circuit) sendme(hop int, m relaymsg.Msg) {
	r := c.conn.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	h := c.hops[hop]
	if m.Stream != 0 {
		h.streamSendmeLocked(r, m)
		return
	}
	s, err := relaymsg.ParseSendme(m.Body)
	switch {
	case err != nil || s.Version != 1:
		r.violationLocked("SENDME of version %d (%v)", s.Version, err)
	case len(h.tags) == 0:
		r.violationLocked("SENDME of the circuit when none was due")
	case !h.tags[0].Equal(s.Tag):
		r.violationLocked("SENDME with tag %x, want %x", s.Tag, h.tags[0].Bytes())
	default:
		h.tags = h.tags[1:]
		h.room += circIncrement
	}
	for _, s := range h.streams {
		s.changed.Broadcast()
	}
}

func (h *hop) streamSendmeLocked(r *Relay, m relaymsg.Msg) {
	s := h.streams[m.Stream]
	switch {
	case s == nil && h.over[m.Stream]: // it crossed with our END
	case s == nil:
		r.violationLocked("SENDME for stream %d, which is not there", m.Stream)
	case s.room+streamIncrement > streamWindow:
		r.violationLocked("SENDME of stream %d when none was due", m.Stream)
	case len(m.Body) != 0:
		r.violationLocked("SENDME of a stream with a body")
	default:
		s.room += streamIncrement
		s.changed.Broadcast()
	}
}

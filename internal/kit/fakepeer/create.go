package fakepeer

import (
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// handle acts on a cell of an open link. The reader alone calls it.
func (c *Conn) handle(in cell.Cell) {
	switch in.Cmd {
	case cell.CmdPadding, cell.CmdVPadding:
	case cell.CmdPaddingNegotiate:
		c.checkPaddingNegotiate(in)
	case cell.CmdCreateFast, cell.CmdCreate2:
		c.create(in)
	case cell.CmdRelay, cell.CmdRelayEarly:
		if circ := c.find(in); circ != nil {
			circ.receive(in)
		}
	case cell.CmdDestroy:
		c.destroyed(in)
	default:
		c.violation("%v on an open link", in.Cmd)
	}
}

func (c *Conn) violation(format string, args ...any) {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	c.relay.violationLocked(format, args...)
}

func (c *Conn) checkPaddingNegotiate(in cell.Cell) {
	m, err := cell.ParsePaddingNegotiate(in.Body)
	if c.proto < 5 || in.Circ != 0 || err != nil || m.Version != 0 ||
		m.Command != cell.PaddingStop && m.Command != cell.PaddingStart {
		c.violation("PADDING_NEGOTIATE %+v on circuit %d of link protocol %d (%v)", m, in.Circ, c.proto, err)
	}
}

// find returns the circuit of a cell, or nil if it is gone.
func (c *Conn) find(in cell.Cell) *Circuit {
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	circ := c.circs[in.Circ]
	if circ == nil && !c.gone[in.Circ] {
		c.relay.violationLocked("%v on circuit %d, which is not there", in.Cmd, in.Circ)
	}
	return circ
}

// destroyed acts on DESTROY. A client's reason is always NONE.
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
func (c *Conn) destroyed(in cell.Cell) {
	circ := c.find(in)
	c.relay.mu.Lock()
	defer c.relay.mu.Unlock()
	if in.Body[0] != byte(cell.DestroyNone) && !c.fromRelay {
		c.relay.violationLocked("DESTROY of a client with reason %v", cell.DestroyReason(in.Body[0]))
	}
	if circ != nil {
		circ.endLocked()
	}
	delete(c.gone, in.Circ)
}

// create makes a circuit of one hop.
func (c *Conn) create(in cell.Cell) {
	high := cell.CircID(1) << 31
	if c.proto < 4 {
		high = 1 << 15
	}
	r := c.relay
	r.mu.Lock()
	if in.Circ&high == 0 {
		r.violationLocked("%v with circuit ID %#x, whose high bit is not set", in.Cmd, in.Circ)
	}
	if old := c.circs[in.Circ]; old != nil {
		r.violationLocked("%v with circuit ID %#x, which is in use", in.Cmd, in.Circ)
		old.endLocked()
	}
	r.stats.Circuits++
	circ := &Circuit{conn: c, id: in.Circ, number: r.stats.Circuits, pad: newPad()}
	c.circs[in.Circ] = circ
	delete(c.gone, in.Circ)
	r.mu.Unlock()

	var reply []byte
	var first *hop
	answer := cell.CmdCreated2
	if in.Cmd == cell.CmdCreateFast {
		answer = cell.CmdCreatedFast
		reply, first = r.createFast(in.Body)
	} else {
		reply, first = r.create2(in.Body)
	}
	if first == nil {
		c.violation("%v that cannot be answered", in.Cmd)
		circ.Destroy(cell.DestroyProtocol)
		return
	}
	out := relaymsg.Msg{Body: reply}
	send := circ.mayAnswer(-1, &out)
	r.mu.Lock()
	defer r.mu.Unlock()
	if circ.ended {
		return // the hook has destroyed it
	}
	circ.hops = append(circ.hops, first)
	if send {
		c.sendLocked(cell.Cell{Circ: in.Circ, Cmd: answer, Body: out.Body})
	}
	r.changed.Broadcast()
}

func (r *Relay) createFast(body []byte) ([]byte, *hop) {
	m := must(cell.ParseCreateFast(body))
	y := [20]byte(randomBytes(20))
	kh, keys := kdf.Fast(m.X, y)
	return must(cell.CreatedFast{Y: y, KH: kh}.AppendTo(nil)), newHop(nil, keys, r.cfg.Window)
}

func (r *Relay) create2(body []byte) ([]byte, *hop) {
	m, err := cell.ParseCreate2(body)
	if err != nil {
		return nil, nil
	}
	data, h := r.answer(r.cfg.Identity, m.Type, m.Data)
	if h == nil {
		return nil, nil
	}
	return must(cell.Created2{Data: data}.AppendTo(nil)), h
}

// answer does a handshake as the relay of the given identity. The hop is nil if the client's side of it is wrong.
func (r *Relay) answer(id *Identity, kind cell.HandshakeType, data []byte) ([]byte, *hop) {
	if kind != cell.HandshakeNTor && kind != cell.HandshakeNTorV3 {
		return nil, nil
	}
	reply, keys, err := id.answer(kind, data, must(r.cfg.V3Exts.AppendTo(nil)))
	if err != nil {
		return nil, nil
	}
	return reply, newHop(id, keys, r.cfg.Window)
}

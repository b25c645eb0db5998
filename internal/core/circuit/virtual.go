package circuit

import (
	"errors"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A VirtualHop is the other end of a rendezvous: an onion service for its client, or the client for the service. It is the last
// hop of both circuits, beyond the rendezvous point, and shares its keys with nobody else.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
type VirtualHop struct {
	Keys *kdf.Keys          // of the service's handshake; AppendVirtualHop wipes them
	CC   *congestion.Params // of congestion control; nil for fixed windows
	Inc  int                // DATA cells a SENDME, with CC: what the service's descriptor says

	// Accept takes the streams that the client opens; nil at the client. The link's reader calls it, so it may not block.
	Accept func(stream.Incoming)
	// First is sent to the last hop so far, before anything can come from the new one: a service's RENDEZVOUS1. It may be nil.
	First *relaymsg.Msg
}

// AppendVirtualHop adds the other end of a rendezvous to the circuit. From now on streams go there, and messages of the
// rendezvous point are an error.
func (c *Circuit) AppendVirtualHop(h VirtualHop) error {
	material := h.Keys.Expand(relaycrypt.HSKeyLen)
	h.Keys.Wipe()
	defer clear(material)
	keys, err := relaycrypt.ParseHS(material)
	if err != nil {
		return err
	}
	if h.Accept != nil {
		keys = keys.Reversed()
		c.tunnel.accept(h.Accept)
	}
	out, in := keys.Forward(), keys.Backward()
	var flow *stream.Flow
	if h.CC == nil {
		h.Inc = 0
	} else {
		f := h.CC.Flow
		flow = &stream.Flow{Params: f, Own: f.XoffClient, Peer: f.XoffClient}
	}
	c.tunnel.setFlow(flow)
	c.send.mu.Lock()
	defer c.link.Out().Signal()
	defer c.send.mu.Unlock()
	if c.send.closed {
		return c.err
	}
	// The client answers at once to RENDEZVOUS1: the hop must be there when its cells come.
	c.recv.mu.Lock()
	defer c.recv.mu.Unlock()
	if h.First != nil {
		if err := c.sealLocked(*h.First); err != nil {
			return err
		}
	}
	ctl, deliver := c.windows(h.CC, h.Inc)
	c.send.ctl, c.recv.deliver = ctl, deliver
	c.send.out.Add(out)
	c.recv.in.Add(in)
	c.recv.accepts = h.Accept != nil
	return nil
}

// OnMessage lets f take the messages of onion services that the last hop sends from now on: without it they are an error. The
// link's reader calls f, so it may not block; the body aliases the reader's buffer. An error closes the circuit. f must look
// at what this end has sent so far: that the circuit is for something does not mean that the relay may say anything.
func (c *Circuit) OnMessage(f func(relaymsg.Msg) error) {
	c.recv.mu.Lock()
	defer c.recv.mu.Unlock()
	c.recv.talk = f
}

// Send sends a message that is not about a stream to the last hop.
func (c *Circuit) Send(m relaymsg.Msg) error { return c.sendMsg(m) }

// KH returns what stands for the handshake with the last relay. An introduction point wants to see it authenticated.
//
// https://spec.torproject.org/tor-spec/setting-circuit-keys.html
func (c *Circuit) KH() [kdf.KHLen]byte {
	c.send.mu.Lock()
	defer c.send.mu.Unlock()
	return c.send.kh
}

// CC tells whether the last hop does congestion control.
func (c *Circuit) CC() bool {
	c.send.mu.Lock()
	defer c.send.mu.Unlock()
	return c.send.ctl.Algorithm() != congestion.Fixed
}

// forOnion tells whether relays say cmd to clients of onion services or to services.
func forOnion(cmd relaymsg.Command) bool {
	switch cmd {
	case relaymsg.CmdIntroEstablished, relaymsg.CmdIntroduce2, relaymsg.CmdIntroduceAck,
		relaymsg.CmdRendezvousEstablished, relaymsg.CmdRendezvous2:
		return true
	}
	return false
}

// converse hands the messages in rx to whoever listens.
func (h *originHalf) converse(rx *receiver) error {
	h.mu.Lock()
	talk := h.talk
	h.mu.Unlock()
	for _, m := range rx.talk {
		switch {
		case h.circ.Err() != nil:
			return nil
		case talk == nil:
			return violation("%v that nobody waits for any more", m.Cmd)
		}
		if err := talk(m); err != nil {
			if _, ok := errors.AsType[*ProtocolError](err); ok {
				return err
			}
			return &ProtocolError{err}
		}
	}
	return nil
}

// accept makes f take the streams that the other end opens.
func (t *Tunnel) accept(f func(stream.Incoming)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mux.AcceptLocked()
	t.incoming = f
}

package intropoint

import (
	"errors"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

var (
	errShort  = errors.New("INTRODUCE1 that is no introduction")
	errOneHop = errors.New("INTRODUCE1 from a client that is no relay away")
)

// minIntroduce1 is how long a message must be to get an answer: C tor looks for the identity of a version 2 service there.
const minIntroduce1 = 20

// introduce passes an introduction on to its service, and tells the client. A circuit has one: whoever wants more is to build
// more circuits. A client that is linked to us could flood services at little cost.
func (p *Points) introduce(c *circuit.RelayCircuit, body []byte) error {
	if len(body) < minIntroduce1 {
		return errShort
	}
	if err := c.Take(circuit.UseIntroduce); err != nil {
		return err
	}
	if !c.Prev().Peer().Relay {
		return errOneHop
	}
	answer, err := relaymsg.IntroduceAck{Status: p.pass(body)}.AppendTo(nil)
	if err != nil {
		return err
	}
	return c.Send(relaymsg.Msg{Cmd: relaymsg.CmdIntroduceAck, Body: answer})
}

// pass sends an introduction to its service, whole as it is. As in C tor, whoever asks too often hears what one hears who asks
// for a service that is not here (handle_introduce1).
func (p *Points) pass(body []byte) relaymsg.IntroduceStatus {
	m, err := relaymsg.ParseIntroduce(body)
	if err != nil {
		return relaymsg.IntroduceBadFormat
	}
	c := p.find(m.AuthKey)
	if c == nil {
		return relaymsg.IntroduceUnknownID
	}
	// In C tor a service that does not read loses its introduction point to whoever has filled the queue.
	switch err := c.Offer(relaymsg.Msg{Cmd: relaymsg.CmdIntroduce2, Body: body}); {
	case errors.Is(err, link.ErrQueueFull):
		return relaymsg.IntroduceCannotRelay
	case err != nil:
		return relaymsg.IntroduceUnknownID
	}
	return relaymsg.IntroduceOK
}

// find returns the circuit of a service that may have one more introduction, or nil.
func (p *Points) find(key [32]byte) *circuit.RelayCircuit {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.byKey[key]
	if s == nil {
		return nil
	}
	if l := s.limitsLocked(p); l.on && !s.bucket.take(p.seconds(), *l) {
		p.rejected++
		return nil
	}
	return s.circ
}

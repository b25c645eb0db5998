package hsclient

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// rendState is what a rendezvous has come to at our end. It, and not what the circuit is for, decides which messages of the
// rendezvous point make sense (C tor's bug 41297).
//
//	building → asked → established → introduced → joined
type rendState uint8

const (
	building    rendState = iota
	asked                 // ESTABLISH_RENDEZVOUS has gone out
	established           // and was answered
	introduced            // INTRODUCE1 with our cookie has gone out
	joined                // RENDEZVOUS2 has come: the service is there
)

// rendezvous is a circuit on which we wait for a service.
type rendezvous struct {
	circ   *circuit.Circuit
	at     *netdir.Relay // the rendezvous point
	cc     bool          // it does congestion control
	cookie [20]byte

	established, joined chan struct{} // closed in those states

	mu    sync.Mutex // guards the fields below; before the circuit's own mutexes
	state rendState
	hs    *hsntor.Client
	intro hsntor.Intro       // whereto the introduction has gone
	flow  *congestion.Params // what it has asked the service to do; nil for windows
	inc   int
}

// establish makes a rendezvous point.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func (c *Client) establish(ctx context.Context, stable bool) (*rendezvous, error) {
	hs, err := hsntor.NewClient(crand.Reader)
	if err != nil {
		return nil, err
	}
	in, err := c.cfg.Circuits.Inside(ctx, circmgr.InsideNeed{Stable: stable})
	if err != nil {
		return nil, err
	}
	r := &rendezvous{
		circ: in.Circ, at: in.Last, cc: in.Circ.CC(), hs: hs,
		established: make(chan struct{}), joined: make(chan struct{}),
	}
	crand.Read(r.cookie[:])
	if err := r.ask(ctx); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// ask asks the relay to be a rendezvous point, and waits for its answer.
func (r *rendezvous) ask(ctx context.Context) error {
	body, err := relaymsg.EstablishRendezvous{Cookie: r.cookie}.AppendTo(nil)
	if err != nil {
		return err
	}
	r.circ.OnMessage(r.receive)
	if err := r.sendAsk(relaymsg.Msg{Cmd: relaymsg.CmdEstablishRendezvous, Body: body}); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-r.established:
		return nil
	case <-r.circ.Done():
		return r.circ.Err()
	case <-timer.C:
		return errEstablish
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sendAsk sends ESTABLISH_RENDEZVOUS. An answer waits until the state says that it has gone out.
func (r *rendezvous) sendAsk(m relaymsg.Msg) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.circ.Send(m); err != nil {
		return err
	}
	r.state = asked
	return nil
}

// setFlow says what congestion control the next introduction asks for.
func (r *rendezvous) setFlow(cc *congestion.Params, inc int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != joined {
		r.flow, r.inc = cc, inc
	}
}

// introduce sends INTRODUCE1 by way of in, and has that circuit padded. If the service is here already, by way of a point that had said that it would not
// come, there is nothing to send.
func (r *rendezvous) introduce(in *introduction, at hsntor.Intro, d *descriptor, text relaymsg.IntroducePlaintext) (here bool, err error) {
	in.circ.OnMessage(in.receive)
	in.mu.Lock()
	defer in.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == joined {
		return true, nil
	}
	body, err := r.hs.Introduce(at, d.subcredential, text)
	if err != nil {
		return false, err
	}
	if err := in.circ.SendPadded(relaymsg.Msg{Cmd: relaymsg.CmdIntroduce1, Body: body}, padding.Intro); err != nil {
		return false, err
	}
	r.intro, r.state, in.sent = at, introduced, true
	return false, nil
}

// receive takes what the rendezvous point says. The reader of the circuit's link calls it.
func (r *rendezvous) receive(m relaymsg.Msg) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case m.Cmd == relaymsg.CmdRendezvousEstablished && r.state == asked:
		r.state = established
		close(r.established)
		return nil
	case m.Cmd == relaymsg.CmdRendezvous2 && r.state == introduced:
		return r.joinLocked(m.Body)
	}
	return fmt.Errorf("%v out of turn", m.Cmd)
}

// joinLocked checks that it is the service that has come, and adds it to the circuit.
func (r *rendezvous) joinLocked(body []byte) error {
	m, err := relaymsg.ParseRendezvous2(body)
	if err != nil {
		return err
	}
	keys, err := r.hs.Finish(r.intro, m)
	if err != nil {
		return err
	}
	if err := r.circ.AppendVirtualHop(circuit.VirtualHop{Keys: keys, CC: r.flow, Inc: r.inc}); err != nil {
		return err
	}
	r.state = joined
	close(r.joined)
	return nil
}

// close ends the circuit.
func (r *rendezvous) close() {
	r.circ.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hs.Wipe()
}

// introduction is a circuit to an introduction point.
type introduction struct {
	circ *circuit.Circuit
	ack  chan relaymsg.IntroduceStatus // has room for the one answer

	mu   sync.Mutex // guards sent; before that of a rendezvous
	sent bool       // INTRODUCE1 has gone out, and was not answered
}

func newIntroduction(c *circuit.Circuit) *introduction {
	return &introduction{circ: c, ack: make(chan relaymsg.IntroduceStatus, 1)}
}

// receive takes what the introduction point says. The reader of the circuit's link calls it.
func (in *introduction) receive(m relaymsg.Msg) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if m.Cmd != relaymsg.CmdIntroduceAck || !in.sent {
		return fmt.Errorf("%v out of turn", m.Cmd)
	}
	ack, err := relaymsg.ParseIntroduceAck(m.Body)
	if err != nil {
		return err
	}
	in.sent = false
	in.ack <- ack.Status
	return nil
}

// specs says how to find a rendezvous point.
func specs(r *netdir.Relay) []linkspec.Spec {
	return linkspec.Set{Addrs: r.Addrs(), RSA: r.RSA, HasRSA: true, Ed: r.Ed, HasEd: r.HasEd}.Specs()
}

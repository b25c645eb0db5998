package hsservice

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// cheapMeetings is how many clients may be on their way to be met when one is, who has not made the effort that is asked for.
const cheapMeetings = 16

// queuePoll is how long the queue waits when too many others are on their way, and the least that it waits.
const (
	queuePoll = 100 * time.Millisecond
	queueLull = time.Millisecond
)

// meetClients starts to meet those in the queue, as far as that is allowed now.
func (s *Service) meetClients(now time.Time) time.Duration {
	for len(s.queue.heap) > 0 {
		if s.meetings >= maxMeetings {
			return time.Hour // the end of one wakes us
		}
		if p := s.set.PoW; p != nil {
			if s.meetings >= cheapMeetings && !s.queue.worthwhile() {
				return queuePoll
			}
			if wait := s.takeToken(p, now); wait > 0 {
				return wait
			}
		}
		c, ok := s.queue.pop(now)
		if !ok {
			break
		}
		s.meetings++
		s.met.Add(1)
		ctx := s.ctx
		cc, tries := s.consensusFor(c)
		safego.Go(&s.wg, s.log, "rendezvous", func() { s.meet(ctx, c, cc, tries) })
	}
	return time.Hour
}

// takeToken takes what lets one client be met, and returns 0; or how long it is until there is one.
func (s *Service) takeToken(p *PoW, now time.Time) time.Duration {
	if p.Rate <= 0 {
		return 0
	}
	if s.filled.IsZero() {
		s.tokens = float64(p.Burst)
	} else {
		s.tokens = min(s.tokens+now.Sub(s.filled).Seconds()*float64(p.Rate), float64(p.Burst))
	}
	s.filled = now
	if s.tokens < 1 {
		return max(time.Duration((1-s.tokens)/float64(p.Rate)*float64(time.Second)), queueLull)
	}
	s.tokens--
	return 0
}

// consensusFor returns the congestion control that a client is to have, nil for none, and how often to try to meet it.
func (s *Service) consensusFor(c *client) (cc *congestion.Params, tries int) {
	v := s.cfg.Net.View()
	if v == nil {
		return nil, 1
	}
	list := v.Consensus().Params
	// C tor counts the failures after which it does not try again (can_relaunch_service_rendezvous_point).
	tries = int(list.Of(params.HSServiceMaxRdvFailure)) + 1
	if p := s.congestion(list); c.cc && p.Enabled {
		cc = p
	}
	return cc, tries
}

// meet builds a circuit to where a client waits, and serves it until it goes.
func (s *Service) meet(ctx context.Context, c *client, cc *congestion.Params, tries int) {
	var circ Circuit
	var m *meeting
	err := errPanic
	safego.Run(s.log, "rendezvous", func() { circ, m, err = s.join(ctx, c, cc, tries) })
	s.do(func(time.Time) { s.meetings-- })
	if err != nil {
		s.log.Debug("client was not met", "service", s.name(), "err", err)
		return
	}
	s.publish(Event{Kind: Met})
	m.watch(ctx, circ)
}

// join makes the circuit with a client.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func (s *Service) join(ctx context.Context, c *client, cc *congestion.Params, tries int) (Circuit, *meeting, error) {
	building, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	reply, keys, err := c.request.Reply(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	handshake, err := reply.AppendTo(nil)
	if err != nil {
		return nil, nil, err
	}
	body, err := relaymsg.Rendezvous1{Cookie: c.request.Cookie, Handshake: handshake}.AppendTo(nil)
	if err != nil {
		return nil, nil, err
	}
	var circ Circuit
	for i := range tries {
		way := ToGiven
		if s.cfg.Direct && i == 0 { // what cannot be reached in one hop may be in more
			way = Direct
		}
		if circ, err = s.cfg.Net.Circuit(building, c.hop, way); err == nil || building.Err() != nil {
			break
		}
	}
	if err != nil {
		keys.Wipe()
		return nil, nil, err
	}
	m := &meeting{s: s, ctx: ctx, number: s.circuits.Add(1)}
	if t, ok := circ.(tunneled); ok {
		m.tunnel = t.Tunnel()
	}
	m.close = circ.Close
	hop := circuit.VirtualHop{Keys: keys, Accept: m.incoming, First: &relaymsg.Msg{Cmd: relaymsg.CmdRendezvous1, Body: body}}
	if cc != nil {
		hop.CC, hop.Inc = cc, cc.Inc
	}
	if err := circ.AppendVirtualHop(hop); err != nil {
		circ.Close()
		return nil, nil, err
	}
	return circ, m, nil
}

// tunneled is a circuit that tells its streams.
type tunneled interface{ Tunnel() *circuit.Tunnel }

// A meeting is a circuit with a client.
type meeting struct {
	s      *Service
	ctx    context.Context // of the service
	number uint32
	tunnel *circuit.Tunnel
	close  func()
}

// idleTime is how long a circuit is kept without a stream, and up to twice that.
const idleTime = time.Hour

// watch waits for the end of the circuit, and closes it when the service ends or nobody uses it.
func (m *meeting) watch(ctx context.Context, c Circuit) {
	defer c.Close()
	timer := time.NewTimer(idleTime)
	defer timer.Stop()
	idle := false
	for {
		select {
		case <-ctx.Done():
			m.linger(c)
			return
		case <-c.Done():
			return
		case <-timer.C:
			used := m.tunnel != nil && m.tunnel.Streams() > 0
			if idle && !used {
				return
			}
			idle = !used
			timer.Reset(idleTime)
		}
	}
}

// lingerPoll is how often to look whether the streams of a service that has ended are over.
const lingerPoll = time.Second

// linger waits until the streams are over, if they may go on after the service has ended.
func (m *meeting) linger(c Circuit) {
	for m.s.cfg.Linger && m.tunnel != nil && m.tunnel.Streams() > 0 {
		select {
		case <-c.Done():
			return
		case <-time.After(lingerPoll):
		}
	}
}

// incoming takes a stream. The link's reader calls it.
//
// What is refused is refused as if the stream had been and gone, so that whoever looks for open ports learns little; C tor does
// the same (handle_hs_exit_conn).
func (m *meeting) incoming(in stream.Incoming) {
	s := m.s
	set := s.shared.Load()
	if in.Ended() {
		return // by a stream before it, which has closed the circuit
	}
	if in.Cmd != relaymsg.CmdBegin {
		in.Refuse(relaymsg.EndNotDirectory)
		return
	}
	begin, err := relaymsg.ParseBegin(in.Body)
	if err != nil {
		in.Refuse(relaymsg.EndTorProtocol)
		return
	}
	_, port, _ := begin.HostPort()
	switch {
	case set.MaxStreams > 0 && m.tunnel != nil && m.tunnel.Streams() > set.MaxStreams:
		in.Refuse(relaymsg.EndDone)
		if set.CloseAtMax {
			m.close()
		}
		return
	case !set.Handler.Listens(port):
		in.Refuse(relaymsg.EndDone)
		if !set.UnknownPorts {
			m.close()
		}
		return
	case s.streams.Load() >= maxStreams, m.ctx.Err() != nil:
		in.Refuse(relaymsg.EndResourceLimit)
		return
	}
	s.streams.Add(1)
	safego.Go(&s.wg, s.log, "onion stream", func() {
		defer s.streams.Add(-1)
		if safego.Run(s.log, "onion stream", func() {
			set.Handler.Serve(m.ctx, Stream{Stream: in.Stream, Port: port, Circuit: m.number})
		}) {
			in.Refuse(relaymsg.EndInternal)
		}
	})
}

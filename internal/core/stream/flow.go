package stream

import (
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// flow is what a stream has instead of windows where its circuit has congestion control: the end that cannot pass data
// on says XOFF, and later XON with a rate. Stream.mu guards it.
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type flow struct {
	in      congestion.Drain
	out     congestion.Throttle
	xoffDue bool // flush is to send XOFF
}

func newFlow(f *Flow) *flow {
	return &flow{in: congestion.NewDrain(f.Params, f.Own), out: congestion.NewThrottle(f.Params, f.Peer)}
}

// take acts on an XOFF or XON. writable hears of an XON.
func (f *flow) take(m relaymsg.Msg, now time.Duration, writable chan struct{}) error {
	if m.Cmd == relaymsg.CmdXoff {
		if _, err := relaymsg.ParseXoff(m.Body); err != nil {
			return err
		}
		if err := f.out.OnXoff(); err != nil {
			return violation("%w", err)
		}
		return nil
	}
	xon, err := relaymsg.ParseXon(m.Body)
	if err != nil {
		return err
	}
	if err := f.out.OnXon(now, xon.KBps); err != nil {
		return violation("%w", err)
	}
	wake(writable)
	return nil
}

// lateFlow is the remnant of such a stream: the circuit's window bounds the data, and few messages come.
var lateFlow = remnant{data: 1<<16 - 1, other: 64}

// An allowance is what the other end is to hear after something went out of the buffer.
type allowance struct {
	window bool // room for SENDMEs
	xon    bool
	kbps   uint32
}

// drainedLocked looks at what went out of the buffer, n bytes. The caller lets go of s.mu, and then calls acknowledge.
func (s *Stream) drainedLocked(n int) allowance {
	if s.flow == nil {
		return allowance{window: s.deliver.Due()}
	}
	if n == 0 {
		return allowance{}
	}
	xon, kbps := s.flow.in.OnDrained(s.mux.now(), n, s.in.size)
	return allowance{xon: xon, kbps: kbps}
}

// acknowledge tells the other end what drainedLocked has found.
//
// Of a window, what lies in the buffer is not given back, so that buffer and window together never hold more than a whole
// window.
func (s *Stream) acknowledge(a allowance) {
	if !a.window && !a.xon {
		return
	}
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mu.Lock()
	closed, sendmes := s.state == Closed, 0
	if a.window {
		sendmes = s.sendmesLocked()
	}
	s.mu.Unlock()
	if closed {
		return
	}
	for range sendmes {
		s.mux.send.SendMsg(relaymsg.Msg{Cmd: relaymsg.CmdSendme, Stream: s.id})
	}
	if a.xon {
		s.sendFlow(relaymsg.CmdXon, relaymsg.Xon{KBps: a.kbps})
	}
}

// sendmesLocked counts the SENDMEs that there is room for.
func (s *Stream) sendmesLocked() (sendmes int) {
	maxData := s.mux.send.MaxData()
	buffered := (s.in.size + maxData - 1) / maxData
	for s.deliver.Due() && s.deliver.Window()+congestion.StreamIncrement+buffered <= congestion.StreamWindowStart {
		s.deliver.OnSendmeSent()
		sendmes++
	}
	return sendmes
}

// stop sends XOFF, unless the stream has ended.
func (s *Stream) stop() {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mu.Lock()
	closed := s.state == Closed
	s.mu.Unlock()
	if !closed {
		s.sendFlow(relaymsg.CmdXoff, relaymsg.Xoff{})
	}
}

// sendFlow sends XON or XOFF. The caller holds sendMu.
func (s *Stream) sendFlow(cmd relaymsg.Command, m interface {
	AppendTo([]byte) ([]byte, error)
}) {
	body, err := m.AppendTo(nil)
	if err != nil {
		panic("stream: " + err.Error())
	}
	s.mux.send.SendMsg(relaymsg.Msg{Cmd: cmd, Stream: s.id, Body: body})
}

package stream

import (
	"bytes"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Incoming is a stream that the other end has opened. Whoever takes it calls Accept, Answer or Refuse.
type Incoming struct {
	*Stream
	Cmd  relaymsg.Command // BEGIN, BEGIN_DIR or RESOLVE
	Body []byte           // of that message
}

// AcceptLocked makes m the end at which the other one opens streams.
func (m *Mux) AcceptLocked() { m.accepts = true }

// TakeIncomingLocked returns the streams that have been opened since it was called last.
func (m *Mux) TakeIncomingLocked() []Incoming {
	list := m.incoming
	m.incoming = nil
	return list
}

// acceptLocked takes a message for a stream that is not there: a new one, or one that we have ended a moment ago.
//
// https://spec.torproject.org/tor-spec/opening-streams.html
func (m *Mux) acceptLocked(run []relaymsg.Msg) error {
	cmd, id := run[0].Cmd, run[0].Stream
	kind := Connect
	switch cmd {
	case relaymsg.CmdResolve:
		kind = Resolve
	case relaymsg.CmdBegin, relaymsg.CmdBeginDir:
	default:
		return nil
	}
	if id == 0 {
		return violation("%v without a stream", cmd)
	}
	if m.err != nil || len(m.streams) >= maxStreams {
		return nil
	}
	s := newStream(m, id, kind, "")
	s.accepted = true
	m.streams[id] = s
	m.incoming = append(m.incoming, Incoming{s, cmd, bytes.Clone(run[0].Body)})
	return nil
}

// Accept opens a stream that came by BEGIN or BEGIN_DIR, and tells the other end what it is connected to.
func (s *Stream) Accept(c relaymsg.Connected) error {
	body, err := c.AppendTo(nil)
	if err != nil {
		return err
	}
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mu.Lock()
	if s.state != Opening || s.kind != Connect {
		defer s.mu.Unlock()
		if s.writeErr != nil {
			return s.writeErr
		}
		return ErrClosed
	}
	s.state, s.answered = Open, true
	close(s.connected)
	s.mu.Unlock()
	return s.mux.send.SendMsg(relaymsg.Msg{Cmd: relaymsg.CmdConnected, Stream: s.id, Body: body})
}

// Answer answers a RESOLVE, and ends the stream.
func (s *Stream) Answer(r relaymsg.Resolved) error {
	body, err := r.AppendTo(nil)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.state == Closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.setClosedLocked(ErrClosed, ErrClosed)
	s.mu.Unlock()
	s.mux.endedHere(s, remnant{})
	return s.mux.send.SendMsg(relaymsg.Msg{Cmd: relaymsg.CmdResolved, Stream: s.id, Body: body})
}

// Refuse ends a stream with the given reason. What has come already can still be read, and then comes ErrClosed.
func (s *Stream) Refuse(reason relaymsg.EndReason) { s.End(relaymsg.End{Reason: reason}) }

// End is Refuse with all that END can say.
func (s *Stream) End(e relaymsg.End) { s.close(ErrClosed, e) }

// Decided is closed when the stream stops to be opening: it has been accepted or answered, or one of the ends has ended it.
func (s *Stream) Decided() <-chan struct{} { return s.connected }

// Ended tells whether the stream is over, though what has come may not have been read yet.
func (s *Stream) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == Closed
}

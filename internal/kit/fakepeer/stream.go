package fakepeer

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Stream is a stream at the exit. It is an io.ReadWriter that obeys the windows.
type Stream struct {
	circ   *Circuit
	hop    int
	id     uint16
	target string

	changed *sync.Cond // on the relay's mutex, which guards the fields below

	connected bool
	ended     bool         // by us or by the circuit
	eof       bool         // by the client
	in        bytes.Buffer // what the client sent
	room      int          // DATA cells that we may send
	window    int          // DATA cells that the client may send
	got       int          // DATA cells since our last SENDME
}

// ID returns the stream's ID.
func (s *Stream) ID() uint16 { return s.id }

// Target returns what the client wants to connect to; "" for its directory.
func (s *Stream) Target() string { return s.target }

// Circuit returns the circuit that the stream is on.
func (s *Stream) Circuit() *Circuit { return s.circ }

// open makes a stream and gives it to its handler.
func (c *Circuit) open(hop int, m relaymsg.Msg) {
	r := c.conn.relay
	r.mu.Lock()
	h := c.hops[hop]
	if old := h.streams[m.Stream]; m.Stream == 0 || old != nil {
		r.violationLocked("%v with stream ID %d, which is in use", m.Cmd, m.Stream)
		if old != nil {
			old.endLocked()
		}
	}
	r.mu.Unlock()
	s := &Stream{
		circ: c, hop: hop, id: m.Stream, changed: sync.NewCond(&r.mu),
		room: streamWindow, window: streamWindow,
	}
	var handler Handler
	switch m.Cmd {
	case relaymsg.CmdResolve:
		c.resolve(hop, m)
		return
	case relaymsg.CmdBeginDir:
		handler = directory(r.cfg.Dir)
	default:
		begin, err := relaymsg.ParseBegin(m.Body)
		if err != nil {
			c.conn.violation("BEGIN: %v", err)
		}
		s.target = begin.Addr
		handler = r.cfg.Stream(begin.Addr)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.ended || r.closed {
		return
	}
	delete(h.over, m.Stream)
	h.streams[m.Stream] = s
	r.wg.Go(func() { handler(s) })
}

func (c *Circuit) resolve(hop int, m relaymsg.Msg) {
	r := c.conn.relay
	q, err := relaymsg.ParseResolve(m.Body)
	if err != nil {
		c.conn.violation("RESOLVE: %v", err)
		return
	}
	r.mu.Lock()
	c.hops[hop].over[m.Stream] = true
	r.mu.Unlock()
	if r.cfg.Resolve == nil {
		return
	}
	body := must(relaymsg.Resolved{Answers: r.cfg.Resolve(q.Name)}.AppendTo(nil))
	c.answer(hop, relaymsg.Msg{Cmd: relaymsg.CmdResolved, Stream: m.Stream, Body: body})
}

// toStream acts on DATA and END.
func (c *Circuit) toStream(hop int, m relaymsg.Msg) {
	r := c.conn.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	h := c.hops[hop]
	s := h.streams[m.Stream]
	switch {
	case s == nil && h.over[m.Stream]: // it crossed with our END
	case s == nil:
		r.violationLocked("%v for stream %d, which is not there", m.Cmd, m.Stream)
	case m.Cmd == relaymsg.CmdEnd:
		s.eof = true
		s.endLocked()
		delete(h.streams, s.id) // nothing may come after it
		delete(h.over, s.id)
	default:
		if s.window--; s.window < 0 {
			r.violationLocked("DATA beyond the window of stream %d", s.id)
		}
		s.got++
		s.in.Write(m.Body)
		s.changed.Broadcast()
	}
}

// Accept tells the client that the stream is open, and to which address; the zero Addr is left out.
func (s *Stream) Accept(addr netip.Addr) {
	body := must(relaymsg.Connected{Addr: addr, TTL: 60}.AppendTo(nil))
	r := s.circ.conn.relay
	r.mu.Lock()
	s.connected = true
	r.mu.Unlock()
	s.circ.answer(s.hop, relaymsg.Msg{Cmd: relaymsg.CmdConnected, Stream: s.id, Body: body})
}

// Send sends any message of this stream, with no regard to its state and windows.
func (s *Stream) Send(cmd relaymsg.Command, body []byte) {
	s.circ.Send(s.hop, relaymsg.Msg{Cmd: cmd, Stream: s.id, Body: body})
}

// End closes the stream, and tells the client why.
func (s *Stream) End(reason relaymsg.EndReason) {
	r := s.circ.conn.relay
	r.mu.Lock()
	ended := s.ended
	s.endLocked()
	h := s.circ.hops
	if s.hop < len(h) && h[s.hop].streams[s.id] == s {
		delete(h[s.hop].streams, s.id)
		h[s.hop].over[s.id] = true
	}
	r.mu.Unlock()
	if !ended {
		s.circ.answer(s.hop, relaymsg.Msg{Cmd: relaymsg.CmdEnd, Stream: s.id, Body: []byte{byte(reason)}})
	}
}

func (s *Stream) endLocked() {
	s.ended = true
	s.changed.Broadcast()
}

// Wait blocks until the stream is over.
func (s *Stream) Wait() {
	r := s.circ.conn.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	for !s.ended {
		s.changed.Wait()
	}
}

// Read returns what the client sent; io.EOF once it has closed the stream, net.ErrClosed if somebody else did.
func (s *Stream) Read(p []byte) (int, error) {
	n, acks, err := s.read(p)
	for range acks {
		s.circ.answer(s.hop, relaymsg.Msg{Cmd: relaymsg.CmdSendme, Stream: s.id})
	}
	return n, err
}

func (s *Stream) read(p []byte) (n, acks int, err error) {
	r := s.circ.conn.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	for s.in.Len() == 0 && !s.ended {
		s.changed.Wait()
	}
	if s.in.Len() == 0 {
		if s.eof {
			return 0, 0, io.EOF
		}
		return 0, 0, net.ErrClosed
	}
	n, _ = s.in.Read(p)
	if s.in.Len() > 0 || s.ended {
		return n, 0, nil
	}
	for ; s.got >= streamIncrement; acks++ {
		s.got -= streamIncrement
		s.window += streamIncrement
	}
	return n, acks, nil
}

// Write sends p as the windows allow.
func (s *Stream) Write(p []byte) (int, error) {
	r := s.circ.conn.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(p) {
		for !s.ended && (s.room <= 0 || s.circ.hops[s.hop].room <= 0) {
			s.changed.Wait()
		}
		if s.ended {
			return n, net.ErrClosed
		}
		m := min(len(p)-n, relaymsg.MaxBody)
		s.circ.sendLocked(s.hop, relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: s.id, Body: p[n : n+m]}, cell.CmdRelay)
		n += m
	}
	return n, nil
}

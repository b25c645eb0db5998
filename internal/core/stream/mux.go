package stream

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Sender packages what streams send. circuit.Tunnel implements it. No method blocks.
type Sender interface {
	// SendMsg sends one message that no window limits. It borrows m. An error means that the tunnel is closing.
	SendMsg(m relaymsg.Msg) error
	// SendData sends as much of p as fits into one run of cells and into the circuit's window: n bytes in that many cells.
	// When it takes nothing, WakeLocked will be called once the window opens. It borrows p.
	SendData(id uint16, p []byte) (n, cells int, err error)
	// MaxData returns how many bytes a DATA cell holds.
	MaxData() int
	// MaxCells returns how many cells a run has at most.
	MaxCells() int
}

// A remnant says what may still come for a stream that we have closed, until the other end has heard of it. It stays
// until END or the end of the tunnel, and keeps its ID from being used again: whoever gets our END need not answer.
type remnant struct {
	data  uint16 // DATA cells: what was left of the window
	other uint8  // CONNECTED and SENDMEs
}

// lateMessages is how many messages other than DATA may come: CONNECTED, and one SENDME for each part of the window.
const lateMessages = 1 + congestion.StreamWindowStart/congestion.StreamIncrement

// maxStreams bounds the stream IDs in use, so that a free one is found soon.
const maxStreams = 1 << 15

// A Mux holds the streams of a tunnel. The tunnel's mutex guards it.
type Mux struct {
	send Sender
	mu   sync.Locker // the tunnel's

	accepts  bool       // this is the end at which streams are opened by the other one
	incoming []Incoming // those that nobody has taken yet

	start  time.Time        // what the streams' flow control counts time from
	flow   *Flow            // nil for streams with windows
	memory *memacct.Counter // of what lies in buffers; nil if nobody counts

	streams map[uint16]*Stream
	ended   map[uint16]remnant // streams that we have closed
	nextID  uint16
	err     error   // why the tunnel closed
	last    *Stream // the stream of the last DATA: runs of cells are mostly of one stream
}

// Init makes m ready. mu is the tunnel's mutex.
func (m *Mux) Init(send Sender, mu sync.Locker) {
	var b [2]byte
	rand.Read(b[:])
	m.send, m.mu, m.start = send, mu, time.Now()
	m.streams = map[uint16]*Stream{}
	m.ended = map[uint16]remnant{}
	m.nextID = binary.BigEndian.Uint16(b[:])
}

// Flow says how streams are held back where their circuit has congestion control, and so streams have no windows.
type Flow struct {
	Params    congestion.FlowParams
	Own, Peer int // bytes that may wait at this end, and at the other one
}

// SetFlowLocked makes streams that are opened from now on use XON and XOFF, or windows if f is nil. It keeps f.
func (m *Mux) SetFlowLocked(f *Flow) { m.flow = f }

// now is the clock of flow control.
func (m *Mux) now() time.Duration { return time.Since(m.start) }

// OpenLocked makes a stream with a new ID. The caller then sends BEGIN, BEGIN_DIR or RESOLVE with it.
func (m *Mux) OpenLocked(kind Kind, addr string) (*Stream, error) {
	if m.err != nil {
		return nil, m.err
	}
	if len(m.streams)+len(m.ended) >= maxStreams {
		return nil, ErrFull
	}
	for {
		id := m.nextID
		m.nextID++
		if _, ended := m.ended[id]; id == 0 || ended || m.streams[id] != nil {
			continue
		}
		s := newStream(m, id, kind, addr)
		m.streams[id] = s
		return s, nil
	}
}

// CountLocked returns the number of streams that are not closed.
func (m *Mux) CountLocked() int { return len(m.streams) }

// endedHere forgets s, and keeps in mind that some of its cells may be under way. It reports whether the other end is to
// be told.
func (m *Mux) endedHere(s *Stream, outstanding remnant) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams[s.id] != s {
		return false
	}
	m.removeLocked(s)
	if !m.accepts {
		m.ended[s.id] = outstanding
	}
	return true
}

func (m *Mux) removeLocked(s *Stream) {
	delete(m.streams, s.id)
	if m.last == s {
		m.last = nil
	}
}

// CloseLocked ends all streams: the tunnel is gone, for the given reason.
func (m *Mux) CloseLocked(err error) {
	if m.err != nil {
		return
	}
	m.err = err
	for _, s := range m.streams {
		s.mu.Lock()
		if s.state != Closed {
			s.setClosedLocked(err, err)
		}
		s.mu.Unlock()
	}
	m.streams, m.ended, m.last = nil, nil, nil
}

// WakeLocked tells all writers that the circuit's window has opened.
func (m *Mux) WakeLocked() {
	for _, s := range m.streams {
		if s.blocked.Load() {
			wake(s.writable)
		}
	}
}

// DeliverLocked routes messages that arrived for streams. It borrows them. It appends to ready the streams that [Flush] is
// to be called for once the tunnel's mutex is free. An error is a violation of the protocol, and closes the circuit.
func (m *Mux) DeliverLocked(msgs []relaymsg.Msg, ready []*Stream) ([]*Stream, error) {
	for len(msgs) > 0 {
		n := 1
		if msgs[0].Cmd == relaymsg.CmdData {
			for n < len(msgs) && msgs[n].Cmd == relaymsg.CmdData && msgs[n].Stream == msgs[0].Stream {
				n++
			}
		}
		s, err := m.deliverRunLocked(msgs[:n])
		if s != nil {
			ready = append(ready, s)
		}
		if err != nil {
			return ready, err
		}
		msgs = msgs[n:]
	}
	return ready, nil
}

// Flush lets the streams that DeliverLocked has named write out what came for them. The caller holds no lock.
func Flush(ready []*Stream) {
	for _, s := range ready {
		s.flush()
	}
}

// deliverRunLocked takes one message, or a run of DATA of one stream. It returns the stream if it is to be flushed.
func (m *Mux) deliverRunLocked(run []relaymsg.Msg) (flush *Stream, err error) {
	s := m.last
	if s == nil || s.id != run[0].Stream {
		if s = m.streams[run[0].Stream]; s == nil {
			if m.accepts {
				return nil, m.acceptLocked(run)
			}
			return nil, m.lateLocked(run)
		}
		m.last = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Closed { // closed here, and endedHere waits for our mutex
		return nil, nil
	}
	if run[0].Cmd == relaymsg.CmdData {
		if err := s.dataLocked(run); err != nil {
			return nil, err
		}
		if s.arriveLocked() {
			return s, nil
		}
		return nil, nil
	}
	over, err := s.controlLocked(run[0])
	if over {
		m.removeLocked(s)
	}
	return nil, err
}

// lateLocked judges messages for a stream that is not there. That is fine for one that we closed a moment ago.
func (m *Mux) lateLocked(run []relaymsg.Msg) error {
	if m.err != nil {
		return nil // the streams went with the tunnel
	}
	cmd, id := run[0].Cmd, run[0].Stream
	r, ok := m.ended[id]
	switch {
	case !ok:
		return violation("%v for stream %d, which is not there", cmd, id)
	case cmd == relaymsg.CmdEnd || cmd == relaymsg.CmdResolved:
		delete(m.ended, id)
		return nil
	case cmd == relaymsg.CmdData && len(run) <= int(r.data):
		r.data -= uint16(len(run))
	case cmd != relaymsg.CmdData && r.other > 0:
		r.other--
	default:
		return violation("too much %v for stream %d, which is closed", cmd, id)
	}
	m.ended[id] = r
	return nil
}

// dataLocked appends a run of DATA cells to the buffer.
func (s *Stream) dataLocked(run []relaymsg.Msg) error {
	if s.state != Open && (!s.accepted || s.kind == Resolve) { // at the end that accepts, data may be there before it does
		return violation("DATA on a stream that is not open")
	}
	for _, m := range run {
		if s.flow == nil {
			if _, err := s.deliver.OnReceived(); err != nil {
				return violation("%w", err)
			}
		}
		s.in.write(m.Body)
	}
	if s.flow != nil {
		xoff, err := s.flow.in.OnArrived(s.mux.now(), s.in.size)
		if err != nil {
			return violation("%w", err)
		}
		s.flow.xoffDue = s.flow.xoffDue || xoff
	}
	return nil
}

// controlLocked acts on a message other than DATA, and tells whether the stream is over.
func (s *Stream) controlLocked(m relaymsg.Msg) (over bool, err error) {
	switch m.Cmd {
	case relaymsg.CmdConnected:
		if s.kind != Connect || s.state != Opening || s.accepted {
			return false, violation("CONNECTED out of place")
		}
		if s.peer, err = relaymsg.ParseConnected(m.Body); err != nil {
			return false, err
		}
		s.state, s.answered = Open, true
		close(s.connected)
	case relaymsg.CmdResolved:
		if s.kind != Resolve || s.accepted {
			return false, violation("RESOLVED out of place")
		}
		if s.answers, err = relaymsg.ParseResolved(m.Body); err != nil {
			return false, err
		}
		s.answered = true
		s.setClosedLocked(io.EOF, ErrClosed)
		return true, nil
	case relaymsg.CmdEnd:
		end, err := relaymsg.ParseEnd(m.Body)
		if err != nil {
			return false, err
		}
		var why error = &EndError{Reason: end.Reason}
		if end.Reason == relaymsg.EndDone && s.state == Open {
			s.setClosedLocked(io.EOF, why)
		} else {
			s.setClosedLocked(why, why)
		}
		return true, nil
	case relaymsg.CmdSendme:
		if s.state != Open {
			return false, violation("SENDME on a stream that is not open")
		}
		if s.flow != nil {
			return false, violation("SENDME on a stream that has no window")
		}
		if err := s.pack.OnSendme(); err != nil {
			return false, violation("%w", err)
		}
		wake(s.writable)
	case relaymsg.CmdXoff, relaymsg.CmdXon:
		// One that is still opening may be stopped: what was sent before CONNECTED waits at the exit.
		if s.kind != Connect || s.flow == nil {
			return false, violation("%v on a stream that has a window", m.Cmd)
		}
		return false, s.flow.take(m, s.mux.now(), s.writable)
	default:
		return false, violation("%v from an exit", m.Cmd)
	}
	return false, nil
}

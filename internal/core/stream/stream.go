package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// State is the life of a stream at the end that opened it. A resolve goes from opening straight to closed.
//
//	opening → open → closed
type State uint8

// The states of a stream.
const (
	Opening State = iota
	Open
	Closed
)

// Kind says which message opens a stream, and so what may answer it.
type Kind uint8

// The kinds of streams.
const (
	Connect Kind = iota // BEGIN or BEGIN_DIR, answered by CONNECTED
	Resolve             // RESOLVE, answered by RESOLVED, which ends it
)

// A Stream is one TCP connection through a tunnel. It is a net.Conn; one Read and one Write may run at the same time,
// and further ones wait for them.
type Stream struct {
	mux  *Mux
	id   uint16
	kind Kind
	addr Addr

	accepted bool // the other end has opened it

	readable  chan struct{} // holds a token when buffer or state may have changed
	writable  chan struct{} // the same for the windows
	connected chan struct{} // closed when the state leaves opening
	blocked   atomic.Bool   // the writer wants to hear of windows

	readMu, writeMu sync.Mutex // serialise Read and Write; taken before everything else
	readBy, writeBy deadline

	sendMu sync.Mutex // held from a look at state to the sending of what it allows: nothing follows END

	mu       sync.Mutex // guards the fields below; nothing is locked or sent under it
	state    State
	answered bool              // CONNECTED or RESOLVED has come
	answers  relaymsg.Resolved // what a resolve got
	peer     relaymsg.Connected
	in       buffer
	deliver  congestion.Deliver      // of DATA cells from the peer
	pack     congestion.StreamWindow // of DATA cells to the peer
	flow     *flow                   // instead of deliver and pack where the circuit has congestion control
	sink     sink
	readErr  error // why nothing more comes, once the buffer is empty
	writeErr error // why nothing more can be sent
}

// Addr is the destination that a stream was opened to.
type Addr string

// Network returns "tor".
func (Addr) Network() string { return "tor" }

// String returns host:port as the exit got it.
func (a Addr) String() string { return string(a) }

func newStream(m *Mux, id uint16, kind Kind, addr string) *Stream {
	s := &Stream{
		mux: m, id: id, kind: kind, addr: Addr(addr),
		readable:  make(chan struct{}, 1),
		writable:  make(chan struct{}, 1),
		connected: make(chan struct{}),
		deliver:   congestion.StreamDeliver(),
		pack:      congestion.NewStreamWindow(),
	}
	if m.flow != nil {
		s.flow = newFlow(m.flow)
	}
	s.in.held = newHeld(s, m.memory)
	return s
}

// ID returns the stream's ID in its tunnel.
func (s *Stream) ID() uint16 { return s.id }

// Wait blocks until the stream is open. If it returns an error the stream is closed: *EndError when the exit refused.
func (s *Stream) Wait(ctx context.Context) error {
	select {
	case <-s.connected:
	case <-ctx.Done():
		err := context.Cause(ctx)
		s.close(err, relaymsg.End{Reason: relaymsg.EndTimeout})
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.answered {
		return s.readErr
	}
	return nil
}

// Answers waits for what a resolve brings.
func (s *Stream) Answers(ctx context.Context) ([]relaymsg.Answer, error) {
	if err := s.Wait(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers.Answers, nil
}

// RemoteIP returns the address that the exit connected to, if it said so.
func (s *Stream) RemoteIP() netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer.Addr
}

// LocalAddr implements net.Conn.
func (s *Stream) LocalAddr() net.Addr { return Addr("") }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.addr }

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error {
	s.readBy.setTime(t)
	s.writeBy.setTime(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error { s.readBy.setTime(t); return nil }

// SetWriteDeadline implements net.Conn.
func (s *Stream) SetWriteDeadline(t time.Time) error { s.writeBy.setTime(t); return nil }

// Close ends the stream. What was written before is still sent; what has not been read is lost.
func (s *Stream) Close() error {
	s.close(ErrClosed, relaymsg.End{Reason: relaymsg.EndDone})
	s.SetDeadline(time.Time{}) // so that no timer keeps the stream in memory
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readErr, s.writeErr = ErrClosed, ErrClosed // whatever the other end has said before
	s.in.reset()
	return nil
}

// CloseWrite ends the stream in both directions, since Tor has no half-closed streams; but what has arrived already can
// still be read, and then comes io.EOF.
func (s *Stream) CloseWrite() error {
	s.close(io.EOF, relaymsg.End{Reason: relaymsg.EndDone})
	return nil
}

// close ends the stream from our side: readErr is what Read returns once the buffer is empty.
func (s *Stream) close(readErr error, end relaymsg.End) {
	s.mu.Lock()
	if s.state == Closed {
		s.mu.Unlock()
		return
	}
	outstanding := remnant{data: uint16(s.deliver.Window()), other: lateMessages}
	if s.flow != nil {
		outstanding = lateFlow
	}
	s.setClosedLocked(readErr, ErrClosed)
	s.mu.Unlock()
	if !s.mux.endedHere(s, outstanding) {
		return
	}
	body, err := end.AppendTo(nil)
	if err != nil {
		panic("stream: " + err.Error())
	}
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mux.send.SendMsg(relaymsg.Msg{Cmd: relaymsg.CmdEnd, Stream: s.id, Body: body})
}

// setClosedLocked changes the state and wakes everybody. The caller holds s.mu.
func (s *Stream) setClosedLocked(readErr, writeErr error) {
	if s.state == Opening {
		close(s.connected)
	}
	s.state = Closed
	s.readErr, s.writeErr = readErr, writeErr
	wake(s.readable)
	wake(s.writable)
}

// Read implements net.Conn.
func (s *Stream) Read(p []byte) (int, error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	err := s.consume(nil, func() bool {
		n = s.in.read(p)
		return n > 0
	})
	return n, err
}

// WriteTo copies the stream to w until it ends, block by block and without a copy in between. While w takes what comes
// without waiting, the tunnel's reader writes to it; see [sink].
func (s *Stream) WriteTo(w io.Writer) (total int64, err error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	direct, _ := w.(netx.TryWriter)
	defer func() { total += s.disarm() }()
	for {
		var b *block
		err := s.consume(direct, func() bool {
			b = s.in.take()
			return b != nil
		})
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(b.bytes())
		b.recycle()
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// consume waits until take, called under s.mu, took something out of the buffer, and acknowledges what that made room
// for. While it waits, what comes may go to direct, unless that is nil.
func (s *Stream) consume(direct netx.TryWriter, take func() bool) error {
	for {
		passed := s.readBy.passed()
		s.mu.Lock()
		ok, busy, err, before := false, s.sink.busy, s.sink.err, s.in.size
		if passed || !busy {
			s.sink.w = nil // flush, if it is at work, ends soon and wakes us
		}
		if !passed && !busy && err == nil {
			if ok, err = take(), s.readErr; !ok && err == nil {
				s.sink.w = direct
			}
		}
		due := s.drainedLocked(before - s.in.size)
		s.mu.Unlock()
		expired := s.readBy.wait()
		switch {
		case ok:
			s.acknowledge(due)
			return nil
		case busy && passed:
			expired = nil
		case busy:
		case passed:
			return os.ErrDeadlineExceeded
		case err != nil:
			return err
		}
		select {
		case <-s.readable:
		case <-expired:
		}
	}
}

// Write implements net.Conn. It returns when all of p is on its way to the writer of a link.
func (s *Stream) Write(p []byte) (total int, err error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	for len(p) > 0 {
		n, err := s.writeSome(p)
		total += n
		p = p[n:]
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// writeSome packages as much of p as flow control allows, and waits for it when that is nothing.
func (s *Stream) writeSome(p []byte) (int, error) {
	s.blocked.Store(true) // before the windows are looked at, so that no wake-up is lost
	defer s.blocked.Store(false)
	for {
		if s.writeBy.passed() {
			return 0, os.ErrDeadlineExceeded
		}
		n, after, err := s.sendRun(p)
		if n > 0 || err != nil {
			return n, err
		}
		s.waitWritable(after)
	}
}

// waitWritable waits until more may be sent, perhaps: if after is not 0, then at that time at the latest.
func (s *Stream) waitWritable(after time.Duration) {
	var later <-chan time.Time
	if after > 0 {
		timer := time.NewTimer(after)
		defer timer.Stop()
		later = timer.C
	}
	select {
	case <-s.writable:
	case <-later:
	case <-s.writeBy.wait():
	}
}

// sendRun packages one run of cells, or what flow control allows of it. If that is nothing because of the stream's rate,
// after says when to try again.
func (s *Stream) sendRun(p []byte) (n int, after time.Duration, err error) {
	maxData := s.mux.send.MaxData()
	p = p[:min(len(p), s.mux.send.MaxCells()*maxData)]

	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	if p, after, err = s.reserve(p, maxData); err != nil || len(p) == 0 {
		return 0, after, err
	}
	n, sent, err := s.mux.send.SendData(s.id, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flow != nil {
		s.flow.out.OnSent(n)
	} else {
		s.pack.GiveBack((len(p)+maxData-1)/maxData - sent)
	}
	return n, 0, err
}

// reserve takes room for p, or for a part of it, which it returns.
func (s *Stream) reserve(p []byte, maxData int) (part []byte, after time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return nil, 0, s.writeErr
	}
	if s.flow != nil {
		n, after := s.flow.out.Room(s.mux.now())
		return p[:min(len(p), n)], after, nil
	}
	cells := s.pack.Take((len(p) + maxData - 1) / maxData)
	return p[:min(len(p), cells*maxData)], 0, nil
}

// ReadFrom copies r into the stream until r ends, in pieces that fill a run of cells.
func (s *Stream) ReadFrom(r io.Reader) (total int64, err error) {
	b := blockPool.Get().(*block)
	defer b.recycle()
	run := s.mux.send.MaxCells() * s.mux.send.MaxData()
	buf := b.data[:min(run, blockLen)]
	for {
		n, err := r.Read(buf)
		if n > 0 {
			m, werr := s.Write(buf[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

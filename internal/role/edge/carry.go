package edge

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Linger is how long a server has to accept what the client sent before it ended the stream, and up to twice that.
const Linger = time.Minute

// runLen is the bytes of data that one run of cells holds.
const runLen = link.ChunkCells * 498

var buffers = sync.Pool{New: func() any { return new([runLen]byte) }}

// Carried is how many bytes a stream had.
type Carried struct{ Written, Read int64 } // to the server, and from it

// Carry carries bytes both ways until both are over, and closes both: s is accepted, and conn leads to the server. done is told
// how many there were, even after a panic. There are no half-closed streams in Tor: when either end is done, so is the other,
// after what was on its way has been delivered.
func Carry(log *slog.Logger, s *stream.Stream, conn net.Conn, done func(Carried)) {
	f := &flow{s: s, conn: conn}
	var n Carried
	var back sync.WaitGroup
	defer func() {
		conn.Close()
		s.Refuse(relaymsg.EndInternal) // after a panic; else it has ended
		back.Wait()
		done(n)
	}()
	var broken atomic.Uint32 // an EndReason: why the server takes no more
	safego.Go(&back, log, "stream, from server", func() {
		defer s.Refuse(relaymsg.EndInternal) // likewise
		var err error
		n.Read, err = f.fromServer()
		reason := relaymsg.EndReason(broken.Load())
		if reason == 0 {
			reason = ReasonOf(err)
		}
		s.Refuse(reason)
	})
	w := &toServer{flow: f}
	w.try, _ = conn.(netx.TryWriter)
	var err error
	if n.Written, err = s.WriteTo(w); !s.Ended() {
		// What the server has said before it went may still be there to be read.
		broken.Store(uint32(ReasonOf(err)))
		conn.SetReadDeadline(time.Now().Add(Linger))
		back.Wait()
	}
}

// A flow is the two ends.
type flow struct {
	s    *stream.Stream
	conn net.Conn
}

// fromServer carries to the client what the server sends, and returns why it sends no more.
func (f *flow) fromServer() (total int64, err error) {
	waiter, _ := f.conn.(netx.ReadWaiter)
	for {
		if waiter != nil {
			if err := waiter.WaitReadable(); err != nil {
				return total, err
			}
		}
		n, err := f.someFromServer()
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

func (f *flow) someFromServer() (int, error) {
	b := buffers.Get().(*[runLen]byte)
	defer buffers.Put(b)
	n, err := f.conn.Read(b[:])
	if n > 0 {
		if n, err := f.s.Write(b[:n]); err != nil {
			return n, err
		}
	}
	return n, err
}

// toServer is the socket as the stream writes to it.
type toServer struct {
	*flow
	try netx.TryWriter // nil if the connection has no such thing
}

// TryWrite implements [netx.TryWriter].
func (w *toServer) TryWrite(p []byte) (int, error) {
	if w.try == nil {
		return 0, nil
	}
	return w.try.TryWrite(p)
}

// Write waits for the server as long as there is the stream, and then for a moment.
func (w *toServer) Write(p []byte) (total int, err error) {
	if total, err = w.TryWrite(p); err != nil || total == len(p) {
		return total, err
	}
	defer w.conn.SetWriteDeadline(time.Time{}) // TryWrite would obey it
	for {
		ended := w.s.Ended()
		w.conn.SetWriteDeadline(time.Now().Add(Linger))
		n, err := w.conn.Write(p[total:])
		if total += n; err == nil || ended || !errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err
		}
	}
}
